//! A keep-alive connection that speaks as little HTTP/1.1 as a benchmark needs.
//!
//! It knows status, `Content-Length`, `GridKV-Version` and body; an answer in chunks is an error. The less
//! it costs, the more of what is measured is the server's.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Room for an answer, at first.
const ANSWER_BYTES: usize = 16 * 1_024;

/// A connection to one server, with at most one request under way.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// What every request has in its head.
    more_head: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// Where a server is, and what it wants to see.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its address.
    pub addr: SocketAddr,
    /// How it is spoken to; `None`: in clear.
    pub tls: Option<Arc<ClientConfig>>,
    /// The token that goes with each request.
    pub token: Option<String>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    async fn read_buf(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(buffer).await,
            Self::Tls(stream) => stream.read_buf(buffer).await,
        }
    }
}

/// What a server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The version of what was read or written; empty when it names none.
    pub version: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// Whether what was asked for was done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(addr: SocketAddr) -> io::Result<Self> {
        Self::open_to(&Target { addr, tls: None, token: None }).await
    }

    /// Connects, inside TLS if that is wanted.
    ///
    /// # Errors
    /// When nobody listens, or the handshake does not come to its end.
    pub async fn open_to(target: &Target) -> io::Result<Self> {
        let stream = TcpStream::connect(target.addr).await?;
        stream.set_nodelay(true)?;
        let stream = match &target.tls {
            None => Stream::Plain(stream),
            Some(config) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let name = ServerName::IpAddress(target.addr.ip().into());
                Stream::Tls(Box::new(connector.connect(name, stream).await?))
            }
        };
        let token = target.token.as_deref();
        let more_head =
            token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let answer = Vec::with_capacity(ANSWER_BYTES);
        Ok(Self { stream, more_head, request: Vec::new(), answer })
    }

    /// Reads what is at a path.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is not understood.
    pub async fn get(&mut self, path: &str) -> io::Result<Answer<'_>> {
        self.request.clear();
        self.head("GET", path);
        self.request.extend_from_slice(b"\r\n");
        self.exchange().await
    }

    /// Puts a body at a path. It has no type: one would be kept, and sent to peers, with every value.
    ///
    /// # Errors
    /// As for [`Connection::get`].
    pub async fn put(&mut self, path: &str, body: &[u8]) -> io::Result<Answer<'_>> {
        self.send("PUT", path, body, "").await
    }

    /// Posts a body of a type to a path.
    ///
    /// # Errors
    /// As for [`Connection::get`].
    pub async fn post(
        &mut self,
        path: &str,
        body: &[u8],
        content_type: &str,
    ) -> io::Result<Answer<'_>> {
        self.send("POST", path, body, &format!("Content-Type: {content_type}\r\n")).await
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
        more_head: &str,
    ) -> io::Result<Answer<'_>> {
        self.request.clear();
        self.head(method, path);
        let rest = format!("{more_head}Content-Length: {}\r\n\r\n", body.len());
        self.request.extend_from_slice(rest.as_bytes());
        self.request.extend_from_slice(body);
        self.exchange().await
    }

    fn head(&mut self, method: &str, path: &str) {
        for part in [method, " ", path, " HTTP/1.1\r\nHost: bench\r\n", &self.more_head] {
            self.request.extend_from_slice(part.as_bytes());
        }
    }

    async fn exchange(&mut self) -> io::Result<Answer<'_>> {
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        let head = loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = Head::parse(&self.answer)? {
                break head;
            }
        };
        let end = head.bytes + head.body_bytes;
        while self.answer.len() < end {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let version = self.answer.get(head.version.clone()).unwrap_or_default();
        let version = std::str::from_utf8(version).unwrap_or_default().trim();
        let body = self.answer.get(head.bytes..end).unwrap_or_default();
        Ok(Answer { status: head.status, version, body })
    }
}

/// What the head of an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Where the version stands; empty when there is none.
    version: Range<usize>,
    /// Of the head itself, its last line included.
    bytes: usize,
    body_bytes: usize,
}

impl Head {
    /// `None` until all of it is there.
    fn parse(answer: &[u8]) -> io::Result<Option<Self>> {
        let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        let (mut status, mut body_bytes, mut bytes, mut version) = (0, 0, 0, 0..0);
        for line in answer.split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") {
                return Ok(None);
            }
            if bytes == 0 {
                let code = line.get(9..12).and_then(number).ok_or_else(|| bad("no status"))?;
                status = u16::try_from(code).map_err(|_| bad("no status"))?;
            }
            bytes += line.len();
            if line == b"\r\n" {
                return Ok(Some(Self { status, version, bytes, body_bytes }));
            }
            if let Some(length) = after(line, b"content-length:") {
                body_bytes = number(length).ok_or_else(|| bad("no length"))?;
            } else if let Some(named) = after(line, b"gridkv-version:") {
                version = bytes - named.len()..bytes;
            } else if after(line, b"transfer-encoding:").is_some() {
                return Err(bad("an answer in chunks"));
            }
        }
        Ok(None)
    }
}

/// What follows a header's name, in any case.
fn after<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (given, rest) = line.split_at_checked(name.len())?;
    given.eq_ignore_ascii_case(name).then_some(rest)
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_understood_once_it_is_whole() {
        let answer =
            b"HTTP/1.1 201 Created\r\ngridkv-version: 1-2\r\nContent-Length: 12\r\n\r\nbody";
        let version = answer.windows(5).position(|at| at == b" 1-2\r").unwrap();
        let version = version..version + " 1-2\r\n".len();
        let head = Head { status: 201, version, bytes: answer.len() - 4, body_bytes: 12 };
        assert_eq!(Head::parse(answer).unwrap(), Some(head));
        for cut in 0..answer.len() - 4 {
            assert!(matches!(Head::parse(&answer[..cut]), Ok(None)), "cut at {cut}");
        }
        let chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert!(Head::parse(chunks).is_err());
    }
}
