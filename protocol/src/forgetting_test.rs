//! When a cache gives up what it has, and when it waits, as tables of what peers report.

use super::*;
use crate::fixture::{NODE, OTHER, PEER, at, frontier, origin};

const SKEW_MS: u64 = 500;
const T0: u64 = 100_000;
/// A time after the start at which no cache is young any more.
const GROWN: u64 = 20_000;

fn me() -> Origin {
    origin(NODE, 7)
}

/// A machine and what its store has.
struct Cache {
    machine: Forgetting,
    applied: Frontier,
}

impl Cache {
    fn with(applied: &[(Origin, u64)]) -> Self {
        Self { machine: Forgetting::new(me(), SKEW_MS), applied: frontier(applied) }
    }

    /// One whose peers were level until [`GROWN`].
    fn grown(applied: &[(Origin, u64)]) -> Self {
        let mut cache = Self::with(applied);
        assert_eq!(cache.reported(0, origin(PEER, 5), applied), None);
        assert_eq!(cache.tick(GROWN), None);
        cache
    }

    fn step(&mut self, ms: u64, event: Event<'_>) -> Option<Forget> {
        self.machine.step(UnixMs(T0 + ms), event, &self.applied)
    }

    fn reported(&mut self, ms: u64, from: Origin, applied: &[(Origin, u64)]) -> Option<Forget> {
        self.step(ms, Event::Reported { from, applied: &frontier(applied) })
    }

    fn tick(&mut self, ms: u64) -> Option<Forget> {
        self.step(ms, Event::Tick)
    }

    /// When it forgets, if only time passes from `ms` on, and what it then does.
    fn forgets(&mut self, ms: u64) -> Option<(u64, Forget)> {
        (ms..ms + 10_000).find_map(|at| Some((at - ms, self.tick(at)?)))
    }
}

type Points<'a> = &'a [(Origin, u64)];

#[test]
fn what_a_grown_cache_forgets_for_and_when() {
    let [peers, others, dead] = [origin(PEER, 5), origin(OTHER, 5), origin(OTHER, 4)];
    let late = Some(FORGET_AFTER_MS + 1);
    // What this node has; what the peer reports once; when everything is forgotten.
    let table: [(&str, Points<'_>, Points<'_>, Option<u64>); 8] = [
        ("the same", &[(peers, 5)], &[(peers, 5)], None),
        ("the peer has less", &[(peers, 5)], &[(peers, 4)], None),
        ("ahead on itself, and sends nothing", &[(peers, 5)], &[(peers, 6)], late),
        ("ahead on an epoch that is over", &[(others, 5)], &[(dead, 5)], late),
        ("ahead on a node that is gone", &[(others, 5)], &[(others, 6)], late),
        ("ahead on this node's present origin", &[], &[(me(), 5)], None),
        ("ahead on this node's past", &[], &[(origin(NODE, 6), 5)], late),
        ("in the future", &[], &[(peers, T0 + GROWN + 60_000)], None),
    ];
    for (name, has, says, expected) in table {
        let mut cache = Cache::grown(has);
        assert_eq!(cache.reported(GROWN, peers, says), None, "{name}: at once");
        let forgets = cache.forgets(GROWN);
        assert_eq!(forgets.as_ref().map(|(ms, _)| *ms), expected, "{name}");
        if let Some((_, Forget { stuck, adopt })) = forgets {
            let (origin, ms) = says[0];
            assert_eq!(stuck, [(origin, cache.applied.get(origin))], "{name}");
            assert_eq!(adopt.get(origin), at(ms), "{name}");
        }
    }
}

#[test]
fn a_young_cache_does_not_wait_long() {
    let live = origin(OTHER, 5);
    let mut cache = Cache::with(&[]);
    for ms in 0..SILENT_MS {
        // Ever further ahead, on an origin that is not linked.
        assert_eq!(cache.reported(ms, origin(PEER, 5), &[(live, ms + 1)]), None, "at {ms}");
    }
    let (ms, forget) = cache.forgets(SILENT_MS).unwrap();
    assert!(ms <= 2, "{ms}");
    assert_eq!(
        forget,
        Forget { stuck: vec![(live, Hlc::ZERO)], adopt: frontier(&[(live, SILENT_MS)]) }
    );
}

#[test]
fn an_origin_that_moves_here_is_waited_for() {
    let peers = origin(PEER, 5);
    let mut cache = Cache::grown(&[(peers, 1)]);
    for ms in 0..4 * FORGET_AFTER_MS {
        if ms.is_multiple_of(FORGET_AFTER_MS) {
            cache.applied.advance(peers, at(2 + ms));
        }
        assert_eq!(cache.reported(GROWN + ms, peers, &[(peers, 90_000)]), None, "at {ms}");
    }
}

/// Its node writes and reaches others, and no link leads here: what it sent comes when there is one.
#[test]
fn an_origin_behind_a_cut_link_is_waited_for_and_its_link_gets_time() {
    let (peers, cut) = (origin(PEER, 5), origin(OTHER, 5));
    let mut cache = Cache::grown(&[(cut, 1)]);
    let mut ms = GROWN;
    while ms < GROWN + 3 * FORGET_AFTER_MS {
        ms += 500;
        assert_eq!(cache.reported(ms, peers, &[(cut, ms)]), None, "at {ms}");
    }
    // The link is made: the log behind it gets its time from now on.
    assert_eq!(cache.reported(ms, cut, &[(cut, ms)]), None);
    assert_eq!(cache.forgets(ms).map(|(after, _)| after), Some(FORGET_AFTER_MS + 1));

    let mut cache = Cache::grown(&[(cut, 1)]);
    cache.reported(GROWN, cut, &[(cut, 2)]);
    cache.step(GROWN + 2_000, Event::LinkDown { peer: OTHER });
    cache.reported(GROWN + 2_500, cut, &[(cut, 2)]);
    assert_eq!(
        cache.forgets(GROWN + 2_500).map(|(after, _)| after),
        Some(FORGET_AFTER_MS + 1),
        "a link that broke and came back starts anew"
    );
}

/// A node with a clock that is ten seconds fast: its ops wait until their time has come.
#[test]
fn an_origin_from_the_future_gets_the_time_that_it_is_ahead() {
    let fast = origin(PEER, 5);
    let ahead = |ms| T0 + ms + SKEW_MS + 10_000;
    let mut cache = Cache::grown(&[(fast, 1)]);
    for ms in (GROWN..GROWN + 12_000).step_by(50) {
        assert_eq!(cache.reported(ms, fast, &[(fast, ahead(ms))]), None, "at {ms}");
    }
    let forgets = (GROWN + 12_000..GROWN + 20_000)
        .find(|ms| cache.reported(*ms, fast, &[(fast, ahead(*ms))]).is_some());
    assert_eq!(forgets, Some(GROWN + FORGET_AFTER_MS + 10_000 + 1));
    // A young cache goes on at once, as far as anybody can.
    let mut young = Cache::with(&[]);
    young.reported(0, origin(OTHER, 5), &[(fast, ahead(0))]);
    let (ms, forget) = young.forgets(0).unwrap();
    assert_eq!(forget.adopt.get(fast), Hlc::end_of(UnixMs(T0 + ms + SKEW_MS)));
}

#[test]
fn all_peers_are_adopted_at_once_and_but_once() {
    let (peers, others, past) = (origin(PEER, 5), origin(OTHER, 5), origin(NODE, 6));
    let mut cache = Cache::grown(&[(peers, 1)]);
    let future = T0 + GROWN + 60_000;
    cache.reported(GROWN, peers, &[(peers, 9), (others, 3), (past, 4), (me(), 90)]);
    cache.reported(GROWN, others, &[(peers, 8), (others, 7), (origin(NODE, 5), future)]);
    let (_, forget) = cache.forgets(GROWN).unwrap();
    let mut adopt = frontier(&[(peers, 9), (others, 7), (past, 4)]);
    let now = T0 + GROWN + FORGET_AFTER_MS + 1;
    adopt.advance(origin(NODE, 5), Hlc::end_of(UnixMs(now + SKEW_MS))); // no further than that
    assert_eq!(forget.adopt, adopt);
    assert_eq!(forget.stuck, [(past, Hlc::ZERO), (peers, at(1)), (others, Hlc::ZERO)]);
    assert!(cache.machine.is_under_way());
    assert_eq!(cache.forgets(GROWN + 10_000), None, "until the store is done");
    cache.applied = adopt;
    assert_eq!(cache.step(GROWN + 30_000, Event::Done), None);
    assert_eq!(cache.forgets(GROWN + 30_000), None, "level, but for what lies in the future");
    assert!(!cache.machine.is_under_way());
}

#[test]
fn what_failed_is_tried_again_after_the_same_time() {
    let peers = origin(PEER, 5);
    let mut cache = Cache::grown(&[]);
    cache.reported(GROWN, peers, &[(peers, 9)]);
    cache.forgets(GROWN).unwrap();
    assert_eq!(cache.step(GROWN + 9_000, Event::Done), None);
    assert!(cache.forgets(GROWN + 9_000).is_some_and(|(after, _)| after <= FORGET_AFTER_MS + 1));
}

#[test]
fn a_new_epoch_of_this_node_makes_the_one_before_adoptable() {
    let mut cache = Cache::grown(&[]);
    cache.reported(GROWN, origin(PEER, 5), &[(me(), 5)]);
    assert_eq!(cache.forgets(GROWN), None);
    cache.step(GROWN + 10_000, Event::NewOrigin(origin(NODE, 8)));
    assert!(
        cache.forgets(GROWN + 10_000).is_some_and(|(_, forget)| forget.adopt.get(me()) == at(5))
    );
}
