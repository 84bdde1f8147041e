//! The fence, case by case: who is fenced, who is not, and what ends it. `clocks_test.rs` tries it in a mesh.

use super::*;
use crate::fixture::origin;

const LIMIT_MS: u64 = 500;
const FRESH_MS: u64 = 2_000;
const HOUR: i64 = 3_600_000;
const BEAT: u64 = 200;

/// A fence among peers whose skews are known.
struct Bench {
    fence: Fence,
    now: u64,
    /// Skews of the other members; `None` when silent.
    others: Vec<Option<i64>>,
    listened: bool,
}

impl Bench {
    fn new(others: &[Option<i64>]) -> Self {
        let fence = Fence::new(LIMIT_MS, FRESH_MS);
        Self { fence, now: 100 * HOUR.unsigned_abs(), others: others.to_vec(), listened: true }
    }

    fn of(others: &[i64]) -> Self {
        Self::new(&others.iter().copied().map(Some).collect::<Vec<_>>())
    }

    /// One round of reports, and a look.
    fn beat(&mut self) -> Standing {
        self.now += BEAT;
        let now = UnixMs(self.now);
        for (id, skew) in (1..).zip(&self.others) {
            let Some(ms) = skew else { continue };
            let from = origin(NodeId(id), 1);
            self.fence.step(now, Event::Reported { from, now: now.moved(*ms) });
        }
        self.look()
    }

    fn look(&mut self) -> Standing {
        let others = (1..).zip(&self.others).map(|(id, _)| NodeId(id)).collect();
        let before = self.fence.standing();
        let listened = self.listened;
        let changed = self.fence.step(UnixMs(self.now), Event::Tick { others: &others, listened });
        let standing = self.fence.standing();
        assert_eq!(changed, (standing != before).then_some(standing));
        standing
    }

    /// Rounds for so many milliseconds; what they came to.
    fn beats(&mut self, ms: u64) -> Standing {
        for _ in 0..ms / BEAT {
            self.beat();
        }
        self.fence.standing()
    }
}

/// Long enough for a window to pass and for the fence to come.
const LONG: u64 = SETTLED + BEAT;
const SETTLED: u64 = crate::limits::SKEW_WINDOW_MS + FENCE_HOLD_MS;

#[test]
fn ahead_of_most_members_is_fenced_and_of_fewer_is_not() {
    let table: [(&[i64], Standing); 9] = [
        (&[-HOUR, -HOUR], Standing::Fenced),
        (&[-401, -401], Standing::Fenced),
        (&[-400, -400], Standing::Sound),
        (&[-HOUR, 0], Standing::Sound),
        (&[-HOUR, HOUR], Standing::Undecided),
        (&[HOUR, HOUR], Standing::Behind),
        (&[450, 450], Standing::Undecided),
        (&[-HOUR, -HOUR, 0], Standing::Undecided),
        (&[-HOUR, -HOUR, -HOUR, 0], Standing::Fenced),
    ];
    for (others, standing) in table {
        assert_eq!(Bench::of(others).beats(LONG), standing, "{others:?}");
    }
}

#[test]
fn two_nodes_can_not_tell_who_is_wrong() {
    for skew in [-HOUR, HOUR] {
        let mut two = Bench::of(&[skew]);
        assert_eq!(two.beats(LONG), Standing::Undecided);
        assert!(two.fence.standing().may_mint());
    }
    assert_eq!(Bench::of(&[3]).beats(LONG), Standing::Sound);
    assert_eq!(Bench::of(&[]).look(), Standing::Sound, "alone");
}

#[test]
fn silent_members_count_as_members_and_say_nothing() {
    let mut five = Bench::new(&[Some(-HOUR), Some(-HOUR), None, None]);
    assert_eq!(five.beats(LONG), Standing::Undecided, "two of five");
    five.others = vec![Some(-HOUR), Some(-HOUR), Some(-HOUR), None];
    assert_eq!(five.beats(LONG), Standing::Fenced, "three of five");
    // Heard once, and silent since.
    let mut three = Bench::of(&[-HOUR, -HOUR]);
    three.beat();
    three.others = vec![Some(-HOUR), None];
    assert_ne!(three.beats(LONG), Standing::Fenced);
}

#[test]
fn a_start_waits_for_who_answers() {
    let mut three = Bench::new(&[None, None]);
    three.listened = false;
    assert_eq!(three.beats(LONG), Standing::Unjudged);
    three.others = vec![Some(0), None];
    assert_eq!(three.beat(), Standing::Sound, "two of three agree: at once");
    let mut alone = Bench::new(&[None, None]);
    alone.listened = false;
    alone.beats(LONG);
    alone.listened = true;
    assert_eq!(alone.look(), Standing::Sound, "nobody answers");
}

#[test]
fn a_start_that_looks_ahead_mints_nothing_until_the_fence_comes() {
    let mut three = Bench::of(&[-HOUR, -HOUR]);
    for _ in 0..FENCE_HOLD_MS / BEAT {
        assert!(!three.beat().may_mint());
    }
    assert_eq!(three.beat(), Standing::Fenced);
    // Reports that were held back on the first of their way.
    let mut slow = Bench::of(&[-700, -900]);
    assert_eq!(slow.beat(), Standing::Unjudged);
    slow.others = vec![Some(-20), Some(-900)];
    assert_eq!(slow.beat(), Standing::Sound);
}

#[test]
fn a_pause_does_not_fence() {
    let mut three = Bench::of(&[0, 0]);
    three.beats(LONG);
    // It stood still for three seconds; what came meanwhile is read at once, and looks old.
    three.now += 3_000;
    for age in (1..=15).rev() {
        three.others = vec![Some(-200 * age), Some(-200 * age)];
        three.now -= BEAT; // all of them now
        assert_eq!(three.beat(), Standing::Sound);
    }
    three.others = vec![Some(0), Some(0)];
    assert_eq!(three.beats(LONG), Standing::Sound);
}

#[test]
fn a_running_node_is_fenced_within_ten_seconds() {
    let mut three = Bench::of(&[0, 0]);
    three.beats(LONG);
    three.others = vec![Some(-401), Some(-401)];
    let since = three.now;
    while three.beat() != Standing::Fenced {
        assert!(three.now - since < 10_000);
    }
    assert!(three.now - since >= FENCE_HOLD_MS);
}

#[test]
fn it_comes_back_well_within_the_limit_only() {
    let mut three = Bench::of(&[-450, -450]);
    assert_eq!(three.beats(LONG), Standing::Fenced);
    for skew in [-399, -350, -301] {
        three.others = vec![Some(skew), Some(skew)];
        assert_eq!(three.beats(LONG), Standing::Fenced, "{skew}");
    }
    three.others = vec![Some(-300), Some(-350)];
    assert_eq!(three.beats(LONG), Standing::Sound);
    three.others = vec![Some(-399), Some(-399)];
    assert_eq!(three.beats(LONG), Standing::Sound);
}

#[test]
fn silence_does_not_lift_a_fence_and_a_clock_put_right_does() {
    let mut three = Bench::of(&[-HOUR, -HOUR]);
    three.beats(LONG);
    three.others = vec![None, None];
    assert_eq!(three.beats(10 * LONG), Standing::Fenced);
    three.others = vec![Some(-HOUR), None];
    assert_eq!(three.beats(LONG), Standing::Fenced);
    three.fence.step(UnixMs(three.now), Event::Moved(100 - HOUR));
    three.now = three.now.saturating_add_signed(100 - HOUR);
    assert_eq!(three.look(), Standing::Sound);
}

#[test]
fn a_fence_among_those_who_left_is_lifted() {
    let mut three = Bench::of(&[-HOUR, -HOUR]);
    three.beats(LONG);
    three.others = vec![Some(-HOUR)];
    assert_eq!(three.beats(LONG), Standing::Undecided, "two are left");
}

#[test]
fn behind_ends_with_the_step_to_the_wall() {
    let mut three = Bench::of(&[HOUR, HOUR]);
    assert_eq!(three.beat(), Standing::Behind);
    assert!(three.fence.standing().may_mint());
    assert_eq!(three.fence.ahead_ms(UnixMs(three.now)), Some(-HOUR));
    assert_eq!(three.fence.course(UnixMs(three.now), 0), Course::Hold, "the wall is as wrong");
    assert_eq!(three.fence.course(UnixMs(three.now), HOUR), Course::Step);
    three.fence.step(UnixMs(three.now), Event::Moved(HOUR));
    three.now = three.now.saturating_add_signed(HOUR);
    three.others = vec![Some(0), Some(0)];
    assert_eq!(three.look(), Standing::Sound);
    assert_eq!(three.beats(LONG), Standing::Sound);
}

#[test]
fn a_machine_that_slept_believes_its_wall_once_its_peers_say_so() {
    let mut three = Bench::of(&[0, 0]);
    three.beats(LONG);
    assert_eq!(three.fence.course(UnixMs(three.now), HOUR), Course::Hold, "what they said before");
    three.others = vec![Some(HOUR), Some(HOUR)];
    three.beat();
    assert_eq!(three.fence.course(UnixMs(three.now), HOUR), Course::Step);
    three.others = vec![None, None];
    three.beats(FRESH_MS + BEAT);
    assert_eq!(three.fence.course(UnixMs(three.now), 2 * HOUR), Course::Step, "nobody is heard");
}
