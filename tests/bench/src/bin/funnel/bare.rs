//! The map under the store: what the funnel is held against, beside the bare table.

use std::error::Error;
use std::hint::black_box;

use gridkv_bench::contender::Contender;
use gridkv_bench::workload;
use gridkv_protocol::Key;
use gridkv_storage::map::RecordMap;

/// A `RecordMap` that gets records as the funnel would make them.
#[derive(Default)]
pub(crate) struct BareMap {
    map: RecordMap,
    puts: usize,
}

impl Contender for BareMap {
    fn put(&mut self, keys: &[String]) -> Result<(), Box<dyn Error>> {
        for key in keys {
            self.map.put(&Key::new(key)?, &workload::record(self.puts))?;
            self.puts += 1;
        }
        Ok(())
    }

    fn get(&mut self, key: &Key) -> Result<(), Box<dyn Error>> {
        black_box(self.map.get(key.as_str()).ok_or("a key is not there")?);
        Ok(())
    }
}
