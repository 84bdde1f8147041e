//! The mirror: the same calls on two backends, and no difference that anyone could see.

use gridkv_protocol::{Frontier, State};

use crate::list::ListQuery;
use crate::test_store::{
    Dice, NOW, TestStore, delete, frontier, hlc, key, keyed, live, op, origin, pages, put_for,
    refusal, stretch, touch,
};
use crate::write::{Condition, Matcher, Ttl, Write};
use crate::writer::PutError;

/// One random call on a store, told as text: versions, refusals, pages, everything.
fn call(store: &mut TestStore, dice: &mut Dice, step: u64) -> String {
    let now = NOW.plus(step / 4);
    let name = format!("{}/{}", ["a", "b", "é"][dice.index(3)], dice.below(30));
    match dice.below(12) {
        0..5 => {
            let write = match dice.below(4) {
                0 => delete(&name),
                1 => touch(&name, Ttl::Ms(dice.below(80))),
                2 => put_for(&name, &step.to_string(), Ttl::Ms(dice.below(80))),
                _ => put_for(&name, &step.to_string(), Ttl::Keep),
            };
            let any = |there| (there == 0).then_some(Matcher::Any);
            let condition =
                Condition { if_match: any(dice.below(4)), if_none_match: any(dice.below(4)) };
            match store.writer.stage(Write { condition, ..write }, now) {
                Ok(written) => {
                    let told = format!(
                        "{:?} {} {:?}",
                        written.version, written.existed, written.expires_at
                    );
                    store.commit();
                    told
                }
                Err(PutError::Rejected(rejection)) => refusal(Err(rejection.into())).to_string(),
                Err(PutError::Backend(error)) => panic!("{error}"),
            }
        }
        5 => {
            let peer = origin(2 + u32::try_from(dice.below(3)).unwrap());
            let bits = NOW.0 * 65_536 + step * 40_000 + dice.below(40_000);
            let state = if dice.below(3) == 0 {
                State::Deleted
            } else {
                live("remote", (dice.below(2) == 0).then(|| now.plus(dice.below(50))))
            };
            let ops = [op(peer, bits, &name, state)];
            if dice.below(2) == 0 {
                store.writer.merge_page(keyed(&ops), now).unwrap();
            } else {
                store.writer.merge(stretch(peer, bits, &[], &ops), now).unwrap();
            }
            store.commit();
            format!("{:?}", (store.applies(), store.conflicts(), store.reader.loose()))
        }
        6 => {
            let more = store.writer.expire(now).unwrap();
            store.commit();
            format!("{more} {}", store.reader.stats().expired)
        }
        7 | 8 => {
            let query = ListQuery {
                prefix: ["", "a/", "é/1", "none"][dice.index(4)].to_owned(),
                after: (dice.below(2) == 0).then(|| key(&name)),
                limit: dice.index(40),
            };
            format!("{:?}", store.reader.list(&query, now).unwrap())
        }
        9 => {
            let receiver = frontier(&[(origin(2), NOW.0 * 65_536 + step * 20_000)]);
            let from = [Frontier::default(), receiver, store.reader.applied()];
            format!("{:?}", pages(&store.reader, &from[dice.index(3)]))
        }
        10 => {
            store.writer.install(&frontier(&[(origin(9), step)]), hlc(step));
            store.commit();
            let published = store.reader.ring().drain();
            format!("{:?} {published:?}", store.reader.report().applied)
        }
        _ => format!("{:?}", store.reader.get(&key(&name), now).unwrap()),
    }
}

#[test]
fn file_mirrors_memory() {
    for seed in 0..3 {
        let mut stores = [TestStore::memory(), TestStore::file()];
        for step in 0..1_500 {
            let told = stores.each_mut().map(|store| {
                let mut dice = Dice(seed * 1_000_000 + step);
                call(store, &mut dice, step)
            });
            assert_eq!(told[0], told[1], "seed {seed}, step {step}");
            if step % 400 == 0 {
                stores[1].flusher.flush().unwrap();
            }
        }
        let counts = stores.each_ref().map(|store| {
            let stats = store.reader.stats();
            [stats.key_count, stats.tombstones, stats.memory_bytes]
        });
        assert_eq!(counts[0], counts[1]);
    }
}

/// What a cache has evicted is missed; one with room enough is no different.
#[cfg(feature = "moka")]
#[test]
fn moka_mirrors_memory_while_nothing_is_evicted() {
    for seed in 10..13 {
        let mut stores = [TestStore::memory(), TestStore::new(crate::test_store::config("moka"))];
        for step in 0..1_500 {
            let told = stores.each_mut().map(|store| {
                let mut dice = Dice(seed * 1_000_000 + step);
                call(store, &mut dice, step)
            });
            assert_eq!(told[0], told[1], "seed {seed}, step {step}");
        }
        let counts = stores.each_ref().map(|store| {
            let stats = store.reader.stats();
            [stats.key_count, stats.tombstones]
        });
        assert_eq!(counts[0], counts[1]);
    }
}
