//! What readers see: the pages of a catch-up.

use std::collections::BTreeSet;

use gridkv_protocol::digest::bucket_of;
use gridkv_protocol::limits::{MAX_FRAME_BYTES, MAX_PAGE_RECORDS, PAGE_BYTES};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::page::{PageCursor, PageRequest, Scope};
use gridkv_protocol::{Hlc, State};

use super::*;
use crate::test_backend::test_backend;
use crate::test_store::{
    NOW, TestStore, all_records, delete, frontier, hlc, key, keyed, live, op, origin, pages, put,
    put_op,
};

#[test]
fn a_catch_up_brings_what_the_receiver_lacks() {
    let mut store = TestStore::memory();
    let own = store.write(put("own", "v")).version.hlc.bits();
    store.merge(
        origin(2),
        9,
        &[put_op(origin(2), 3, "old"), op(origin(2), 7, "deleted", State::Deleted)],
    );
    store.merge_page(&[put_op(origin(3), 5, "loose")]);
    store.writer.install(&frontier(&[]), hlc(2));
    store.commit();
    let got = |receiver: &[_]| -> Vec<String> {
        let all = pages(&store.reader, &frontier(receiver));
        assert_eq!(all[0].frontier, store.reader.applied());
        assert_eq!((all[0].floor, all[0].donor), (hlc(2), origin(1)));
        all.iter().flat_map(|page| &page.records).map(|k| k.key.as_str().to_owned()).collect()
    };
    assert_eq!(got(&[]), ["deleted", "loose", "old", "own"]);
    assert_eq!(got(&[(origin(2), 3)]), ["deleted", "loose", "own"]);
    assert_eq!(got(&[(origin(2), 9), (origin(1), own)]), ["loose"], "covered, but for the loose");
    assert_eq!(got(&[(origin(2), 9), (origin(1), own), (origin(3), 5)]), Vec::<String>::new());
}

#[test]
fn a_receiver_that_has_it_all_is_told_at_once() {
    let mut store = TestStore::memory();
    for n in 0..5_000 {
        store.writer.stage(put(&format!("k{n}"), "v"), NOW).unwrap();
    }
    store.commit();
    let all = pages(&store.reader, &store.reader.applied());
    assert_eq!(all.len(), 1);
    assert!(all[0].records.is_empty() && all[0].next.is_none());
}

/// A walk over a long covered stretch gives empty pages, but comes to an end.
#[test]
fn what_is_covered_is_passed_over() {
    let mut store = TestStore::memory();
    let ops: Vec<_> = (1..=5_000).map(|n| put_op(origin(2), n, &format!("k{n:05}"))).collect();
    store.merge(origin(2), 5_000, &ops);
    store.merge(origin(3), 6_000, &[put_op(origin(3), 6_000, "z")]);
    let all = pages(&store.reader, &frontier(&[(origin(2), 5_000)]));
    let records: Vec<_> = all.into_iter().flat_map(|page| page.records).collect();
    assert_eq!(records, keyed(&[put_op(origin(3), 6_000, "z")]));
}

#[test]
fn pages_are_resumed_by_their_cursor_alone() {
    let mut store = TestStore::memory();
    let ops: Vec<_> = (1..=9_000).map(|n| put_op(origin(2), n, &format!("k{n:05}"))).collect();
    store.merge(origin(2), 9_000, &ops);
    let all = pages(&store.reader, &Frontier::default());
    assert!(all.len() > 2, "{} pages", all.len());
    let mut request = PageRequest {
        store: store.reader.name().clone(),
        session: 9,
        frontier: Frontier::default(),
        scope: Scope::Missing,
        cursor: all[1].cursor.clone(),
    };
    let again = store.reader.clone().page(&request, origin(1)).unwrap();
    assert_eq!((&again.records, &again.next), (&all[1].records, &all[1].next));
    assert_eq!((again.session, &again.cursor), (9, &request.cursor));
    for page in &all {
        assert!(page.records.len() <= MAX_PAGE_RECORDS, "{} records", page.records.len());
    }
    assert_eq!(all_records(&store.reader).len(), 9_000);
    request.cursor = PageCursor::new(&[0xff]);
    assert!(matches!(store.reader.page(&request, origin(1)), Err(BackendError::BadCursor)));
}

/// A page must fit a frame, whatever is in it: few large records, or one alone over the page's size.
#[test]
fn pages_of_large_records_are_short() {
    let mut store = TestStore::memory();
    let sizes = [300_000, 10, 3_000_000, 700_000, 700_000, 10, 10, 500_000];
    let large = (0..80).map(|n| (n, "x".repeat(sizes[n % sizes.len()])));
    let ops: Vec<_> = large
        .zip(1..)
        .map(|((n, value), at)| op(origin(2), at, &format!("k{n:03}"), live(&value, None)))
        .collect();
    store.merge(origin(2), 80, &ops);
    let all = pages(&store.reader, &Frontier::default());
    for page in &all {
        let bytes: usize = page.records.iter().map(KeyedRecord::weight).sum();
        let fits = bytes <= PAGE_BYTES || page.records.len() == 1;
        assert!(fits, "{} records of {bytes} bytes", page.records.len());
        assert!(bytes < MAX_FRAME_BYTES);
        assert!(!page.records.is_empty(), "an empty page of uncovered records");
    }
    let walked: Vec<_> = all.into_iter().flat_map(|page| page.records).collect();
    assert_eq!(walked, keyed(&ops), "every record, once");
}

/// The frontier is read before the walk: a commit between two pages is not claimed by the first.
#[test]
fn the_first_page_claims_nothing_that_came_later() {
    let mut store = TestStore::memory();
    let ops: Vec<_> = (1..=9_000).map(|n| put_op(origin(2), n, &format!("k{n:05}"))).collect();
    store.merge(origin(2), 9_000, &ops);
    let mut request = PageRequest {
        store: store.reader.name().clone(),
        session: 1,
        frontier: Frontier::default(),
        scope: Scope::Missing,
        cursor: None,
    };
    let first = store.reader.page(&request, origin(1)).unwrap();
    // One key behind the walk, which it misses, and one before it.
    store.merge(origin(2), 9_002, &[put_op(origin(2), 9_001, "a"), put_op(origin(2), 9_002, "z")]);
    assert_eq!(first.frontier.get(origin(2)), hlc(9_000));
    let mut missed = BTreeSet::from(["a", "z"]);
    request.cursor = first.next;
    while request.cursor.is_some() {
        let page = store.reader.page(&request, origin(1)).unwrap();
        missed.retain(|missed| page.records.iter().all(|keyed| keyed.key.as_str() != *missed));
        request.cursor = page.next;
    }
    assert!(missed.iter().eq(&["a"]));
    assert!(Hlc::from_bits(9_001) > first.frontier.get(origin(2)), "and it is not claimed");
}

/// The same within one call: what is committed between its look at the frontier and its walk.
#[test]
fn a_page_may_have_more_than_it_claims() {
    let (mut store, levers) = test_backend(false);
    store.merge(origin(2), 5, &[put_op(origin(2), 5, "k")]);
    let reader = store.reader.clone();
    levers.meanwhile(move || store.merge(origin(2), 9, &[put_op(origin(2), 9, "k")]));
    let all = pages(&reader, &Frontier::default());
    assert_eq!(all[0].frontier, frontier(&[(origin(2), 5)]));
    assert_eq!(all[0].records, keyed(&[put_op(origin(2), 9, "k")]));
}

#[test]
fn pages_of_buckets_hold_all_of_them_whatever_the_receiver_has() {
    let mut store = TestStore::memory();
    for n in 0..3_000 {
        store.writer.stage(put(&n.to_string(), "v"), NOW).unwrap();
    }
    store.writer.stage(delete("1"), NOW).unwrap();
    store.commit();
    let buckets: Vec<u16> = ["1", "22"].map(|text| bucket_of(&key(text))).into();
    let mut request = PageRequest {
        store: store.reader.name().clone(),
        session: 1,
        frontier: store.reader.applied(),
        scope: Scope::Buckets(buckets.clone()),
        cursor: None,
    };
    let mut found = BTreeMap::new();
    loop {
        let page = store.reader.page(&request, origin(1)).unwrap();
        found.extend(page.records.into_iter().map(|keyed| (keyed.key, keyed.record)));
        request.cursor = page.next;
        if request.cursor.is_none() {
            break;
        }
    }
    let mut wanted = all_records(&store.reader);
    wanted.retain(|key, _| buckets.contains(&bucket_of(key)));
    assert!(found == wanted && found[&key("1")].state == State::Deleted);
}
