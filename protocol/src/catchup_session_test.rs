//! A session of a catch-up: its pages in order, what it overlooks, and each way it ends.

use super::*;

const FLOOR: u64 = 2;

fn donor() -> Origin {
    origin(PEER, 5)
}

/// A session with `PEER` that has asked for its first page at 0.
fn running() -> Receiver {
    let own = [(origin(OTHER, 1), 3), (donor(), FLOOR), (origin(NODE, 6), FLOOR)];
    let mut receiver = Receiver::with(&own, &[]);
    let effects = receiver.step(0, reported(PEER, &[(origin(NODE, 6), 5)], &[]));
    assert_eq!(effects, begins(PEER, 1, &receiver.applied));
    receiver
}

/// A page of session 1 at `cursor`, whose donor has its own ops up to `upto`.
fn page(cursor: Option<&[u8]>, next: Option<&[u8]>, upto: u64, ms: &[u64]) -> Page {
    Page {
        store: main_store(),
        session: 1,
        cursor: cursor.and_then(PageCursor::new),
        donor: donor(),
        frontier: frontier(&[(donor(), upto), (origin(NODE, 6), 5)]),
        floor: at(FLOOR),
        records: ms.iter().map(|ms| keyed(&format!("k{ms}"), donor(), *ms)).collect(),
        next: next.and_then(PageCursor::new),
    }
}

fn comes(page: &Page) -> Event {
    Event::Page { peer: PEER, page: page.clone() }
}

fn merges(page: &Page) -> Vec<Effect> {
    vec![Effect::Merge(page.records.clone())]
}

fn installs(upto: u64) -> Effect {
    Effect::Install { frontier: page(None, None, upto, &[]).frontier, floor: at(FLOOR) }
}

fn ended(records: u64, complete: bool) -> Effect {
    Effect::Ended { peer: PEER, records, complete }
}

#[test]
fn pages_come_in_order_and_the_first_ones_frontier_is_installed() {
    let mut receiver = running();
    let fixed = receiver.applied.clone();
    let pages = [
        page(None, Some(b"b"), 10, &[8, 9]),
        page(Some(b"b"), Some(b"c"), 11, &[]),
        page(Some(b"c"), None, 12, &[11]),
    ];
    assert_eq!(receiver.step(1, comes(&pages[0])), merges(&pages[0]));
    // Batches go on meanwhile; what was asked for stays what it was.
    receiver.applied.advance(donor(), at(4));
    assert_eq!(receiver.step(2, Event::Merged), [asks(PEER, 1, &fixed, Some(b"b"))]);
    assert_eq!(receiver.step(3, comes(&pages[1])), merges(&pages[1]));
    assert_eq!(receiver.step(4, Event::Merged), [asks(PEER, 1, &fixed, Some(b"c"))]);
    assert_eq!(receiver.step(5, comes(&pages[2])), merges(&pages[2]));
    assert!(receiver.machine.is_running(), "not over before the last page is merged");
    assert_eq!(receiver.step(6, Event::Merged), [installs(10), ended(3, true)]);
    assert!(!receiver.machine.is_running());
}

#[test]
fn an_empty_page_may_be_the_only_one() {
    let mut receiver = running();
    assert_eq!(receiver.step(1, comes(&page(None, None, 10, &[]))), [Effect::Merge(vec![])]);
    assert_eq!(receiver.step(2, Event::Merged), [installs(10), ended(0, true)]);
}

#[test]
fn what_is_overlooked() {
    let first = page(None, Some(b"b"), 10, &[8]);
    let second = page(Some(b"b"), None, 11, &[9]);
    let from = |peer, page: &Page| Event::Page { peer, page: page.clone() };
    let of_session = |session| comes(&Page { session, ..second.clone() });
    let no_page = |peer, session| Event::NoPage { peer, session };
    // While the second page is asked for.
    let while_asked = [
        ("the first page again", comes(&first)),
        ("a page of a session before", of_session(0)),
        ("a page of no session", of_session(2)),
        ("a page from somebody else", from(OTHER, &second)),
        ("a page further on", comes(&page(Some(b"c"), None, 11, &[9]))),
        ("a merge that nobody waits for", Event::Merged),
        ("no page from somebody else", no_page(OTHER, 1)),
        ("no page of a session before", no_page(PEER, 0)),
        ("a report", reported(OTHER, &[(origin(NODE, 6), 9)], &[])),
        ("a gap", Event::Gap { peer: OTHER }),
        ("another link that breaks", Event::LinkDown { peer: OTHER }),
        ("a new epoch", Event::NewOrigin(origin(NODE, 8))),
        ("time", Event::Tick),
    ];
    for (name, event) in while_asked {
        let mut receiver = running();
        receiver.step(1, comes(&first));
        receiver.step(2, Event::Merged);
        assert_eq!(receiver.step(3, event), [], "{name}");
        assert_eq!(receiver.step(4, comes(&second)), merges(&second), "{name}: goes on");
    }
    // While the first page is merged.
    let while_merging = [
        ("the same page again", comes(&first)),
        ("the next page, not asked for yet", comes(&second)),
        ("no page, to an older request for it", no_page(PEER, 1)),
        ("time", Event::Tick),
    ];
    for (name, event) in while_merging {
        let mut receiver = running();
        receiver.step(1, comes(&first));
        assert_eq!(receiver.step(9_000, event), [], "{name}");
        let next = vec![asks(PEER, 1, &receiver.applied, Some(b"b"))];
        assert_eq!(receiver.step(9_001, Event::Merged), next, "{name}: goes on");
    }
}

#[test]
fn a_late_merge_is_never_taken_for_the_next_sessions() {
    let mut receiver = running();
    // The donor is slow and asked twice: its page comes, then it says no to the second request.
    receiver.step(PAGE_TIMEOUT_MS, Event::Tick);
    let only = page(None, None, 10, &[8]);
    receiver.step(PAGE_TIMEOUT_MS + 1, comes(&only));
    receiver.step(PAGE_TIMEOUT_MS + 2, Event::NoPage { peer: PEER, session: 1 });
    receiver.step(PAGE_TIMEOUT_MS + 500, Event::Tick);
    let again = Page { session: 2, ..page(None, None, 20, &[19]) };
    receiver.step(PAGE_TIMEOUT_MS + 501, comes(&again));
    // The store has merged one page. A frontier that covers another one would be a lie.
    let effects = receiver.step(PAGE_TIMEOUT_MS + 502, Event::Merged);
    assert_eq!(effects, [installs(10), ended(1, true)]);
}

#[test]
fn what_aborts_a_session_changes_no_frontier() {
    let first = page(None, Some(b"b"), 10, &[8]);
    let restarted = Page { donor: origin(PEER, 6), ..page(Some(b"b"), None, 11, &[9]) };
    let table = [
        ("the donor restarted", comes(&restarted)),
        ("the donor can not give the page", Event::NoPage { peer: PEER, session: 1 }),
        ("the store can not take it", Event::MergeFailed),
    ];
    for (name, event) in table {
        let mut receiver = running();
        receiver.step(1, comes(&first));
        receiver.step(2, Event::Merged);
        assert_eq!(receiver.step(3, event), [ended(1, false)], "{name}");
        assert!(!receiver.machine.is_running(), "{name}");
        assert_eq!(receiver.step(4, comes(&page(Some(b"b"), None, 11, &[9]))), [], "{name}: late");
        assert_eq!(receiver.step(5, Event::Merged), [], "{name}: late merge");
        assert_eq!(receiver.step(6, Event::MergeFailed), [], "{name}: late failure");
    }
    let mut receiver = running();
    receiver.step(1, comes(&page(None, None, 10, &[8])));
    assert_eq!(receiver.step(2, Event::MergeFailed), [ended(1, false)], "the last page failed");
}

#[test]
fn a_page_that_does_not_come_is_asked_for_again_and_then_given_up() {
    let mut receiver = running();
    let fixed = receiver.applied.clone();
    let again = || vec![asks(PEER, 1, &fixed, None)];
    for try_number in 1..u64::from(PAGE_TRIES) {
        let due = try_number * PAGE_TIMEOUT_MS;
        assert_eq!(receiver.step(due - 1, Event::Tick), [], "before {due}");
        assert_eq!(receiver.step(due, Event::Tick), again(), "at {due}");
    }
    let end = u64::from(PAGE_TRIES) * PAGE_TIMEOUT_MS;
    assert_eq!(receiver.step(end - 1, Event::Tick), []);
    assert_eq!(receiver.step(end, Event::Tick), [ended(0, false)]);
}

#[test]
fn each_page_has_its_own_tries() {
    let mut receiver = running();
    for _ in 1..PAGE_TRIES {
        let asked = receiver.machine.session.as_ref().map(|session| session.tries);
        receiver.step(u64::from(asked.unwrap() + 1) * PAGE_TIMEOUT_MS, Event::Tick);
    }
    receiver.step(7_000, comes(&page(None, Some(b"b"), 10, &[])));
    receiver.step(7_001, Event::Merged);
    let again = asks(PEER, 1, &receiver.applied, Some(b"b"));
    assert_eq!(receiver.step(7_001 + PAGE_TIMEOUT_MS, Event::Tick), [again]);
}

#[test]
fn a_session_outlives_a_break_of_its_donors_link() {
    let first = page(None, None, 10, &[8]);
    let mut receiver = running();
    assert_eq!(receiver.step(1, Event::LinkDown { peer: PEER }), []);
    let again = asks(PEER, 1, &receiver.applied, None);
    assert_eq!(receiver.step(PAGE_TIMEOUT_MS, Event::Tick), [again]);
    assert_eq!(receiver.step(PAGE_TIMEOUT_MS + 1, comes(&first)), merges(&first));

    let mut receiver = running();
    receiver.step(1, Event::LinkDown { peer: PEER });
    let ends = (2..20_000).find(|ms| receiver.step(*ms, Event::Tick).contains(&ended(0, false)));
    assert_eq!(ends, Some(u64::from(PAGE_TRIES) * PAGE_TIMEOUT_MS), "but not a donor that is gone");
}

#[test]
fn a_page_too_far_in_the_future_is_retried_whole() {
    let late = T0 + SKEW_MS + 50;
    let skewed = page(None, None, late, &[8, late]);
    let mut receiver = running();
    assert_eq!(receiver.step(0, comes(&skewed)), [], "nothing of it is merged");
    assert_eq!(receiver.step(SKEW_RETRY_MS - 1, Event::Tick), []);
    let again = asks(PEER, 1, &receiver.applied, None);
    assert_eq!(receiver.step(SKEW_RETRY_MS, Event::Tick), [again]);
    // The frontier is that of the first page that came, without what lay beyond the limit then.
    let newer = page(None, None, late + 1, &[8, late]);
    assert_eq!(receiver.step(SKEW_RETRY_MS, comes(&newer)), merges(&newer));
    let limit = Hlc::end_of(UnixMs(T0 + SKEW_MS));
    let capped = Effect::Install { frontier: skewed.frontier.up_to(limit), floor: at(FLOOR) };
    assert_eq!(receiver.step(SKEW_RETRY_MS + 1, Event::Merged), [capped, ended(2, true)]);

    // The limit is the receiver's physical time: its last allowed millisecond is taken.
    let mut receiver = running();
    let allowed = page(None, None, 10, &[T0 + SKEW_MS]);
    assert_eq!(receiver.step(0, comes(&allowed)), merges(&allowed));
}

#[test]
fn a_donor_whose_clock_is_wrong_does_not_hold_the_session_for_ever() {
    let skewed = page(None, None, 10, &[T0 + 3_600_000]);
    let mut receiver = running();
    let end = (0..60_000).find(|ms| {
        let event = if ms % 2 == 0 { comes(&skewed) } else { Event::Tick };
        receiver.step(*ms, event).contains(&ended(0, false))
    });
    assert!(end.is_some_and(|ms| ms < 10_000), "{end:?}");
}

/// When the next session starts, if the one before ended at 1.
fn pause(receiver: &mut Receiver) -> Option<u64> {
    let started = |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Started { .. }));
    (2..20_000).find(|ms| started(&receiver.step(*ms, Event::Tick))).map(|ms| ms - 1)
}

#[test]
fn a_pause_lies_between_sessions() {
    let mut receiver = running();
    receiver.step(0, comes(&page(None, None, 10, &[])));
    receiver.step(1, Event::Merged);
    // The store did not install: the peer is still ahead.
    assert_eq!(pause(&mut receiver), Some(PAUSE_MS));
}

#[test]
fn failures_make_the_pause_longer_and_a_success_makes_it_short_again() {
    let mut receiver = running();
    let mut now = 1;
    let mut fail_and_wait = |receiver: &mut Receiver, session| {
        let failed_at = now;
        receiver.step(now, Event::NoPage { peer: PEER, session });
        while !receiver.machine.is_running() {
            now += 1;
            receiver.step(now, Event::Tick);
        }
        now - failed_at
    };
    let pauses: Vec<u64> = (1..=8).map(|session| fail_and_wait(&mut receiver, session)).collect();
    assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 6_400, 6_400, 6_400]);
    receiver.step(90_000, comes(&Page { session: 9, ..page(None, None, 10, &[]) }));
    receiver.step(90_001, Event::Merged);
    receiver.step(90_001 + PAUSE_MS, Event::Tick);
    assert!(receiver.machine.is_running(), "the pause is short again");
}
