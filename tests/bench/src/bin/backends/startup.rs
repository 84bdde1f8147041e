//! Part 4: the time to open a store with what is on the disk.

use std::error::Error;
use std::path::Path;

use gridkv_bench::contender::{BATCH, Contender, all_keys};
use gridkv_bench::engine::Engine;
use gridkv_bench::figure::median;
use gridkv_bench::report::{Report, against};
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::table::Table;

use crate::Settings;

/// Seconds that `file` may take.
const AIM_SECONDS: f64 = 2.0;

/// What is on the disk.
struct Case {
    engine: Engine,
    name: &'static str,
    /// Whether an image was written after everything was put.
    image: bool,
    seconds: Vec<f64>,
}

const fn case(engine: Engine, name: &'static str, image: bool) -> Case {
    Case { engine, name, image, seconds: Vec::new() }
}

/// Makes the stores, and opens them in turns.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let mut cases = vec![
        case(Engine::File, "`file`, from an image", true),
        case(Engine::File, "`file`, from a journal alone", false),
        case(Engine::Fjall, "`fjall`, tables and journal", false),
    ];
    let engines = settings.engines(&[Engine::File, Engine::Fjall]);
    cases.retain(|case| engines.contains(&case.engine));
    let dir = tempfile::tempdir_in(&settings.dir)?;
    let all = all_keys(settings.many);
    for (number, case) in cases.iter().enumerate() {
        eprintln!("start: {}", case.name);
        fill(case, &dir.path().join(number.to_string()), &all)?;
    }
    for round in 0..settings.few() {
        for (number, case) in cases.iter_mut().enumerate() {
            eprintln!("start: {}, round {}", case.name, round + 1);
            let stopwatch = Stopwatch::start();
            let store = case.engine.open(&dir.path().join(number.to_string()))?;
            case.seconds.push(stopwatch.elapsed().as_secs_f64());
            if store.reader.keys() != u64::try_from(all.len())? {
                return Err(format!("{} came back with less", case.name).into());
            }
        }
    }
    let mut table = Table::new(&["what is there", "seconds", "aim"]);
    for case in &cases {
        let (seconds, is_map) = (median(&case.seconds), case.engine == Engine::File);
        table.row([
            case.name.to_owned(),
            against(format!("{seconds:.2}"), !is_map || seconds < AIM_SECONDS),
            if is_map { format!("{AIM_SECONDS:.0}") } else { "-".to_owned() },
        ]);
    }
    let title = format!("Start with {} keys, files in the page cache", settings.many);
    Ok(report.section(&title, &table, "")?)
}

fn fill(case: &Case, dir: &Path, all: &[String]) -> Result<(), Box<dyn Error>> {
    let mut store = case.engine.driven(dir)?;
    all.chunks(BATCH).try_for_each(|batch| store.put(batch))?;
    if case.image {
        store.flusher().compact()?;
    }
    Ok(store.flusher().flush()?)
}
