//! The answer to a batch: what became of each operation, in order, in the format of the request.
//!
//! Never shorter than the batch: an operation that was refused at the door has its result too.

use std::borrow::Cow;

use base64::Engine;
use gridkv_actors::write::{ItemOutcome, Written};
use gridkv_protocol::record::{Live, Record, State};
use gridkv_protocol::{Value, Version};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;

use crate::batch_op::{BASE64, Encoding};
use crate::media_type::{BatchFormat, OCTET_STREAM};
use crate::problem::Problem;
use crate::refusal::key_not_found;
use crate::rfc3339;

/// The whole answer.
#[derive(Debug, serde::Serialize)]
pub(crate) struct BatchReply {
    /// Results whose status is 400 or more.
    pub(crate) errors: usize,
    /// What became of each operation.
    pub(crate) results: Vec<ItemReply>,
}

impl BatchReply {
    /// The answer with these results.
    pub(crate) fn new(results: Vec<ItemReply>) -> Self {
        Self { errors: results.iter().filter(|result| result.status >= 400).count(), results }
    }
}

/// What became of one operation.
#[derive(Debug)]
pub(crate) struct ItemReply {
    /// As if it had been a request of its own.
    pub(crate) status: u16,
    fields: Vec<(&'static str, Content)>,
}

#[derive(Debug)]
enum Content {
    Text(Cow<'static, str>),
    Version(Version),
    Flag(bool),
    /// Bytes that were found to be text.
    Utf8(Value),
    /// MessagePack only.
    Bin(Value),
    Json(Json),
}

impl ItemReply {
    /// What a refused operation says.
    pub(crate) fn refused(problem: Problem) -> Self {
        let mut fields = vec![
            ("code", Content::Text(problem.code.as_str().into())),
            ("detail", Content::Text(problem.detail)),
        ];
        fields.extend(problem.fields.into_iter().map(|(name, json)| (name, Content::Json(json))));
        Self { status: problem.code.status(), fields }
    }

    /// What the store's outcome says of an operation of this kind.
    pub(crate) fn of(outcome: ItemOutcome, kind: Kind, format: BatchFormat) -> Self {
        match outcome {
            ItemOutcome::Rejected(rejection) => Self::refused(rejection.into()),
            ItemOutcome::Written(written) => Self::written(&written, kind),
            ItemOutcome::Read(record) => Self::read(record, kind, format),
        }
    }

    fn written(written: &Written, kind: Kind) -> Self {
        let status = if kind == Kind::Put && !written.existed { 201 } else { 204 };
        let mut fields = vec![("version", Content::Version(written.version))];
        if kind == Kind::Delete {
            fields.push(("existed", Content::Flag(written.existed)));
        }
        if let Some(deadline) = written.expires_at {
            fields.push(("expires_at", Content::Text(rfc3339::format(deadline).into())));
        }
        Self { status, fields }
    }

    fn read(record: Option<Record>, kind: Kind, format: BatchFormat) -> Self {
        let Some(Record { version, state: State::Live(live) }) = record else {
            return Self::refused(key_not_found());
        };
        let Live { value, content_type, expires_at } = live;
        let mut fields = vec![("version", Content::Version(version))];
        let wants_base64 = kind == Kind::Get(Encoding::Base64);
        let (content, encoding) = match format {
            BatchFormat::MsgPack => (Content::Bin(value), None),
            BatchFormat::Json if wants_base64 || std::str::from_utf8(&value).is_err() => {
                (Content::Text(BASE64.encode(&*value).into()), Some("base64"))
            }
            BatchFormat::Json => (Content::Utf8(value), Some("utf8")),
        };
        fields.push(("value", content));
        fields.extend(encoding.map(|word| ("encoding", Content::Text(word.into()))));
        let content_type = content_type
            .map_or(Cow::Borrowed(OCTET_STREAM), |given| Cow::Owned(given.as_str().to_owned()));
        fields.push(("content_type", Content::Text(content_type)));
        if let Some(deadline) = expires_at {
            fields.push(("expires_at", Content::Text(rfc3339::format(deadline).into())));
        }
        Self { status: 200, fields }
    }
}

/// What an operation was, as far as its result depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A put.
    Put,
    /// A read, and how its value shall be written.
    Get(Encoding),
    /// A deletion.
    Delete,
    /// A change of the deadline.
    Touch,
}

impl Serialize for ItemReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len() + 1))?;
        map.serialize_entry("status", &self.status)?;
        for (name, content) in &self.fields {
            map.serialize_entry(name, content)?;
        }
        map.end()
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            // As text already: MessagePack has to know how long it is, and would collect it in a string first.
            Self::Version(version) => {
                serializer.serialize_str(std::str::from_utf8(&version.text()).unwrap_or_default())
            }
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Utf8(value) => {
                serializer.serialize_str(std::str::from_utf8(value).unwrap_or_default())
            }
            Self::Bin(value) => value.serialize(serializer),
            Self::Json(json) => json.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use gridkv_actors::Durability;
    use gridkv_actors::write::Rejection;
    use gridkv_protocol::codec;
    use serde_json::json;

    use super::*;

    const VERSION: &str = "0000000000000001-0000000200000003";

    fn record(bytes: &[u8]) -> ItemOutcome {
        let value = Value::copied(bytes);
        let live = Live { value, content_type: None, expires_at: None };
        ItemOutcome::Read(Some(Record {
            version: VERSION.parse().unwrap(),
            state: State::Live(live),
        }))
    }

    fn written(existed: bool) -> ItemOutcome {
        ItemOutcome::Written(Written {
            version: VERSION.parse().unwrap(),
            existed,
            expires_at: None,
            durability: Durability::Memory,
        })
    }

    fn as_json(outcome: ItemOutcome, kind: Kind) -> Json {
        serde_json::to_value(ItemReply::of(outcome, kind, BatchFormat::Json)).unwrap()
    }

    #[test]
    fn results_of_writes() {
        assert_eq!(as_json(written(false), Kind::Put), json!({"status": 201, "version": VERSION}));
        assert_eq!(as_json(written(true), Kind::Put), json!({"status": 204, "version": VERSION}));
        assert_eq!(as_json(written(true), Kind::Touch), json!({"status": 204, "version": VERSION}));
        assert_eq!(
            as_json(written(false), Kind::Delete),
            json!({"status": 204, "version": VERSION, "existed": false})
        );
        let rejected = Rejection::PreconditionFailed { current: Some(VERSION.parse().unwrap()) };
        let rejected = as_json(ItemOutcome::Rejected(rejected), Kind::Put);
        assert_eq!(rejected["status"], 412);
        assert_eq!(rejected["code"], "precondition_failed");
        assert_eq!(rejected["current_version"], VERSION);
    }

    #[test]
    fn results_of_reads_say_how_the_value_is_written() {
        let get = Kind::Get(Encoding::Utf8);
        let text = as_json(record(b"hi"), get);
        assert_eq!((&text["value"], &text["encoding"]), (&json!("hi"), &json!("utf8")));
        assert_eq!(text["content_type"], "application/octet-stream");
        let asked = as_json(record(b"hi"), Kind::Get(Encoding::Base64));
        assert_eq!((&asked["value"], &asked["encoding"]), (&json!("aGk="), &json!("base64")));
        let binary = as_json(record(b"\xff"), get);
        assert_eq!((&binary["value"], &binary["encoding"]), (&json!("/w=="), &json!("base64")));
        assert_eq!(as_json(ItemOutcome::Read(None), get)["status"], 404);
    }

    #[test]
    fn messagepack_has_bytes() {
        let get = Kind::Get(Encoding::Utf8);
        let reply = ItemReply::of(record(b"\xff"), get, BatchFormat::MsgPack);
        let bytes = codec::encode_named(&BatchReply::new(vec![reply])).unwrap();
        let bin = [0xa5, b'v', b'a', b'l', b'u', b'e', 0xc4, 1, 0xff];
        assert!(bytes.windows(bin.len()).any(|window| window == bin));
    }

    #[test]
    fn errors_are_counted() {
        let refused = || ItemReply::refused(Rejection::BatchAborted.into());
        let fine = ItemReply::of(written(true), Kind::Put, BatchFormat::Json);
        assert_eq!(BatchReply::new(vec![refused(), fine, refused()]).errors, 2);
    }
}
