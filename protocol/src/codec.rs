//! The only file that names MessagePack's library.
//!
//! Decoding is for untrusted bytes: nesting is bounded, and bytes left over after the message are an
//! error (the library alone would pass them over in silence).

use serde::{Deserialize, Serialize};

use crate::limits::MAX_DEPTH;

/// The value has no MessagePack form.
#[derive(Debug, thiserror::Error)]
#[error("can not encode a message")]
pub struct EncodeError(#[from] rmp_serde::encode::Error);

/// The bytes are not the message that was expected. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not MessagePack, or not of this shape, or over a limit.
    #[error("not a valid message: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// The message is whole, but bytes follow it.
    #[error("there are bytes after the end of the message")]
    TrailingBytes,
}

/// Encodes compactly: structs as arrays, fields by position. For frames, which name their version.
///
/// # Errors
/// [`EncodeError`] when the value has no MessagePack form.
pub fn encode<T: Serialize + ?Sized>(message: &T) -> Result<Vec<u8>, EncodeError> {
    Ok(rmp_serde::to_vec(message)?)
}

/// Encodes as [`encode`] does, to the end of `buffer`.
///
/// # Errors
/// [`EncodeError`] when the value has no MessagePack form; `buffer` then ends with a part of it.
pub fn encode_into<T: Serialize + ?Sized>(
    buffer: &mut Vec<u8>,
    message: &T,
) -> Result<(), EncodeError> {
    Ok(rmp_serde::encode::write(buffer, message)?)
}

/// Encodes structs as maps with field names. For clients and for small long-lived files.
///
/// # Errors
/// [`EncodeError`] when the value has no MessagePack form.
pub fn encode_named<T: Serialize + ?Sized>(message: &T) -> Result<Vec<u8>, EncodeError> {
    Ok(rmp_serde::to_vec_named(message)?)
}

/// Decodes either form, all of `bytes` and nothing but them.
///
/// # Errors
/// [`DecodeError`] when the bytes are anything else.
pub fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, DecodeError> {
    decode_with_depth(bytes, MAX_DEPTH)
}

fn decode_with_depth<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    depth: usize,
) -> Result<T, DecodeError> {
    // Text and bytes stay where they are, which takes a reader that does not tell where it stands.
    let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
    decoder.set_max_depth(depth);
    let message = T::deserialize(&mut decoder)?;
    // Whatever follows begins with a marker. A flag has nothing behind it, so that only the end has none to read: data
    // that lack are another error.
    match bool::deserialize(&mut decoder) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(message),
        Ok(_) | Err(_) => Err(DecodeError::TrailingBytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn bytes_are_messagepack_bin() {
        assert_eq!(encode(&Value::copied(b"\xc8\xc8")).unwrap(), [0xc4, 2, 0xc8, 0xc8]);
    }

    #[test]
    fn what_follows_a_message_is_an_error() {
        let message = encode(&7u8).unwrap();
        assert_eq!(decode::<u8>(&message).unwrap(), 7);
        // Each byte begins something else: values, parts of values, lists of what does not come.
        for byte in 0..=u8::MAX {
            let bytes = [message.as_slice(), &[byte]].concat();
            assert!(matches!(decode::<u8>(&bytes), Err(DecodeError::TrailingBytes)), "{byte}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_not_a_stack_overflow() {
        let deep = vec![0x91; 200_000];
        assert!(matches!(
            decode::<serde::de::IgnoredAny>(&deep),
            Err(DecodeError::Malformed(rmp_serde::decode::Error::DepthLimitExceeded))
        ));
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        let four_billion = [0xdd, 0xff, 0xff, 0xff, 0xff];
        assert!(decode::<Vec<u8>>(&four_billion).is_err());
        assert!(decode::<Value>(&[0xc6, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
