//! What a restore and an operator ask of a store: writes that only replace what is older, deadlines that are
//! moments, and a rewrite of all that is kept.

use gridkv_protocol::{Hlc, State, UnixMs, Version};

use crate::registry::Registry;
use crate::test_store::{NOW, TestStore, delete, origin, put, put_for, refusal};
use crate::write::{Condition, Rejection, Ttl, Write};

fn older_than(write: Write, version: Version) -> Write {
    let condition = Condition { if_older_than: Some(version), ..Condition::default() };
    Write { condition, ..write }
}

#[test]
fn a_write_may_ask_that_what_stands_is_older_dead_or_alive() {
    let mut store = TestStore::memory();
    let at = |hlc: Hlc| Version { hlc, origin: origin(9) };
    let (early, late) = (at(Hlc::from_bits(1)), at(Hlc::at(NOW.plus(60_000))));
    let deadline = NOW.plus(5);
    store.write(put("live", "v"));
    store.write(put("dead", "v"));
    store.write(delete("dead"));
    store.write(put_for("expired", "v", Ttl::Until(NOW)));
    for name in ["live", "dead", "expired"] {
        let current = store.reader.get(&crate::test_store::key(name), NOW).unwrap();
        let current = current.map(|record| record.version);
        let failed = Rejection::PreconditionFailed { current };
        let write = older_than(put_for(name, "w", Ttl::Until(deadline)), early);
        assert_eq!(refusal(store.writer.stage(write.clone(), NOW)), failed, "{name}");
        assert!(store.writer.check(&[write], NOW).is_err());
        let standing = store.record(name).unwrap().version;
        let same = older_than(put(name, "w"), standing);
        assert_eq!(refusal(store.writer.stage(same, NOW)), failed, "{name}: it is as old");
        let written = store.write(older_than(put_for(name, "w", Ttl::Until(deadline)), late));
        assert_eq!(written.expires_at, Some(deadline));
        assert!(written.version < late, "a version is minted, not taken");
    }
    store.write(older_than(put("absent", "w"), early));
    assert_eq!(store.value("absent").unwrap(), b"w");
    let State::Live(live) = store.record("live").unwrap().state else { panic!("not live") };
    assert_eq!(live.expires_at, Some(UnixMs(NOW.0 + 5)));
}

#[test]
fn a_rewrite_gives_back_the_room_of_what_was_overwritten() {
    let known = Registry::with_built_in();
    for backend in ["memory", "moka"] {
        if known.resolve(backend).is_some() {
            let store = TestStore::on(backend);
            assert!(!store.flusher.rewrites() && !store.flusher.rewrite().unwrap(), "{backend}");
        }
    }
    for backend in ["file", "fjall", "fjall-memory"] {
        if known.resolve(backend).is_none() {
            continue;
        }
        let mut store = TestStore::on(backend);
        for round in 0..30 {
            for n in 0..20 {
                let value = format!("{round}").repeat(2_000);
                store.write(put(&format!("k{n}"), &value));
            }
        }
        store.flusher.flush().unwrap();
        let size = |store: &TestStore| store.reader.stats().db_size;
        let before = size(&store);
        assert!(store.flusher.rewrites() && store.flusher.rewrite().unwrap(), "{backend}");
        // Again: there is nothing to gain, and nothing is lost.
        assert!(store.flusher.rewrite().unwrap(), "{backend}");
        if let (Some(before), Some(after)) = (before, size(&store)) {
            assert!(backend == "fjall" || after < before / 4, "{backend}: {before} to {after}");
            store.write(put("more", "v"));
            store = store.reopen();
            assert_eq!(store.value("more").unwrap(), b"v");
        }
        assert_eq!(store.value("k7").unwrap(), "29".repeat(2_000).into_bytes(), "{backend}");
    }
}
