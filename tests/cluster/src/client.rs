//! A blocking HTTP client of one node: what a user's program does, and no more.
//!
//! Every status is an answer, 404 and 503 included; only a conversation that broke off is an error. Every request has a
//! timeout, redirects are not followed, and no proxy of the environment is used: these nodes are next door.

use crate::agent;
use crate::reply::{Reply, ReplyError, StoreStats};
use crate::request::{PATH, Request};
use percent_encoding::utf8_percent_encode;
use serde_json::Value;
use std::io;
use std::time::Duration;
use ureq::http;

/// A whole request, from connecting to the last byte of the body, takes no longer unless the caller says so.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Keys asked for per page when all are listed: the most that a node gives.
const PAGE_KEYS: usize = 1_000;

/// No answer of the promised shape was read. What the node did with a request that writes is unknown.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No complete answer came: refused, cut off, or timed out.
    #[error("{method} {url}: no answer")]
    Transport {
        /// The method.
        method: String,
        /// The whole URL.
        url: String,
        /// What went wrong underneath.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The request could not be built; nothing was sent.
    #[error("{method} {url}: not a request")]
    Request {
        /// The method.
        method: String,
        /// The whole URL.
        url: String,
        /// What is wrong with it.
        #[source]
        source: http::Error,
    },
    /// An answer came that cannot be used.
    #[error("{url}: not the promised answer")]
    Reply {
        /// The whole URL.
        url: String,
        /// What is wrong with it.
        #[source]
        source: ReplyError,
    },
}

impl ClientError {
    /// Whether nobody listened: then nothing was sent.
    #[must_use]
    pub fn nobody_listened(&self) -> bool {
        let Self::Transport { source, .. } = self else { return false };
        matches!(&**source, ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }
}

/// Talks to one node. Clones share their kept connections; a client may be used from several threads.
#[derive(Clone, Debug)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    timeout: Duration,
    token: Option<String>,
}

impl Client {
    /// A client of the node at this base URL, such as `http://127.0.0.1:7401`.
    #[must_use]
    pub fn new(base_url: &str) -> Self {
        Self::with_timeout(base_url, DEFAULT_TIMEOUT)
    }

    /// The same with another limit for a whole request: longer for long polls, shorter for a node that may hang.
    #[must_use]
    pub fn with_timeout(base_url: &str, timeout: Duration) -> Self {
        let base = base_url.trim_end_matches('/').to_owned();
        Self { agent: agent::plain(timeout), base, timeout, token: None }
    }

    /// The same one, which takes certificates of this authority (PEM) and of no other.
    #[must_use]
    pub fn trusting(mut self, authority: &str) -> Self {
        self.agent = agent::trusting(self.timeout, authority);
        self
    }

    /// The same one, which sends this token with every request; `None`: none.
    #[must_use]
    pub fn bearing(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    /// The base URL, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// What keeps its connections.
    pub(crate) fn agent(&self) -> &ureq::Agent {
        &self.agent
    }

    /// Any request: `path` is sent as it is and may hold a query.
    pub fn request(&self, method: &str, path: &str) -> Request<'_> {
        Request {
            client: self,
            method: method.to_owned(),
            url: format!("{}{path}", self.base),
            headers: self.token.iter().map(|token| bearer(token)).collect(),
            body: None,
        }
    }

    /// A request for one key, which is escaped.
    pub fn at_key(&self, method: &str, store: &str, key: &str) -> Request<'_> {
        self.request(method, &format!("/v1/kv/{store}/{}", utf8_percent_encode(key, PATH)))
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came.
    pub fn get(&self, store: &str, key: &str) -> Result<Reply, ClientError> {
        self.at_key("GET", store, key).send()
    }

    /// Writes a record.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came; the record may have been written.
    pub fn put(&self, store: &str, key: &str, value: &[u8]) -> Result<Reply, ClientError> {
        self.at_key("PUT", store, key).body(value).send()
    }

    /// Writes a record if there is none: `If-None-Match: *`.
    ///
    /// # Errors
    /// As for [`Client::put`].
    pub fn put_if_absent(
        &self,
        store: &str,
        key: &str,
        value: &[u8],
    ) -> Result<Reply, ClientError> {
        self.at_key("PUT", store, key).header("If-None-Match", "*").body(value).send()
    }

    /// Writes a record if it still has this version: `If-Match: "<version>"`.
    ///
    /// # Errors
    /// As for [`Client::put`].
    pub fn put_if_match(
        &self,
        store: &str,
        key: &str,
        value: &[u8],
        version: &str,
    ) -> Result<Reply, ClientError> {
        let condition = format!("\"{version}\"");
        self.at_key("PUT", store, key).header("If-Match", &condition).body(value).send()
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came; the record may have been deleted.
    pub fn delete(&self, store: &str, key: &str) -> Result<Reply, ClientError> {
        self.at_key("DELETE", store, key).send()
    }

    /// One page of the keys that begin with `prefix`, from the start or from the cursor of the page before.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came.
    pub fn list_page(
        &self,
        store: &str,
        prefix: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Reply, ClientError> {
        let page = self.request("GET", &format!("/v1/kv/{store}"));
        let page = page.query("prefix", prefix).query("limit", &limit.to_string());
        match cursor {
            Some(cursor) => page.query("cursor", cursor).send(),
            None => page.send(),
        }
    }

    /// All keys that begin with `prefix`, page by page.
    ///
    /// # Errors
    /// [`ClientError`] when an answer did not come or was no page.
    pub fn keys(&self, store: &str, prefix: &str) -> Result<Vec<String>, ClientError> {
        let mut keys = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let reply = self.list_page(store, prefix, PAGE_KEYS, cursor.as_deref())?;
            let url = format!("{}/v1/kv/{store}", self.base);
            let page = reply.expect_status(200).and_then(|page| page.json());
            let page = page.map_err(|source| ClientError::Reply { url, source })?;
            let records = page.get("keys").and_then(Value::as_array).into_iter().flatten();
            keys.extend(records.filter_map(|record| Some(record.get("key")?.as_str()?.to_owned())));
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                return Ok(keys);
            }
        }
    }

    /// Sends a batch: an object with `ops`, and `atomic` if wanted.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came; any part of the batch may have been done.
    pub fn batch(&self, store: &str, batch: &Value) -> Result<Reply, ClientError> {
        self.request("POST", &format!("/v1/stores/{store}/batch"))
            .header("Content-Type", "application/json")
            .body(batch.to_string().as_bytes())
            .send()
    }

    /// The statistics of all stores.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came.
    pub fn stats(&self) -> Result<Reply, ClientError> {
        self.request("GET", "/v1/stats").send()
    }

    /// The statistics of all stores, read.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came or it was not statistics.
    pub fn store_stats(&self) -> Result<Vec<StoreStats>, ClientError> {
        let reply = self.stats()?.expect_status(200);
        reply
            .and_then(|reply| reply.store_stats())
            .map_err(|source| self.unreadable("/v1/stats", source))
    }

    /// How many live keys the store has on this node; `None` when the node has no such store.
    ///
    /// # Errors
    /// As for [`Client::store_stats`].
    pub fn key_count(&self, store: &str) -> Result<Option<u64>, ClientError> {
        let stores = self.store_stats()?;
        Ok(stores.into_iter().find(|one| one.name == store).map(|one| one.key_count))
    }

    /// What the node knows of the cluster.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came.
    pub fn cluster(&self) -> Result<Reply, ClientError> {
        self.request("GET", "/v1/cluster").send()
    }

    /// Name and state of each peer, as this node sees them.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came or it was no cluster.
    pub fn peer_states(&self) -> Result<Vec<(String, String)>, ClientError> {
        let reply = self.cluster()?.expect_status(200);
        reply
            .and_then(|reply| reply.peer_states())
            .map_err(|source| self.unreadable("/v1/cluster", source))
    }

    /// Whether the node is ready (200), and if not, why (503).
    ///
    /// # Errors
    /// [`ClientError`] when no answer came.
    pub fn readyz(&self) -> Result<Reply, ClientError> {
        self.request("GET", "/readyz").send()
    }

    fn unreadable(&self, path: &str, source: ReplyError) -> ClientError {
        ClientError::Reply { url: format!("{}{path}", self.base), source }
    }
}

fn bearer(token: &str) -> (String, String) {
    ("Authorization".to_owned(), format!("Bearer {token}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_escaped_but_for_their_slashes() {
        let client = Client::new("http://127.0.0.1:1/");
        let url = |key| client.at_key("GET", "main", key).url;
        assert_eq!(url("country/CI"), "http://127.0.0.1:1/v1/kv/main/country/CI");
        assert_eq!(url("a//b"), "http://127.0.0.1:1/v1/kv/main/a//b");
        assert_eq!(url("100%?#é"), "http://127.0.0.1:1/v1/kv/main/100%25%3F%23%C3%A9");
    }

    #[test]
    fn query_parameters_are_joined_and_escaped() {
        let client = Client::new("http://h");
        let request = client.request("GET", "/p").query("a", "b/c").query("d", "&");
        assert_eq!(request.url, "http://h/p?a=b%2Fc&d=%26");
    }

    #[test]
    fn a_token_goes_with_every_request() {
        let client = Client::new("http://h").bearing(Some("t"));
        assert_eq!(client.at_key("GET", "main", "k").headers, [bearer("t")]);
        assert_eq!(client.bearing(None).request("GET", "/").headers, []);
    }

    #[test]
    fn a_refused_connection_is_an_error_and_names_the_url() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = Client::new(&format!("http://127.0.0.1:{port}")).readyz().unwrap_err();
        assert!(matches!(error, ClientError::Transport { .. }));
        assert!(error.nobody_listened());
        assert!(error.to_string().contains("/readyz"));
    }
}
