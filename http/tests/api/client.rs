//! A client that sends exactly the bytes it is told to, and keeps its connection.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value as Json;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open connection.
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    /// Sends a request with a body of a known length, and waits for the answer.
    pub(crate) fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: x\r\n");
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !body.is_empty() || matches!(method, "PUT" | "POST") {
            head.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
        }
        head.push_str("\r\n");
        self.raw(&[head.as_bytes(), body].concat());
        self.answer(method)
    }

    /// Sends bytes.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Says that no more follows; what comes back is still read.
    pub(crate) fn say_all(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Whether the server has closed the connection, or does so soon.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 1]), Ok(0) | Err(_))
    }

    /// Waits for the head of an answer. Its body is still to come.
    pub(crate) fn head(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at;
            }
            assert!(self.more(), "closed in the head: {:?}", String::from_utf8_lossy(&self.unread));
        };
        let head = String::from_utf8(self.unread.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: BTreeMap<String, String> = lines
            .map(|line| line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Answer { status, headers, body: Vec::new() }
    }

    /// Waits for the answer to a request that was sent.
    pub(crate) fn answer(&mut self, method: &str) -> Answer {
        let Answer { status, headers, .. } = self.head();
        if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked")
            && method != "HEAD"
        {
            return Answer { status, headers, body: self.chunks() };
        }
        let length = match headers.get("content-length") {
            Some(length) if method != "HEAD" => length.parse().unwrap(),
            _ => 0,
        };
        while self.unread.len() < length {
            assert!(self.more(), "closed in the body");
        }
        Answer { status, headers, body: self.unread.drain(..length).collect() }
    }

    /// Waits for this text, and takes what came until then, as it came.
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            let mut windows = self.unread.windows(text.len());
            if let Some(at) = windows.position(|bytes| bytes == text.as_bytes()) {
                return String::from_utf8(self.unread.drain(..at + text.len()).collect()).unwrap();
            }
            assert!(self.more(), "closed before {text:?}: {}", self.taken());
        }
    }

    /// Waits until the server ends the connection, and takes what came until then.
    pub(crate) fn rest(&mut self) -> String {
        while self.more() {}
        self.taken()
    }

    fn taken(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned()
    }

    /// The chunks of a body, joined.
    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = self.unread.windows(2).position(|bytes| bytes == b"\r\n") {
                    break at;
                }
                assert!(self.more(), "closed between chunks");
            };
            let length = std::str::from_utf8(&self.unread[..end]).unwrap();
            let length = usize::from_str_radix(length, 16).unwrap();
            let whole = end + 2 + length + 2;
            while self.unread.len() < whole {
                assert!(self.more(), "closed in a chunk");
            }
            let chunk: Vec<u8> = self.unread.drain(..whole).collect();
            body.extend_from_slice(&chunk[end + 2..whole - 2]);
            if length == 0 {
                return body;
            }
        }
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 16_384];
        let count = self.stream.read(&mut bytes).unwrap();
        self.unread.extend_from_slice(&bytes[..count]);
        count > 0
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of a problem, after checking that it is a whole one.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        let code = problem["code"].as_str().unwrap().to_owned();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["type"], format!("urn:gridkv:problem:{}", code.replace('_', "-")));
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        for field in ["title", "detail", "instance"] {
            assert!(!problem[field].as_str().unwrap().is_empty(), "{field} in {problem}");
        }
        code
    }

    /// Status and code of a problem.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.code())
    }
}
