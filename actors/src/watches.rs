//! Who is to be woken when a key changes: those who wait for one key, and those who follow all keys with a
//! prefix.
//!
//! Every commit passes here. While nobody watches that costs it one look; otherwise it finds out who is
//! concerned by looking up the key and each of its beginnings that somebody named, so that a thousand who watch
//! something else cost as much as one. Nobody is woken for a key that is not theirs, and nobody who is slow is
//! waited for.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gridkv_protocol::Key;
use gridkv_protocol::limits::MAX_WATCHES;
use gridkv_storage::change_log::ChangeLog;
use tokio::sync::Notify;

/// Those who watch one store.
#[derive(Default)]
pub(crate) struct Watches {
    watching: AtomicUsize,
    /// The number of the last change of which they were told.
    told: AtomicU64,
    /// Changes that were gone from the log before they were read.
    missed: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Of those who wait for one key.
    keys: Bells,
    /// Of those who follow a prefix, by its length.
    prefixes: BTreeMap<usize, Bells>,
    next: u64,
    /// The node stops: nobody watches any more.
    closed: bool,
}

type Bells = HashMap<Box<[u8]>, BTreeMap<u64, Arc<Notify>>>;

/// What somebody watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// One key.
    Key(Key),
    /// Every key that begins like this.
    Prefix(String),
}

/// Why nobody watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// As many watch the store as it takes.
    #[error("too many watch this store already")]
    TooMany,
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

/// A place among those who watch. It ends when it is dropped.
pub(crate) struct Watch {
    watches: Arc<Watches>,
    watched: Watched,
    number: u64,
    bell: Arc<Notify>,
}

impl Watches {
    /// Begins to watch.
    pub(crate) fn watch(self: &Arc<Self>, watched: Watched) -> Result<Watch, WatchError> {
        let mut state = self.state();
        if state.closed {
            return Err(WatchError::Stopping);
        }
        if self.watching.load(Ordering::Relaxed) >= MAX_WATCHES {
            return Err(WatchError::TooMany);
        }
        self.watching.fetch_add(1, Ordering::Relaxed);
        let (number, bell) = (state.next, Arc::new(Notify::new()));
        state.next += 1;
        let (bells, name) = state.bells(&watched);
        bells.entry(name.into()).or_default().insert(number, Arc::clone(&bell));
        drop(state);
        // Pairs with the one in `committed`: either the commit sees who watches, or who watches sees the commit.
        fence(Ordering::SeqCst);
        Ok(Watch { watches: Arc::clone(self), watched, number, bell })
    }

    /// A commit was made: wakes those whom it concerns. One thread tells.
    pub(crate) fn committed(&self, log: &ChangeLog) {
        fence(Ordering::SeqCst);
        if self.watching.load(Ordering::Relaxed) == 0 {
            return; // who comes reads the log first
        }
        let state = self.state();
        let told = self.told.load(Ordering::Relaxed);
        let (last, whole) = log.keys_after(told, |key| state.ring(key));
        if !whole {
            state.ring_all(); // of what is not in the log any more nobody knows whom it concerned
        }
        self.told.store(last, Ordering::Relaxed);
    }

    /// Lets everyone go who watches, and whoever comes.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.ring_all();
    }

    /// Counts changes that were gone from the log before somebody who watches had read them.
    pub(crate) fn miss(&self, changes: u64) {
        self.missed.fetch_add(changes, Ordering::Relaxed);
    }

    /// How many were missed so far.
    pub(crate) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// How many watch.
    pub(crate) fn len(&self) -> usize {
        self.watching.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bells<'a>(&mut self, watched: &'a Watched) -> (&mut Bells, &'a [u8]) {
        match watched {
            Watched::Key(key) => (&mut self.keys, key.as_str().as_bytes()),
            Watched::Prefix(prefix) => {
                (self.prefixes.entry(prefix.len()).or_default(), prefix.as_bytes())
            }
        }
    }

    fn ring_all(&self) {
        for bells in std::iter::once(&self.keys).chain(self.prefixes.values()) {
            bells.values().flat_map(BTreeMap::values).for_each(|bell| bell.notify_one());
        }
    }

    fn ring(&self, key: &Key) {
        let key = key.as_str().as_bytes();
        let beginnings = self.prefixes.range(..=key.len());
        let of_prefixes = beginnings.filter_map(|(length, bells)| bells.get(key.get(..*length)?));
        let concerned = self.keys.get(key).into_iter().chain(of_prefixes);
        concerned.flat_map(BTreeMap::values).for_each(|bell| bell.notify_one());
    }
}

impl Watch {
    /// Waits until something that is watched has changed since this was last called, or since the watch began; or
    /// until the node stops. It may come back without a reason.
    pub(crate) async fn changed(&self) {
        self.bell.notified().await;
    }

    /// Whether the node stops.
    pub(crate) fn is_over(&self) -> bool {
        self.watches.state().closed
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.watches.state();
        let (bells, name) = state.bells(&self.watched);
        if let Some(same) = bells.get_mut(name) {
            same.remove(&self.number);
            if same.is_empty() {
                bells.remove(name);
            }
        }
        if let Watched::Prefix(prefix) = &self.watched
            && state.prefixes.get(&prefix.len()).is_some_and(Bells::is_empty)
        {
            state.prefixes.remove(&prefix.len());
        }
        drop(state);
        self.watches.watching.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "watches_test.rs"]
mod tests;
