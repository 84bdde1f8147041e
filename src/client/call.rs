//! One request and its answer.

use std::io::Read;
use std::time::Duration;

use serde_json::Value as Json;
use ureq::Body;
use ureq::http::{Method, Response, StatusCode};

use super::lines::Lines;
use super::{ClientError, json};

/// Bytes of an answer that is read into memory, at most: a page of values is some megabytes.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// What is asked.
pub(crate) struct Call<'a> {
    pub(super) method: Method,
    /// Path and query, encoded.
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) payload: Payload<'a>,
    pub(super) patience: Patience,
    changes: bool,
}

/// What is sent along.
pub(crate) enum Payload<'a> {
    /// Nothing.
    None,
    /// Bytes.
    Bytes(Vec<u8>),
    /// Whatever comes, of a length if that is known.
    Reader {
        /// Where it comes from.
        from: &'a mut dyn Read,
        /// How much there is.
        length: Option<u64>,
    },
}

/// How long an answer may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// As long as the options say, and what the request itself waits for.
    Answer {
        /// That.
        beyond: Duration,
    },
    /// It goes on, and only its silence is limited.
    Stream,
    /// As long as it takes, if the options say nothing.
    Long,
}

impl Call<'_> {
    fn new(method: Method, path: String) -> Self {
        let changes = !matches!(method, Method::GET | Method::HEAD);
        let patience = Patience::Answer { beyond: Duration::ZERO };
        Self { method, path, headers: Vec::new(), payload: Payload::None, patience, changes }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into())
    }

    pub(crate) fn head(path: impl Into<String>) -> Self {
        Self::new(Method::HEAD, path.into())
    }

    pub(crate) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path.into())
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path.into())
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path.into())
    }

    /// The same with a header, if there is a value for it.
    pub(crate) fn header(mut self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        self.headers.extend(value.map(|value| (name, value.into())));
        self
    }

    /// The same with a body.
    pub(crate) fn payload(self, payload: Payload<'_>) -> Call<'_> {
        let Call { method, path, headers, patience, changes, .. } = self;
        Call { method, path, headers, payload, patience, changes }
    }

    /// The same with a body of JSON.
    pub(crate) fn json(self, json: &Json) -> Call<'static> {
        self.header("content-type", Some("application/json"))
            .payload(Payload::Bytes(json.to_string().into_bytes()))
    }

    /// The same, which may take another time.
    pub(crate) fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// The same, which changes nothing although it is no GET: such as a batch that only reads.
    pub(crate) fn only_reads(mut self) -> Self {
        self.changes = false;
        self
    }

    /// Whether an answer refuses it and can not say why: only a body does. A wait that was in vain is not asked for
    /// again.
    pub(super) fn is_bare_refusal(&self, response: &Response<Body>) -> bool {
        let status = response.status();
        let is_refusal = status.is_client_error() || status.is_server_error();
        self.method == Method::HEAD && is_refusal && status != StatusCode::GATEWAY_TIMEOUT
    }

    /// The same, asking for the body as well.
    pub(super) fn with_body(mut self) -> Self {
        self.method = Method::GET;
        self
    }

    /// Whether it may change something.
    pub(super) fn changes(&self) -> bool {
        self.changes
    }
}

/// What a node answered, which is no refusal.
pub(crate) struct Answer {
    url: String,
    response: Response<Body>,
}

impl Answer {
    pub(super) fn new(url: String, response: Response<Body>) -> Self {
        Self { url, response }
    }

    /// The status.
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Where it came from.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A header, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// A header that every answer to such a write has.
    ///
    /// # Errors
    /// [`ClientError::Unknown`] without it: then it is not the node's answer, or not all of it.
    pub(crate) fn said(&self, name: &str) -> Result<&str, ClientError> {
        let unknown = || ClientError::Unknown {
            url: self.url.clone(),
            why: format!("the answer has no {name}"),
        };
        self.header(name).ok_or_else(unknown)
    }

    /// All of it.
    ///
    /// # Errors
    /// [`ClientError::BrokenOff`] when it ends early.
    pub(crate) fn bytes(self) -> Result<Vec<u8>, ClientError> {
        let url = self.url;
        let mut body = self.response.into_body();
        let bytes = body.with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        bytes.map_err(|error| ClientError::BrokenOff { url, why: super::said(&error) })
    }

    /// All of it, as JSON.
    ///
    /// # Errors
    /// [`ClientError::BrokenOff`] when it ends early, [`ClientError::Strange`] when it is none.
    pub(crate) fn json(self) -> Result<Json, ClientError> {
        let url = self.url.clone();
        let bytes = self.bytes()?;
        json::read(&bytes).map_err(|what| ClientError::Strange { url, what })
    }

    /// Its lines as they come.
    pub(crate) fn into_lines(self) -> Lines<impl Read + 'static> {
        Lines::new(self.into_reader())
    }

    /// Its bytes as they come, however many: for who keeps none of them.
    pub(crate) fn into_reader(self) -> impl Read + 'static {
        self.response.into_body().into_reader()
    }
}
