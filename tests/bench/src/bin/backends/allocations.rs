//! Part 2: allocations per operation, counted by a program of their own.

use std::error::Error;
use std::process::{Command, Stdio};

use gridkv_bench::engine::Engine;
use gridkv_bench::report::Report;
use gridkv_bench::table::Table;

use crate::Settings;

/// Keys, and operations that are counted.
const MOST: usize = 10_000;

/// Runs the program that counts, and makes a table of what it says.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), Box<dyn Error>> {
    eprintln!("allocations");
    let program = std::env::current_exe()?.with_file_name("allocations");
    let count = settings.many.min(MOST).to_string();
    let mut command = Command::new(&program);
    command.args(["--keys", &count, "--records", &count]).arg("--dir").arg(&settings.dir);
    if let Some(engine) = settings.only {
        command.args(["--only", engine.name()]);
    }
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{} does not start: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("allocations ended with {}", output.status).into());
    }
    let told = String::from_utf8(output.stdout)?;
    let mut table = Table::new(&[
        "backend",
        "get: allocs",
        "bytes",
        "bare",
        "put: allocs",
        "bytes",
        "bare",
        "batch, per put: allocs",
        "bytes",
        "bare",
    ]);
    for engine in settings.engines(&Engine::ALL) {
        let mut row = vec![format!("`{}`", engine.name())];
        for line in told.lines().filter(|line| line.split('\t').next() == Some(engine.name())) {
            let figures: Vec<f64> =
                line.split('\t').skip(2).map(str::parse).collect::<Result<_, _>>()?;
            let [calls, bytes, bare_calls, bare_bytes] =
                figures.try_into().map_err(|_| "allocations told something else")?;
            row.push(format!("{calls:.1}"));
            row.push(format!("{bytes:.0}"));
            row.push(format!("{bare_calls:.1} / {bare_bytes:.0}"));
        }
        table.row(row);
    }
    let note = "Allocs/op and Bytes/op of the thread that calls, beside those of the bare library. A put \
                makes its key and its value, and so does a bare one.";
    Ok(report.section("Allocations per operation", &table, note)?)
}
