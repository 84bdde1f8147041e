//! Reads ahead: what comes next is read and decoded on one thread while the other takes what came before.

use std::sync::mpsc;
use std::thread;

/// Pieces that wait to be taken, at most.
const AHEAD: usize = 8;

/// Takes, in order, everything that `next` gives until it gives nothing. Stops at the first error.
///
/// # Errors
/// The first that `take` gives.
pub(super) fn read_ahead<T: Send, E>(
    mut next: impl FnMut() -> Option<T> + Send,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    thread::scope(|scope| {
        let (give, pieces) = mpsc::sync_channel(AHEAD);
        scope.spawn(move || {
            while let Some(piece) = next() {
                if give.send(piece).is_err() {
                    return; // nobody takes any more
                }
            }
        });
        pieces.into_iter().try_for_each(&mut take)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_taken_in_order_until_an_error() {
        let mut all = 0..1_000;
        let mut taken = Vec::new();
        let whole: Result<(), ()> = read_ahead(
            || all.next(),
            |n| {
                taken.push(n);
                Ok(())
            },
        );
        assert!(whole.is_ok() && taken == (0..1_000).collect::<Vec<_>>());
        let mut endless = 0..;
        let stopped = read_ahead(|| endless.next(), |n| if n < 50 { Ok(()) } else { Err(n) });
        assert_eq!(stopped, Err(50));
    }
}
