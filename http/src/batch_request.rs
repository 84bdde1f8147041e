//! The body of a batch: its shape, in JSON and MessagePack alike.
//!
//! Refused as a whole: what is not of this shape, and more operations than are decoded. What an
//! operation means is the business of [`crate::batch_op`].

use std::borrow::Cow;
use std::fmt;

use gridkv_protocol::codec;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::config::MAX_BATCH_OPS_CEILING;
use crate::field::Field;
use crate::media_type::BatchFormat;
use crate::problem::{Code, Problem};

/// A batch as it was sent.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchRequest<'a> {
    /// All operations or none.
    #[serde(default)]
    pub(crate) atomic: bool,
    /// The operations.
    #[serde(borrow)]
    pub(crate) ops: RawOps<'a>,
}

/// Operations, up to the ceiling; the rest is only counted.
#[derive(Debug)]
pub(crate) struct RawOps<'a> {
    /// Those that were decoded.
    pub(crate) decoded: Vec<RawOp<'a>>,
    /// How many there were.
    pub(crate) total: usize,
}

/// The fields of one operation, whatever their shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawOp<'a> {
    pub(crate) op: Field<'a>,
    pub(crate) key: Field<'a>,
    pub(crate) value: Field<'a>,
    pub(crate) encoding: Field<'a>,
    pub(crate) content_type: Field<'a>,
    pub(crate) ttl: Field<'a>,
    pub(crate) if_match: Field<'a>,
    pub(crate) if_none_match: Field<'a>,
    /// What is wrong with its shape, if anything.
    pub(crate) fault: Option<String>,
}

/// The names of the fields.
const NAMES: [&str; 8] =
    ["op", "key", "value", "encoding", "content_type", "ttl", "if_match", "if_none_match"];

/// The name of a field: a known one without an allocation, any other as it was sent.
struct Name(Cow<'static, str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Name, E> {
        let known = NAMES.iter().find(|known| **known == name);
        Ok(Name(known.map_or_else(|| Cow::Owned(name.to_owned()), |known| Cow::Borrowed(*known))))
    }
}

impl<'a> BatchRequest<'a> {
    /// Decodes a body.
    ///
    /// # Errors
    /// 400 `malformed_body`.
    pub(crate) fn decode(body: &'a [u8], format: BatchFormat) -> Result<Self, Problem> {
        let decoded = match format {
            BatchFormat::Json => serde_json::from_slice(body).map_err(|error| error.to_string()),
            BatchFormat::MsgPack => codec::decode(body).map_err(|error| error.to_string()),
        };
        decoded.map_err(|why| {
            let form = format.as_str();
            Problem::new(
                Code::MalformedBody,
                format!("nothing was written; send {{\"ops\":[…]}} as {form}: {why}"),
            )
        })
    }
}

impl<'a> RawOp<'a> {
    /// Whether it changes nothing, whatever else is in it.
    pub(crate) fn is_read(&self) -> bool {
        matches!(&self.op, Field::Text(op) if op == "get")
    }

    fn slot(&mut self, name: &str) -> Option<&mut Field<'a>> {
        Some(match name {
            "op" => &mut self.op,
            "key" => &mut self.key,
            "value" => &mut self.value,
            "encoding" => &mut self.encoding,
            "content_type" => &mut self.content_type,
            "ttl" => &mut self.ttl,
            "if_match" => &mut self.if_match,
            "if_none_match" => &mut self.if_none_match,
            _ => return None,
        })
    }

    fn set(&mut self, name: &str, content: Field<'a>) {
        match self.slot(name) {
            Some(slot @ Field::Absent) => *slot = content,
            Some(_) => self.fault = Some(format!("field `{name}` is given twice")),
            None => self.fault = Some(format!("field `{name}` is not known")),
        }
    }

    fn not_an_object() -> Self {
        Self { fault: Some("an operation is an object".to_owned()), ..Self::default() }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawOps<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(OpsVisitor)
    }
}

struct OpsVisitor;

impl<'de> Visitor<'de> for OpsVisitor {
    type Value = RawOps<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of operations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawOps<'de>, A::Error> {
        let mut decoded = Vec::new();
        while decoded.len() < MAX_BATCH_OPS_CEILING {
            match seq.next_element()? {
                Some(op) => decoded.push(op),
                None => return Ok(RawOps { total: decoded.len(), decoded }),
            }
        }
        let mut total = decoded.len();
        while seq.next_element::<IgnoredAny>()?.is_some() {
            total += 1;
        }
        Ok(RawOps { decoded, total })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawOp<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OpVisitor)
    }
}

struct OpVisitor;

impl<'de> Visitor<'de> for OpVisitor {
    type Value = RawOp<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an operation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawOp<'de>, A::Error> {
        let mut op = RawOp::default();
        while let Some(Name(name)) = map.next_key()? {
            op.set(&name, map.next_value()?);
        }
        Ok(op)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawOp<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(RawOp::not_an_object())
    }

    fn visit_str<E>(self, _: &str) -> Result<RawOp<'de>, E> {
        Ok(RawOp::not_an_object())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<RawOp<'de>, E> {
        Ok(RawOp::not_an_object())
    }

    fn visit_u64<E>(self, _: u64) -> Result<RawOp<'de>, E> {
        Ok(RawOp::not_an_object())
    }

    fn visit_i64<E>(self, _: i64) -> Result<RawOp<'de>, E> {
        Ok(RawOp::not_an_object())
    }

    fn visit_f64<E>(self, _: f64) -> Result<RawOp<'de>, E> {
        Ok(RawOp::not_an_object())
    }

    fn visit_bool<E>(self, _: bool) -> Result<RawOp<'de>, E> {
        Ok(RawOp::not_an_object())
    }

    fn visit_unit<E>(self) -> Result<RawOp<'de>, E> {
        Ok(RawOp::not_an_object())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str) -> Result<BatchRequest<'_>, Problem> {
        BatchRequest::decode(body.as_bytes(), BatchFormat::Json)
    }

    #[test]
    fn the_two_formats_are_one_shape() {
        let text = r#"{"atomic":true,"ops":[{"op":"get","key":"a","encoding":null}]}"#;
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let packed = codec::encode_named(&value).unwrap();
        let expected = RawOp {
            op: Field::Text("get".into()),
            key: Field::Text("a".into()),
            ..RawOp::default()
        };
        for request in
            [json(text).unwrap(), BatchRequest::decode(&packed, BatchFormat::MsgPack).unwrap()]
        {
            assert!(request.atomic);
            assert_eq!(request.ops.decoded, std::slice::from_ref(&expected));
        }
        assert!(!json(r#"{"ops":[]}"#).unwrap().atomic);
    }

    #[test]
    fn other_shapes_are_malformed() {
        for body in [
            "",
            "{",
            "[]x",
            "{}",
            "{\"ops\":1}",
            "{\"ops\":[],\"x\":1}",
            "{\"ops\":[]} x",
            "{\"ops\":[],\"atomic\":1}",
            "\u{1}",
        ] {
            assert_eq!(json(body).unwrap_err().code, Code::MalformedBody, "{body}");
        }
    }

    #[test]
    fn a_fault_stays_with_its_operation() {
        let ops = r#"{"ops":[{}, 1, "a", [1], null, true, {"kee":1}, {"key":"a","key":"b"}]}"#;
        let faults: Vec<_> =
            json(ops).unwrap().ops.decoded.into_iter().map(|op| op.fault).collect();
        assert_eq!(faults[0], None);
        for fault in &faults[1..6] {
            assert_eq!(fault.as_deref(), Some("an operation is an object"));
        }
        assert_eq!(faults[6].as_deref(), Some("field `kee` is not known"));
        assert_eq!(faults[7].as_deref(), Some("field `key` is given twice"));
    }

    #[test]
    fn what_is_over_the_ceiling_is_counted_and_not_kept() {
        let body = format!("{{\"ops\":[{}0]}}", "0,".repeat(MAX_BATCH_OPS_CEILING + 5));
        let ops = json(&body).unwrap().ops;
        assert_eq!(
            (ops.decoded.len(), ops.total),
            (MAX_BATCH_OPS_CEILING, MAX_BATCH_OPS_CEILING + 6)
        );
    }
}
