//! A refusal, as the node meant it (RFC 9457), or as it came when something else answered.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::output::escape;

/// Characters of a foreign answer that are shown.
const SHOWN_CHARS: usize = 200;

/// What a node refused with.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Problem {
    /// The status.
    pub(crate) status: u16,
    /// The stable word; empty when something else than a node answered.
    pub(crate) code: String,
    /// What it means, the same in every case.
    pub(crate) title: String,
    /// What to do next.
    pub(crate) detail: String,
    /// What finds it in the node's log.
    pub(crate) request_id: String,
    /// Fields of the case.
    pub(crate) fields: Map<String, Json>,
    /// Seconds after which to come back.
    pub(crate) retry_after: Option<u64>,
    /// Who refused.
    pub(crate) url: String,
    /// Whether the request was to change something.
    pub(crate) changes: bool,
    /// All of it, as it came, when it is in another shape.
    pub(crate) body: Option<Vec<u8>>,
}

impl std::error::Error for Problem {}

impl Problem {
    /// A refusal out of its body.
    pub(super) fn read(status: u16, body: &[u8]) -> Self {
        let Ok(Json::Object(mut fields)) = serde_json::from_slice(body) else {
            return Self::foreign(status, body);
        };
        let mut text = |name: &str| match fields.remove(name) {
            Some(Json::String(text)) => text,
            _ => String::new(),
        };
        let (code, title, detail) = (text("code"), text("title"), text("detail"));
        let request_id = text("request_id");
        for name in ["type", "status", "instance"] {
            fields.remove(name);
        }
        if code.is_empty() {
            return Self::foreign(status, body);
        }
        Self { status, code, title, detail, request_id, fields, ..Self::default() }
    }

    fn foreign(status: u16, body: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(body);
        let shown: String = shown.trim().chars().take(SHOWN_CHARS).collect();
        let title = match (status, body) {
            (504, []) => "What was waited for did not come in time (HTTP 504)".to_owned(),
            _ => format!("HTTP {status}"),
        };
        Self { status, title, detail: shown, body: Some(body.to_vec()), ..Self::default() }
    }

    /// Whether the write that it answers was made in part, or may have been.
    pub(crate) fn is_unknown(&self) -> bool {
        self.code == "outcome_unknown"
            || (self.changes && self.code.is_empty() && self.status >= 500)
    }

    /// What a node says in terms of its interface, in those of the command line.
    fn in_words_of_commands(&self) -> Option<(String, String)> {
        let named = |field: &str| match self.fields.get(field).and_then(Json::as_str) {
            Some(name) => format!(" `{name}`"),
            None => String::new(),
        };
        let at = |what: &str| {
            if self.url.is_empty() {
                format!("There is no {what}")
            } else {
                format!("There is no {what} at {}", self.url)
            }
        };
        match self.code.as_str() {
            "unauthorized" => Some((
                self.title.clone(),
                "say who asks with --token-file FILE or GRIDKV_TOKEN".to_owned(),
            )),
            "store_not_found" => Some((
                at(&format!("store{}", named("store"))),
                "gridkv stores lists those that are there".to_owned(),
            )),
            "peer_not_found" => Some((
                at(&format!("member{}", named("peer"))),
                "gridkv peers lists those that are there".to_owned(),
            )),
            _ => None,
        }
    }

    /// How long to wait when the node only has too much to do; nothing was changed then.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let is_busy = matches!(self.code.as_str(), "overloaded" | "rate_limited");
        is_busy.then(|| Duration::from_secs(self.retry_after.unwrap_or(1).clamp(1, 10)))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { title, detail, code, request_id, .. } = self;
        if self.is_unknown() {
            f.write_str("unknown: ")?;
        }
        let words = self.in_words_of_commands();
        let (title, detail) =
            words.as_ref().map_or((title, detail), |(title, detail)| (title, detail));
        f.write_str(&escape(title))?;
        if !detail.is_empty() {
            write!(f, ": {}", escape(detail))?;
        }
        if code.is_empty() {
            return Ok(());
        }
        write!(f, " ({}", escape(code))?;
        // What a node fails at is in its log, under this.
        if self.status == 500 && !request_id.is_empty() {
            write!(f, "; request id {}", escape(request_id))?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_title_detail_and_code() {
        let body = br#"{"type":"urn:gridkv:problem:key-not-found","title":"The key has no value","status":404,
            "code":"key_not_found","detail":"write it first","instance":"/","request_id":"r","key":"k"}"#;
        let problem = Problem::read(404, body);
        assert_eq!(problem.to_string(), "The key has no value: write it first (key_not_found)");
        assert_eq!(problem.request_id, "r");
        let failed = Problem { status: 500, ..problem.clone() };
        assert!(failed.to_string().ends_with("(key_not_found; request id r)"), "{failed}");
        assert_eq!(problem.fields.keys().collect::<Vec<_>>(), ["key"]);
    }

    #[test]
    fn what_something_else_says_is_shown_without_its_escapes() {
        let problem = Problem::read(502, b"<h1>\x1b[2Jgone</h1>\n");
        assert_eq!(problem.to_string(), "HTTP 502: <h1>\\u{1b}[2Jgone</h1>");
        let write = Problem { changes: true, ..problem };
        assert!(write.to_string().starts_with("unknown: "), "{write}");
        assert_eq!(Problem::read(500, b"").to_string(), "HTTP 500");
        assert!(Problem::read(504, b"").to_string().contains("did not come in time"));
    }

    #[test]
    fn what_is_missing_is_named_and_told_in_commands() {
        let refused = |code: &str, field: &str| Problem {
            code: code.to_owned(),
            title: "There is none".to_owned(),
            detail: "GET /v1/stores".to_owned(),
            fields: Map::from_iter([(field.to_owned(), Json::from("n9"))]),
            url: "http://a".to_owned(),
            ..Problem::default()
        };
        let text = refused("store_not_found", "store").to_string();
        let expected = "There is no store `n9` at http://a: gridkv stores lists those that are there (store_not_found)";
        assert_eq!(text, expected);
        let text = refused("peer_not_found", "peer").to_string();
        assert!(
            text.starts_with("There is no member `n9` at http://a: gridkv peers lists"),
            "{text}"
        );
        assert!(
            refused("unauthorized", "x").to_string().contains("--token-file FILE or GRIDKV_TOKEN")
        );
    }

    #[test]
    fn only_a_busy_node_is_asked_again() {
        let busy = |code: &str| Problem {
            code: code.to_owned(),
            retry_after: Some(2),
            ..Problem::default()
        };
        assert_eq!(busy("overloaded").pause(), Some(Duration::from_secs(2)));
        assert_eq!(busy("not_committed").pause(), None);
    }
}
