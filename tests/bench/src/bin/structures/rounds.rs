//! Runs every candidate in children of this executable, interleaved.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::{Command, Stdio};

use crate::candidate::Kind;

/// All figures of one candidate at one size, by name, one per round.
pub(crate) type Samples = BTreeMap<String, Vec<f64>>;

/// What was measured with one number of keys.
pub(crate) struct SizeResult {
    /// Keys loaded.
    pub(crate) keys: usize,
    /// Samples by candidate, in table order.
    pub(crate) candidates: Vec<(Kind, Samples)>,
}

/// Measures all candidates `rounds` times per size; each round starts with another
/// candidate, so that a slow moment of the machine does not always meet the same one.
pub(crate) fn run(
    sizes: &[usize],
    rounds: usize,
    only: Option<&str>,
) -> Result<Vec<SizeResult>, Box<dyn Error>> {
    let mut results = Vec::new();
    for &keys in sizes {
        let mut candidates: Vec<(Kind, Samples)> = Kind::ALL
            .into_iter()
            .filter(|kind| {
                only.is_none_or(|parts| parts.split(',').any(|part| kind.name().contains(part)))
            })
            .map(|kind| (kind, Samples::new()))
            .collect();
        for round in 0..rounds {
            let shift = round * candidates.len() / rounds.max(1);
            candidates.rotate_left(shift);
            for (kind, samples) in &mut candidates {
                eprintln!("{keys} keys, round {}: {}", round + 1, kind.name());
                measure(*kind, keys, samples)?;
            }
            candidates.rotate_right(shift);
        }
        results.push(SizeResult { keys, candidates });
    }
    Ok(results)
}

fn measure(kind: Kind, keys: usize, samples: &mut Samples) -> Result<(), Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--child", kind.name(), "--keys", &keys.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", kind.name(), output.status).into());
    }
    for line in String::from_utf8(output.stdout)?.lines() {
        let (name, figure) = line.split_once(' ').ok_or("a figure has no name")?;
        let figure: f64 = figure.parse()?;
        samples.entry(name.to_owned()).or_default().push(figure);
    }
    Ok(())
}
