//! The start of a test: everybody is there and connected, then the clock starts, then the requests.
//!
//! Why it exists: a clock that starts while requests are under way tells of more than there was.

use std::sync::{Barrier, OnceLock};
use std::time::Duration;

use gridkv_http::stopwatch::Stopwatch;

/// Where clients wait for each other and for the clock.
pub(super) struct Start {
    line: Barrier,
    clock: OnceLock<Stopwatch>,
}

impl Start {
    /// For so many clients, and who starts them.
    pub(super) fn of(clients: u16) -> Self {
        Self { line: Barrier::new(usize::from(clients) + 1), clock: OnceLock::new() }
    }

    /// A client is there; it goes on when the clock runs.
    pub(super) fn wait(&self) {
        self.line.wait();
        // The clock is started between the two.
        self.line.wait();
    }

    /// Lets them go when all are there; the clock runs before any of them.
    pub(super) fn give(&self) -> Stopwatch {
        self.line.wait();
        let clock = *self.clock.get_or_init(Stopwatch::start);
        self.line.wait();
        clock
    }

    /// How long ago that was.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.get().map_or(Duration::ZERO, |clock| clock.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn the_clock_runs_before_anybody_and_after_everybody_came() {
        let (start, there) = (Arc::new(Start::of(20)), Arc::new(AtomicUsize::new(0)));
        let clients: Vec<_> = (0..20)
            .map(|_| {
                let (start, there) = (Arc::clone(&start), Arc::clone(&there));
                thread::spawn(move || {
                    there.fetch_add(1, Ordering::SeqCst);
                    start.wait();
                    (there.load(Ordering::SeqCst), start.clock.get().is_some())
                })
            })
            .collect();
        start.give();
        for client in clients {
            assert_eq!(client.join().unwrap(), (20, true));
        }
    }
}
