//! A snapshot on its way to Prometheus: families of the table, filled with samples, as text.
//!
//! A family without samples is left out: a series that can not apply is absent, not 0.
//!
//! The text is written here, byte for byte as prometheus' own encoder would: that one takes an object for each
//! sample, label and bucket, and makes a text of each number before it copies it, which took most of a scrape's time.

use std::ops::Range;
use std::ptr;
use std::rc::Rc;

use gridkv_actors::histogram::{Buckets, Measured, Unit};
use gridkv_protocol::UnixMs;
use prometheus::proto::MetricType;

use super::names::{ALL, Family};

/// Floats tell all whole numbers apart up to here.
const EXACT: u64 = 1 << 53;

/// Samples, by family.
#[derive(Default)]
pub(super) struct Exposition {
    /// Of each family of the table.
    samples: Vec<Vec<Sample>>,
    /// The lines of all samples, in the order in which they came.
    lines: String,
    /// The values of their labels.
    values: String,
    /// The labels of the one that is written.
    labels: String,
    /// The bounds of each kind of buckets, as text.
    bounds: Vec<(&'static Buckets, Rc<[String]>)>,
}

/// Where a sample stands; a histogram is one too.
struct Sample {
    values: Range<usize>,
    lines: Range<usize>,
}

impl Exposition {
    /// Empty, with room for so many bytes of lines.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { lines: String::with_capacity(bytes), ..Self::default() }
    }

    /// A sample of a gauge or a counter.
    pub(super) fn sample(&mut self, family: &Family, labels: &[&str], value: f64) {
        self.put(family, labels, |lines, labels| write_line(lines, family.name, "", labels, value));
    }

    /// A sample that is a whole number.
    pub(super) fn count(&mut self, family: &Family, labels: &[&str], count: u64) {
        self.put(family, labels, |lines, labels| {
            begin_line(lines, family.name, "", labels);
            push_count(lines, count);
        });
    }

    /// A sample that is a moment, in seconds since the epoch.
    pub(super) fn moment(&mut self, family: &Family, labels: &[&str], at: UnixMs) {
        self.sample(family, labels, as_f64(at.0) / 1_000.0);
    }

    /// What a histogram measured.
    pub(super) fn histogram(&mut self, family: &Family, labels: &[&str], measured: &Measured) {
        let (name, all) = (family.name, measured.count());
        let bounds = self.bounds_of(measured.buckets);
        self.put(family, labels, |lines, labels| {
            let comma = if labels.is_empty() { "" } else { "," };
            let before = [name, "_bucket{", labels, comma, "le=\""].concat();
            let mut bucket = |bound: &str, below| {
                lines.extend([&before, bound, "\"} "]);
                push_count(lines, below);
            };
            let mut below = 0;
            for (bound, count) in bounds.iter().zip(&measured.counts) {
                below += count;
                bucket(bound, below);
            }
            bucket("+Inf", all);
            write_line(lines, name, "_sum", labels, scaled(measured.buckets, measured.sum));
            begin_line(lines, name, "_count", labels);
            push_count(lines, all);
        });
    }

    /// The bounds of buckets, made once for all histograms that have them.
    fn bounds_of(&mut self, buckets: &'static Buckets) -> Rc<[String]> {
        if let Some((_, bounds)) = self.bounds.iter().find(|(known, _)| ptr::eq(*known, buckets)) {
            return Rc::clone(bounds);
        }
        let bounds = buckets.bounds.iter().map(|bound| scaled(buckets, *bound).to_string());
        let bounds: Rc<[String]> = bounds.collect();
        self.bounds.push((buckets, Rc::clone(&bounds)));
        bounds
    }

    /// Writes the lines of a sample, and remembers where they belong.
    fn put(&mut self, family: &Family, labels: &[&str], write: impl FnOnce(&mut String, &str)) {
        debug_assert_eq!(family.labels.len(), labels.len(), "{}", family.name);
        let (values_at, lines_at) = (self.values.len(), self.lines.len());
        self.labels.clear();
        for (label, value) in family.labels.iter().zip(labels) {
            debug_assert!(label.allows(value), "{}: {} is {value}", family.name, label.name);
            if !self.labels.is_empty() {
                self.labels.push(',');
            }
            self.labels.push_str(label.name);
            self.labels.push_str("=\"");
            push_escaped(&mut self.labels, value);
            self.labels.push('"');
            self.values.push_str(value);
            self.values.push('\0'); // below all others, so that they sort as one value after the other
        }
        write(&mut self.lines, &self.labels);
        let sample =
            Sample { values: values_at..self.values.len(), lines: lines_at..self.lines.len() };
        if self.samples.is_empty() {
            self.samples.resize_with(ALL.len(), Vec::new);
        }
        if let Some(samples) = self.samples.get_mut(family.place) {
            samples.push(sample);
        }
    }

    /// All of it: families in order of name, samples in order of their labels' values.
    pub(super) fn into_text(self) -> String {
        let Self { samples, lines, values, .. } = self;
        let heads: usize = ALL.iter().map(|family| 2 * family.name.len() + family.help.len()).sum();
        let mut text = String::with_capacity(lines.len() + heads + 32 * ALL.len());
        let mut all: Vec<_> = ALL.iter().zip(samples).filter(|(_, all)| !all.is_empty()).collect();
        all.sort_unstable_by_key(|(family, _)| family.name);
        for (family, mut samples) in all {
            samples.sort_by_key(|sample| values.get(sample.values.clone()));
            let (name, help) = (family.name, family.help);
            let kind = word(family.kind);
            let parts = ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"];
            text.extend(parts);
            text.extend(samples.into_iter().filter_map(|sample| lines.get(sample.lines)));
        }
        text
    }
}

/// The word of a type.
fn word(kind: MetricType) -> &'static str {
    match kind {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED => "untyped",
    }
}

fn write_line(lines: &mut String, name: &str, suffix: &str, labels: &str, value: f64) {
    begin_line(lines, name, suffix, labels);
    lines.push_str(&value.to_string());
    lines.push('\n');
}

/// All of a line but its value.
fn begin_line(lines: &mut String, name: &str, suffix: &str, labels: &str) {
    if labels.is_empty() {
        lines.extend([name, suffix, " "]);
    } else {
        lines.extend([name, suffix, "{", labels, "} "]);
    }
}

/// A whole number, and the end of its line.
fn push_count(lines: &mut String, count: u64) {
    if count <= EXACT {
        push_digits(lines, count);
    } else {
        lines.push_str(&as_f64(count).to_string());
    }
    lines.push('\n');
}

/// Most lines end in a few digits: formatting them would take as long as all before them.
fn push_digits(lines: &mut String, number: u64) {
    if number >= 10 {
        push_digits(lines, number / 10);
    }
    lines.extend(u32::try_from(number % 10).ok().and_then(|digit| char::from_digit(digit, 10)));
}

/// The value of a label, so that it ends where its quotes do.
fn push_escaped(labels: &mut String, value: &str) {
    if !value.bytes().any(|byte| matches!(byte, b'\\' | b'\n' | b'"')) {
        labels.push_str(value);
        return;
    }
    for character in value.chars() {
        match character {
            '\n' => labels.push_str("\\n"),
            '\\' | '"' => labels.extend(['\\', character]),
            other => labels.push(other),
        }
    }
}

/// A measured value as Prometheus has it.
fn scaled(buckets: &Buckets, value: u64) -> f64 {
    match buckets.unit {
        Unit::Micros => as_f64(value) / 1_000_000.0,
        Unit::Count => as_f64(value),
    }
}

/// The nearest float: counts beyond 2^53 lose their last digits.
#[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
#[path = "exposition_test.rs"]
mod tests;
