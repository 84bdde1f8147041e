//! An object in JSON in which each name stands once: of two values under one name nobody knows which is meant.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value as Json};

/// The object.
#[derive(Debug)]
pub(super) struct Object(Map<String, Json>);

/// Reads one.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &[u8]) -> Result<Json, String> {
    let object: Object = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    Ok(Json::Object(object.0))
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Object, A::Error> {
        let mut fields = Map::new();
        while let Some((name, value)) = from.next_entry::<String, Json>()? {
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format_args!("`{name}` is there twice")));
            }
            fields.insert(name, value);
        }
        Ok(Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_once() {
        let read = |text: &str| read(text.as_bytes());
        assert_eq!(read(r#"{"a":1,"b":{"a":2}}"#), Ok(serde_json::json!({"a": 1, "b": {"a": 2}})));
        assert!(read(r#"{"key":"a","key":"b"}"#).unwrap_err().contains("`key` is there twice"));
        assert!(read("[1]").unwrap_err().contains("an object"));
        assert!(read("{} {}").is_err());
    }
}
