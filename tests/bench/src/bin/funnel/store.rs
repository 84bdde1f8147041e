//! The funnel: a store on the `memory` backend, driven as its actor drives it.

use gridkv_storage::durability::Durability;
use std::error::Error;
use std::hint::black_box;

use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::workload;
use gridkv_protocol::{Key, Origin, StoreName, UnixMs, Value};
use gridkv_storage::reader::StoreReader;
use gridkv_storage::registry::{OpenRequest, Registry};
use gridkv_storage::store::{self, StoreConfig};
use gridkv_storage::write::{Action, Condition, Ttl, Write};
use gridkv_storage::writer::StoreWriter;

/// Bytes that the store may hold: more than any size here needs.
const MEMORY_LIMIT_BYTES: u64 = 64 << 30;

/// How writes are grouped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Grouping {
    /// Staged one by one, committed together.
    Commits(usize),
    /// All at hand, checked whole, then staged and committed.
    AtomicBatch(usize),
}

/// An open store.
pub(crate) struct Funnel {
    writer: StoreWriter,
    reader: StoreReader,
    now: u64,
}

impl Funnel {
    /// An empty store on the `memory` backend.
    pub(crate) fn open(ring_slots: usize) -> Result<Self, Box<dyn Error>> {
        let name = StoreName::new("main")?;
        let config = StoreConfig {
            name: name.clone(),
            backend: "memory".to_owned(),
            default_ttl_ms: None,
            memory_limit_bytes: Some(MEMORY_LIMIT_BYTES),
            refuse_over_limit: true,
            ring_slots,
        };
        let request = OpenRequest::new(name, None);
        let origin = Origin::from_bits(1);
        let store = store::open(&Registry::with_built_in(), config, origin, &request)?;
        Ok(Self { writer: store.writer, reader: store.reader, now: 1 })
    }

    /// Where committed ops go, and where records are read.
    pub(crate) fn reader(&self) -> &StoreReader {
        &self.reader
    }

    /// Nanoseconds per put. Time stands still within a commit, as it does for the actor's handlers.
    pub(crate) fn put_all(
        &mut self,
        keys: &[String],
        grouping: Grouping,
    ) -> Result<f64, Box<dyn Error>> {
        let (Grouping::Commits(size) | Grouping::AtomicBatch(size)) = grouping;
        let stopwatch = Stopwatch::start();
        for group in keys.chunks(size) {
            self.now += 1;
            let now = UnixMs(self.now);
            match grouping {
                Grouping::Commits(_) => {
                    for key in group {
                        black_box(self.writer.stage(write(key, self.now)?, now)?);
                    }
                }
                Grouping::AtomicBatch(_) => self.atomic(group, now)?,
            }
            self.writer.commit(Durability::Memory)?;
        }
        Ok(stopwatch.nanos_each(keys.len()))
    }

    fn atomic(&mut self, group: &[String], now: UnixMs) -> Result<(), Box<dyn Error>> {
        let writes: Vec<Write> =
            group.iter().map(|key| write(key, self.now)).collect::<Result<_, _>>()?;
        self.writer.check(&writes, now).map_err(|(at, error)| format!("write {at}: {error}"))?;
        for write in writes {
            black_box(self.writer.stage(write, now)?);
        }
        Ok(())
    }

    /// Nanoseconds per get.
    pub(crate) fn get_all(&self, keys: &[Key]) -> Result<f64, Box<dyn Error>> {
        let now = UnixMs(self.now);
        let stopwatch = Stopwatch::start();
        for key in keys {
            black_box(self.reader.get(key, now)?.ok_or("a key is not there")?);
        }
        Ok(stopwatch.nanos_each(keys.len()))
    }
}

fn write(key: &str, number: u64) -> Result<Write, Box<dyn Error>> {
    let value = Value::copied(&workload::value(usize::try_from(number)?));
    Ok(Write {
        key: Key::new(key)?,
        action: Action::Put { value, content_type: None, ttl: Ttl::StoreDefault },
        condition: Condition::default(),
    })
}
