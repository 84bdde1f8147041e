//! A walk over live records gives each once, in order, in stretches of a bounded size.

use gridkv_protocol::Origin;

use super::*;
use crate::registry::Registry;
use crate::test_store::{NOW, TestStore, delete, put, put_for};
use crate::write::Ttl;

/// Names of the backends that are compiled in.
fn backends() -> Vec<&'static str> {
    let known = Registry::with_built_in();
    ["memory", "file", "moka", "fjall", "fjall-memory"]
        .into_iter()
        .filter(|name| known.resolve(name).is_some())
        .collect()
}

fn all(store: &TestStore) -> (Vec<String>, usize) {
    let (mut walk, mut keys, mut stretches) = (store.reader.live_walk(), Vec::new(), 0);
    while !walk.is_over() {
        let records = walk.next_records(NOW).unwrap();
        let bytes: usize = records.iter().map(KeyedRecord::weight).sum();
        let last = records.last().map_or(0, KeyedRecord::weight);
        assert!(bytes - last < PAGE_BYTES, "{bytes} bytes at once");
        keys.extend(records.into_iter().map(|keyed| keyed.key.as_str().to_owned()));
        stretches += 1;
    }
    (keys, stretches)
}

#[test]
fn live_records_come_once_and_in_order_from_every_backend() {
    for backend in backends() {
        let mut store = TestStore::on(backend);
        assert_eq!(all(&store).0, Vec::<String>::new(), "{backend}");
        let large = "v".repeat(20_000);
        let mut expected = Vec::new();
        for n in 0..300 {
            let name = format!("k{n:04}");
            store.write(put(&name, &large));
            if n % 3 == 0 {
                store.write(delete(&name));
            } else {
                expected.push(name);
            }
        }
        store.write(put_for("late", "v", Ttl::Until(NOW.plus(1))));
        store.write(put_for("past", "v", Ttl::Until(NOW)));
        expected.push("late".to_owned());
        let (keys, stretches) = all(&store);
        assert_eq!(keys, expected, "{backend}");
        assert!(stretches >= 4, "{backend}: {stretches} stretches of 4 MB");
    }
}

#[test]
fn a_long_stretch_of_the_dead_is_passed_in_several_calls() {
    let mut store = TestStore::memory();
    for n in 0..SCAN + 10 {
        store.writer.stage(delete(&format!("d{n:08}")), NOW).unwrap();
    }
    store.commit();
    store.write(put("z", "v"));
    let mut walk = store.reader.live_walk();
    assert_eq!(walk.next_records(NOW).unwrap(), []);
    assert!(!walk.is_over());
    assert_eq!(all(&store), (vec!["z".to_owned()], 2));
}

#[test]
fn a_store_that_is_emptied_ends_the_walk_with_an_error() {
    let mut store = TestStore::memory();
    store.write(put("a", "v"));
    let mut walk = store.reader.live_walk();
    assert_eq!(walk.next_records(NOW).unwrap().len(), 1);
    let own = store.writer.origin();
    store.writer.take_origin(Origin::new(own.node(), own.epoch().next())).unwrap();
    let covered = store.reader.applied();
    assert!(store.writer.empty(&covered).unwrap());
    assert!(matches!(walk.next_records(NOW), Err(BackendError::Emptied)));
}
