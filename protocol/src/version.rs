//! A version: when and by whom a record was written. The greater one wins, everywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Hlc, Origin, hex};

/// A total order over all writes of a cluster. Written `<hlc 16 hex>-<origin 16 hex>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// When it was minted.
    pub hlc: Hlc,
    /// Who minted it; breaks ties of `hlc`.
    pub origin: Origin,
}

impl Version {
    /// Bytes of its text.
    pub const TEXT_BYTES: usize = 33;

    /// Its text, in ASCII.
    #[must_use]
    pub fn text(self) -> [u8; Self::TEXT_BYTES] {
        let mut text = [b'-'; Self::TEXT_BYTES];
        let (hlc, origin) = (hex::digits(self.hlc.bits()), hex::digits(self.origin.bits()));
        for (place, digit) in text.iter_mut().zip(hlc) {
            *place = digit;
        }
        for (place, digit) in text.iter_mut().rev().zip(origin.into_iter().rev()) {
            *place = digit;
        }
        text
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

/// The text is not `<16 hex>-<16 hex>` in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version is 16 hex digits, a dash and 16 hex digits")]
pub struct VersionError;

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let (hlc, origin) = text.split_once('-').ok_or(VersionError)?;
        Ok(Self { hlc: Hlc::from_bits(hex16(hlc)?), origin: Origin::from_bits(hex16(origin)?) })
    }
}

fn hex16(text: &str) -> Result<u64, VersionError> {
    let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 16 || !text.bytes().all(digits) {
        return Err(VersionError);
    }
    u64::from_str_radix(text, 16).map_err(|_| VersionError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, NodeId};

    #[test]
    fn text_round_trips_and_orders_by_time_first() {
        let low = Version {
            hlc: Hlc::from_bits(1),
            origin: Origin::new(NodeId(u32::MAX), Epoch(u32::MAX)),
        };
        let high = Version { hlc: Hlc::from_bits(2), origin: Origin::new(NodeId(0), Epoch(1)) };
        assert!(low < high);
        assert_eq!(low.to_string(), "0000000000000001-ffffffffffffffff");
        assert_eq!(low.to_string().parse(), Ok(low));
        assert_eq!(high.to_string().parse(), Ok(high));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "1-2",
            "0000000000000001",
            "000000000000000g-ffffffffffffffff",
            "+000000000000001-ffffffffffffffff",
            "0000000000000001-FFFFFFFFFFFFFFFF",
            "0000000000000001-ffffffffffffffff-",
        ] {
            assert_eq!(text.parse::<Version>(), Err(VersionError), "{text}");
        }
    }
}
