//! The persist loop of a store: what was committed reaches the disk every interval, on a blocking thread.

use std::sync::Arc;
use std::time::Duration;

use gridkv_protocol::StoreName;
use gridkv_storage::flusher::StoreFlusher;
use tokio::sync::oneshot;

use crate::clock::ClockSource;
use crate::error::{PersistError, describe};

/// Flushes whenever there is something to flush, an interval after the last time. Ends with its thread, or once
/// the other end of `ended` is dropped.
pub(crate) async fn every(
    interval: Duration,
    flusher: StoreFlusher,
    clock: Arc<ClockSource>,
    (store, mut ended): (StoreName, oneshot::Receiver<()>),
) {
    while tokio::time::timeout(interval, &mut ended).await.is_err() {
        if !flusher.is_needed() {
            continue;
        }
        if let Err(error) = flush_now(flusher.clone(), &clock).await {
            tracing::error!(%store, %error, "a store can not be brought to the disk; what was there before still is");
        }
    }
}

/// Flushes a store that persists, lets it tidy up its files, and counts it.
///
/// # Errors
/// [`PersistError`], for people: what was there before still is.
pub(crate) async fn flush_now(
    flusher: StoreFlusher,
    clock: &Arc<ClockSource>,
) -> Result<(), PersistError> {
    if !flusher.persists() {
        return Ok(());
    }
    let clock = Arc::clone(clock);
    let run = tokio::task::spawn_blocking(move || {
        let began_us = clock.elapsed_us();
        let outcome = flusher.flush().and_then(|()| flusher.compact());
        let took = Duration::from_micros(clock.elapsed_us().saturating_sub(began_us));
        flusher.note(took, outcome.is_ok(), clock.now());
        outcome
    });
    match run.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.is_disk_full() => Err(PersistError::DiskFull(describe(&error))),
        Ok(Err(error)) => Err(PersistError::Failed(describe(&error))),
        Err(_) => Err(PersistError::Failed("the thread that wrote it died".into())),
    }
}
