//! One operation of a batch: what its fields mean.
//!
//! Two kinds of refusal. A shape that no client can have meant (an unknown operation or field, a
//! missing key, a field that the operation does not have) refuses the whole batch, by index. A value
//! that this node does not take (a key or a value too long, a ttl that is none) refuses its operation.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use gridkv_actors::write::{Action, BatchItem, Condition, Ttl, Write};
use gridkv_protocol::{ContentType, Key, Value};

use crate::batch_request::RawOp;
use crate::condition;
use crate::config::HttpConfig;
use crate::duration;
use crate::field::Field;
use crate::key_path;
use crate::media_type;
use crate::problem::Problem;
use crate::query;
use crate::routes::kv::value_too_large;

/// Base64 with or without padding.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How bytes are written in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As text.
    #[default]
    Utf8,
    /// As base64.
    Base64,
}

/// An operation that can be asked of the store.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    /// What is asked.
    pub(crate) item: BatchItem,
    /// How a value that is read shall be written.
    pub(crate) encoding: Encoding,
}

/// What is wrong with an operation's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

fn malformed<T>(why: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(why.into()))
}

/// An operation, or why this node does not take it.
type Checked<T> = Result<T, Problem>;

/// Judges one operation.
///
/// # Errors
/// [`Malformed`] refuses the batch; the inner problem refuses the operation alone.
pub(crate) fn check(raw: RawOp<'_>, config: &HttpConfig) -> Result<Checked<Op>, Malformed> {
    if let Some(fault) = raw.fault {
        return Err(Malformed(fault));
    }
    let op = required("op", text("op", raw.op)?)?;
    let allowed: &[&str] = match &*op {
        "put" => &["value", "encoding", "content_type", "ttl", "if_match", "if_none_match"],
        "get" => &["encoding"],
        "delete" => &["if_match", "if_none_match"],
        "touch" => &["ttl", "if_match", "if_none_match"],
        other => return malformed(format!("`{other}` is not one of put, get, delete, touch")),
    };
    let given = [
        ("value", &raw.value),
        ("encoding", &raw.encoding),
        ("content_type", &raw.content_type),
        ("ttl", &raw.ttl),
        ("if_match", &raw.if_match),
        ("if_none_match", &raw.if_none_match),
    ];
    let stray =
        given.iter().find(|(name, field)| **field != Field::Absent && !allowed.contains(name));
    if let Some((name, _)) = stray {
        return malformed(format!("`{op}` has no field `{name}`"));
    }
    let key = key(raw.key, config.max_key_bytes)?;
    let encoding = encoding(raw.encoding)?;
    let condition = condition(
        text("if_match", raw.if_match)?.as_deref(),
        text("if_none_match", raw.if_none_match)?.as_deref(),
    );
    let ttl = ttl(raw.ttl)?;
    let action = match &*op {
        "put" => {
            let value = value(raw.value, encoding, config.max_value_bytes)?;
            let content_type = text("content_type", raw.content_type)?;
            put(value, content_type.as_deref(), ttl)
        }
        "delete" => Ok(Action::Delete),
        "touch" => required("ttl", ttl)?.map(|ttl| Action::Touch { ttl }),
        _ => return Ok(key.map(|key| Op { item: BatchItem::Get(key), encoding })),
    };
    let write = write(key, action, condition);
    Ok(write.map(|write| Op { item: BatchItem::Write(write), encoding }))
}

/// A write, or the first of its parts that is not taken.
fn write(
    key: Checked<Key>,
    action: Checked<Action>,
    condition: Checked<Condition>,
) -> Checked<Write> {
    Ok(Write { key: key?, action: action?, condition: condition? })
}

fn condition(if_match: Option<&str>, if_none_match: Option<&str>) -> Checked<Condition> {
    Ok(Condition {
        if_match: if_match.map(condition::if_match).transpose()?,
        if_none_match: if_none_match.map(condition::if_none_match).transpose()?,
        ..Condition::default()
    })
}

fn put(
    value: Checked<Value>,
    content_type: Option<&str>,
    ttl: Option<Checked<Ttl>>,
) -> Checked<Action> {
    Ok(Action::Put {
        value: value?,
        content_type: content_type.map_or(Ok(None), parse_content_type)?,
        ttl: ttl.unwrap_or(Ok(Ttl::StoreDefault))?,
    })
}

fn parse_content_type(text: &str) -> Checked<Option<ContentType>> {
    if media_type::counts_as_none(text) {
        return Ok(None);
    }
    ContentType::new(text)
        .map(Some)
        .map_err(|error| query::invalid("content_type", &format!("is not usable: {error}")))
}

fn required<T>(name: &str, field: Option<T>) -> Result<T, Malformed> {
    field.map_or_else(|| malformed(format!("`{name}` is missing")), Ok)
}

fn text<'a>(name: &str, field: Field<'a>) -> Result<Option<Cow<'a, str>>, Malformed> {
    match field {
        Field::Absent => Ok(None),
        Field::Text(text) => Ok(Some(text)),
        Field::Bytes(_) | Field::Number(_) | Field::Unusable => {
            malformed(format!("`{name}` is text"))
        }
    }
}

fn key(field: Field<'_>, max_bytes: usize) -> Result<Checked<Key>, Malformed> {
    match field {
        Field::Text(text) => Ok(key_path::check(text.as_bytes(), max_bytes)),
        Field::Bytes(bytes) => Ok(key_path::check(&bytes, max_bytes)),
        Field::Absent => malformed("`key` is missing"),
        Field::Number(_) | Field::Unusable => malformed("`key` is text"),
    }
}

fn encoding(field: Field<'_>) -> Result<Encoding, Malformed> {
    match text("encoding", field)?.as_deref() {
        None | Some("utf8") => Ok(Encoding::Utf8),
        Some("base64") => Ok(Encoding::Base64),
        Some(_) => malformed("`encoding` is utf8 or base64"),
    }
}

fn ttl(field: Field<'_>) -> Result<Option<Checked<Ttl>>, Malformed> {
    let ttl = match field {
        Field::Absent => return Ok(None),
        Field::Text(text) => query::ttl(&text),
        Field::Number(seconds) => {
            duration::from_seconds(seconds).map(query::ttl_of_ms).map_err(|error| error.to_string())
        }
        Field::Bytes(_) | Field::Unusable => {
            return malformed("`ttl` is a duration, a number of seconds, or keep");
        }
    };
    Ok(Some(ttl.map_err(|why| query::invalid("ttl", &why))))
}

fn value(field: Field<'_>, encoding: Encoding, max: usize) -> Result<Checked<Value>, Malformed> {
    let value = match (field, encoding) {
        (Field::Text(text), Encoding::Utf8) => Value::copied(text.as_bytes()),
        (Field::Text(text), Encoding::Base64) => match BASE64.decode(text.as_bytes()) {
            Ok(bytes) => Value::copied(&bytes),
            Err(error) => {
                return Ok(Err(query::invalid("value", &format!("is not base64: {error}"))));
            }
        },
        (Field::Bytes(bytes), _) => bytes,
        (Field::Absent, _) => return malformed("`value` is missing"),
        (Field::Number(_) | Field::Unusable, _) => {
            return malformed("`value` is text, or bin in MessagePack");
        }
    };
    Ok(if value.len() > max { Err(value_too_large(max)) } else { Ok(value) })
}

#[cfg(test)]
#[path = "batch_op_test.rs"]
mod tests;
