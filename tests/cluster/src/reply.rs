//! What a node answered: status, headers and body as they came, and the few readings of them that everybody needs.

use serde_json::Value;
use std::borrow::Cow;
use ureq::http::HeaderMap;

/// An answer of a node, whatever its status.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// All response headers; names are case-insensitive.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

/// The node answered, but not in the shape that its documentation promises.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// The status means that there is nothing to read.
    #[error("expected status {expected}, got {status}: {body}")]
    Status {
        /// What was needed.
        expected: u16,
        /// What came.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The body is not JSON.
    #[error("the body is not JSON: {body}")]
    NotJson {
        /// The beginning of the body.
        body: String,
        /// Where it stops being JSON.
        #[source]
        source: serde_json::Error,
    },
    /// The JSON lacks a field.
    #[error("the JSON has no `{field}` of the right type: {body}")]
    Missing {
        /// The field.
        field: &'static str,
        /// The beginning of the body.
        body: String,
    },
}

/// What `GET /v1/stats` says of one store; only what this package reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStats {
    /// The store's name.
    pub name: String,
    /// The backend beneath it.
    pub backend: String,
    /// Live keys.
    pub key_count: u64,
}

/// Error messages quote no more than this many characters of a body.
const QUOTED_CHARS: usize = 400;

impl Reply {
    /// A header's value, when it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The version of the record: the header `GridKV-Version`.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.header("gridkv-version")
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The beginning of the body, for messages.
    #[must_use]
    pub fn quoted(&self) -> String {
        self.text().chars().take(QUOTED_CHARS).collect()
    }

    /// The body as JSON, whatever the status.
    ///
    /// # Errors
    /// [`ReplyError::NotJson`].
    pub fn json(&self) -> Result<Value, ReplyError> {
        serde_json::from_slice(&self.body)
            .map_err(|source| ReplyError::NotJson { body: self.quoted(), source })
    }

    /// The field `code` of a problem body; `None` when this is no problem.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        Some(self.json().ok()?.get("code")?.as_str()?.to_owned())
    }

    /// This reply, if it has the status that was needed.
    ///
    /// # Errors
    /// [`ReplyError::Status`].
    pub fn expect_status(self, expected: u16) -> Result<Self, ReplyError> {
        if self.status == expected {
            Ok(self)
        } else {
            Err(ReplyError::Status { expected, status: self.status, body: self.quoted() })
        }
    }

    /// Reads the answer to `GET /v1/stats`, in the order given.
    ///
    /// # Errors
    /// [`ReplyError`] when this is no such answer.
    pub fn store_stats(&self) -> Result<Vec<StoreStats>, ReplyError> {
        let json = self.json()?;
        let stores = json.get("stores").and_then(Value::as_array);
        stores
            .ok_or_else(|| self.missing("stores"))?
            .iter()
            .map(|one| self.one_store(one))
            .collect()
    }

    fn one_store(&self, store: &Value) -> Result<StoreStats, ReplyError> {
        let text = |field: &str| store.get(field).and_then(Value::as_str).map(str::to_owned);
        Ok(StoreStats {
            name: text("name").or_else(|| text("store")).ok_or_else(|| self.missing("name"))?,
            backend: text("backend").ok_or_else(|| self.missing("backend"))?,
            key_count: store
                .get("key_count")
                .and_then(Value::as_u64)
                .ok_or_else(|| self.missing("key_count"))?,
        })
    }

    /// Reads the answer to `GET /v1/cluster`: the name and the state (`up`, `suspect`, `down`) of each peer.
    ///
    /// # Errors
    /// [`ReplyError`] when this is no such answer.
    pub fn peer_states(&self) -> Result<Vec<(String, String)>, ReplyError> {
        let json = self.json()?;
        let peers = json.get("peers").and_then(Value::as_array);
        let text = |peer: &Value, field: &'static str| {
            let found = peer.get(field).and_then(Value::as_str).map(str::to_owned);
            found.ok_or_else(|| self.missing(field))
        };
        let peers = peers.ok_or_else(|| self.missing("peers"))?.iter();
        peers.map(|peer| Ok((text(peer, "name")?, text(peer, "state")?))).collect()
    }

    fn missing(&self, field: &'static str) -> ReplyError {
        ReplyError::Missing { field, body: self.quoted() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn stores_are_read_from_statistics() {
        let stats = reply(
            200,
            r#"{"stores":[{"name":"main","backend":"file","key_count":249,"db_size":1}]}"#,
        );
        let main =
            StoreStats { name: "main".to_owned(), backend: "file".to_owned(), key_count: 249 };
        assert_eq!(stats.store_stats().unwrap(), [main]);
        assert!(reply(200, r#"{"stores":[{"name":"main"}]}"#).store_stats().is_err());
        assert!(reply(200, "[]").store_stats().is_err());
    }

    #[test]
    fn peers_are_read_from_the_cluster() {
        let cluster = reply(200, r#"{"self":{},"peers":[{"name":"n2","state":"up"}]}"#);
        assert_eq!(cluster.peer_states().unwrap(), [("n2".to_owned(), "up".to_owned())]);
    }

    #[test]
    fn a_problem_has_a_code_and_an_unexpected_status_is_quoted() {
        let problem = reply(404, r#"{"code":"key_not_found"}"#);
        assert_eq!(problem.code().as_deref(), Some("key_not_found"));
        let error = problem.expect_status(200).unwrap_err();
        assert!(error.to_string().contains("got 404"));
        assert!(error.to_string().contains("key_not_found"));
    }
}
