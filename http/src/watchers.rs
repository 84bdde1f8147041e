//! How many streams and long polls there are: each holds a connection, and the last ones are kept for others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::problem::{Code, Problem};

/// Those who watch, over all stores.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Arc<AtomicUsize>);

/// A place among them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<AtomicUsize>);

impl Watchers {
    /// Takes a place, if one of `most` is free.
    ///
    /// # Errors
    /// 503 `too_many_watchers`.
    pub(crate) fn sit(&self, most: usize) -> Result<Seat, Problem> {
        let seat = Seat(Arc::clone(&self.0));
        if self.0.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(too_many(most)); // the seat that is dropped takes itself off again
        }
        Ok(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// As many watch as there may.
pub(crate) fn too_many(most: usize) -> Problem {
    Problem::new(
        Code::TooManyWatchers,
        "as many streams and long polls are open as this node takes; try again, or ask another node",
    )
    .with("limit", most)
    .retry_soon()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_free_again_once_it_is_left() {
        let watchers = Watchers::default();
        let first = watchers.sit(1).unwrap();
        let refused = watchers.sit(1).unwrap_err();
        assert_eq!(refused.code, Code::TooManyWatchers);
        drop(first);
        assert!(watchers.sit(1).is_ok());
    }
}
