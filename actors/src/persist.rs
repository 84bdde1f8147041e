//! The persist loop of a store: an image every interval, on a blocking thread.

use std::sync::Arc;
use std::time::Duration;

use gridkv_protocol::StoreName;
use gridkv_storage::flusher::StoreFlusher;

use crate::clock::ClockSource;

/// Flushes whenever there is something to flush, an interval after the last time. Ends with its thread.
pub(crate) async fn every(
    interval: Duration,
    flusher: StoreFlusher,
    clock: Arc<ClockSource>,
    store: StoreName,
) {
    loop {
        tokio::time::sleep(interval).await;
        if !flusher.is_needed() {
            continue;
        }
        if let Err(error) = flush_now(flusher.clone(), &clock).await {
            tracing::error!(%store, error, "a store can not be brought to the disk; what was there before still is");
        }
    }
}

/// Flushes a store that persists, and counts it. The error is for people.
pub(crate) async fn flush_now(
    flusher: StoreFlusher,
    clock: &Arc<ClockSource>,
) -> Result<(), String> {
    if !flusher.persists() {
        return Ok(());
    }
    let clock = Arc::clone(clock);
    let run = tokio::task::spawn_blocking(move || {
        let began = clock.elapsed_ms();
        let outcome = flusher.flush();
        flusher.note(clock.elapsed_ms() - began, outcome.is_ok());
        outcome
    });
    match run.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(describe(&error)),
        Err(_) => Err("the thread that wrote it died".into()),
    }
}

/// An error with its causes, in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}
