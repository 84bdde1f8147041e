//! What a cache says it takes is what the process grows by, within a twentieth.
//!
//! Each shape of records is measured in a process of its own, by its resident size: `cargo test -p
//! gridkv-storage --test cache_memory -- --show` tells the figures.

use std::error::Error;
use std::io::Write;
use std::process::Command;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{
    Epoch, Hlc, Key, Live, NodeId, Origin, Record, State, StoreName, Value, Version,
};
use gridkv_storage::backend::{Cache, Commit};
use gridkv_storage::registry::{OpenRequest, Registry};

/// What is measured.
#[derive(Clone, Copy, Debug)]
struct Shape {
    records: u64,
    /// `None`: tombstones.
    value_bytes: Option<usize>,
    /// Whether keys come in byte order.
    ordered: bool,
    max_mib: u64,
}

const SHAPES: [Shape; 6] = [
    Shape { records: 300_000, value_bytes: Some(8), ordered: false, max_mib: 1_024 },
    Shape { records: 300_000, value_bytes: Some(100), ordered: false, max_mib: 1_024 },
    Shape { records: 300_000, value_bytes: Some(100), ordered: true, max_mib: 1_024 },
    Shape { records: 300_000, value_bytes: Some(1_000), ordered: false, max_mib: 1_024 },
    Shape { records: 300_000, value_bytes: None, ordered: false, max_mib: 1_024 },
    // Far more than fits: most is evicted, and much of that forgotten.
    Shape { records: 700_000, value_bytes: Some(100), ordered: false, max_mib: 128 },
];

/// Parts in a thousand that account and growth may differ by.
const TOLERANCE: u64 = 50;

/// Names the shape that this process measures.
const SHAPE: &str = "GRIDKV_CACHE_MEMORY_SHAPE";

fn main() -> Result<(), Box<dyn Error>> {
    if !cfg!(target_os = "linux") {
        return Ok(()); // nowhere else is the resident size a file
    }
    if let Ok(shape) = std::env::var(SHAPE) {
        return measure(shape.parse()?);
    }
    let mut off = Vec::new();
    for (at, shape) in SHAPES.iter().enumerate() {
        let child = Command::new(std::env::current_exe()?).env(SHAPE, at.to_string()).output()?;
        let told = String::from_utf8(child.stdout)?;
        let figures: Vec<u64> =
            told.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [grown, claimed] = figures[..] else {
            return Err(format!("{shape:?}: {told:?}").into());
        };
        let line = format!(
            "{shape:?}: grown {grown}, claimed {claimed}; per record {} and {}",
            grown / shape.records,
            claimed / shape.records,
        );
        if std::env::args().any(|arg| arg == "--show") {
            writeln!(std::io::stdout(), "{line}")?;
        }
        if grown.abs_diff(claimed) * 1_000 > grown * TOLERANCE {
            off.push(line);
        }
    }
    if off.is_empty() { Ok(()) } else { Err(off.join("\n").into()) }
}

/// Fills a cache, and tells by how much the process grew and what the cache says.
fn measure(shape: usize) -> Result<(), Box<dyn Error>> {
    let shape = SHAPES.get(shape).ok_or("no such shape")?;
    let Shape { records, value_bytes, ordered, max_mib } = *shape;
    let mut request = OpenRequest::new(StoreName::new("main")?, None);
    request.settings.cache.max_bytes = max_mib << 20;
    let (_, backend, _) = Registry::with_built_in().open("moka", &request)?;
    let value = vec![7; value_bytes.unwrap_or(0)];
    let put = |first: u64, count: u64| -> Result<(), Box<dyn Error>> {
        let mut batch = Vec::new();
        for n in first..first + count {
            // A stride that is prime to the count: every key once, all over.
            let place = if ordered { n } else { n * 7_919 % records };
            let live =
                || Live { value: Value::copied(&value), content_type: None, expires_at: None };
            let state = value_bytes.map_or(State::Deleted, |_| State::Live(live()));
            let version =
                Version { hlc: Hlc::from_bits(1 + n), origin: Origin::new(NodeId(1), Epoch(1)) };
            let key = Key::new(&format!("key/{place:012}"))?;
            batch.push(KeyedRecord { key, record: Record { version, state } });
        }
        backend.put_batch(&Commit { records: &batch, ..Commit::default() })?;
        Ok(())
    };
    put(0, 1_000)?; // what the first records set up is not theirs
    let (before, claimed_before) = (resident()?, backend.footprint().memory_bytes.unwrap_or(0));
    for first in (1_000..records).step_by(100) {
        put(first, 100)?;
        backend.as_cache().map(Cache::take_evicted); // as the writer does at every tick
    }
    let claimed = backend.footprint().memory_bytes.unwrap_or(0) - claimed_before;
    writeln!(std::io::stdout(), "{} {claimed}", resident()? - before)?;
    std::process::exit(0); // nobody waits for the cache to be taken down
}

/// Bytes of this process in memory.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no resident size")?;
    let kib: u64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
    Ok(kib * 1_024)
}
