//! Batches put straight into the store's handle: what HTTP is held against.

use std::error::Error;
use std::time::Duration;

use futures_util::future::try_join_all;
use gridkv_actors::handle::StoreHandle;
use gridkv_bench::distribution::Distribution;
use gridkv_bench::stopwatch::Stopwatch;

use crate::Settings;
use crate::batches::{self, Puts};
use crate::tally::Tally;

/// Puts batches from as many tasks as there would be connections, on a thread of their own.
pub(crate) fn run(
    store: &StoreHandle,
    settings: Settings,
    seed: u64,
) -> Result<Tally, Box<dyn Error + Send + Sync>> {
    let all = batches::random(settings.keys, seed);
    let end = Duration::from_secs_f64(settings.seconds);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let begun = Stopwatch::start();
    let tasks = (0..settings.connections).map(|first| work(store, &all, first, begun, end));
    let times = runtime.block_on(try_join_all(tasks))?;
    let took = begun.elapsed();
    Ok(Tally::new(&Distribution::joined(times), 0, took))
}

async fn work(
    store: &StoreHandle,
    all: &[Puts],
    first: usize,
    begun: Stopwatch,
    end: Duration,
) -> Result<Distribution, Box<dyn Error + Send + Sync>> {
    let mut times = Distribution::default();
    for puts in all.iter().cycle().skip(first) {
        let started = begun.elapsed();
        if started >= end {
            break;
        }
        let batch = batches::straight(puts).map_err(|error| error.to_string())?;
        let outcomes = store.batch(batch).await?;
        if outcomes.len() != puts.len() {
            return Err("the store left puts of a batch unanswered".into());
        }
        times.note(begun.elapsed().saturating_sub(started));
    }
    Ok(times)
}
