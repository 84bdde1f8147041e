//! Figures as they stand in tables, and the median that they are.

use std::time::Duration;

/// A count as a figure.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "no count here reaches 2^52")]
pub fn float(count: usize) -> f64 {
    count as f64
}

/// Bytes as a figure.
#[must_use]
pub fn bytes(count: u64) -> f64 {
    usize::try_from(count).map_or(f64::NAN, float)
}

/// The middle one, or the mean of the two in the middle; NaN of nothing.
#[must_use]
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied();
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2).copied();
    lower.zip(upper).map_or(f64::NAN, |(lower, upper)| f64::midpoint(lower, upper))
}

/// The median of each figure divided by the one beside it.
#[must_use]
pub fn median_ratio(above: &[f64], below: &[f64]) -> f64 {
    let ratios: Vec<f64> = above.iter().zip(below).map(|(above, below)| above / below).collect();
    median(&ratios)
}

/// Operations per second, short: `1.25 M`, `48.3 k`.
#[must_use]
pub fn per_second(rate: f64) -> String {
    match rate {
        millions if millions >= 1e6 => format!("{:.2} M", rate / 1e6),
        thousands if thousands >= 1e3 => format!("{:.1} k", rate / 1e3),
        _ => format!("{rate:.0}"),
    }
}

/// Milliseconds with two decimals.
#[must_use]
pub fn millis(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn rates_are_short() {
        assert_eq!(per_second(1_250_000.0), "1.25 M");
        assert_eq!(per_second(48_321.0), "48.3 k");
        assert_eq!(per_second(12.4), "12");
    }
}
