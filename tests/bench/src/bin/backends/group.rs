//! Part 5: acknowledged writes per second through a real node, by the number of concurrent writers.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use gridkv_actors::Durability;
use gridkv_actors::handle::StoreHandle;
use gridkv_actors::runtime::Node;
use gridkv_bench::contender::all_keys;
use gridkv_bench::distribution::Distribution;
use gridkv_bench::driven;
use gridkv_bench::engine::Engine;
use gridkv_bench::figure::{float, median, millis, per_second};
use gridkv_bench::node;
use gridkv_bench::report::Report;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::table::Table;
use tempfile::TempDir;

use crate::counted::{self, Commits};
use crate::{Settings, disk};

/// Concurrent writers.
const WRITERS: [usize; 3] = [1, 16, 128];

/// Keys that are written.
const KEYS: usize = 10_000;

/// Acknowledged writes per second, and writes per commit, one figure per round.
struct Series {
    engine: Engine,
    durability: Durability,
    writers: usize,
    rates: Vec<f64>,
    sizes: Vec<f64>,
}

/// A node whose commits are counted.
struct Counted {
    engine: Engine,
    node: Node,
    commits: Arc<Commits>,
}

/// Starts a node for each backend, and lets them take turns.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir_in(&settings.dir)?;
    actix_rt::System::new().block_on(contest(settings, &dir, report))
}

async fn contest(
    settings: &Settings,
    dir: &TempDir,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let mut nodes = Vec::new();
    let mut all = Vec::new();
    for engine in settings.engines(&[Engine::File, Engine::Fjall]) {
        let (registry, commits) = counted::registry(engine.name());
        let data = dir.path().join(engine.name());
        let node = node::start(engine.config()?, &registry, Some(data)).await?;
        nodes.push(Counted { engine, node, commits });
        for durability in [Durability::Fsync, Durability::Os] {
            all.extend(WRITERS.map(|writers| Series {
                engine,
                durability,
                writers,
                rates: Vec::new(),
                sizes: Vec::new(),
            }));
        }
    }
    if nodes.is_empty() {
        return Ok(());
    }
    let mut bare = Vec::new();
    for round in 0..settings.few() {
        eprintln!("group commit: round {}", round + 1);
        bare.push(disk::measure(dir.path(), Duration::from_secs_f64(settings.seconds))?);
        for series in &mut all {
            let found = nodes.iter().find(|node| node.engine == series.engine);
            turn(found.ok_or("a node is missing")?, series, settings.seconds).await?;
        }
    }
    for Counted { node, .. } in nodes {
        node.stop(Duration::ZERO).await;
    }
    Ok(report.section("Group commit: acknowledged writes per second", &table(&all), &note(bare))?)
}

fn table(all: &[Series]) -> Table {
    let mut table =
        Table::new(&["backend, durability", "writers", "writes/s", "writes per commit"]);
    for Series { engine, durability, writers, rates, sizes } in all {
        table.row([
            format!("`{}`, {durability}", engine.name()),
            writers.to_string(),
            per_second(median(rates)),
            format!("{:.1}", median(sizes)),
        ]);
    }
    table
}

fn note(bare: Vec<Distribution>) -> String {
    let bare = Distribution::joined(bare);
    format!(
        "A bare write of 160 bytes with `fdatasync` on the same disk, in the same run: p50 {} ms, p99 {} ms, \
         longest {} ms.",
        millis(bare.per_mille(500)),
        millis(bare.per_mille(990)),
        millis(bare.longest()),
    )
}

async fn turn(node: &Counted, series: &mut Series, seconds: f64) -> Result<(), Box<dyn Error>> {
    let (commits, records) = (node.commits.commits.get(), node.commits.records.get());
    let store = node::store(&node.node)?;
    let (durability, writers) = (series.durability, series.writers);
    // On a thread of their own, as the workers of HTTP are.
    let rate = tokio::task::spawn_blocking(move || {
        write_for(&store, durability, writers, Duration::from_secs_f64(seconds))
            .map_err(|error| error.to_string())
    });
    series.rates.push(rate.await??);
    let commits = node.commits.commits.get() - commits;
    let records = node.commits.records.get() - records;
    series.sizes.push(float(usize::try_from(records)?) / float(usize::try_from(commits)?.max(1)));
    Ok(())
}

/// Writes by so many tasks for a while; acknowledged writes per second.
fn write_for(
    store: &StoreHandle,
    durability: Durability,
    writers: usize,
    limit: Duration,
) -> Result<f64, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let all = all_keys(KEYS);
    let begun = Stopwatch::start();
    let tasks = (0..writers).map(|first| {
        let keys = all.iter().cycle().skip(first * KEYS / writers);
        write_each(store, durability, keys, begun, limit)
    });
    let counts = runtime.block_on(try_join_all(tasks))?;
    Ok(float(counts.iter().sum()) / begun.elapsed().as_secs_f64())
}

async fn write_each(
    store: &StoreHandle,
    durability: Durability,
    keys: impl Iterator<Item = &String>,
    begun: Stopwatch,
    limit: Duration,
) -> Result<usize, Box<dyn Error>> {
    let mut count = 0;
    for key in keys {
        if begun.elapsed() >= limit {
            break;
        }
        let written = store.write(driven::write(key, 0)?, Some(durability)).await?;
        if written.durability < durability {
            return Err("a write was acknowledged with less than it asked for".into());
        }
        count += 1;
    }
    Ok(count)
}
