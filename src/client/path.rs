//! URLs, paths and queries: everything is percent-encoded exactly once, here.
//!
//! All but letters, digits, `-`, `_`, `.` and `~` is encoded, slashes of a key too: so nothing between here and the
//! node can take two slashes for one or resolve dots. The keys `.` and `..` can not stand in a path at all.

use std::net::{IpAddr, Ipv4Addr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::http::Uri;

use super::SetupError;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Text as a segment of a path, or a value of a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The path of a key.
pub(crate) fn key_path(store: &str, key: &str) -> String {
    format!("/v1/kv/{}/{}", encoded(store), encoded(key))
}

/// Whether a key can only be reached through a batch.
pub(crate) fn needs_batch(key: &str) -> bool {
    matches!(key, "." | "..")
}

/// A path with parameters.
#[derive(Debug, Clone)]
pub(crate) struct Query(String);

impl Query {
    /// A path without any.
    pub(crate) fn of(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// The same with a parameter, if there is a value for it.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        if let Some(value) = value {
            let separator = if self.0.contains('?') { '&' } else { '?' };
            self.0.push(separator);
            self.0.extend([name, "=", &encoded(value.as_ref())]);
        }
        self
    }
}

impl From<Query> for String {
    fn from(Query(text): Query) -> Self {
        text
    }
}

/// The URL of a node, without a slash at its end.
pub(super) fn base(text: &str) -> Result<String, SetupError> {
    let trimmed = text.trim();
    let trimmed = trimmed.strip_suffix('/').filter(|rest| !rest.ends_with('/')).unwrap_or(trimmed);
    let refused = || SetupError::Url(text.to_owned());
    // Without a scheme, a host and a port are meant.
    let url =
        if trimmed.contains("://") { trimmed.to_owned() } else { format!("http://{trimmed}") };
    let uri: Uri = url.parse().map_err(|_| refused())?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !url.contains('@');
    if is_http && bare && uri.host().is_some_and(|host| !host.is_empty()) {
        Ok(url)
    } else {
        Err(refused())
    }
}

/// Whether a URL stays on this machine.
pub(super) fn is_loopback(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let unnamed = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    host == "localhost" || host.parse().unwrap_or(unnamed).is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_once_and_whole() {
        let table = [
            ("a", "a"),
            ("a//b", "a%2F%2Fb"),
            ("a%2Fb", "a%252Fb"),
            ("/", "%2F"),
            ("a/../b", "a%2F..%2Fb"),
            ("?q#", "%3Fq%23"),
            ("é", "%C3%A9"),
            ("a b+c", "a%20b%2Bc"),
            ("\n\0", "%0A%00"),
        ];
        for (key, path) in table {
            assert_eq!(key_path("main", key), format!("/v1/kv/main/{path}"), "{key}");
        }
        assert_eq!(key_path("a/b", "k"), "/v1/kv/a%2Fb/k");
        assert!(needs_batch(".") && needs_batch("..") && !needs_batch("..."));
    }

    #[test]
    fn parameters() {
        let path =
            Query::of("/p").with("a", Some("1&2")).with("b", None::<&str>).with("c", Some(""));
        assert_eq!(String::from(path), "/p?a=1%262&c=");
    }

    #[test]
    fn urls_of_nodes() {
        let table = [
            ("http://a:1", Some("http://a:1")),
            ("http://a:1/", Some("http://a:1")),
            ("a:1", Some("http://a:1")),
            ("https://[::1]:7400", Some("https://[::1]:7400")),
            ("127.0.0.1:7400", Some("http://127.0.0.1:7400")),
            ("ftp://a", None),
            ("http://a/b", None),
            ("http://u:p@a", None),
            ("http://", None),
            ("", None),
            ("a b", None),
        ];
        for (text, expected) in table {
            assert_eq!(base(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_stays_on_this_machine() {
        for url in
            ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://127.9.9.9"]
        {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://10.0.0.1:1", "http://example.net", "http://[fe80::1]:1"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
