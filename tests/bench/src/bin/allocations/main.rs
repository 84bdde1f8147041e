//! How many times, and for how many bytes, an operation of each backend asks the allocator.
//!
//! **Measured**: gets, puts with commits of one, and batches of 100, over keys that are there, on a store
//! and on its bare library. Counted is the thread that calls: what an engine's own threads do later
//! (tables, compactions) is not an operation's. A buffer that grows counts again as a whole. Making the
//! key and the value belongs to a put, so a bare put asks at least twice.
//!
//! **Reading it**: a line is a backend, a work, and four figures per record: allocations and bytes of the
//! store, allocations and bytes of the bare library. `backends` makes a table of it. Counts do not depend
//! on the machine; of bytes and of rare work, such as a table that grows, only the share that falls into
//! the counted records.
//!
//! ```text
//! cargo run --release -p gridkv-bench --bin allocations -- --keys 10000
//! ```

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use gridkv_bench::contender::{BATCH, Contender, Sample, Work, all_keys};
use gridkv_bench::engine::Engine;
use gridkv_bench::figure::float;
use gridkv_bench::random::Random;
use gridkv_bench::screen;

/// Counts the allocations of operations.
#[derive(Debug, Parser)]
struct Arguments {
    /// Keys that are there.
    #[arg(long, default_value_t = 10_000)]
    keys: usize,
    /// Operations that are counted.
    #[arg(long, default_value_t = 10_000)]
    records: usize,
    /// Only this backend.
    #[arg(long)]
    only: Option<Engine>,
    /// Where files are made.
    #[arg(long)]
    dir: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { keys, records, only, dir } = Arguments::parse();
    let all = all_keys(keys);
    let mut random = Random::seeded(3);
    for engine in Engine::ALL.into_iter().filter(|engine| only.is_none_or(|it| it == *engine)) {
        let dir = tempfile::tempdir_in(&dir)?;
        let mut store = engine.driven(&dir.path().join("store"))?;
        let mut bare = engine.bare(&dir.path().join("bare"))?;
        let contenders: [&mut dyn Contender; 2] = [&mut store, bare.as_mut()];
        for contender in contenders {
            all.chunks(BATCH).try_for_each(|batch| contender.put(batch))?;
            contender.work(Work::Get, &Sample::of(all.clone())?)?;
        }
        for work in [Work::Get, Work::Put, Work::Batch] {
            let sample = Sample::pick(&all, records, &mut random)?;
            let [calls, bytes] = count(&mut store, work, &sample)?;
            let [bare_calls, bare_bytes] = count(bare.as_mut(), work, &sample)?;
            let name = engine.name();
            screen::line(format_args!(
                "{name}\t{work:?}\t{calls}\t{bytes}\t{bare_calls}\t{bare_bytes}"
            ))?;
        }
    }
    Ok(())
}

/// Allocations and bytes per record.
fn count<C: Contender + ?Sized>(
    contender: &mut C,
    work: Work,
    sample: &Sample,
) -> Result<[f64; 2], Box<dyn Error>> {
    let mut outcome = Ok(());
    let info = allocation_counter::measure(|| outcome = contender.work(work, sample));
    outcome?;
    let each = |total: u64| Ok::<_, Box<dyn Error>>(float(usize::try_from(total)?));
    let records = float(sample.len().max(1));
    Ok([each(info.count_total)? / records, each(info.bytes_total)? / records])
}
