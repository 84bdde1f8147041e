//! Ticks: what many are told each second is made once for all of them, and only when somebody is told.
//!
//! Nothing runs by itself here. The first whose turn it is in a tick makes the event, the others get the same bytes.
//! Who does not come in time misses what came meanwhile and waits for nothing; an event goes with the last who has it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::stopwatch::Stopwatch;

/// Milliseconds between two ticks.
const PERIOD_MS: u64 = 1_000;

/// What all are told in one tick.
#[derive(Debug)]
struct Event {
    tick: u64,
    bytes: OnceCell<Bytes>,
}

/// The ticks of one server, and the event of the newest.
#[derive(Debug)]
pub(crate) struct Ticks {
    begun: Stopwatch,
    newest: ArcSwap<Weak<Event>>,
}

/// One who is told.
#[derive(Debug)]
pub(crate) struct Turn {
    /// The tick in which it is told again.
    tick: u64,
    /// What it was told last: others may still come for it.
    has: Option<Arc<Event>>,
}

impl Ticks {
    /// The first one begins now.
    pub(crate) fn new() -> Self {
        Self { begun: Stopwatch::start(), newest: ArcSwap::default() }
    }

    /// Someone who was just told something else, and half a period later or more is told what all are.
    pub(crate) fn join(&self) -> Turn {
        Turn { tick: nearest(self.begun.elapsed()) + 1, has: None }
    }

    /// How long it is until someone is told again.
    pub(crate) fn wait(&self, turn: &mut Turn) -> Duration {
        turn.wait(self.begun.elapsed())
    }

    /// What all are told in this tick. `make` makes it, where nobody has yet.
    ///
    /// # Errors
    /// That of `make`; the next one tries again.
    pub(crate) async fn tell<E>(
        &self,
        turn: &mut Turn,
        make: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        let event = self.event(turn.tick);
        drop(turn.has.replace(Arc::clone(&event)));
        turn.tick += 1;
        event.bytes.get_or_try_init(|| async { make() }).await.cloned()
    }

    /// The event of a tick, or of a later one if that has begun.
    fn event(&self, tick: u64) -> Arc<Event> {
        let fresh = Arc::new(Event { tick, bytes: OnceCell::new() });
        let mut event = Arc::clone(&fresh);
        self.newest.rcu(|newest| {
            if let Some(begun) = newest.upgrade().filter(|event| event.tick >= tick) {
                event = begun;
                return Arc::clone(newest);
            }
            event = Arc::clone(&fresh);
            Arc::new(Arc::downgrade(&fresh))
        });
        event
    }
}

impl Turn {
    /// Until its tick; one that is over for longer than half a period is left out.
    fn wait(&mut self, elapsed: Duration) -> Duration {
        self.tick = self.tick.max(nearest(elapsed));
        Duration::from_millis(self.tick * PERIOD_MS).saturating_sub(elapsed)
    }
}

/// The tick that is nearest to a moment.
fn nearest(elapsed: Duration) -> u64 {
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX - PERIOD_MS);
    (ms + PERIOD_MS / 2) / PERIOD_MS
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use futures_util::FutureExt as _;

    use super::*;

    fn turn(tick: u64) -> Turn {
        Turn { tick, has: None }
    }

    /// Tells someone, and counts what is made for that.
    fn tell(ticks: &Ticks, turn: &mut Turn, count: &Cell<u8>) -> Bytes {
        let make = || {
            count.set(count.get() + 1);
            Ok::<_, Infallible>(Bytes::copy_from_slice(&[count.get()]))
        };
        ticks.tell(turn, make).now_or_never().unwrap().unwrap_or_default()
    }

    #[test]
    fn all_are_told_the_same_and_it_is_made_once() {
        let (ticks, made) = (Ticks::new(), Cell::new(0));
        let mut all: Vec<Turn> = (0..200).map(|_| turn(7)).collect();
        for told in 1..=3 {
            let mut first = None;
            for turn in &mut all {
                let event = tell(&ticks, turn, &made);
                let first = first.get_or_insert_with(|| event.clone());
                assert_eq!((event[0], event.as_ptr()), (told, first.as_ptr()), "one event for all");
            }
            assert_eq!(made.get(), told);
        }
        let mut late = turn(8);
        assert_eq!(tell(&ticks, &mut late, &made)[0], 3, "the newest");
    }

    #[test]
    fn an_event_goes_with_the_last_who_has_it() {
        let (ticks, made) = (Ticks::new(), Cell::new(0));
        let (mut one, mut other) = (turn(1), turn(1));
        tell(&ticks, &mut one, &made);
        tell(&ticks, &mut other, &made);
        let kept = || ticks.newest.load().strong_count();
        assert_eq!(kept(), 2);
        drop(one);
        tell(&ticks, &mut other, &made);
        assert_eq!((kept(), made.get()), (1, 2));
        drop(other);
        assert_eq!((kept(), made.get()), (0, 2), "nobody watches, nothing is kept or made");
    }

    #[test]
    fn what_could_not_be_made_is_tried_again() {
        let ticks = Ticks::new();
        let (mut one, mut other) = (turn(1), turn(1));
        assert_eq!(ticks.tell(&mut one, || Err("no")).now_or_never(), Some(Err("no")));
        let yes = || Ok::<_, &str>(Bytes::from_static(b"yes"));
        let made = ticks.tell(&mut other, yes).now_or_never().unwrap();
        assert_eq!(made.as_deref(), Ok(b"yes".as_slice()));
    }

    #[test]
    fn who_comes_late_misses_what_is_over() {
        let ms = Duration::from_millis;
        let mut punctual = turn(3);
        assert_eq!(punctual.wait(ms(2_100)), ms(900));
        assert_eq!((punctual.wait(ms(3_001)), punctual.tick), (ms(0), 3));
        let mut slow = turn(3);
        assert_eq!((slow.wait(ms(9_400)), slow.tick), (ms(0), 9));
        let mut slower = turn(3);
        assert_eq!(
            (slower.wait(ms(9_600)), slower.tick),
            (ms(400), 10),
            "that one is nearly there"
        );
    }

    #[test]
    fn who_has_just_come_is_told_half_a_period_later_or_more() {
        for ms in [0, 499, 500, 999, 1_000, 1_499] {
            let elapsed = Duration::from_millis(ms);
            let wait = turn(nearest(elapsed) + 1).wait(elapsed).as_millis();
            assert!((500..=1_500).contains(&wait), "{wait} after {ms}");
        }
    }
}
