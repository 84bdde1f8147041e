//! The text of the samples: what prometheus' own types, registry and encoder make of the same ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gridkv_actors::histogram::{Histogram, REQUESTS, RUNS, SIZES, TURNS};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Counter, Gauge, LabelPair, Metric, MetricFamily};
use prometheus::{Registry, TextEncoder};

use super::super::names::{COMMIT_DURATION, COMMIT_SIZE};
use super::*;

/// Label values that are hard to write or to sort, where any may be.
const HARD: [&str; 11] =
    ["main", "", "a", "a-b", "a b", "a!", "a\"b\"", "back\\slash\\", "two\nlines", "ключ", "\u{1}"];

/// The same samples as prometheus has them.
#[derive(Clone, Default)]
struct Reference(BTreeMap<&'static str, MetricFamily>);

impl Reference {
    fn sample(&mut self, family: &Family, labels: &[&str], value: f64) {
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

    fn histogram(&mut self, family: &Family, labels: &[&str], measured: &Measured) {
        let of = measured.buckets;
        let mut histogram = prometheus::proto::Histogram::default();
        let mut below = 0;
        let bounds = of.bounds.iter().zip(&measured.counts);
        let buckets = bounds.map(|(bound, count)| {
            below += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(scaled(of, *bound));
            bucket.set_cumulative_count(below);
            bucket
        });
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(measured.count());
        histogram.set_sample_sum(scaled(of, measured.sum));
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        self.push(family, labels, metric);
    }

    fn push(&mut self, family: &Family, labels: &[&str], mut metric: Metric) {
        let pairs = family.labels.iter().zip(labels).map(|(label, value)| {
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

    fn into_text(self) -> String {
        let registry = Registry::new();
        let any = Desc::new("any".to_owned(), "Any.".to_owned(), vec![], HashMap::new()).unwrap();
        registry.register(Box::new(Gathered(any, self))).unwrap();
        TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }
}

struct Gathered(Desc, Reference);

impl Collector for Gathered {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.1.0.values().cloned().collect()
    }
}

/// Numbers that only look like chance.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.roll()).unwrap() % of.len()]
    }

    fn count(&mut self) -> u64 {
        let any = self.roll();
        let small = any >> (any % 64);
        self.pick(&[0, 1, small, any, EXACT - 1, EXACT, EXACT + 1, u64::MAX])
    }

    fn float(&mut self) -> f64 {
        let thousandth = as_f64(self.roll() >> 20) / 1_000.0;
        let any = f64::from_bits(self.roll());
        self.pick(&[0.0, -0.0, 0.1, -1.5, 1e21, 1e-7, thousandth, any, f64::INFINITY, f64::NAN])
    }

    fn labels(&mut self, family: &Family) -> Vec<&'static str> {
        let value = |label: &super::super::names::Label| {
            let known: Vec<_> = label.values.split_whitespace().collect();
            if known.is_empty() { self.pick(&HARD) } else { self.pick(&known) }
        };
        family.labels.iter().map(value).collect()
    }

    fn measured(&mut self) -> Measured {
        let histogram = Histogram::of(self.pick(&[&REQUESTS, &TURNS, &RUNS, &SIZES]));
        for _ in 0..self.roll() % 20 {
            let any = self.roll();
            histogram.observe(any >> (20 + any % 44));
        }
        histogram.measured()
    }
}

#[test]
fn it_is_the_text_that_prometheus_writes() {
    let mut dice = Dice(42);
    let (mut written, mut expected) = (Exposition::default(), Reference::default());
    let mut families: Vec<&Family> = ALL.iter().collect();
    families.reverse(); // they come in any order
    let mut samples = 0;
    for family in families {
        let mut taken = BTreeSet::new();
        for _ in 0..dice.roll() % 12 {
            let labels = dice.labels(family);
            if !taken.insert(labels.clone()) {
                continue;
            }
            samples += 1;
            if family.kind == MetricType::HISTOGRAM {
                let measured = dice.measured();
                written.histogram(family, &labels, &measured);
                expected.histogram(family, &labels, &measured);
            } else if samples % 2 == 0 {
                let count = dice.count();
                written.count(family, &labels, count);
                expected.sample(family, &labels, as_f64(count));
            } else {
                let value = dice.float();
                written.sample(family, &labels, value);
                expected.sample(family, &labels, value);
            }
        }
    }
    assert!(samples > 200, "{samples}");
    let (written, expected) = (written.into_text(), expected.into_text());
    for (line, other) in written.lines().zip(expected.lines()) {
        assert_eq!(line, other);
    }
    assert!(written == expected, "the one is longer");
    assert_eq!(Exposition::default().into_text(), "");
}

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
    let text = out.into_text();
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
