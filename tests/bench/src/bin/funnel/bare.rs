//! The maps that the funnel is held against, and the records that go into them.

use std::error::Error;
use std::hint::black_box;

use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::workload;
use gridkv_protocol::record::Live;
use gridkv_protocol::{Hlc, Key, Origin, Record, State, Value, Version};
use gridkv_storage::map::RecordMap;

/// A map that keeps records and nothing else.
pub(crate) trait BareMap {
    /// Puts a record.
    fn put(&self, key: Key, record: Record) -> Result<(), Box<dyn Error>>;

    /// The record under a key.
    fn get(&self, key: &Key) -> Option<Record>;
}

impl BareMap for RecordMap {
    fn put(&self, key: Key, record: Record) -> Result<(), Box<dyn Error>> {
        Ok(Self::put(self, &key, &record)?)
    }

    fn get(&self, key: &Key) -> Option<Record> {
        Self::get(self, key.as_str())
    }
}

/// The concurrent hash map alone, without order.
pub(crate) type Scc = scc::HashMap<Key, Record>;

impl BareMap for Scc {
    fn put(&self, key: Key, record: Record) -> Result<(), Box<dyn Error>> {
        self.upsert_sync(key, record);
        Ok(())
    }

    fn get(&self, key: &Key) -> Option<Record> {
        self.read_sync(key.as_str(), |_, record| record.clone())
    }
}

/// Nanoseconds per put. The records are those that the funnel would make.
pub(crate) fn put_all(map: &impl BareMap, keys: &[String]) -> Result<f64, Box<dyn Error>> {
    let stopwatch = Stopwatch::start();
    for (number, key) in keys.iter().enumerate() {
        let hlc = Hlc::from_bits(u64::try_from(number)?);
        let state = State::Live(Live {
            value: Value::copied(&workload::value(number)),
            content_type: None,
            expires_at: None,
        });
        let version = Version { hlc, origin: Origin::from_bits(1) };
        map.put(Key::new(key)?, Record { version, state })?;
    }
    Ok(stopwatch.nanos_each(keys.len()))
}

/// Nanoseconds per get.
pub(crate) fn get_all(map: &impl BareMap, keys: &[Key]) -> Result<f64, Box<dyn Error>> {
    let stopwatch = Stopwatch::start();
    for key in keys {
        black_box(map.get(key).ok_or("a key is not there")?);
    }
    Ok(stopwatch.nanos_each(keys.len()))
}
