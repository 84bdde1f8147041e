//! Values that no two writes share: each begins with the stamp of its write, and all that follows is made from it, so
//! that a value can be recognised, and one byte of another in it as well.

use std::fmt::{self, Write as _};

use gridkv_soak::dice;
use serde::{Deserialize, Serialize};

/// What tells a write from all others; or, of bytes that no write made, what is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stamp(String);

/// What the stamps of values that nobody can have written begin with.
const TORN: &str = "torn ";

impl Stamp {
    /// The stamp of a client's write number `serial`.
    #[must_use]
    pub fn new(client: u16, serial: u64) -> Self {
        Self(format!("c{client}.{serial}"))
    }

    /// The value with this stamp, of at least this many bytes.
    #[must_use]
    pub fn value(&self, bytes: usize) -> String {
        let mut value = format!("{} {bytes} ", self.0);
        let mut dice = dice(0, &self.0, 0);
        while value.len() < bytes {
            // Into a text, which takes all.
            write!(value, "{:016x}", dice.u64(..)).unwrap_or_default();
        }
        value
    }

    /// The stamp of a value that was read.
    #[must_use]
    pub fn read(value: &[u8]) -> Self {
        let whole = || {
            let text = std::str::from_utf8(value).ok()?;
            let mut words = text.split(' ');
            let stamp = Self(words.next()?.to_owned());
            // No longer than what was read, however long it says it is.
            let bytes =
                words.next()?.parse::<usize>().ok().filter(|bytes| *bytes <= value.len())?;
            (stamp.value(bytes) == text).then_some(stamp)
        };
        whole().unwrap_or_else(|| {
            let start = value.get(..value.len().min(40)).unwrap_or_default();
            Self(format!("{TORN}{} bytes: {:?}", value.len(), String::from_utf8_lossy(start)))
        })
    }

    /// Whether these are bytes that no write can have made.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.0.starts_with(TORN)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_recognised_whole_and_only_whole() {
        let stamp = Stamp::new(3, 71);
        for bytes in [0, 1, 16, 300, 20_000] {
            let value = stamp.value(bytes);
            assert!(value.len() >= bytes);
            assert_eq!(Stamp::read(value.as_bytes()), stamp);
            for place in [0, value.len() / 2, value.len() - 1] {
                let mut other = value.clone().into_bytes();
                other[place] ^= 1;
                assert_ne!(Stamp::read(&other), stamp, "byte {place} of {bytes}");
            }
            let cut = &value.as_bytes()[..value.len() - 1];
            assert!(Stamp::read(cut).is_torn());
        }
        assert!(Stamp::read(b"").is_torn());
        assert!(Stamp::read(b"\xff\xfe").is_torn());
        assert!(Stamp::read(b"c1.1 99999999999 ").is_torn());
    }
}
