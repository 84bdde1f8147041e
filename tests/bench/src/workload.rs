//! What all benchmarks write: keys of 16 bytes and values of 100.

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
