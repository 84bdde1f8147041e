//! One request of a client, from its first word to the whole answer.

use crate::client::{Client, ClientError};
use crate::reply::Reply;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Write as _;
use ureq::http;

/// No larger body is read; snapshots of tests are smaller.
const MAX_BODY_BYTES: u64 = 256 * 1024 * 1024;
/// In a path, everything is escaped but what RFC 3986 leaves alone and the slash, which keys may contain.
pub(crate) const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// In a query, the slash is escaped too.
const QUERY: &AsciiSet = &PATH.add(b'/');

/// A request on its way: add what is needed, then [`Request::send`].
#[derive(Debug)]
#[must_use = "nothing is sent before `send`"]
pub struct Request<'a> {
    pub(crate) client: &'a Client,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Request<'_> {
    /// Adds a query parameter, escaping both halves.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        let name = utf8_percent_encode(name, QUERY);
        let value = utf8_percent_encode(value, QUERY);
        write!(self.url, "{separator}{name}={value}").unwrap_or_default(); // a String takes all
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    /// [`ClientError::Request`] when it is malformed, [`ClientError::Transport`] when no complete answer came.
    pub fn send(self) -> Result<Reply, ClientError> {
        let Self { client, method, url, headers, body } = self;
        let mut request = http::Request::builder().method(method.as_str()).uri(url.as_str());
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let sent = match body {
            Some(body) => request.body(body).map(|request| client.agent().run(request)),
            None => request.body(()).map(|request| client.agent().run(request)),
        };
        let answer = match sent {
            Ok(answer) => answer,
            Err(source) => return Err(ClientError::Request { method, url, source }),
        };
        answer.and_then(read).map_err(|source| ClientError::Transport {
            method,
            url,
            source: Box::new(source),
        })
    }
}

fn read(mut answer: http::Response<ureq::Body>) -> Result<Reply, ureq::Error> {
    let body = answer.body_mut().with_config().limit(MAX_BODY_BYTES).read_to_vec()?;
    let (head, _) = answer.into_parts();
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
}
