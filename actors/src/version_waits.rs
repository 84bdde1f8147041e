//! Reads that wait until this node has a version: one that was written elsewhere, a moment ago.
//!
//! Every commit passes here. While nobody waits that costs it one look; a commit that moves a frontier
//! wakes those who waited for just that.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gridkv_protocol::limits::MAX_WAITS;
use gridkv_protocol::{Hlc, Origin, Version};
use tokio::sync::oneshot;

use crate::version_queue::{Place, VersionQueue};

/// Who waits for a version of one store.
#[derive(Default)]
pub(crate) struct VersionWaits {
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VersionQueue<oneshot::Sender<()>>,
    /// The node stops: nobody waits any more.
    closed: bool,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Yes,
    /// Not within the patience, or the node stops.
    No,
    /// Too many wait already.
    Overloaded,
}

impl VersionWaits {
    /// What is in the state has moved: wakes who waited for it. `upto` says how far it holds an origin.
    pub(crate) fn moved(&self, upto: impl Fn(Origin) -> Hlc) {
        // Pairs with the fence in `wait`: either this sees who waits, or that one sees what moved.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut state = self.state();
        for origin in state.queue.origins() {
            for woken in state.queue.take_upto(origin, upto(origin)) {
                crate::post::answer(woken, ());
            }
        }
    }

    /// Waits, at most for `patience`, until the state covers `version`.
    pub(crate) async fn wait(
        &self,
        version: Version,
        patience: Duration,
        covers: impl Fn(Version) -> bool,
    ) -> Reached {
        if covers(version) {
            return Reached::Yes;
        }
        let (standing, woken) = match self.stand(version) {
            Ok(stands) => stands,
            Err(refused) => return refused,
        };
        if !covers(version) {
            drop(tokio::time::timeout(patience, woken).await);
        }
        drop(standing);
        if covers(version) { Reached::Yes } else { Reached::No }
    }

    fn stand(&self, version: Version) -> Result<(Standing<'_>, oneshot::Receiver<()>), Reached> {
        let mut state = self.state();
        if state.closed {
            return Err(Reached::No);
        }
        if state.queue.len() >= MAX_WAITS {
            return Err(Reached::Overloaded);
        }
        let (wake, woken) = oneshot::channel();
        let place = state.queue.add(version, wake);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        drop(state);
        fence(Ordering::SeqCst);
        Ok((Standing { waits: self, place }, woken))
    }

    /// Lets everyone go who waits, and whoever comes.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        drop(state.queue.clear());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who wait, given up also when its request goes away.
struct Standing<'a> {
    waits: &'a VersionWaits,
    place: Place,
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        drop(self.waits.state().queue.remove(self.place));
        self.waits.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use futures_util::FutureExt as _;
    use gridkv_protocol::{Epoch, NodeId};

    use super::*;

    const FOR_EVER: Duration = Duration::from_secs(100_000);

    fn origin() -> Origin {
        Origin::new(NodeId(2), Epoch(1))
    }

    fn version(hlc: u64) -> Version {
        Version { hlc: Hlc::from_bits(hlc), origin: origin() }
    }

    /// A state that covers one origin up to a point, and what its commits do.
    #[derive(Default)]
    struct Store {
        upto: AtomicU64,
        waits: VersionWaits,
    }

    impl Store {
        fn covers(&self, version: Version) -> bool {
            version.hlc <= Hlc::from_bits(self.upto.load(Ordering::Acquire))
        }

        fn commit(&self, upto: u64) {
            self.upto.store(upto, Ordering::Release);
            self.waits.moved(|_| Hlc::from_bits(upto));
        }

        async fn wait(&self, hlc: u64, patience: Duration) -> Reached {
            self.waits.wait(version(hlc), patience, |version| self.covers(version)).await
        }
    }

    #[actix_rt::test]
    async fn a_commit_wakes_who_waited_for_what_it_covers() {
        let store = Store::default();
        let (mut five, mut seven) =
            (Box::pin(store.wait(5, FOR_EVER)), Box::pin(store.wait(7, FOR_EVER)));
        assert!((&mut five).now_or_never().is_none() && (&mut seven).now_or_never().is_none());
        store.commit(4);
        assert!((&mut five).now_or_never().is_none());
        store.commit(5);
        assert_eq!(five.await, Reached::Yes);
        assert!((&mut seven).now_or_never().is_none());
        store.commit(9);
        assert_eq!(seven.await, Reached::Yes);
        assert_eq!(
            store.wait(9, Duration::ZERO).await,
            Reached::Yes,
            "what is there is not awaited"
        );
        assert_eq!(store.waits.waiting.load(Ordering::Relaxed), 0);
    }

    #[actix_rt::test]
    async fn patience_ends_and_a_node_that_stops_lets_go() {
        let store = Store::default();
        assert_eq!(store.wait(5, Duration::from_millis(1)).await, Reached::No);
        let mut wait = Box::pin(store.wait(5, FOR_EVER));
        assert!((&mut wait).now_or_never().is_none());
        store.waits.close();
        assert_eq!(wait.await, Reached::No);
        assert_eq!(store.wait(5, FOR_EVER).await, Reached::No);
    }

    #[actix_rt::test]
    async fn who_goes_away_leaves_nothing_behind_and_too_many_are_refused() {
        let store = Store::default();
        let mut waits = Vec::new();
        for _ in 0..MAX_WAITS {
            let mut wait = Box::pin(store.wait(5, FOR_EVER));
            assert!((&mut wait).now_or_never().is_none());
            waits.push(wait);
        }
        assert_eq!(store.wait(5, FOR_EVER).await, Reached::Overloaded);
        drop(waits);
        assert_eq!(store.waits.state().queue.len(), 0);
        assert_eq!(store.waits.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn no_wake_is_lost_between_threads() {
        let store = std::sync::Arc::new(Store::default());
        let commits = std::sync::Arc::clone(&store);
        let writer = std::thread::spawn(move || (1..=2_000).for_each(|upto| commits.commit(upto)));
        actix_rt::System::new().block_on(async {
            for hlc in 1..=2_000 {
                let reached = store.wait(hlc, Duration::from_mins(1)).await;
                assert_eq!(reached, Reached::Yes);
            }
        });
        writer.join().unwrap();
    }
}
