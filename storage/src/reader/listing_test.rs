//! Lists as clients walk them: prefixes, groups, limits, and what goes on between two pages.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::test_backend::test_backend;
use crate::test_store::{Dice, NOW, TestStore, delete, key, keyed, live, op, origin, put, put_for};
use crate::write::Ttl;

fn query(prefix: &str, after: Option<&str>, limit: usize) -> ListQuery {
    let after = after.map(|text| After::Key(key(text)));
    ListQuery { prefix: prefix.to_owned(), after, limit, ..ListQuery::default() }
}

fn delimited(prefix: &str, delimiter: &str, limit: usize) -> ListQuery {
    ListQuery { delimiter: Some(delimiter.to_owned()), ..query(prefix, None, limit) }
}

/// Keys of one page, and whether more follow.
fn list(store: &TestStore, query: &ListQuery) -> (Vec<String>, bool) {
    let listing = store.reader.list(query, NOW).unwrap();
    let keys = listing.records.iter().map(|listed| listed.key.as_str().to_owned()).collect();
    (keys, listing.next.is_some())
}

/// Keys and groups of all pages, in the order they came. `between` is called after each page.
fn walk(
    store: &mut TestStore,
    mut query: ListQuery,
    mut between: impl FnMut(&mut TestStore, usize),
) -> (Vec<String>, Vec<String>) {
    let (mut keys, mut groups) = (Vec::new(), Vec::new());
    for page in 0.. {
        let listing = store.reader.list(&query, NOW).unwrap();
        let shown = listing.records.len() + listing.groups.len();
        assert!(shown <= query.limit, "{shown} in a page of {}", query.limit);
        keys.extend(listing.records.into_iter().map(|listed| listed.key.as_str().to_owned()));
        groups.extend(listing.groups);
        match listing.next {
            None => break,
            next => query.after = next,
        }
        between(store, page);
    }
    (keys, groups)
}

/// What a list of `keys` has, computed in the plainest way.
fn plainly(keys: &BTreeSet<String>, query: &ListQuery) -> (Vec<String>, Vec<String>) {
    let (mut alone, mut groups) = (Vec::new(), BTreeSet::new());
    let delimiter = query.delimiter.as_deref().unwrap_or("\u{10ffff}no");
    for text in keys.iter().filter(|text| text.starts_with(&query.prefix)) {
        match text[query.prefix.len()..].split_once(delimiter) {
            Some((head, _)) => drop(groups.insert(format!("{}{head}{delimiter}", query.prefix))),
            None => alone.push(text.clone()),
        }
    }
    (alone, groups.into_iter().collect())
}

fn filled(keys: &[&str]) -> TestStore {
    let mut store = TestStore::memory();
    fill(&mut store, keys);
    store
}

fn fill(store: &mut TestStore, keys: &[&str]) {
    for key in keys {
        store.writer.stage(put(key, "v"), NOW).unwrap();
    }
    store.commit();
}

/// Prefix, after and limit; the keys listed, and whether there are more.
type Row<'a> = (&'a str, Option<&'a str>, usize, &'a [&'a str], bool);

#[test]
fn a_list_has_prefix_after_limit_and_more() {
    let store = filled(&["a", "a/", "a/b", "a/c", "a0", "b", "é", "\u{10ffff}"]);
    let table: [Row<'_>; 14] = [
        ("", None, 100, &["a", "a/", "a/b", "a/c", "a0", "b", "é", "\u{10ffff}"], false),
        ("", None, 8, &["a", "a/", "a/b", "a/c", "a0", "b", "é", "\u{10ffff}"], false),
        ("", None, 7, &["a", "a/", "a/b", "a/c", "a0", "b", "é"], true),
        ("a/", None, 10, &["a/", "a/b", "a/c"], false),
        ("a/", None, 3, &["a/", "a/b", "a/c"], false),
        ("a/", None, 2, &["a/", "a/b"], true),
        ("a/", Some("a/"), 1, &["a/b"], true),
        ("a/", Some("a/bb"), 1, &["a/c"], false),
        ("a/", Some("a/c"), 1, &[], false),
        ("a/", Some("a"), 1, &["a/"], true),
        ("a/", Some("b"), 9, &[], false),
        ("", Some("b"), 9, &["é", "\u{10ffff}"], false),
        ("nothing", None, 9, &[], false),
        ("a", None, 0, &["a"], true),
    ];
    for (prefix, after, limit, wanted, more) in table {
        let got = list(&store, &query(prefix, after, limit));
        let wanted: Vec<String> = wanted.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(got, (wanted, more), "{prefix:?} after {after:?} by {limit}");
    }
    assert_eq!(store.reader.operations().list.get(), 14);
}

#[test]
fn a_limit_has_no_end() {
    let store = filled(&["a", "b"]);
    assert_eq!(list(&store, &query("", None, usize::MAX)).0.len(), 2);
}

#[test]
fn an_empty_store_lists_nothing() {
    let store = TestStore::memory();
    assert_eq!(list(&store, &query("", None, 10)), (vec![], false));
    assert_eq!(list(&store, &delimited("", "/", 10)), (vec![], false));
}

/// Long stretches of tombstones, expired and due records between the live ones.
#[test]
fn paging_visits_every_live_key_once() {
    let mut store = TestStore::memory();
    let mut live = Vec::new();
    for n in 0..3_000 {
        let name = format!("k{n:05}");
        let write = match n {
            0..700 | 1_500..2_700 => delete(&name),
            _ if n % 7 == 0 => put_for(&name, "v", Ttl::Ms(0)),
            _ if n % 11 == 0 => delete(&name),
            _ => {
                live.push(name.clone());
                put(&name, "v")
            }
        };
        store.writer.stage(write, NOW).unwrap();
    }
    let due = op(origin(2), 5, "k00001-due", self::live("v", Some(NOW.plus(1))));
    store.writer.merge_page(keyed(&[due]), UnixMs(0)).unwrap();
    store.commit();
    live.insert(0, "k00001-due".to_owned());
    for limit in [1, 2, 16, 17, 999, 1_000, live.len() - 1, live.len(), 5_000] {
        let (listed, _) = walk(&mut store, query("", None, limit), |_, _| {});
        assert_eq!(listed, live, "by {limit}");
    }
    let of_prefix: Vec<String> =
        live.iter().filter(|key| key.starts_with("k007")).cloned().collect();
    assert_eq!(walk(&mut store, query("k007", None, 3), |_, _| {}).0, of_prefix);
    let after = store.reader.list(&query("", None, 1), NOW.plus(1)).unwrap();
    assert_ne!(after.records[0].key.as_str(), "k00001-due", "due is absent, expired or not");
}

/// Keys of few words and letters, so that prefixes, groups and edges meet.
fn some_keys(dice: &mut Dice, count: usize) -> BTreeSet<String> {
    let parts = ["a", "b", "/", "//", "é", "\u{10ffff}", "0", "::", ".", "ab"];
    let word = |dice: &mut Dice| {
        (0..=dice.index(5)).map(|_| parts[dice.index(parts.len())]).collect::<String>()
    };
    (0..count).map(|_| word(dice)).collect()
}

#[test]
fn groups_are_those_that_a_plain_look_finds_by_every_limit() {
    let mut dice = Dice(1);
    for round in 0..20 {
        let keys = some_keys(&mut dice, 60);
        let mut store = filled(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        // Tombstones alone make no group.
        for dead in some_keys(&mut dice, 30).difference(&keys) {
            store.writer.stage(delete(dead), NOW).unwrap();
        }
        store.commit();
        for delimiter in ["/", "//", "::", "é", "\u{10ffff}", "a"] {
            for prefix in ["", "a", "a/", "é", "\u{10ffff}", "b//", "none"] {
                for limit in [1, 2, 7, 1_000] {
                    let query = delimited(prefix, delimiter, limit);
                    let wanted = plainly(&keys, &query);
                    let got = walk(&mut store, query, |_, _| {});
                    let what = format!("{round}: {prefix:?} at {delimiter:?} by {limit}");
                    assert_eq!(got, wanted, "{what}");
                }
            }
        }
    }
}

#[test]
fn a_key_that_is_there_throughout_is_shown_once_whatever_is_written_between_pages() {
    for backend in backends() {
        for delimiter in ["", "/"] {
            let mut store = TestStore::on(backend);
            let fixed: BTreeSet<String> = (0..300).map(|n| format!("{}/{n:03}", n % 20)).collect();
            fill(&mut store, &fixed.iter().map(String::as_str).collect::<Vec<_>>());
            let mut query = query("1", None, 7);
            query.delimiter = Some(delimiter.to_owned()).filter(|text| !text.is_empty());
            let wanted = plainly(&fixed, &query);
            let mut dice = Dice(7);
            // What comes and goes is told apart by its last letter, and is in no group of its own.
            let (keys, groups) = walk(&mut store, query, |store, page| {
                for n in 0..20 {
                    let name = format!("{}/{:03}x", dice.below(20), dice.below(300));
                    let write = if n % 3 == 0 { delete(&name) } else { put(&name, "w") };
                    store.writer.stage(write, NOW).unwrap();
                }
                for text in fixed.iter().skip(page % 5).step_by(5) {
                    store.writer.stage(put(text, &page.to_string()), NOW).unwrap();
                }
                store.commit();
            });
            assert!(keys.is_sorted() && groups.is_sorted(), "{backend}");
            let keys: Vec<String> = keys.into_iter().filter(|key| !key.ends_with('x')).collect();
            assert_eq!((keys, groups), wanted, "{backend} at {delimiter:?}");
        }
    }
}

fn backends() -> Vec<&'static str> {
    let mut backends = vec!["memory", "file"];
    if cfg!(feature = "moka") {
        backends.push("moka");
    }
    if cfg!(feature = "fjall") {
        backends.extend(["fjall", "fjall-memory"]);
    }
    backends
}

/// A group costs the same, whether it has five keys or fifty thousand.
#[test]
fn a_large_group_is_passed_by_seeking() {
    let (mut store, levers) = test_backend(false);
    for n in 0..50_000 {
        store.writer.stage(put(&format!("big/{n:06}"), "v"), NOW).unwrap();
    }
    for n in 0..500 {
        store.writer.stage(put(&format!("g{n:04}/a"), "v"), NOW).unwrap();
        store.writer.stage(put(&format!("g{n:04}/b"), "v"), NOW).unwrap();
    }
    store.writer.stage(put("z", "v"), NOW).unwrap();
    store.commit();
    let before = levers.listed();
    let (keys, groups) = walk(&mut store, delimited("", "/", 1_000), |_, _| {});
    assert_eq!((keys, groups.len()), (vec!["z".to_owned()], 501));
    let looked_at = levers.listed() - before;
    assert!(looked_at < 10_000, "{looked_at} records were looked at");
}

/// What is not shown is not looked at for ever: a page of tombstones is cut, and says where to go on.
#[test]
fn a_page_ends_after_many_records_that_are_not_shown() {
    let mut store = TestStore::memory();
    for n in 0..5_000 {
        store.writer.stage(delete(&format!("d{n:06}")), NOW).unwrap();
    }
    store.commit();
    fill(&mut store, &["e"]);
    for query in [query("", None, 10), delimited("", "/", 10)] {
        assert_eq!(list(&store, &query), (vec!["e".to_owned()], false), "so few are passed over");
        let mut walk = StoreReader::begin_list(query.clone());
        walk.left = 2_000;
        while store.reader.list_on(&mut walk, NOW).unwrap().is_continue() {}
        let Listing { records, next, .. } = walk.into_listing();
        let Some(After::Key(last)) = &next else { panic!("{next:?}") };
        assert!(records.is_empty() && ("d001999".."d003999").contains(&last.as_str()), "{last:?}");
        let rest = store.reader.list(&ListQuery { after: next, ..query }, NOW).unwrap();
        assert_eq!((rest.records[0].key.as_str(), rest.next), ("e", None));
    }
}

#[test]
fn values_come_when_they_are_asked_for_and_cut_the_page_by_their_bytes() {
    let mut store = TestStore::memory();
    let sizes: BTreeMap<&str, usize> =
        BTreeMap::from([("a", 0), ("b", 100), ("c", 500), ("d", 1), ("e", 99), ("f", 100)]);
    for (key, size) in &sizes {
        store.writer.stage(put(key, &"x".repeat(*size)), NOW).unwrap();
    }
    store.commit();
    let bare = store.reader.list(&query("", None, 10), NOW).unwrap();
    assert!(bare.records.iter().all(|listed| listed.value.is_none()));
    assert!(bare.records.iter().map(|listed| listed.size).eq(sizes.values().copied()));
    let mut query = ListQuery { value_bytes: Some(100), ..query("", None, 10) };
    let mut pages = Vec::new();
    loop {
        let listing = store.reader.list(&query, NOW).unwrap();
        let page: String = listing.records.iter().map(|listed| listed.key.as_str()).collect();
        pages.push(page);
        for listed in listing.records {
            assert_eq!(listed.value.unwrap().len(), sizes[listed.key.as_str()]);
        }
        match listing.next {
            None => break,
            next => query.after = next,
        }
    }
    assert_eq!(pages, ["ab", "c", "de", "f"]);
}
