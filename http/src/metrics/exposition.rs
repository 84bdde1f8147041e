//! A snapshot on its way to the registry: families of the table, filled with samples.
//!
//! A family without samples is left out: a series that can not apply is absent, not 0.

use std::collections::BTreeMap;

use prometheus::proto::{
    Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType, Summary,
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

    /// What a histogram measured.
    pub(super) fn histogram(&mut self, family: &Family, labels: &[&str], histogram: Histogram) {
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        self.push(family, labels, metric);
    }

    /// How often something was done, and how many seconds it took together.
    pub(super) fn summary(&mut self, family: &Family, labels: &[&str], count: u64, seconds: f64) {
        let mut summary = Summary::default();
        summary.set_sample_count(count);
        summary.set_sample_sum(seconds);
        let mut metric = Metric::default();
        metric.set_summary(summary);
        self.push(family, labels, metric);
    }

    fn push(&mut self, family: &Family, labels: &[&str], mut metric: Metric) {
        debug_assert_eq!(family.labels.len(), labels.len(), "{}", family.name);
        let pair = |(name, value): (&&str, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        metric.set_label(family.labels.iter().zip(labels).map(pair).collect());
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
