//! `moka` alone: a cache of the same policy that counts records instead of weighing them.

use std::error::Error;
use std::hint::black_box;

use gridkv_protocol::{Key, Record};
use moka::policy::EvictionPolicy;

use crate::contender::Contender;
use crate::workload;

/// Records that it holds: more than any size here needs, as the store's bytes are.
const MOST_RECORDS: u64 = 4 << 20;

/// A cache of records.
pub struct Cache {
    records: moka::sync::Cache<Key, Record>,
    puts: usize,
}

impl Cache {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let policy = EvictionPolicy::tiny_lfu();
        let builder = moka::sync::Cache::builder().max_capacity(MOST_RECORDS);
        Self { records: builder.eviction_policy(policy).build(), puts: 0 }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl Contender for Cache {
    fn put(&mut self, keys: &[String]) -> Result<(), Box<dyn Error>> {
        for key in keys {
            self.records.insert(Key::new(key)?, workload::record(self.puts));
            self.puts += 1;
        }
        Ok(())
    }

    fn get(&mut self, key: &Key) -> Result<(), Box<dyn Error>> {
        black_box(self.records.get(key.as_str()).ok_or("a key is not there")?);
        Ok(())
    }
}
