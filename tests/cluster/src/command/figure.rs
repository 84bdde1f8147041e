//! Numbers for people: thousands in groups, bytes and durations with three or so digits.

use std::time::Duration;

/// `65123` as `65,123`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A length, which never needs more than 64 bits.
pub(crate) fn length(number: usize) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX))
}

/// Decimal units: `812 B`, `19.9 kB`, `47.2 MB`.
pub(crate) fn bytes(bytes: usize) -> String {
    let tenths = |unit: usize| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", tenths(1_000)),
        _ => format!("{} MB", tenths(1_000_000)),
    }
}

/// `18 ms`, `1.4 s`.
pub(crate) fn duration(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1_000 => format!("{millis} ms"),
        millis => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
    }
}

/// How many per second.
pub(crate) fn rate(number: usize, took: Duration) -> String {
    let number = u128::try_from(number).unwrap_or_default();
    let per_second = number * 1_000_000 / took.as_micros().max(1);
    count(u64::try_from(per_second).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn units_follow_the_size() {
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(19_983), "19.9 kB");
        assert_eq!(bytes(47_250_000), "47.2 MB");
        assert_eq!(duration(Duration::from_millis(999)), "999 ms");
        assert_eq!(duration(Duration::from_millis(1_450)), "1.4 s");
    }

    #[test]
    fn a_rate_is_per_second() {
        assert_eq!(rate(5_000, Duration::from_millis(500)), "10,000");
        assert_eq!(rate(1, Duration::ZERO), "1,000,000");
    }
}
