//! Part 1: operations per second of a store and of its bare library, in turns.

use std::error::Error;

use gridkv_bench::contender::{BATCH, Contender, Sample, Work, all_keys};
use gridkv_bench::engine::Engine;
use gridkv_bench::figure::{median, median_ratio, per_second};
use gridkv_bench::random::Random;
use gridkv_bench::report::{Report, against};
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::table::Table;
use tempfile::TempDir;

use crate::Settings;

/// Nanoseconds of one operation, one figure per round.
#[derive(Default)]
struct Times {
    store: Vec<f64>,
    bare: Vec<f64>,
}

/// Times of each work, in the order of [`Work::ALL`].
type AllTimes = [Times; Work::ALL.len()];

/// A store and its bare library.
struct Pair {
    engine: Engine,
    store: Box<dyn Contender>,
    bare: Box<dyn Contender>,
    times: AllTimes,
    /// Removed at last.
    _dir: TempDir,
}

impl Pair {
    fn open(engine: Engine, settings: &Settings) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir_in(&settings.dir)?;
        let store = Box::new(engine.driven(&dir.path().join("store"))?);
        let bare = engine.bare(&dir.path().join("bare"))?;
        Ok(Self { engine, store, bare, times: Default::default(), _dir: dir })
    }

    /// Both do the same, one after the other.
    fn turn(&mut self, at: usize, sample: &Sample, round: usize) -> Result<(), Box<dyn Error>> {
        let (Some(work), Some(times)) = (Work::ALL.get(at), self.times.get_mut(at)) else {
            return Ok(());
        };
        let mut turns = [(&mut self.store, &mut times.store), (&mut self.bare, &mut times.bare)];
        turns.rotate_left(round % 2);
        for (contender, times) in turns {
            let stopwatch = Stopwatch::start();
            contender.work(*work, sample)?;
            times.push(stopwatch.nanos_each(sample.len()));
        }
        Ok(())
    }
}

/// Measures all sizes, and makes one table of them.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let mut sizes = Vec::new();
    for keys in &settings.keys {
        sizes.push(contest(settings, *keys)?);
    }
    let columns: Vec<String> = settings
        .keys
        .iter()
        .flat_map(|keys| [format!("{keys} keys, ops/s"), "bare".to_owned(), "ratio".to_owned()])
        .collect();
    let headings: Vec<&str> =
        ["backend", "aim"].into_iter().chain(columns.iter().map(String::as_str)).collect();
    let mut table = Table::new(&headings);
    for engine in settings.engines(&Engine::ALL) {
        for (at, work) in Work::ALL.into_iter().enumerate() {
            let aim = aim(work);
            let shown = aim.map_or_else(|| "-".to_owned(), |aim| format!("{aim:.2}"));
            let mut row = vec![format!("`{}` {}", engine.name(), work.name()), shown];
            for contest in &sizes {
                let times = contest.iter().find(|(who, _)| *who == engine);
                let cells = times.and_then(|(_, times)| times.get(at)).map(|it| cells(it, aim));
                row.extend(cells.into_iter().flatten());
            }
            table.row(row);
        }
    }
    let title = "Speed against the bare library: ops/s, values of 100 bytes";
    Ok(report.section(title, &table, "")?)
}

fn aim(work: Work) -> Option<f64> {
    match work {
        Work::Get => Some(0.85),
        Work::Put => Some(0.50),
        Work::Batch | Work::Mix => None,
    }
}

fn cells(Times { store, bare }: &Times, aim: Option<f64>) -> [String; 3] {
    let ratio = median_ratio(bare, store);
    // As it is shown: what rounds up to the aim has reached it.
    let shown = (ratio * 100.0).round() / 100.0;
    let holds = aim.is_none_or(|aim| shown >= aim);
    [
        per_second(1e9 / median(store)),
        per_second(1e9 / median(bare)),
        against(format!("{ratio:.2}"), holds),
    ]
}

fn contest(settings: &Settings, keys: usize) -> Result<Vec<(Engine, AllTimes)>, Box<dyn Error>> {
    let all = all_keys(keys);
    let mut random = Random::seeded(2);
    let mut pairs = Vec::new();
    for engine in settings.engines(&Engine::ALL) {
        eprintln!("speed: {keys} keys into {}", engine.name());
        let mut pair = Pair::open(engine, settings)?;
        for contender in [&mut pair.store, &mut pair.bare] {
            all.chunks(BATCH).try_for_each(|batch| contender.put(batch))?;
        }
        pairs.push(pair);
    }
    for round in 0..settings.rounds {
        eprintln!("speed: {keys} keys, round {} of {}", round + 1, settings.rounds);
        let shift = round % pairs.len().max(1);
        pairs.rotate_left(shift);
        for pair in &mut pairs {
            for at in 0..Work::ALL.len() {
                pair.turn(at, &Sample::pick(&all, settings.records, &mut random)?, round)?;
            }
        }
        pairs.rotate_right(shift);
    }
    Ok(pairs.into_iter().map(|pair| (pair.engine, pair.times)).collect())
}
