//! The chaos of `make chaos`, beside all other tests: three nodes with a store of every kind behind proxies that fail,
//! killed and stopped under load, and nothing that was promised is broken. A failure shows the whole page, which names its
//! seed; `CHAOS_SEED` makes the same plan again, and `CHAOS_SECONDS` another length.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gridkv_chaos::{PROPERTIES, Setup, run};

/// Makes another plan than usual, or that of a run that is to be repeated.
const SEED: &str = "CHAOS_SEED";
/// Goes on for so many seconds.
const SECONDS: &str = "CHAOS_SECONDS";
/// With start, recovery and the deadlines of values in between, about a minute: long enough for a plan that has every fault
/// and most blows in it, short enough to be run with every change.
const LASTS: u64 = 50;
/// Recovery takes a second or two; the rest is patience with a machine that does something else as well.
const RECOVERS_WITHIN: Duration = Duration::from_mins(1);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().unwrap())
}

#[test]
fn nothing_that_was_promised_is_broken() {
    let page = run(&Setup {
        gridkv: PathBuf::from(env!("CARGO_BIN_EXE_gridkv")),
        config: None,
        nodes: 3,
        clients: 16,
        // Unoptimised nodes: clients leave them time for what is to be tried.
        rest: Duration::from_millis(60),
        lasts: Duration::from_secs(number(SECONDS).unwrap_or(LASTS)),
        recovers_within: RECOVERS_WITHIN,
        seed: number(SEED).unwrap_or(1),
        out: None,
        interrupted: Arc::new(AtomicBool::new(false)),
        progress: |line| eprintln!("{line}"),
    });
    let page = page.unwrap();
    eprintln!("{page}");
    assert!(page.passed(), "{page}");
    for property in PROPERTIES {
        assert!(page.looked_at(property) > 0, "nobody looked whether {property}");
    }
}
