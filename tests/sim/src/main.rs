//! The simulator's commands: run seeds, replay one, show that broken rules are noticed, run on and on.

use std::io::{self, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::thread;

use gridkv_protocol::mutant::Mutant;
use gridkv_sim::mutants;
use gridkv_sim::oracle::Violation;
use gridkv_sim::seeds::{self, Failure, Sum};
use gridkv_sim::table;

const USAGE: &str = "sim run FROM..TO | survey FROM..TO | replay SEED [--mutant NAME] | mutants [NAME] | table [NAME] | long [FROM]";

/// Lines of a failed seed's trace that are shown.
const LAST_LINES: usize = 40;

/// Seeds between two reports of a long run.
const LOT: u64 = 2_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["run", range] => span(range).map(run),
        ["survey", range] => span(range).map(survey),
        ["replay", seed] => seed.parse().ok().map(|seed| replay(seed, None)),
        ["replay", seed, "--mutant", name] => seed
            .parse()
            .ok()
            .zip(mutants::named(name))
            .map(|(seed, mutant)| replay(seed, Some(mutant))),
        ["mutants"] => Some(show_mutants(&mutants::ALL)),
        ["mutants", name] => mutants::named(name).map(|mutant| show_mutants(&[(*name, mutant)])),
        ["table"] => Some(table(&mutants::ALL)),
        ["table", name] => mutants::named(name).map(|mutant| table(&[(*name, mutant)])),
        ["long"] => Some(long(0)),
        ["long", from] => from.parse().ok().map(long),
        _ => None,
    };
    match outcome {
        Some(Ok(true)) => ExitCode::SUCCESS,
        Some(Ok(false) | Err(_)) => ExitCode::FAILURE,
        None => {
            let _unheard = writeln!(io::stderr(), "{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn span(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn run(range: Range<u64>) -> io::Result<bool> {
    match seeds::run_all(range, None, threads()) {
        Ok(sum) => report(&sum).map(|()| true),
        Err(failure) => fails(&failure, None).map(|()| false),
    }
}

/// Runs all seeds of a range, lot by lot, and lists those that fail.
fn survey(range: Range<u64>) -> io::Result<bool> {
    let (mut sum, mut all_hold, mut at) = (Sum::default(), true, range.start);
    while at < range.end {
        let lot = at..range.end.min(at + LOT);
        at = lot.end;
        let (held, mut failures) = seeds::survey(lot, None, (threads(), usize::MAX));
        sum.join(held);
        failures.sort_by_key(|failure| failure.seed);
        for Failure { seed, violation } in &failures {
            writeln!(io::stdout(), "seed {seed}: {}: {}", violation.oracle, violation.says)?;
        }
        all_hold &= failures.is_empty();
        report(&sum)?;
    }
    Ok(all_hold)
}

fn report(sum: &Sum) -> io::Result<()> {
    let Sum { seeds, counts } = sum;
    let hours = counts.simulated_ms / 3_600_000;
    let (operations, events) = (counts.operations, counts.events);
    writeln!(
        io::stdout(),
        "{seeds} seeds, {operations} client operations, {events} events, {hours} simulated hours: these hold"
    )
}

fn fails(failure: &Failure, broken: Option<Mutant>) -> io::Result<()> {
    let Failure { seed, violation } = failure;
    let (_, lines) = seeds::replay(*seed, broken);
    let mut out = io::stdout().lock();
    for line in lines.iter().skip(lines.len().saturating_sub(LAST_LINES)) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "seed {seed} fails: {}: {}", violation.oracle, violation.says)?;
    writeln!(out, "replay it with: make sim SEED={seed}")
}

fn replay(seed: u64, broken: Option<Mutant>) -> io::Result<bool> {
    let (outcome, lines) = seeds::replay(seed, broken);
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    match outcome {
        Ok(_) => writeln!(out, "seed {seed}: all holds").map(|()| true),
        Err(violation) => {
            writeln!(out, "seed {seed} fails: {}: {}", violation.oracle, violation.says)?;
            Ok(false)
        }
    }
}

/// Breaks each of some rules, and demands that somebody notices.
fn show_mutants(of: &[(&str, Mutant)]) -> io::Result<bool> {
    let mut all_noticed = true;
    for (name, mutant) in of {
        let mut out = io::stdout().lock();
        let noticed = seeds::run_all(mutants::SEEDS, Some(*mutant), threads());
        if let Err(Failure { seed, violation: Violation { oracle, says } }) = noticed {
            writeln!(out, "{name:<28} seed {seed:<5} {oracle}: {says}")?;
        } else {
            all_noticed = false;
            writeln!(out, "{name:<28} NOT NOTICED by the seeds {:?}", mutants::SEEDS)?;
        }
    }
    Ok(all_noticed)
}

/// Says how many seeds it takes to notice each broken rule: a page in Markdown.
fn table(of: &[(&str, Mutant)]) -> io::Result<bool> {
    writeln!(io::stdout(), "{}", table::HEAD)?;
    for (name, mutant) in of {
        let row = table::row(name, *mutant, threads());
        writeln!(io::stdout(), "{row}")?;
        writeln!(io::stderr(), "{row}")?;
    }
    Ok(true)
}

/// Runs until it is stopped, or a seed fails.
fn long(from: u64) -> io::Result<bool> {
    let mut sum = Sum::default();
    let mut at = from;
    loop {
        match seeds::run_all(at..at + LOT, None, threads()) {
            Ok(lot) => sum.join(lot),
            Err(failure) => return fails(&failure, None).map(|()| false),
        }
        report(&sum)?;
        at += LOT;
    }
}
