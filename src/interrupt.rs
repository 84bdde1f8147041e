//! Ctrl-C of a command: the first asks it to stop where it can say how far it got, the second ends it at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use gridkv_http::stopwatch::Stopwatch;

/// Exit code after a second Ctrl-C, as shells have it for an interrupted program.
const EXIT_INTERRUPTED: i32 = 130;
/// How often a wait looks whether it shall end.
const STEP: Duration = Duration::from_millis(50);

/// Whether the command shall stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens to SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    /// When the system does not let it.
    pub(crate) fn catch() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds it unset, and sets it.
            flag::register_conditional_shutdown(signal, EXIT_INTERRUPTED, Arc::clone(&asked))?;
            flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Self(asked))
    }

    /// Whether it shall stop.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits; `false` when it shall stop instead.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let stopwatch = Stopwatch::start();
        while !self.is_set() {
            let left = time.saturating_sub(stopwatch.elapsed());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(STEP));
        }
        false
    }
}
