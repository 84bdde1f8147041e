//! The other end of the op ring: a thread that does what a publisher does first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gridkv_storage::reader::StoreReader;

/// Between two looks at an empty ring: shorter than a full ring takes to fill.
const PAUSE: Duration = Duration::from_micros(500);

/// Empties a store's ring until it is dropped.
pub(crate) struct Drain {
    going_on: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drain {
    /// Starts the thread.
    pub(crate) fn start(reader: StoreReader) -> Self {
        let going_on = Arc::new(AtomicBool::new(true));
        let wanted = Arc::clone(&going_on);
        let thread = thread::spawn(move || {
            while wanted.load(Ordering::Relaxed) {
                if reader.ring().drain().ops.is_empty() {
                    thread::sleep(PAUSE);
                }
            }
        });
        Self { going_on, thread: Some(thread) }
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.going_on.store(false, Ordering::Relaxed);
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the thread that drained the ring panicked");
        }
    }
}
