//! The mirror: the same calls on two backends, and no difference that anyone could see.

use gridkv_protocol::{Frontier, Origin, State};

use crate::list::{After, ListQuery};
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
    let before = store.counters();
    match dice.below(12) {
        0..5 => {
            let write = match dice.below(4) {
                0 => delete(&name),
                1 => touch(&name, Ttl::Ms(dice.below(80))),
                2 => put_for(&name, &step.to_string(), Ttl::Ms(dice.below(80))),
                _ => put_for(&name, &step.to_string(), Ttl::Keep),
            };
            let any = |there| (there == 0).then_some(Matcher::Any);
            let (if_match, if_none_match) = (any(dice.below(4)), any(dice.below(4)));
            let condition = Condition { if_match, if_none_match, if_older_than: None };
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
            format!("{:?} {:?}", store.counted_since(&before), store.reader.loose())
        }
        6 => {
            let more = store.writer.expire(now).unwrap();
            store.commit();
            format!("{more} {:?}", store.counted_since(&before))
        }
        7 | 8 => {
            let query = some_list(dice, &name);
            format!("{:?}", store.reader.list(&query, now).unwrap())
        }
        9 => {
            let has = frontier(&[(origin(2), NOW.0 * 65_536 + step * 20_000)]);
            let from = [Frontier::default(), has, store.reader.applied()];
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

fn some_list(dice: &mut Dice, after: &str) -> ListQuery {
    ListQuery {
        prefix: ["", "a/", "é/1", "none"][dice.index(4)].to_owned(),
        delimiter: [None, Some("/"), Some("1")][dice.index(3)].map(str::to_owned),
        after: (dice.below(2) == 0).then(|| After::Key(key(after))),
        limit: dice.index(40),
        value_bytes: (dice.below(2) == 0).then(|| dice.index(40)),
    }
}

impl TestStore {
    /// What it counts from its start on: a restart begins anew.
    fn counters(&self) -> Vec<u64> {
        let expired = self.reader.stats().expired;
        [&self.applies()[..], &self.conflicts(), &[expired]].concat()
    }

    fn counted_since(&self, before: &[u64]) -> Vec<u64> {
        self.counters().into_iter().zip(before).map(|(now, before)| now - before).collect()
    }

    /// What both would publish, and then the next epoch: by a restart, if anything survives one.
    fn next_epoch(mut self) -> Self {
        self.reader.ring().drain();
        if self.reader.promises().persistent {
            self.flusher.flush().unwrap();
            return self.reopen();
        }
        let own = self.writer.origin();
        self.writer.take_origin(Origin::new(own.node(), own.epoch().next())).unwrap();
        self
    }
}

/// Drives a backend and memory side by side, and stops at the first difference that a caller could see.
fn mirrors_memory(backend: &str) {
    for seed in 0..3 {
        let mut stores = [TestStore::memory(), TestStore::on(backend)];
        for step in 0..1_500 {
            let told = stores.each_mut().map(|store| {
                let mut dice = Dice(seed * 1_000_000 + step);
                call(store, &mut dice, step)
            });
            assert_eq!(told[0], told[1], "{backend}, seed {seed}, step {step}");
            if step % 400 == 0 {
                stores[1].flusher.flush().unwrap();
            }
            if step % 500 == 499 {
                stores = stores.map(TestStore::next_epoch);
            }
        }
        let counts = stores.each_ref().map(|store| {
            let stats = store.reader.stats();
            [stats.key_count, stats.tombstones, store.reader.record_bytes()]
        });
        assert_eq!(counts[0], counts[1], "{backend}, seed {seed}");
    }
}

#[test]
fn file_mirrors_memory() {
    mirrors_memory("file");
}

#[test]
#[cfg(feature = "fjall")]
fn fjall_mirrors_memory() {
    mirrors_memory("fjall");
}

#[test]
#[cfg(feature = "fjall")]
fn fjall_memory_mirrors_memory() {
    mirrors_memory("fjall-memory");
}

/// What a cache has evicted is missed; one with room enough is no different.
#[cfg(feature = "moka")]
#[test]
fn moka_mirrors_memory_while_nothing_is_evicted() {
    mirrors_memory("moka");
}
