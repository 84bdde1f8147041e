//! Part 3: resident memory per key, each backend in a process of its own.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;
use gridkv_bench::contender::{BATCH, Contender, Sample, Work, all_keys};
use gridkv_bench::engine::Engine;
use gridkv_bench::figure::float;
use gridkv_bench::report::{Report, against};
use gridkv_bench::table::Table;
use gridkv_bench::{resident, screen};

use crate::Settings;

/// Bytes per key that `memory` may take.
const AIM_BYTES: f64 = 200.0;

/// What a process of its own is to measure.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// The backend.
    #[arg(long)]
    engine: Engine,
    /// Keys to load.
    #[arg(long)]
    keys: usize,
    /// Where its files are made.
    #[arg(long)]
    dir: PathBuf,
}

/// Loads a store, reads all of it, and prints bytes per key: resident, and as the store counts them.
pub(crate) fn measure(order: &Order) -> Result<(), Box<dyn Error>> {
    let all = Sample::of(all_keys(order.keys))?;
    let dir = tempfile::tempdir_in(&order.dir)?;
    let before = resident::bytes()?;
    let mut store = order.engine.driven(&dir.path().join("store"))?;
    all.texts().chunks(BATCH).try_for_each(|batch| store.put(batch))?;
    store.work(Work::Get, &all)?;
    let resident = (resident::bytes()? - before) / float(order.keys);
    let told = float(usize::try_from(store.reader().stats().memory_bytes)?) / float(order.keys);
    Ok(screen::line(format_args!("{resident} {told}"))?)
}

/// Measures each backend once, because what is resident hardly varies, and makes a table.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(&["backend", "resident bytes/key", "counted by itself", "aim"]);
    for engine in settings.engines(&Engine::ALL) {
        eprintln!("memory: {}", engine.name());
        let (resident, told) = in_child(engine, settings)?;
        let is_map = matches!(engine, Engine::Memory | Engine::File);
        table.row([
            format!("`{}`", engine.name()),
            against(format!("{resident:.0}"), !is_map || resident <= AIM_BYTES),
            format!("{told:.0}"),
            if is_map { format!("{AIM_BYTES:.0}") } else { "-".to_owned() },
        ]);
    }
    let title = format!("Memory: {} keys of 16 bytes, values of 100", settings.many);
    let note = "All keys were put in batches and read once. Of `fjall` that is memtables, block cache and \
                hot records, each up to 64 MiB and whatever the number of keys, and what the engine keeps \
                of filters and indexes. What `fjall-memory` keeps in files in memory is in its own count, \
                not in the resident memory of the process.";
    Ok(report.section(&title, &table, note)?)
}

fn in_child(engine: Engine, settings: &Settings) -> Result<(f64, f64), Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["room", "--engine", engine.name(), "--keys", &settings.many.to_string()])
        .arg("--dir")
        .arg(&settings.dir)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", engine.name(), output.status).into());
    }
    let told = String::from_utf8(output.stdout)?;
    let (resident, counted) = told.trim().split_once(' ').ok_or("a figure is missing")?;
    Ok((resident.parse()?, counted.parse()?))
}
