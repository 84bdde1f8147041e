//! Repairs: what they ask for, what they take, how they end, and which keys they remember.

use super::*;
use crate::Key;
use crate::differing::DifferingKey;
use crate::fixture::{NODE, OTHER, PEER, at, frontier, keyed, main_store, origin};

const NOW: UnixMs = UnixMs(1_000);

fn applied() -> Frontier {
    frontier(&[(origin(PEER, 1), 100)])
}

fn step(repair: &mut Repair, ms: u64, event: Event) -> Vec<Effect> {
    repair.step(NOW.plus(ms), event, &applied())
}

/// The machine, and the number of its session.
fn started() -> (Repair, u64) {
    let mut repair = Repair::new(main_store());
    let effects = step(&mut repair, 0, Event::Start { peer: PEER, buckets: vec![3, 7] });
    let [Effect::Request { peer: PEER, request }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!((&request.scope, &request.cursor), (&Scope::Buckets(vec![3, 7]), &None));
    assert!(Repair::is_session(request.session) && !Repair::is_session(1));
    (repair, request.session)
}

fn page(session: u64, cursor: Option<&str>, next: Option<&str>) -> Page {
    let place = |text: Option<&str>| text.and_then(|text| PageCursor::new(text.as_bytes()));
    Page {
        store: main_store(),
        session,
        cursor: place(cursor),
        donor: origin(PEER, 1),
        frontier: Frontier::default(),
        floor: at(0),
        records: vec![keyed("held", origin(PEER, 1), 100), keyed("newer", origin(PEER, 1), 101)],
        next: place(next),
    }
}

/// A page comes, and the store holds nothing of it.
fn take(repair: &mut Repair, ms: u64, page: Page) -> Vec<Effect> {
    let session = page.session;
    let effects = step(repair, ms, Event::Page { peer: PEER, page });
    assert_eq!(effects, [Effect::Look { session, keys: vec![Key::new("held").unwrap()] }]);
    step(repair, ms, Event::Looked { session, here: Some(vec![None]) })
}

#[test]
fn it_merges_page_after_page_what_the_frontier_covers() {
    let (mut repair, session) = started();
    let merge = Effect::Merge { session, records: vec![keyed("held", origin(PEER, 1), 100)] };
    assert_eq!(take(&mut repair, 1, page(session, None, Some("b"))), [merge]);
    let twice = Event::Page { peer: PEER, page: page(session, None, Some("b")) };
    assert_eq!(step(&mut repair, 2, twice), [], "it merges already");
    let again = Event::Looked { session, here: Some(vec![None]) };
    assert_eq!(step(&mut repair, 2, again), []);
    let effects = step(&mut repair, 3, Event::Merged { session, done: true });
    let [Effect::Request { request, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(request.cursor, PageCursor::new(b"b"));
    assert_eq!(take(&mut repair, 4, page(session, Some("b"), None)).len(), 1);
    let ended = Effect::Ended { peer: PEER, records: 2, complete: true };
    assert_eq!(step(&mut repair, 5, Event::Merged { session, done: true }), [ended]);
    assert_eq!(step(&mut repair, 6, Event::Merged { session, done: true }), []);
}

#[test]
fn what_was_not_asked_for_is_not_taken() {
    let (mut repair, session) = started();
    for (peer, page) in [
        (OTHER, page(session, None, None)),
        (PEER, page(session + 1, None, None)),
        (PEER, page(session, Some("a"), None)),
    ] {
        assert_eq!(step(&mut repair, 1, Event::Page { peer, page }), []);
    }
    for (peer, session) in [(OTHER, session), (PEER, session + 1)] {
        assert_eq!(step(&mut repair, 1, Event::NoPage { peer, session }), []);
    }
    assert_eq!(step(&mut repair, 1, Event::Merged { session, done: true }), []);
    let busy = Effect::Ended { peer: OTHER, records: 0, complete: false };
    assert_eq!(step(&mut repair, 1, Event::Start { peer: OTHER, buckets: vec![1] }), [busy]);
}

#[test]
fn it_asks_again_and_gives_up() {
    let (mut repair, _) = started();
    let mut asked = 0;
    for turn in 1.. {
        let effects = step(&mut repair, turn * PAGE_TIMEOUT_MS / 2, Event::Tick);
        match effects.as_slice() {
            [] => {}
            [Effect::Request { .. }] => asked += 1,
            ended => {
                let wanted = Effect::Ended { peer: PEER, records: 0, complete: false };
                assert_eq!(ended, [wanted]);
                break;
            }
        }
    }
    assert_eq!(asked, PAGE_TRIES - 1);
    assert_eq!(step(&mut repair, 1_000_000, Event::Tick), []);
}

#[test]
fn it_ends_with_its_link_its_donor_its_store_or_a_catch_up() {
    let ended = || Effect::Ended { peer: PEER, records: 0, complete: false };
    for event in [
        Event::LinkDown { peer: PEER },
        Event::CatchingUp,
        Event::NoPage { peer: PEER, session: started().1 },
    ] {
        let (mut repair, _) = started();
        assert_eq!(step(&mut repair, 1, Event::LinkDown { peer: NODE }), []);
        assert_eq!(step(&mut repair, 1, event), [ended()]);
        let again = step(&mut repair, 2, Event::Start { peer: PEER, buckets: vec![1] });
        assert!(matches!(again.as_slice(), [Effect::Request { .. }]));
        assert_eq!(step(&mut repair, 3, Event::CatchingUp), [ended()]);
    }
    let (mut repair, session) = started();
    take(&mut repair, 1, page(session, None, None));
    let failed = step(&mut repair, 2, Event::Merged { session, done: false });
    assert_eq!(failed, [Effect::Ended { peer: PEER, records: 1, complete: false }]);
}

#[test]
fn it_remembers_which_keys_differed_until_the_next_repair_from_there() {
    let (mut repair, session) = started();
    assert_eq!(repair.differing(PEER), Differing::default());
    for (ms, cursor, next) in [(1, None, Some("b")), (3, Some("b"), None)] {
        take(&mut repair, ms, page(session, cursor, next));
        step(&mut repair, ms + 1, Event::Merged { session, done: true });
    }
    let there = keyed("held", origin(PEER, 1), 100).record.version;
    let key = DifferingKey { key: Key::new("held").unwrap(), here: None, there };
    let found = Differing { found_at: Some(NOW.plus(3)), keys: vec![key.clone(), key], more: 0 };
    assert_eq!(repair.differing(PEER), found, "but not what is newer than this store's frontier");
    step(&mut repair, 5, Event::LinkDown { peer: PEER });
    step(&mut repair, 6, Event::Start { peer: OTHER, buckets: vec![1] });
    step(&mut repair, 7, Event::Start { peer: PEER, buckets: vec![1] });
    assert_eq!(repair.differing(PEER), found, "another one ran, so this one did not start");
    step(&mut repair, 8, Event::CatchingUp);
    step(&mut repair, 9, Event::Start { peer: PEER, buckets: vec![1] });
    assert_eq!(repair.differing(PEER), Differing::default());
}

#[test]
fn what_can_not_be_looked_at_is_not_merged() {
    let (mut repair, session) = started();
    step(&mut repair, 1, Event::Page { peer: PEER, page: page(session, None, None) });
    let ended = Effect::Ended { peer: PEER, records: 0, complete: false };
    assert_eq!(step(&mut repair, 2, Event::Looked { session, here: None }), [ended]);
    let late = Event::Looked { session, here: Some(vec![None]) };
    assert_eq!(step(&mut repair, 3, late), []);
    assert_eq!(repair.differing(PEER), Differing::default());
}
