//! Every broken rule is noticed, by a seed that holds while no rule is broken.

use gridkv_sim::mutants::{ALL, SEEDS};
use gridkv_sim::seeds::{run, run_all};

#[test]
fn every_broken_rule_is_noticed() {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut unnoticed = Vec::new();
    for (name, mutant) in ALL {
        match run_all(SEEDS, Some(mutant), threads) {
            Ok(_) => unnoticed.push(name),
            Err(failure) => {
                let (seed, violation) = (failure.seed, failure.violation);
                println!("{name}: seed {seed}: {}: {}", violation.oracle, violation.says);
                assert!(run(seed, None).is_ok(), "{name}: seed {seed} fails with every rule kept");
            }
        }
    }
    assert!(unnoticed.is_empty(), "nobody noticed {unnoticed:?}");
}

#[test]
fn every_rule_has_one_name() {
    let mut names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
}
