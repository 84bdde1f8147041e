//! A snapshot on its way to the registry: families of the table, filled with samples.
//!
//! A family without samples is left out: a series that can not apply is absent, not 0.

use std::collections::BTreeMap;

use gridkv_actors::histogram::{Measured, Unit};
use gridkv_protocol::UnixMs;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

use super::names::Family;

/// Families that have samples, by name.
#[derive(Default)]
pub(super) struct Exposition(BTreeMap<&'static str, MetricFamily>);

impl Exposition {
    /// A sample of a gauge or a counter.
    pub(super) fn sample(&mut self, family: &Family, labels: &[&str], value: f64) {
        let mut metric = Metric::default();
        if family.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.push(family, labels, metric);
    }

    /// A sample that is a whole number.
    pub(super) fn count(&mut self, family: &Family, labels: &[&str], count: u64) {
        self.sample(family, labels, as_f64(count));
    }

    /// A sample that is a moment, in seconds since the epoch.
    pub(super) fn moment(&mut self, family: &Family, labels: &[&str], at: UnixMs) {
        self.sample(family, labels, as_f64(at.0) / 1_000.0);
    }

    /// What a histogram measured.
    pub(super) fn histogram(&mut self, family: &Family, labels: &[&str], measured: &Measured) {
        let scaled = |value: u64| match measured.buckets.unit {
            Unit::Micros => as_f64(value) / 1_000_000.0,
            Unit::Count => as_f64(value),
        };
        let mut histogram = Histogram::default();
        let mut below = 0;
        let bounds = measured.buckets.bounds.iter().zip(&measured.counts);
        let buckets = bounds.map(|(bound, count)| {
            below += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(scaled(*bound));
            bucket.set_cumulative_count(below);
            bucket
        });
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(measured.count());
        histogram.set_sample_sum(scaled(measured.sum));
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        self.push(family, labels, metric);
    }

    fn push(&mut self, family: &Family, labels: &[&str], mut metric: Metric) {
        debug_assert_eq!(family.labels.len(), labels.len(), "{}", family.name);
        let pairs = family.labels.iter().zip(labels).map(|(label, value)| {
            debug_assert!(label.allows(value), "{}: {} is {value}", family.name, label.name);
            let mut pair = LabelPair::default();
            pair.set_name(label.name.to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        metric.set_label(pairs.collect());
        let entry = self.0.entry(family.name).or_insert_with(|| {
            let mut empty = MetricFamily::default();
            empty.set_name(family.name.to_owned());
            empty.set_help(family.help.to_owned());
            empty.set_field_type(family.kind);
            empty
        });
        entry.mut_metric().push(metric);
    }

    /// The families, in order of name.
    pub(super) fn into_families(self) -> Vec<MetricFamily> {
        self.0.into_values().collect()
    }
}

/// The nearest float: counts beyond 2^53 lose their last digits.
#[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use gridkv_actors::histogram::{Histogram, REQUESTS, SIZES};

    use super::super::names::{COMMIT_DURATION, COMMIT_SIZE};
    use super::*;

    #[test]
    fn a_histogram_as_prometheus_reads_it() {
        let (times, sizes) = (Histogram::of(&REQUESTS), Histogram::of(&SIZES));
        for micros in [100, 101, 3_000_000, 60_000_000] {
            times.observe(micros);
        }
        sizes.observe(3);
        let mut out = Exposition::default();
        out.histogram(&COMMIT_DURATION, &["main"], &times.measured());
        out.histogram(&COMMIT_SIZE, &["main"], &sizes.measured());
        let text = prometheus::TextEncoder::new().encode_to_string(&out.into_families()).unwrap();
        for line in [
            "# TYPE gridkv_commit_duration_seconds histogram",
            "gridkv_commit_duration_seconds_bucket{store=\"main\",le=\"0.0001\"} 1",
            "gridkv_commit_duration_seconds_bucket{store=\"main\",le=\"0.00025\"} 2",
            "gridkv_commit_duration_seconds_bucket{store=\"main\",le=\"2.5\"} 2",
            "gridkv_commit_duration_seconds_bucket{store=\"main\",le=\"5\"} 3",
            "gridkv_commit_duration_seconds_bucket{store=\"main\",le=\"10\"} 3",
            "gridkv_commit_duration_seconds_bucket{store=\"main\",le=\"+Inf\"} 4",
            "gridkv_commit_duration_seconds_sum{store=\"main\"} 63.000201",
            "gridkv_commit_duration_seconds_count{store=\"main\"} 4",
            "gridkv_commit_batch_operations_bucket{store=\"main\",le=\"2\"} 0",
            "gridkv_commit_batch_operations_bucket{store=\"main\",le=\"4\"} 1",
            "gridkv_commit_batch_operations_sum{store=\"main\"} 3",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
    }
}
