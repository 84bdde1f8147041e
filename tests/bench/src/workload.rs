//! What all benchmarks write: keys of 16 bytes and values of 100.

use gridkv_protocol::record::Live;
use gridkv_protocol::{Hlc, Origin, Record, State, Value, Version};

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;

/// Bytes of a value.
pub const VALUE_BYTES: usize = 100;

/// The key of a number below 10^11.
#[must_use]
pub fn key(number: usize) -> String {
    format!("user:{number:011}")
}

/// A value that is printable, and differs from the one of the next number.
#[must_use]
pub fn value(number: usize) -> [u8; VALUE_BYTES] {
    let letter = u8::try_from(number % 26).unwrap_or(0);
    [b'a' + letter; VALUE_BYTES]
}

/// A record as a store would make it of that value.
#[must_use]
pub fn record(number: usize) -> Record {
    let hlc = Hlc::from_bits(u64::try_from(number).unwrap_or(u64::MAX));
    let value = Value::copied(&self::value(number));
    let state = State::Live(Live { value, content_type: None, expires_at: None });
    Record { version: Version { hlc, origin: Origin::from_bits(1) }, state }
}
