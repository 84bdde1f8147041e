//! What starts a catch-up and what does not, and from whom it asks, as tables of what peers report.
//! How a session goes on and ends is in `catchup_session_test.rs`.

use super::*;
use crate::fixture::{NODE, OTHER, PEER, at, frontier, keyed, main_store, origin};
use crate::page::{PageCursor, PageRequest, Scope};

#[path = "catchup_bootstrap_test.rs"]
mod bootstrap;
#[path = "catchup_session_test.rs"]
mod session;

const SKEW_MS: u64 = 500;
const T0: u64 = 10_000;
const THIRD: NodeId = NodeId(4);

fn me() -> Origin {
    origin(NODE, 7)
}

/// A catch-up and what its store has.
struct Receiver {
    machine: CatchUp,
    applied: Frontier,
    loose: BTreeMap<Origin, u64>,
}

impl Receiver {
    fn with(applied: &[(Origin, u64)], loose: &[(Origin, u64)]) -> Self {
        Self {
            machine: CatchUp::new(main_store(), me(), SKEW_MS),
            applied: frontier(applied),
            loose: loose.iter().copied().collect(),
        }
    }

    /// Takes an event at `ms` after the start.
    fn step(&mut self, ms: u64, event: Event) -> Vec<Effect> {
        let view = View { applied: &self.applied, loose: &self.loose };
        self.machine.step(UnixMs(T0 + ms), event, view)
    }
}

fn report(applied: &[(Origin, u64)], loose: &[(Origin, u64)]) -> StoreReport {
    StoreReport {
        store: main_store(),
        applied: frontier(applied),
        durable: Frontier::default(),
        floor: Hlc::ZERO,
        loose: loose.iter().copied().collect(),
        durable_loose: BTreeMap::new(),
        proof: None,
        keys: 0,
    }
}

fn reported(node: NodeId, applied: &[(Origin, u64)], loose: &[(Origin, u64)]) -> Event {
    Event::Reported { from: origin(node, 1), report: report(applied, loose) }
}

/// The beginning of session `number` with `peer`, for what `frontier` does not cover.
fn begins(peer: NodeId, number: u64, frontier: &Frontier) -> Vec<Effect> {
    vec![Effect::Started { peer, bootstrap: false }, asks(peer, number, frontier, None)]
}

fn asks(peer: NodeId, session: u64, frontier: &Frontier, cursor: Option<&[u8]>) -> Effect {
    let cursor = cursor.and_then(PageCursor::new);
    let (frontier, scope) = (frontier.clone(), Scope::Missing);
    let request = PageRequest { store: main_store(), session, frontier, scope, cursor };
    Effect::Request { peer, request }
}

/// When a session with `PEER` starts, if its one report comes at 0 and then only time passes.
fn starts_at(receiver: &mut Receiver, report: Event) -> Option<u64> {
    let mut event = Some(report);
    (0..2_000).find(|ms| !receiver.step(*ms, event.take().unwrap_or(Event::Tick)).is_empty())
}

/// Points and loose hashes.
type Has<'a> = (&'a [(Origin, u64)], &'a [(Origin, u64)]);

#[test]
fn what_in_a_report_starts_a_session_and_when() {
    let [peers, others, dead] = [origin(PEER, 5), origin(OTHER, 5), origin(OTHER, 4)];
    let silent = Some(SILENT_MS + 1);
    // What this node has (points, loose hashes); what the peer reports; when a session starts.
    let table: [(&str, Has<'_>, Has<'_>, Option<u64>); 16] = [
        ("the same", (&[(peers, 5)], &[]), (&[(peers, 5)], &[]), None),
        ("the peer has less", (&[(peers, 5)], &[]), (&[(peers, 4)], &[]), None),
        ("the peer is ahead on itself", (&[], &[]), (&[(peers, 5)], &[]), silent),
        ("ahead on a third node", (&[(others, 4)], &[]), (&[(others, 5)], &[]), silent),
        ("ahead on an epoch that is over", (&[(others, 1)], &[]), (&[(dead, 5)], &[]), Some(0)),
        ("the report says that it is over", (&[], &[]), (&[(dead, 5), (others, 1)], &[]), Some(0)),
        (
            "equal on an epoch that is over",
            (&[(dead, 5), (others, 1)], &[]),
            (&[(dead, 5)], &[]),
            None,
        ),
        ("ahead on this node's present origin", (&[], &[]), (&[(me(), 5)], &[]), None),
        ("ahead on this node's past", (&[], &[]), (&[(origin(NODE, 6), 5)], &[]), Some(0)),
        ("the same loose records", (&[], &[(peers, 1)]), (&[], &[(peers, 1)]), None),
        ("other loose records", (&[], &[(peers, 2)]), (&[], &[(peers, 1)]), silent),
        ("loose records only there", (&[], &[]), (&[], &[(peers, 1)]), silent),
        ("loose records only here", (&[], &[(peers, 1)]), (&[], &[]), None),
        ("other loose ones of the past", (&[(others, 1)], &[]), (&[], &[(dead, 1)]), Some(0)),
        ("loose records at less", (&[(peers, 5)], &[]), (&[(peers, 4)], &[(peers, 1)]), None),
        ("its own loose records", (&[], &[]), (&[], &[(me(), 1)]), None),
    ];
    for (name, has, says, expected) in table {
        let mut receiver = Receiver::with(has.0, has.1);
        let started = starts_at(&mut receiver, reported(PEER, says.0, says.1));
        assert_eq!(started, expected, "{name}");
        assert_eq!(receiver.machine.is_running(), expected.is_some(), "{name}");
    }
}

#[test]
fn an_origin_is_over_when_its_node_is_linked_in_a_later_run() {
    let mut receiver = Receiver::with(&[], &[]);
    let past = origin(PEER, 1);
    receiver.step(0, reported(OTHER, &[(past, 5)], &[]));
    assert!(!receiver.machine.is_running());
    let from = origin(PEER, 2);
    let effects = receiver.step(1, Event::Reported { from, report: report(&[], &[]) });
    assert_eq!(effects, begins(OTHER, 1, &receiver.applied));
}

#[test]
fn an_origin_that_moves_is_not_silent() {
    let live = origin(PEER, 5);
    let mut receiver = Receiver::with(&[], &[]);
    for ms in 0..3_000 {
        // The peer is always ahead; this node moves every 600 ms, just often enough.
        if ms % SILENT_MS == 0 {
            receiver.applied.advance(live, at(1 + ms));
        }
        assert_eq!(receiver.step(ms, reported(PEER, &[(live, 9_000)], &[])), [], "at {ms}");
    }
    assert_ne!(receiver.step(3_001, Event::Tick), [], "and now it has stopped");
}

#[test]
fn being_level_in_between_starts_the_silence_anew() {
    let live = origin(PEER, 5);
    let mut receiver = Receiver::with(&[(live, 5)], &[]);
    receiver.step(0, reported(PEER, &[(live, 6)], &[]));
    receiver.step(500, reported(PEER, &[(live, 5)], &[]));
    assert_eq!(starts_at(&mut receiver, reported(PEER, &[(live, 6)], &[])), Some(SILENT_MS + 1));
}

#[test]
fn a_gap_starts_a_session_with_the_peer_that_left_it() {
    let live = origin(PEER, 5);
    let mut receiver = Receiver::with(&[], &[]);
    assert_eq!(receiver.step(0, Event::Gap { peer: PEER }), [], "not linked yet");
    let effects = receiver.step(1, reported(PEER, &[(live, 5)], &[]));
    assert_eq!(effects, begins(PEER, 1, &receiver.applied));
    assert_eq!(receiver.step(2, Event::Gap { peer: PEER }), [], "one session at a time");
    assert_eq!(receiver.step(3, reported(OTHER, &[(origin(NODE, 6), 5)], &[])), []);

    let mut receiver = Receiver::with(&[], &[]);
    receiver.step(0, Event::Gap { peer: PEER });
    receiver.step(1, Event::LinkDown { peer: PEER });
    assert_eq!(receiver.step(2, reported(PEER, &[(live, 5)], &[])), [], "the link took it along");
}

#[test]
fn a_gap_that_closed_in_the_meantime_starts_nothing() {
    let live = origin(PEER, 5);
    let past = origin(THIRD, 1);
    let mut receiver = Receiver::with(&[], &[]);
    receiver.step(0, reported(PEER, &[(live, 5)], &[]));
    receiver.step(0, reported(OTHER, &[(past, 5), (origin(THIRD, 2), 0)], &[]));
    receiver.applied.advance(origin(THIRD, 2), at(1));
    assert_eq!(receiver.step(1, Event::Tick), begins(OTHER, 1, &receiver.applied));
    receiver.step(2, Event::Gap { peer: PEER });
    // Batches close the gap while the other session runs; the peer's next report shows it.
    receiver.applied.advance(live, at(6));
    receiver.step(3, reported(PEER, &[(live, 6)], &[]));
    receiver.step(4, Event::NoPage { peer: OTHER, session: 1 });
    receiver.step(5, Event::LinkDown { peer: OTHER });
    receiver.step(300, reported(PEER, &[(live, 7)], &[]));
    assert!(!receiver.machine.is_running(), "a peer that is a little ahead is no gap");
}

#[test]
fn nothing_starts_from_a_peer_whose_link_is_gone() {
    let mut receiver = Receiver::with(&[], &[]);
    receiver.step(0, reported(PEER, &[(origin(PEER, 5), 5)], &[]));
    receiver.step(1, Event::LinkDown { peer: PEER });
    assert_eq!(starts_at(&mut receiver, Event::Tick), None);
}

#[test]
fn donors_take_turns() {
    let past = [(origin(NODE, 6), 5)];
    let mut receiver = Receiver::with(&[], &[]);
    let mut asked = Vec::new();
    let mut note = |effects: Vec<Effect>| {
        let donor = |effect: &Effect| {
            if let Effect::Started { peer, .. } = effect { Some(*peer) } else { None }
        };
        asked.extend(effects.iter().find_map(donor));
    };
    for node in [THIRD, OTHER, PEER] {
        note(receiver.step(0, reported(node, &past, &[])));
    }
    for session in 1..=5 {
        let donor = receiver.machine.last_donor.unwrap();
        note(receiver.step(session * 10_000, Event::NoPage { peer: donor, session }));
        note(receiver.step(session * 10_000 + 9_000, Event::Tick));
    }
    // No two donors that fail keep the third from being asked.
    assert_eq!(asked, [THIRD, PEER, OTHER, THIRD, PEER, OTHER]);
}

#[test]
fn the_only_donor_is_asked_again() {
    let mut receiver = Receiver::with(&[], &[]);
    let past = [(origin(NODE, 6), 5)];
    assert_eq!(receiver.step(0, reported(PEER, &past, &[])), begins(PEER, 1, &receiver.applied));
    receiver.step(0, Event::NoPage { peer: PEER, session: 1 });
    assert_eq!(receiver.step(9_000, Event::Tick), begins(PEER, 2, &receiver.applied));
}

#[test]
fn a_new_epoch_of_this_node_makes_the_one_before_catchable() {
    let mut receiver = Receiver::with(&[], &[]);
    assert_eq!(starts_at(&mut receiver, reported(PEER, &[(me(), 5)], &[])), None);
    let effects = receiver.step(3_000, Event::NewOrigin(origin(NODE, 8)));
    assert_eq!(effects, begins(PEER, 1, &receiver.applied));
}
