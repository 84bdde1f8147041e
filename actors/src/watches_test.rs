//! Who is woken by which change, and who is not.

use std::future::poll_fn;
use std::task::Poll;

use gridkv_protocol::{Epoch, NodeId, Origin, StoreName, UnixMs, Value};
use gridkv_storage::durability::Durability;
use gridkv_storage::registry::{OpenRequest, Registry};
use gridkv_storage::store::{self, Store, StoreConfig};
use gridkv_storage::write::{Action, Condition, Ttl, Write};

use super::*;

const NOW: UnixMs = UnixMs(1_000_000);

fn open(ring_slots: usize) -> Store {
    let name = StoreName::new("main").unwrap();
    let config = StoreConfig {
        name: name.clone(),
        backend: "memory".to_owned(),
        default_ttl_ms: None,
        memory_limit_bytes: None,
        refuse_over_limit: false,
        ring_slots,
    };
    let request = OpenRequest::new(name, None);
    let origin = Origin::new(NodeId(1), Epoch(1));
    store::open(&Registry::with_built_in(), config, origin, &request).unwrap()
}

fn put(store: &mut Store, key: &str) {
    let action =
        Action::Put { value: Value::copied(b"v"), content_type: None, ttl: Ttl::StoreDefault };
    let write = Write { key: Key::new(key).unwrap(), action, condition: Condition::default() };
    store.writer.stage(write, NOW).unwrap();
    store.writer.commit(Durability::Memory).unwrap();
}

/// Whether a watch has been woken since it was last asked.
async fn rang(watch: &Watch) -> bool {
    let mut changed = std::pin::pin!(watch.changed());
    poll_fn(|cx| Poll::Ready(changed.as_mut().poll(cx).is_ready())).await
}

#[actix_rt::test]
async fn only_those_are_woken_whose_key_it_is() {
    let (mut store, watches) = (open(16), Arc::new(Watches::default()));
    let watch = |watched| watches.watch(watched).unwrap();
    let of_key = |key| watch(Watched::Key(Key::new(key).unwrap()));
    let of_prefix = |prefix: &str| watch(Watched::Prefix(prefix.to_owned()));
    let all = [
        (of_key("user:1"), true),
        (of_key("user:"), false),
        (of_key("user:12"), false),
        (of_prefix(""), true),
        (of_prefix("user:"), true),
        (of_prefix("user:1"), true),
        (of_prefix("user:1"), true),
        (of_prefix("user:2"), false),
        (of_prefix("user:12"), false),
    ];
    put(&mut store, "user:1");
    watches.committed(store.reader.changes());
    for (at, (watch, expected)) in all.iter().enumerate() {
        assert_eq!(rang(watch).await, *expected, "{at}");
        assert!(!rang(watch).await, "once is enough");
    }
    watches.committed(store.reader.changes());
    for (watch, _) in &all {
        assert!(!rang(watch).await, "nothing is new");
    }
    drop(all);
    assert_eq!(watches.len(), 0);
    assert!(watches.state().prefixes.is_empty() && watches.state().keys.is_empty());
}

#[actix_rt::test]
async fn a_change_just_before_the_wait_is_not_slept_through() {
    let (mut store, watches) = (open(16), Arc::new(Watches::default()));
    put(&mut store, "a");
    watches.committed(store.reader.changes()); // nobody watches: nothing is noted
    let watch = watches.watch(Watched::Prefix("b".to_owned())).unwrap();
    put(&mut store, "b");
    watches.committed(store.reader.changes());
    assert!(rang(&watch).await);
}

#[actix_rt::test]
async fn what_fell_out_of_the_log_wakes_everybody() {
    let (mut store, watches) = (open(2), Arc::new(Watches::default()));
    let watch = watches.watch(Watched::Prefix("b".to_owned())).unwrap();
    put(&mut store, "b");
    for _ in 0..3 {
        put(&mut store, "a");
    }
    watches.committed(store.reader.changes());
    assert!(rang(&watch).await);
}

#[actix_rt::test]
async fn at_the_end_everybody_is_let_go() {
    let watches = Arc::new(Watches::default());
    let watch = watches.watch(Watched::Key(Key::new("a").unwrap())).unwrap();
    assert!(!rang(&watch).await && !watch.is_over());
    watches.close();
    assert!(rang(&watch).await && watch.is_over());
    let refused = watches.watch(Watched::Prefix(String::new()));
    assert_eq!(refused.err(), Some(WatchError::Stopping));
}

#[actix_rt::test]
async fn as_many_as_there_may_be() {
    let watches = Arc::new(Watches::default());
    let watch = || watches.watch(Watched::Prefix("x".to_owned()));
    let all: Vec<Watch> = (0..MAX_WATCHES).map(|_| watch().unwrap()).collect();
    assert_eq!(watch().err(), Some(WatchError::TooMany));
    drop(all);
    assert!(watch().is_ok());
}
