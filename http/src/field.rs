//! A field of a batch's operation before anybody knows what it means.
//!
//! JSON and MessagePack give different shapes, and a shape that does not fit must be blamed on its
//! operation, by index; the decoders alone could only refuse the whole body. So any shape is taken
//! here, and judged where the operation is known. What can not be used is not kept.

use std::borrow::Cow;
use std::fmt;

use gridkv_protocol::Value;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One field's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    /// Not given, or null.
    #[default]
    Absent,
    /// Text; the request's own bytes where they need no change.
    Text(Cow<'a, str>),
    /// Bytes; MessagePack only.
    Bytes(Value),
    /// A whole number that is not negative.
    Number(u64),
    /// Anything else.
    Unusable,
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyShape)
    }
}

struct AnyShape;

impl<'de> Visitor<'de> for AnyShape {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field")
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_string<E>(self, text: String) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text)))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Field<'de>, E> {
        Ok(Field::Bytes(Value::copied(bytes)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field<'de>, E> {
        Ok(u64::try_from(number).map_or(Field::Unusable, Field::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field<'de>, E> {
        Ok(Field::Unusable)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field<'de>, E> {
        Ok(Field::Unusable)
    }

    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Absent)
    }

    fn visit_none<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Unusable)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Unusable)
    }
}

#[cfg(test)]
mod tests {
    use gridkv_protocol::codec;

    use super::*;

    #[test]
    fn any_json_is_taken() {
        let table = [
            ("null", Field::Absent),
            ("\"a\\n\"", Field::Text("a\n".into())),
            ("7", Field::Number(7)),
            ("-7", Field::Unusable),
            ("0.5", Field::Unusable),
            ("true", Field::Unusable),
            ("[1,[2]]", Field::Unusable),
            ("{\"a\":{}}", Field::Unusable),
        ];
        for (json, field) in table {
            assert_eq!(serde_json::from_str::<Field>(json).unwrap(), field, "{json}");
        }
    }

    #[test]
    fn any_messagepack_is_taken() {
        let bin = codec::encode_named(&Value::copied(b"\xff")).unwrap();
        assert_eq!(codec::decode::<Field>(&bin).unwrap(), Field::Bytes(Value::copied(b"\xff")));
        let text = codec::encode_named("a").unwrap();
        assert_eq!(codec::decode::<Field>(&text).unwrap(), Field::Text("a".into()));
        let number = codec::encode_named(&30_u8).unwrap();
        assert_eq!(codec::decode::<Field>(&number).unwrap(), Field::Number(30));
    }
}
