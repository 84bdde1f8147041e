//! When a store is filled from scratch, what it lets go, and what it does not do meanwhile.

use super::*;
use crate::Key;
use crate::frontier::Closing;

/// A report of a peer that has purged up to `floor`.
fn purged(applied: &[(Origin, u64)], floor: u64) -> Event {
    let report = StoreReport { floor: at(floor), ..report(applied, &[]) };
    Event::Reported { from: origin(PEER, 1), report }
}

fn page(session: u64, cursor: Option<&str>, next: Option<&str>, floor: u64) -> Event {
    let cursor_of = |text: Option<&str>| text.and_then(|text| PageCursor::new(text.as_bytes()));
    let page = Page {
        store: main_store(),
        session,
        cursor: cursor_of(cursor),
        donor: origin(PEER, 1),
        frontier: frontier(&[(origin(PEER, 1), 50), (origin(OTHER, 1), 9)]),
        floor: at(floor),
        records: vec![keyed("k", origin(PEER, 1), 40)],
        next: cursor_of(next),
    };
    Event::Page { peer: PEER, page }
}

fn everything(session: u64, cursor: Option<&str>) -> Effect {
    let cursor = cursor.and_then(|text| PageCursor::new(text.as_bytes()));
    let (frontier, scope) = (Frontier::default(), Scope::Everything);
    let request = PageRequest { store: main_store(), session, frontier, scope, cursor };
    Effect::Request { peer: PEER, request }
}

fn stretch(after: Option<&str>, upto: Option<&str>, floor: u64) -> Effect {
    let key = |text: &str| Key::new(text).unwrap();
    Effect::Replace(Stretch {
        after: after.map(key),
        upto: upto.map(key),
        records: vec![keyed("k", origin(PEER, 1), 40)],
        floor: at(floor),
        frontier: frontier(&[(origin(PEER, 1), 50), (origin(OTHER, 1), 9)]),
    })
}

#[test]
fn who_is_below_the_floor_gets_everything_stretch_by_stretch_and_installs_last() {
    let mut receiver = Receiver::with(&[(origin(PEER, 1), 10)], &[]);
    let theirs = [(origin(PEER, 1), 50), (origin(OTHER, 1), 9)];
    assert_eq!(receiver.step(0, purged(&theirs, 30)), []);
    let started = Effect::Started { peer: PEER, bootstrap: true };
    assert_eq!(receiver.step(601, Event::Tick), [started, everything(1, None)]);
    assert!(receiver.machine.is_bootstrapping());

    assert_eq!(receiver.step(602, page(1, None, Some("m"), 30)), [stretch(None, Some("m"), 30)]);
    assert_eq!(receiver.step(603, Event::Merged), [everything(1, Some("m"))]);
    // The floor that goes with a stretch is that of its page; the one installed is the first page's.
    assert_eq!(receiver.step(604, page(1, Some("m"), None, 35)), [stretch(Some("m"), None, 35)]);
    let ended = receiver.step(605, Event::Merged);
    let installed = Effect::Install { frontier: frontier(&theirs), floor: at(30) };
    let complete = Effect::Ended { peer: PEER, records: 2, complete: true };
    assert_eq!(ended, [installed, complete]);
    assert!(!receiver.machine.is_bootstrapping());
}

#[test]
fn an_empty_store_is_below_any_floor_and_above_none() {
    let mut receiver = Receiver::with(&[], &[]);
    receiver.step(0, purged(&[(origin(PEER, 1), 50)], 0));
    let effects = receiver.step(601, Event::Tick);
    assert_eq!(effects.first(), Some(&Effect::Started { peer: PEER, bootstrap: false }));
    let mut receiver = Receiver::with(&[], &[]);
    receiver.step(0, purged(&[(origin(PEER, 1), 50)], 1));
    let effects = receiver.step(601, Event::Tick);
    assert_eq!(effects.first(), Some(&Effect::Started { peer: PEER, bootstrap: true }));
}

#[test]
fn a_floor_that_rises_under_a_session_ends_it_and_the_next_is_a_bootstrap() {
    let mut receiver = Receiver::with(&[(origin(PEER, 1), 10), (origin(OTHER, 1), 9)], &[]);
    receiver.step(0, purged(&[(origin(PEER, 1), 50), (origin(OTHER, 1), 9)], 10));
    receiver.step(601, Event::Tick);
    assert!(!receiver.machine.is_bootstrapping());
    let ended = receiver.step(602, page(1, None, None, 11));
    assert_eq!(ended, [Effect::Ended { peer: PEER, records: 0, complete: false }]);
    let effects = receiver.step(5_000, Event::Tick);
    assert_eq!(effects, [Effect::Started { peer: PEER, bootstrap: true }, everything(2, None)]);
}

#[test]
fn a_bootstrap_that_is_cut_short_goes_on_until_one_is_complete() {
    let mut receiver = Receiver::with(&[], &[]);
    receiver.step(0, purged(&[(origin(PEER, 1), 50)], 30));
    receiver.step(601, Event::Tick);
    receiver.step(602, Event::NoPage { peer: PEER, session: 1 });
    assert!(receiver.machine.is_bootstrapping() && !receiver.machine.is_running());
    // By now batches might have brought it there, but it took none: it still has to.
    let effects = receiver.step(2_000, Event::Tick);
    assert_eq!(effects.len(), 2, "{effects:?}");
    let bad = page(2, None, Some("\u{0}"), 30);
    let Event::Page { peer, page } = bad else { unreachable!() };
    let next = PageCursor::new(b"\xff");
    let ended = receiver.step(2_001, Event::Page { peer, page: Page { next, ..page } });
    assert_eq!(ended, [Effect::Ended { peer: PEER, records: 0, complete: false }]);
}

#[test]
fn what_a_peer_has_closed_where_this_node_stands_needs_no_session() {
    let old = origin(OTHER, 1);
    let closed = |ms, loose| {
        let mut theirs = report(&[(origin(PEER, 1), 10)], &[]);
        theirs.applied.close(old, Closing { at: at(ms), loose });
        Event::Reported { from: origin(PEER, 1), report: StoreReport { floor: at(90), ..theirs } }
    };
    let own = [(origin(PEER, 1), 10), (old, 7)];
    for (ms, loose, is_needed) in [(7, false, false), (8, false, true), (7, true, true)] {
        let mut receiver = Receiver::with(&own, &[]);
        receiver.step(0, closed(ms, loose));
        receiver.step(700, Event::Tick);
        assert_eq!(receiver.machine.is_bootstrapping(), is_needed, "at {ms}, loose: {loose}");
    }
}

#[test]
fn an_operator_gets_all_of_a_peer_merged_though_nothing_is_missing() {
    let own = [(origin(PEER, 1), 50), (origin(OTHER, 1), 9)];
    let mut receiver = Receiver::with(&own, &[]);
    receiver.step(0, purged(&own, 20));
    assert_eq!(receiver.step(700, Event::Tick), []);
    let effects = receiver.step(701, Event::Requested { peer: PEER });
    let (frontier, scope) = (Frontier::default(), Scope::Missing);
    let request = PageRequest { store: main_store(), session: 1, frontier, scope, cursor: None };
    let started = Effect::Started { peer: PEER, bootstrap: false };
    assert_eq!(effects, [started, Effect::Request { peer: PEER, request }]);
    receiver.step(702, page(1, None, None, 20));
    assert_eq!(receiver.step(703, Event::Merged).len(), 2);
    assert_eq!(receiver.step(9_000, Event::Tick), [], "once");
}

const PROOF: u64 = 1 << 62;

/// PEER, which has reported this, is asked to show what it has.
fn asks(number: u64, reported: &[(Origin, u64)]) -> Effect {
    let request = PageRequest {
        store: main_store(),
        session: PROOF | number,
        frontier: frontier(reported),
        scope: Scope::Missing,
        cursor: None,
    };
    Effect::Request { peer: PEER, request }
}

/// A page of PEER, which has just this.
fn proof(number: u64, applied: &[(Origin, u64)]) -> Event {
    let Event::Page { peer, page } = page(PROOF | number, None, None, 0) else { unreachable!() };
    Event::Page { peer, page: Page { frontier: frontier(applied), ..page } }
}

fn empties(applied: &[(Origin, u64)]) -> Effect {
    Effect::Empty { covered: frontier(applied) }
}

#[test]
fn a_store_is_rebuilt_from_the_peer_that_was_named() {
    let mut receiver = Receiver::with(&[(origin(PEER, 1), 50)], &[]);
    let has = [(origin(PEER, 1), 50)];
    receiver.step(0, purged(&has, 0));
    receiver.step(1, reported(OTHER, &[(origin(PEER, 1), 60)], &[]));
    let other = receiver.step(602, Event::Tick);
    assert_eq!(other.first(), Some(&Effect::Started { peer: OTHER, bootstrap: false }));

    let effects = receiver.step(603, Event::Rebuild { peer: PEER });
    let given_up = Effect::Ended { peer: OTHER, records: 0, complete: false };
    assert_eq!(effects, [given_up, asks(2, &has)]);
    assert!(receiver.machine.is_bootstrapping() && receiver.machine.holds());
    assert_eq!(receiver.step(604, proof(1, &has)), [], "of the session before");
    assert_eq!(receiver.step(605, proof(2, &has)), [empties(&has)]);
    assert_eq!(receiver.machine.rebuild_waits(), Some(RebuildWait::Emptying));
    assert_eq!(receiver.step(5_000, Event::Tick), [], "not before it is empty");
    receiver.applied = Frontier::default();
    let effects = receiver.step(5_001, Event::Emptied(Emptied::Done));
    assert_eq!(effects, [Effect::Started { peer: PEER, bootstrap: true }, everything(3, None)]);
    assert_eq!(receiver.machine.rebuild_waits(), None);
    receiver.step(5_002, page(3, None, None, 0));
    receiver.step(5_003, Event::Merged);
    assert!(!receiver.machine.is_bootstrapping());
}

#[test]
fn an_emptied_store_is_whole_when_it_has_what_it_had() {
    let mut receiver = Receiver::with(&[(origin(PEER, 1), 60)], &[]);
    let has = [(origin(PEER, 1), 60)];
    receiver.step(0, purged(&has, 0));
    receiver.step(0, reported(OTHER, &[], &[]));
    receiver.step(1, Event::Rebuild { peer: PEER });
    assert_eq!(receiver.step(2, proof(1, &has)), [empties(&has)]);
    receiver.applied = Frontier::default();
    receiver.step(3, Event::Emptied(Emptied::Done));
    receiver.step(4, page(2, None, None, 0)); // up to 50: it was emptied since
    let effects = receiver.step(5, Event::Merged);
    assert!(matches!(effects.last(), Some(Effect::Ended { complete: false, .. })), "{effects:?}");
    assert!(receiver.machine.is_bootstrapping());
    // The other one may have it; only when it has not either, that is all there is.
    let next = receiver.step(1_000, Event::Tick);
    assert_eq!(next.first(), Some(&Effect::Started { peer: OTHER, bootstrap: true }));
    receiver.step(1_001, Event::NoPage { peer: OTHER, session: 3 });
    assert!(receiver.machine.is_bootstrapping());
    receiver.step(1_002, Event::LinkDown { peer: OTHER });
    let next = receiver.step(2_000, Event::Tick);
    assert_eq!(next.first(), Some(&Effect::Started { peer: PEER, bootstrap: true }));
    receiver.step(2_001, page(4, None, None, 0));
    receiver.step(2_002, Event::Merged);
    assert!(!receiver.machine.is_bootstrapping());
}

#[test]
fn a_rebuild_waits_for_what_is_being_merged_and_is_nothing_if_it_can_not_begin() {
    let mut receiver = Receiver::with(&[(origin(PEER, 1), 40)], &[]);
    let has = [(origin(PEER, 1), 50)];
    receiver.step(0, purged(&has, 0));
    receiver.step(601, Event::Tick);
    assert_eq!(receiver.step(602, page(1, None, Some("m"), 0)).len(), 1);
    assert_eq!(receiver.step(603, Event::Rebuild { peer: PEER }), [], "a merge is under way");
    let effects = receiver.step(604, Event::Merged);
    assert_eq!(effects.last(), Some(&asks(2, &has)));
    receiver.step(605, proof(2, &has));
    receiver.step(606, Event::Emptied(Emptied::Failed));
    assert!(!receiver.machine.is_bootstrapping(), "it is as it was");
}

#[test]
fn a_store_is_not_emptied_before_the_peer_has_all_of_it() {
    let (theirs, others) = (origin(PEER, 1), origin(OTHER, 1));
    let mut receiver = Receiver::with(&[(theirs, 50), (others, 9)], &[(others, 7)]);
    let reported = [(theirs, 50), (others, 8)];
    receiver.step(0, purged(&reported, 0));
    receiver.step(1, Event::Rebuild { peer: PEER });
    assert!(receiver.machine.is_bootstrapping());
    assert!(!receiver.machine.holds(), "what is loose has to be covered first");
    assert_eq!(receiver.machine.rebuild_waits(), Some(RebuildWait::Loose));
    receiver.loose.clear();
    assert_eq!(receiver.step(2, Event::Tick), [asks(1, &reported)]);
    assert!(receiver.machine.holds());
    assert_eq!(receiver.step(3, proof(1, &reported)), [], "it does not have all");
    assert_eq!(receiver.step(102, Event::Tick), []);
    assert_eq!(receiver.step(103, Event::Tick), [asks(2, &reported)]);
    let has = [(theirs, 50), (others, 9)];
    assert_eq!(receiver.step(104, proof(2, &has)), [empties(&has)]);
    // What was staged when it began to hold.
    let has = [(theirs, 50), (others, 10)];
    receiver.applied = frontier(&has);
    let effects = receiver.step(105, Event::Emptied(Emptied::NotYet));
    assert_eq!(effects, [asks(3, &reported)]);
    assert!(receiver.machine.holds());
    let effects = receiver.step(105 + PAGE_TIMEOUT_MS, Event::Tick);
    assert_eq!(effects, [asks(4, &reported)], "the page was lost");
    assert_eq!(receiver.step(9_000, proof(4, &has)), [empties(&has)]);
}

#[test]
fn a_rebuild_from_a_peer_that_goes_away_is_given_up() {
    let mut receiver = Receiver::with(&[(origin(OTHER, 1), 9)], &[]);
    receiver.step(0, purged(&[(origin(PEER, 1), 50)], 0));
    receiver.step(1, Event::Rebuild { peer: PEER });
    assert!(receiver.machine.is_bootstrapping());
    assert_eq!(receiver.step(2, Event::LinkDown { peer: OTHER }), []);
    let effects = receiver.step(3, Event::LinkDown { peer: PEER });
    assert_eq!(effects, [Effect::RebuildGivenUp { peer: PEER, is_linked: false }]);
    assert!(!receiver.machine.is_bootstrapping());
    let effects = receiver.step(4, Event::Rebuild { peer: PEER });
    let given_up = Effect::RebuildGivenUp { peer: PEER, is_linked: false };
    assert_eq!(effects, [given_up], "it is not back");
}

#[test]
fn a_peer_that_gives_no_page_may_be_about_to_be_emptied_itself() {
    let mut receiver = Receiver::with(&[], &[]);
    let has = [(origin(PEER, 1), 50)];
    receiver.step(0, purged(&has, 0));
    assert_eq!(receiver.step(1, Event::Rebuild { peer: PEER }), [asks(1, &has)]);
    let effects = receiver.step(2, Event::NoPage { peer: PEER, session: PROOF | 1 });
    assert_eq!(effects.first(), Some(&Effect::RebuildGivenUp { peer: PEER, is_linked: true }));
    assert_eq!(receiver.machine.rebuild_waits(), None);
}
