//! Durations as operators write them: `250ms`, `5s`, `10m`, `1h`, or bare seconds.
//!
//! Why it exists: four units are all that the configuration needs. It refuses fractions, several
//! units in a row, signs and spaces, so that every duration has one obvious reading.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A text that is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    /// Not a whole number with one of the units.
    #[error("not a duration; write 250ms, 5s, 10m, 1h, or bare seconds")]
    Shape,
    /// More milliseconds than fit into 64 bits.
    #[error("longer than any duration that can be counted")]
    Overflow,
}

/// Reads `250ms`, `5s`, `10m`, `1h`, or bare seconds.
///
/// # Errors
///
/// [`DurationError`] when the text is none of these or too large to count.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(DurationError::Shape)?;
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(DurationError::Shape),
    };
    if number.is_empty() {
        return Err(DurationError::Shape);
    }
    let number: u64 = number.parse().map_err(|_| DurationError::Overflow)?;
    number.checked_mul(millis).map(Duration::from_millis).ok_or(DurationError::Overflow)
}

/// Writes a duration so that [`parse`] reads it back: the largest unit that divides it, and whole
/// milliseconds at the least.
pub(super) fn format(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    for (unit, size) in units {
        if millis != 0 && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    if millis == 0 { "0s".to_owned() } else { format!("{millis}ms") }
}

/// A field that holds a duration.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

/// A field that holds a duration, where zero means "none".
pub(super) fn deserialize_non_zero<'de, D>(from: D) -> Result<Option<Duration>, D::Error>
where
    D: Deserializer<'de>,
{
    deserialize(from).map(|duration| (!duration.is_zero()).then_some(duration))
}

#[cfg(test)]
#[path = "duration_test.rs"]
mod duration_test;
