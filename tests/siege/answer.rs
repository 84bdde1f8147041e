//! What a node said over HTTP, byte for byte, and whether that is a refusal as documented.

use std::net::TcpStream;

use super::{json as parsed, until_closed};

/// What a node said to one request, on a connection that it closed.
#[derive(Debug)]
pub(crate) struct Answer {
    /// 0: it closed without a word.
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read(stream: &mut TcpStream, what: &str) -> Self {
        let all = until_closed(stream, what);
        let end = all.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(0, |at| at + 4);
        let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        Self { status, head, body: all[end..].to_vec() }
    }

    /// Refused by GridKV itself: a whole problem body.
    pub(crate) fn is_problem(&self, what: &str) -> &Self {
        let problem = parsed(&self.body);
        let whole = problem["status"] == self.status
            && problem["code"].is_string()
            && problem["detail"].as_str().is_some_and(|detail| !detail.is_empty())
            && problem["request_id"].is_string()
            && self.head.contains("content-type: application/problem+json")
            && self.head.contains("x-request-id: ")
            && self.head.contains("gridkv-node: ");
        assert!(whole, "no whole problem for {what}: {self:?}");
        self
    }

    /// Refused by somebody: with a problem, by the parser with a bare answer, or by the end of the connection.
    pub(crate) fn is_refusal(&self, what: &str) {
        match self.status {
            503 => drop(self.is_problem(what)),
            400..=499 if self.head.contains("gridkv-node: ") => drop(self.is_problem(what)),
            0 | 400..=499 => {}
            _ => panic!("{what} was answered by {self:?}"),
        }
    }
}

/// A request with a body, on a connection that ends with it.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}
