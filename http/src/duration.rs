//! Durations as clients write them: `250ms`, `30s`, `5m`, `1h`, or bare seconds.
//!
//! Fractions, signs, spaces and other units are refused: nobody should have to guess what was meant.

/// The longest duration that is accepted, in milliseconds: a hundred years.
const MAX_MS: u64 = 100 * 365 * 24 * 3_600_000;

/// The text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    /// It has another form.
    #[error("is not a duration such as 250ms, 30s, 5m, 1h, or bare seconds")]
    Malformed,
    /// It has the form, and is longer than a hundred years.
    #[error("is longer than 876000h; leave the deadline away instead")]
    TooLong,
}

/// Milliseconds of a duration.
///
/// # Errors
/// [`DurationError`] when it has another form or is longer than a hundred years.
pub(crate) fn parse(text: &str) -> Result<u64, DurationError> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit = match text.strip_prefix(digits).unwrap_or_default() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(DurationError::Malformed),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DurationError::Malformed);
    }
    // Only digits are left: what does not fit 64 bits is too long.
    let count = digits.parse().unwrap_or(u64::MAX);
    check(count, unit)
}

/// Milliseconds of a number of seconds.
///
/// # Errors
/// [`DurationError::TooLong`] when it is longer than a hundred years.
pub(crate) fn from_seconds(seconds: u64) -> Result<u64, DurationError> {
    check(seconds, 1_000)
}

fn check(count: u64, unit: u64) -> Result<u64, DurationError> {
    count.checked_mul(unit).filter(|ms| *ms <= MAX_MS).ok_or(DurationError::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_units() {
        let table = [
            ("250ms", 250),
            ("30s", 30_000),
            ("30", 30_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("0", 0),
            ("0ms", 0),
            ("007s", 7_000),
            ("876000h", MAX_MS),
        ];
        for (text, ms) in table {
            assert_eq!(parse(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in
            ["", "s", "ms", "1.5s", "-1s", "+1s", " 1s", "1 s", "1d", "1S", "1s1", "٣s", "1µs"]
        {
            assert_eq!(parse(text), Err(DurationError::Malformed), "{text}");
        }
        for text in ["876001h", "99999999999999999999", "18446744073709551615h"] {
            assert_eq!(parse(text), Err(DurationError::TooLong), "{text}");
        }
        assert_eq!(from_seconds(u64::MAX), Err(DurationError::TooLong));
    }
}
