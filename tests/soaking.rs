//! A tenth of the long runs of `make soak`: real nodes are killed, lose power, are damaged and run out of disk, and all
//! that they acknowledged is there afterwards. A failure names its seed; `SOAK_SEED` makes the same choices again.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gridkv_soak::{Report, Run, Scale, Setup, TARGETS};

/// Makes other choices than usual, or those of a run that is to be repeated.
const SEED: &str = "SOAK_SEED";

fn soak(run: Run, cycles: u64) {
    let seed = std::env::var(SEED).ok().map(|seed| seed.parse().unwrap());
    let setup = Setup {
        gridkv: PathBuf::from(env!("CARGO_BIN_EXE_gridkv")),
        targets: TARGETS.to_vec(),
        cycles,
        seed: seed.unwrap_or(1),
        scale: Scale::small(),
        keep: false,
        interrupted: Arc::new(AtomicBool::new(false)),
        progress: |line| eprintln!("{line}"),
        done: |summary| eprintln!("{summary}"),
    };
    match run.over(&setup) {
        Ok(Report::Done(summaries)) => {
            assert!(!summaries.is_empty());
            assert!(summaries.iter().all(|summary| summary.cycles == cycles), "{summaries:?}");
        }
        // Past what keeps the output of tests that pass: a test that did nothing must not look like one that did.
        Ok(Report::Skipped(reason)) => {
            let line = format!("{run}: SKIPPED: {reason}\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    soak(Run::Crash, 10);
}

#[test]
fn what_was_acknowledged_as_on_the_disk_is_there_after_a_power_cut() {
    soak(Run::Power, 2);
}

#[test]
fn damage_at_rest_is_never_served_and_peers_repair_it() {
    soak(Run::Flips, 15);
}

#[test]
fn a_full_disk_refuses_writes_and_loses_none() {
    soak(Run::Full, 1);
}
