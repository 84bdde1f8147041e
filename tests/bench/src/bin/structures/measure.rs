//! The measurements of one candidate, run in a process of its own.

use std::error::Error;
use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gridkv_bench::distribution::Distribution;
use gridkv_bench::figure::float;
use gridkv_bench::screen;
use gridkv_bench::stopwatch::Stopwatch;

use crate::candidate::Candidate;
use crate::probe::{Probes, STABLE_END};
use crate::record::{self, Key, Record};
use gridkv_bench::resident;

/// How long each phase that is bounded by time runs.
const PHASE: Duration = Duration::from_millis(120);

/// How long readers and a writer run beside each other.
const BESIDE: Duration = Duration::from_millis(200);

/// Operations between two looks at the clock.
const STRIDE: usize = 64;

/// Keys in a page of the ordered walk.
const PAGE: usize = 1_000;

/// Operations in a large commit.
const BATCH: usize = 64;

/// Overwrites in large commits, after which memory is looked at again.
const OVERWRITES: usize = 200_000;

/// How long two readers fight for one key.
const HOT: Duration = Duration::from_millis(40);

/// Named figures of one candidate.
#[derive(Default)]
pub(crate) struct Figures(Vec<(&'static str, f64)>);

impl Figures {
    fn note(&mut self, name: &'static str, figure: f64) {
        self.0.push((name, figure));
    }

    /// Prints one `name figure` line each, for the parent to read.
    pub(crate) fn print(&self) -> io::Result<()> {
        self.0.iter().try_for_each(|(name, figure)| screen::line(format_args!("{name} {figure}")))
    }
}

/// Runs every phase, in an order where no phase spoils the next.
pub(crate) fn all<C: Candidate>(keys: usize) -> Result<Figures, Box<dyn Error>> {
    let mut figures = Figures::default();
    let loaded = Probes::loaded(keys, 1);
    let order = Probes::loaded(keys, 2);
    let fresh = Probes::fresh((keys / 10).max(1), keys, 3);
    let candidate = C::default();

    let before = resident::bytes()?;
    figures.note("grow_longest_us", micros(load(&candidate, &loaded).longest()));
    let per_key = |bytes: f64| (bytes - before) / float(keys);
    figures.note("rss", per_key(resident::bytes()?));

    figures.note("get", read_for(&candidate, &order, PHASE).nanos());
    figures.note("get_hot", read_one_key_twice(&candidate, &order));
    figures.note("put1", write_for(&candidate, &order, 1, PHASE));
    figures.note("put64", overwrite(&candidate, &order));
    figures.note("rss_after", per_key(resident::bytes()?));

    let beside = read_beside_writer(&candidate, &order, 1);
    figures.note("get_beside1", beside.reads.nanos());
    figures.note("put_beside1", beside.put_nanos);
    figures.note("lost_reads", float(beside.reads.lost));
    let beside = read_beside_writer(&candidate, &order, BATCH);
    figures.note("get_beside64", beside.reads.nanos());
    figures.note("put_beside64", beside.put_nanos);

    figures.note("insert", write_all(&candidate, &fresh, 1));
    walk_alone(&candidate, &mut figures);
    walk_beside_writer(&candidate, &order, keys + fresh.len(), &mut figures);
    picture(&candidate, keys, &mut figures);
    Ok(figures)
}

/// What a reader saw.
struct Reads {
    elapsed: Duration,
    count: usize,
    lost: usize,
}

impl Reads {
    fn nanos(&self) -> f64 {
        self.elapsed.as_secs_f64() * 1e9 / float(self.count.max(1))
    }
}

fn read_for<C: Candidate>(candidate: &C, probes: &Probes, limit: Duration) -> Reads {
    let mut keys = probes.endless(0);
    let (mut count, mut lost, mut sum) = (0, 0, 0_u64);
    let start = Stopwatch::start();
    while start.elapsed() < limit {
        for key in keys.by_ref().take(STRIDE) {
            match candidate.get(key) {
                Some(record) => sum = sum.wrapping_add(record::checksum(&record)),
                None => lost += 1,
            }
        }
        count += STRIDE;
    }
    black_box(sum);
    Reads { elapsed: start.elapsed(), count, lost }
}

/// Two threads read one and the same key; nanoseconds per get on one of them.
fn read_one_key_twice<C: Candidate>(candidate: &C, probes: &Probes) -> f64 {
    let hot = probes.first_only();
    std::thread::scope(|scope| {
        scope.spawn(|| read_for(candidate, &hot, HOT));
        read_for(candidate, &hot, HOT).nanos()
    })
}

/// A writer that commits batches of one size with rising stamps.
struct Writer<'a, C> {
    candidate: &'a C,
    batch: Vec<(Key, Record)>,
    size: usize,
    hlc: u64,
}

impl<'a, C: Candidate> Writer<'a, C> {
    fn new(candidate: &'a C, size: usize) -> Self {
        Self { candidate, batch: Vec::with_capacity(size), size, hlc: 0 }
    }

    fn put(&mut self, key: &str) {
        self.hlc += 1;
        self.batch.extend(record::fresh(key, self.hlc));
        if self.batch.len() >= self.size {
            self.candidate.commit(&mut self.batch);
        }
    }

    fn finish(mut self) {
        if !self.batch.is_empty() {
            self.candidate.commit(&mut self.batch);
        }
    }
}

/// Loads all keys, timing each large commit: growing the structure shows as the longest.
fn load<C: Candidate>(candidate: &C, probes: &Probes) -> Distribution {
    let mut latencies = Distribution::default();
    let mut writer = Writer::new(candidate, BATCH);
    let mut keys = probes.once().peekable();
    while keys.peek().is_some() {
        let start = Stopwatch::start();
        keys.by_ref().take(BATCH).for_each(|key| writer.put(key));
        latencies.note(start.elapsed());
    }
    writer.finish();
    latencies
}

/// Writes each key once; nanoseconds per put.
fn write_all<C: Candidate>(candidate: &C, probes: &Probes, size: usize) -> f64 {
    let start = Stopwatch::start();
    let mut writer = Writer::new(candidate, size);
    probes.once().for_each(|key| writer.put(key));
    writer.finish();
    start.nanos_each(probes.len())
}

/// Overwrites a fixed number of times in large commits, so that memory held back shows
/// alike for fast and slow candidates; nanoseconds per put.
fn overwrite<C: Candidate>(candidate: &C, probes: &Probes) -> f64 {
    let mut done = 0;
    write_while(candidate, probes, BATCH, || {
        done += STRIDE;
        done <= OVERWRITES
    })
}

/// Overwrites for a while; nanoseconds per put.
fn write_for<C: Candidate>(candidate: &C, probes: &Probes, size: usize, limit: Duration) -> f64 {
    let start = Stopwatch::start();
    write_while(candidate, probes, size, || start.elapsed() < limit)
}

fn write_while<C: Candidate>(
    candidate: &C,
    probes: &Probes,
    size: usize,
    mut go_on: impl FnMut() -> bool,
) -> f64 {
    let start = Stopwatch::start();
    let mut keys = probes.endless(probes.len() / 2);
    let mut writer = Writer::new(candidate, size);
    let mut count = 0;
    while go_on() {
        keys.by_ref().take(STRIDE).for_each(|key| writer.put(key));
        count += STRIDE;
    }
    writer.finish();
    start.nanos_each(count)
}

/// One reader and one writer, both flat out.
struct Beside {
    reads: Reads,
    put_nanos: f64,
}

fn read_beside_writer<C: Candidate>(candidate: &C, probes: &Probes, size: usize) -> Beside {
    let reading = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let writer = scope
            .spawn(|| write_while(candidate, probes, size, || reading.load(Ordering::Relaxed)));
        let reads = read_for(candidate, probes, BESIDE);
        reading.store(false, Ordering::Relaxed);
        Beside { reads, put_nanos: writer.join().unwrap_or(f64::NAN) }
    })
}

/// What an ordered walk met.
#[derive(Default)]
struct Walk {
    pages: Vec<Duration>,
    stable: usize,
}

impl Walk {
    fn total(&self) -> Duration {
        self.pages.iter().sum()
    }
}

/// Walks all keys in pages, each resumed after the last key of the one before.
fn walk<C: Candidate>(candidate: &C) -> Walk {
    let mut walk = Walk::default();
    let mut page: Vec<(Key, Record)> = Vec::with_capacity(PAGE);
    let mut after: Option<Key> = None;
    loop {
        page.clear();
        let start = Stopwatch::start();
        candidate.page(after.as_ref(), PAGE, &mut page);
        walk.pages.push(start.elapsed());
        let Some((last, _)) = page.last() else {
            return walk;
        };
        after = Some(last.clone());
        walk.stable += page.iter().filter(|(key, _)| key.as_str() < STABLE_END).count();
    }
}

fn walk_alone<C: Candidate>(candidate: &C, figures: &mut Figures) {
    let walk = walk(candidate);
    // The last full page, not the remainder or the empty page that ends the walk.
    let full = walk.pages.len().saturating_sub(2);
    let edge = (full / 3).clamp(1, 50);
    figures.note("walk_ms", millis(walk.total()));
    figures.note("page_first_ms", typical(walk.pages.iter().take(edge)));
    let last = walk.pages.iter().take(full).rev().take(edge);
    figures.note("page_last_ms", typical(last));
}

fn typical<'a>(pages: impl Iterator<Item = &'a Duration>) -> f64 {
    let mut times: Vec<Duration> = pages.copied().collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().map_or(f64::NAN, millis)
}

/// The writer's longest operation alone and beside walks, and keys the walks lost.
fn walk_beside_writer<C: Candidate>(
    candidate: &C,
    probes: &Probes,
    stable: usize,
    figures: &mut Figures,
) {
    let start = Stopwatch::start();
    let alone = churn_while(candidate, probes, || start.elapsed() < PHASE);
    figures.note("blocked_alone_us", micros(alone.longest()));
    figures.note("p999_alone_us", micros(alone.per_mille(999)));

    let walking = AtomicBool::new(true);
    let (latencies, lost) = std::thread::scope(|scope| {
        let writer =
            scope.spawn(|| churn_while(candidate, probes, || walking.load(Ordering::Relaxed)));
        let start = Stopwatch::start();
        let mut lost = 0;
        while start.elapsed() < PHASE {
            lost += stable.saturating_sub(walk(candidate).stable);
        }
        walking.store(false, Ordering::Relaxed);
        (writer.join(), lost)
    });
    let latencies = latencies.unwrap_or_default();
    figures.note("blocked_walk_us", micros(latencies.longest()));
    figures.note("p999_walk_us", micros(latencies.per_mille(999)));
    figures.note("lost_walk", float(lost));
}

/// Adds a key, overwrites another and removes the first again, timing each commit.
fn churn_while<C: Candidate>(
    candidate: &C,
    probes: &Probes,
    mut go_on: impl FnMut() -> bool,
) -> Distribution {
    let mut latencies = Distribution::default();
    let coming = Probes::transient(1_000, 4);
    let mut keys = coming.endless(0).zip(probes.endless(0));
    let mut writer = Writer::new(candidate, 1);
    while go_on() {
        for (transient, stable) in keys.by_ref().take(STRIDE) {
            time(&mut latencies, || writer.put(transient));
            time(&mut latencies, || writer.put(stable));
            time(&mut latencies, || candidate.remove(transient));
        }
    }
    latencies
}

fn time(latencies: &mut Distribution, operation: impl FnOnce()) {
    let start = Stopwatch::start();
    operation();
    latencies.note(start.elapsed());
}

/// What a picture of one instant costs: taken beside the writer, or copied with the writer stopped.
fn picture<C: Candidate>(candidate: &C, keys: usize, figures: &mut Figures) {
    let start = Stopwatch::start();
    if let Some(held) = candidate.snapshot() {
        figures.note("snapshot_us", start.elapsed().as_secs_f64() * 1e6);
        debug_assert!(held >= keys, "a picture holds every key");
        return;
    }
    let mut copy: Vec<(Key, Record)> = Vec::with_capacity(keys);
    let start = Stopwatch::start();
    let mut after: Option<Key> = None;
    loop {
        let held = copy.len();
        candidate.page(after.as_ref(), PAGE, &mut copy);
        if copy.len() == held {
            break;
        }
        after = copy.last().map(|(key, _)| key.clone());
    }
    figures.note("copy_ms", millis(start.elapsed()));
    black_box(copy);
}

fn micros(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e6
}

fn millis(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}
