//! Part 6: how long commits wait while an image of `file` is written beside them.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gridkv_bench::contender::{BATCH, Contender, all_keys};
use gridkv_bench::distribution::Distribution;
use gridkv_bench::driven::Driven;
use gridkv_bench::engine::Engine;
use gridkv_bench::figure::median;
use gridkv_bench::report::{Report, against};
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::table::Table;
use gridkv_storage::durability::Durability;

use crate::Settings;

/// Milliseconds that no commit at `os` may take.
const BAR_MS: f64 = 50.0;

/// Between the beginnings of two commits at `os`: 5,000 per second. A commit that can not begin in time, because
/// the one before it was not done, has waited since it should have.
const BEAT: Duration = Duration::from_micros(200);

/// Commits while no image is written, and while one is.
struct Case {
    durability: Durability,
    alone: Vec<Distribution>,
    beside: Vec<Distribution>,
    image_seconds: Vec<f64>,
}

/// Loads a store for each turn, because only a journal that outgrew its image makes another one.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), Box<dyn Error>> {
    if settings.engines(&[Engine::File]).is_empty() {
        return Ok(());
    }
    let all = all_keys(settings.many);
    let mut cases = [Durability::Os, Durability::Fsync].map(|durability| Case {
        durability,
        alone: Vec::new(),
        beside: Vec::new(),
        image_seconds: Vec::new(),
    });
    for round in 0..settings.few() {
        for case in &mut cases {
            eprintln!("image beside a writer: {}, round {}", case.durability, round + 1);
            let dir = tempfile::tempdir_in(&settings.dir)?;
            let mut store = Engine::File.driven(&dir.path().join("store"))?;
            all.chunks(BATCH).try_for_each(|batch| store.put(batch))?;
            store.flusher().flush()?;
            turn(&mut store, case, &all, settings.seconds)?;
        }
    }
    let mut table = Table::new(&[
        "commits of one",
        "p99.9 ms alone",
        "longest",
        "p99.9 ms beside the image",
        "longest",
        "aim",
        "image took s",
    ]);
    for case in cases {
        let Case { durability, alone, beside, image_seconds } = case;
        let (alone, beside) = (Distribution::joined(alone), Distribution::joined(beside));
        let longest = ms(beside.longest());
        let is_held = durability == Durability::Os;
        table.row([
            format!("`file`, {durability}, {}", if is_held { "5,000/s" } else { "back to back" }),
            format!("{:.2}", ms(alone.per_mille(999))),
            format!("{:.1}", ms(alone.longest())),
            format!("{:.2}", ms(beside.per_mille(999))),
            against(format!("{longest:.1}"), !is_held || longest < BAR_MS),
            if is_held { format!("{BAR_MS:.0}") } else { "-".to_owned() },
            format!("{:.2}", median(&image_seconds)),
        ]);
    }
    let title = format!("An image of {} keys beside a steady writer", settings.many);
    let note = "Times are from when a commit should have begun, over all rounds. At `fsync` every commit waits \
                for the disk, which also takes the image; writers of a real node share that wait.";
    Ok(report.section(&title, &table, note)?)
}

fn turn(
    store: &mut Driven,
    case: &mut Case,
    keys: &[String],
    seconds: f64,
) -> Result<(), Box<dyn Error>> {
    let (stopwatch, limit) = (Stopwatch::start(), Duration::from_secs_f64(seconds));
    let alone = write_while(store, case.durability, keys, || stopwatch.elapsed() < limit)?;
    case.alone.push(alone);
    let flusher = store.flusher().clone();
    let writing = AtomicBool::new(true);
    thread::scope(|scope| {
        let image = scope.spawn(|| {
            let stopwatch = Stopwatch::start();
            let written = flusher.compact().map_err(|error| error.to_string());
            writing.store(false, Ordering::Relaxed);
            written.map(|_| stopwatch.elapsed().as_secs_f64())
        });
        let going_on = || writing.load(Ordering::Relaxed);
        case.beside.push(write_while(store, case.durability, keys, going_on)?);
        let seconds = image.join().map_err(|_| "the image's thread panicked")?;
        case.image_seconds.push(seconds?);
        Ok(())
    })
}

/// Commits keys one by one: on the beat, or at `fsync` one after the other.
fn write_while(
    store: &mut Driven,
    durability: Durability,
    keys: &[String],
    going_on: impl Fn() -> bool,
) -> Result<Distribution, Box<dyn Error>> {
    let mut times = Distribution::default();
    let begun = Stopwatch::start();
    let mut due = Duration::ZERO;
    for key in keys.iter().cycle().take_while(|_| going_on()) {
        let rest = due.saturating_sub(begun.elapsed());
        if !rest.is_zero() {
            thread::sleep(rest);
        }
        let ready = begun.elapsed();
        store.put_group(std::slice::from_ref(key), durability)?;
        // Who slept too long is the machine's affair, not the commit's.
        let since = if rest.is_zero() { due } else { ready };
        times.note(begun.elapsed().saturating_sub(since));
        due = if durability == Durability::Fsync { begun.elapsed() } else { due + BEAT };
    }
    Ok(times)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
