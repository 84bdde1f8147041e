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
    #[error("{extra} bytes after the end of the message")]
    TrailingBytes {
        /// How many.
        extra: usize,
    },
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
    let mut rest = bytes;
    let mut decoder = rmp_serde::Deserializer::new(&mut rest);
    decoder.set_max_depth(depth);
    let message = T::deserialize(&mut decoder)?;
    drop(decoder);
    match rest.len() {
        0 => Ok(message),
        extra => Err(DecodeError::TrailingBytes { extra }),
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
        let mut bytes = encode(&7u8).unwrap();
        assert_eq!(decode::<u8>(&bytes).unwrap(), 7);
        bytes.push(0);
        assert!(matches!(decode::<u8>(&bytes), Err(DecodeError::TrailingBytes { extra: 1 })));
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
