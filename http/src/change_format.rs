//! How changes are written: as server-sent events, as lines of JSON, or in one JSON document.

use actix_web::http::header::{self, HeaderMap};
use base64::Engine;
use gridkv_actors::changes::{ChangeKind, ChangePlace, LoggedChange};
use gridkv_protocol::Record;
use gridkv_protocol::record::State;
use serde::Serialize;

use crate::batch_op::BASE64;
use crate::change_id;
use crate::problem::{Code, Problem};
use crate::rfc3339;

/// Milliseconds after which a browser asks again when the stream breaks.
const RETRY_MS: u32 = 2_000;

/// The shape of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One document, at once or once there is something in it.
    Document,
    /// A stream that goes on.
    Stream(StreamShape),
}

/// The shape of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamShape {
    /// `text/event-stream`
    Events,
    /// `application/x-ndjson`
    Lines,
}

impl Shape {
    /// What a client accepts: the first that it names and that exists; without a word, the document.
    ///
    /// # Errors
    /// 406 when it names only others.
    pub(crate) fn of(request: &HeaderMap) -> Result<Self, Problem> {
        let mut named = request
            .get_all(header::ACCEPT)
            .flat_map(|line| line.to_str().unwrap_or_default().split(','))
            .map(|range| range.split(';').next().unwrap_or_default().trim_ascii())
            .filter(|range| !range.is_empty())
            .peekable();
        if named.peek().is_none() {
            return Ok(Self::Document);
        }
        named.find_map(Self::named).ok_or_else(|| {
            Problem::new(
                Code::NotAcceptable,
                "accept text/event-stream, application/x-ndjson or application/json",
            )
        })
    }

    fn named(range: &str) -> Option<Self> {
        match range.to_ascii_lowercase().as_str() {
            "text/event-stream" => Some(Self::Stream(StreamShape::Events)),
            "application/x-ndjson" => Some(Self::Stream(StreamShape::Lines)),
            "application/json" | "application/*" | "*/*" => Some(Self::Document),
            _ => None,
        }
    }
}

/// A change as clients see it.
#[derive(Debug, Serialize)]
pub(crate) struct ShownChange {
    event: &'static str,
    seq: String,
    key: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl ShownChange {
    /// A change in the run of `place`. `found` is what stands under its key now, if that was asked for: the value
    /// is told if it is still the one of this change, because a later one has a change of its own.
    pub(crate) fn new(change: &LoggedChange, place: ChangePlace, found: Option<Record>) -> Self {
        let (event, size, expires_at) = match change.kind {
            ChangeKind::Put { size, expires_at } => ("put", Some(size), expires_at),
            ChangeKind::Delete => ("delete", None, None),
            ChangeKind::Expire => ("expire", None, None),
        };
        let still = found.filter(|record| record.version == change.version);
        let live = still.and_then(|record| match record.state {
            State::Live(live) => Some(live),
            State::Expired { .. } | State::Deleted => None,
        });
        Self {
            event,
            seq: change_id::encode(ChangePlace { number: change.number, ..place }),
            key: change.key.as_str().to_owned(),
            version: change.version.to_string(),
            size,
            expires_at: expires_at.map(rfc3339::format),
            value: live.as_ref().map(|live| BASE64.encode(&*live.value)),
            content_type: live
                .and_then(|live| live.content_type)
                .map(|content_type| content_type.as_str().to_owned()),
        }
    }
}

/// Why a stream ends that its client did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastWord {
    /// The node stops.
    Bye,
    /// The client was so slow that changes were dropped; the first place that can be gone on from.
    Truncated(ChangePlace),
}

impl LastWord {
    fn event(self) -> &'static str {
        match self {
            Self::Bye => "bye",
            Self::Truncated(_) => "truncated",
        }
    }

    fn json(self) -> serde_json::Value {
        match self {
            Self::Bye => serde_json::json!({
                "event": self.event(),
                "detail": "the node is stopping; follow the store at another one, and list it first",
            }),
            Self::Truncated(oldest) => serde_json::json!({
                "event": self.event(),
                "code": Code::ChangesTruncated.as_str(),
                "detail": TRUNCATED,
                "oldest": change_id::encode(oldest),
            }),
        }
    }
}

/// What who fell behind is to do.
const TRUNCATED: &str =
    "changes after that place are not known any more: list the keys, then go on since `oldest`";

/// The refusal to go on from a place.
pub(crate) fn truncated(oldest: ChangePlace) -> Problem {
    Problem::new(Code::ChangesTruncated, TRUNCATED).with("oldest", change_id::encode(oldest))
}

impl StreamShape {
    /// The media type.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }

    /// What comes first: where the stream begins, for who is cut off before the first change.
    pub(crate) fn beginning(self, place: ChangePlace) -> String {
        match self {
            Self::Events => format!("retry: {RETRY_MS}\nid: {}\n\n", change_id::encode(place)),
            Self::Lines => String::new(),
        }
    }

    /// One change.
    ///
    /// # Errors
    /// When it has no JSON form, which is a mistake in this crate.
    pub(crate) fn change(self, shown: &ShownChange) -> serde_json::Result<String> {
        let json = serde_json::to_string(shown)?;
        Ok(match self {
            Self::Events => format!("id: {}\nevent: {}\ndata: {json}\n\n", shown.seq, shown.event),
            Self::Lines => json + "\n",
        })
    }

    /// What comes when nothing else does, so that both ends see that the other is there.
    pub(crate) fn ping(self, place: ChangePlace) -> String {
        match self {
            // A block without data is no event; its id is remembered.
            Self::Events => format!(": ping\nid: {}\n\n", change_id::encode(place)),
            Self::Lines => "\n".to_owned(),
        }
    }

    /// Why the stream ends.
    pub(crate) fn end(self, word: LastWord) -> String {
        let json = word.json();
        match self {
            Self::Events => format!("event: {}\ndata: {json}\n\n", word.event()),
            Self::Lines => format!("{json}\n"),
        }
    }
}

#[cfg(test)]
#[path = "change_format_test.rs"]
mod tests;
