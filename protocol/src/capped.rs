//! Lists, maps and texts that refuse to grow past their limit while they are decoded.
//!
//! A frame of a few megabytes can name millions of tiny elements; these stop counting at the limit,
//! so what a hostile frame costs is bounded by the limit and not by the frame.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Decodes a list of at most `MAX` elements.
pub(crate) fn seq<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Capped<T, const MAX: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Capped<T, MAX> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX} elements")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = list.next_element()? {
                if elements.len() == MAX {
                    return Err(A::Error::custom(format_args!("more than {MAX} elements")));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }
    deserializer.deserialize_seq(Capped::<T, MAX>(PhantomData))
}

/// Decodes a map of at most `MAX` pairs.
pub(crate) fn map<'de, D, K, V, const MAX: usize>(
    deserializer: D,
) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    struct Capped<K, V, const MAX: usize>(PhantomData<(K, V)>);
    impl<'de, K, V, const MAX: usize> Visitor<'de> for Capped<K, V, MAX>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
    {
        type Value = BTreeMap<K, V>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a map of at most {MAX} pairs")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BTreeMap<K, V>, A::Error> {
            let mut pairs = BTreeMap::new();
            while let Some((key, value)) = map.next_entry()? {
                if pairs.len() == MAX {
                    return Err(A::Error::custom(format_args!("more than {MAX} pairs")));
                }
                pairs.insert(key, value);
            }
            Ok(pairs)
        }
    }
    deserializer.deserialize_map(Capped::<K, V, MAX>(PhantomData))
}

/// Decodes a text of at most [`crate::limits::MAX_TEXT_BYTES`] bytes.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > crate::limits::MAX_TEXT_BYTES {
        return Err(D::Error::custom("a text longer than its limit"));
    }
    Ok(text)
}
