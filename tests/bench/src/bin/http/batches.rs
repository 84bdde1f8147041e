//! Batches of puts as they stand in a request's body, in both formats, and as the store takes them.

use std::error::Error;

use gridkv_actors::write::{Action, Batch, BatchItem, Condition, Ttl, Write};
use gridkv_bench::random::Random;
use gridkv_bench::workload;
use gridkv_protocol::codec;
use gridkv_protocol::{Key, Value};
use serde::Serialize;

/// Puts in a batch.
pub(crate) const PUTS: usize = 100;
/// Different batches that are sent over and over: enough for all keys to be overwritten.
const DIFFERENT: usize = 128;

#[derive(Serialize)]
struct Body<V> {
    ops: Vec<Put<V>>,
}

#[derive(Serialize)]
struct Put<V> {
    op: &'static str,
    key: String,
    value: V,
}

/// The keys and values of one batch.
pub(crate) type Puts = Vec<(String, String)>;

/// Puts of these keys.
pub(crate) fn of(numbers: &[usize]) -> Puts {
    let value = |number| String::from_utf8_lossy(&workload::value(number)).into_owned();
    numbers.iter().map(|number| (workload::key(*number), value(*number))).collect()
}

/// Batches of random ones of so many keys.
pub(crate) fn random(keys: usize, seed: u64) -> Vec<Puts> {
    let mut random = Random::seeded(seed);
    let mut batch = || {
        let numbers: Vec<usize> = (0..PUTS).map(|_| random.below(keys)).collect();
        of(&numbers)
    };
    (0..DIFFERENT).map(|_| batch()).collect()
}

/// A batch as JSON.
pub(crate) fn json(puts: &Puts) -> Result<Vec<u8>, Box<dyn Error>> {
    let ops = puts.iter().map(|(key, value)| Put { op: "put", key: key.clone(), value }).collect();
    Ok(serde_json::to_vec(&Body { ops })?)
}

/// A batch as MessagePack.
pub(crate) fn msgpack(puts: &Puts) -> Result<Vec<u8>, Box<dyn Error>> {
    let value = |text: &String| Value::copied(text.as_bytes());
    let put =
        |(key, text): &(String, String)| Put { op: "put", key: key.clone(), value: value(text) };
    Ok(codec::encode_named(&Body { ops: puts.iter().map(put).collect() })?)
}

/// A batch as the store's handle takes it.
pub(crate) fn straight(puts: &Puts) -> Result<Batch, Box<dyn Error>> {
    let item = |(key, value): &(String, String)| {
        let value = Value::copied(value.as_bytes());
        let action = Action::Put { value, content_type: None, ttl: Ttl::StoreDefault };
        let write = Write { key: Key::new(key)?, action, condition: Condition::default() };
        Ok(BatchItem::Write(write))
    };
    let items = puts.iter().map(item).collect::<Result<_, Box<dyn Error>>>()?;
    Ok(Batch { atomic: false, items, durability: None })
}
