//! Every seed of a fixed range holds, and is the same when it is run again.

use gridkv_sim::seeds::{replay, run, run_all};

/// With no failure in so many, fewer than one seed in 1,600 fails (95%).
const SEEDS: u64 = 5_000;

/// Seeds that failed once, beyond those. A rebuild lost what was staged (16,566) or what was read meanwhile (27,579),
/// waited for who waited for it (34,546), claimed what it had emptied (24,286), or wanted back what was lost
/// everywhere (54,351); an origin was closed while more of it was staged (33,896), or purged past while nobody had
/// more than loose records of it (13,511); nodes were taken for level (6,922) or right (5,478) that were not.
const FAILED_ONCE: [u64; 32] = [
    5_478, 6_142, 6_922, 13_511, 14_172, 16_566, 20_481, 24_060, 24_286, 27_579, 28_361, 29_105,
    31_336, 32_073, 32_327, 32_467, 33_896, 34_546, 34_772, 38_000, 38_148, 54_351, 58_436, 64_626,
    70_926, 72_545, 74_321, 78_407, 82_688, 95_499, 95_701, 98_232,
];

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[test]
fn every_seed_holds() {
    let sum = match run_all(0..SEEDS, None, threads()) {
        Ok(sum) => sum,
        Err(failure) => {
            let (_, lines) = replay(failure.seed, None);
            let last = lines.iter().skip(lines.len().saturating_sub(40));
            last.for_each(|line| println!("{line}"));
            let violation = failure.violation;
            panic!(
                "seed {seed}: {oracle}: {says}\nreplay it with: make sim SEED={seed}",
                seed = failure.seed,
                oracle = violation.oracle,
                says = violation.says
            );
        }
    };
    assert_eq!(sum.seeds, SEEDS);
    assert!(sum.counts.operations > 100 * SEEDS, "{} operations", sum.counts.operations);
}

#[test]
fn seeds_that_failed_once_hold() {
    for seed in FAILED_ONCE {
        if let Err(violation) = run(seed, None) {
            panic!("seed {seed}: {}: {}", violation.oracle, violation.says);
        }
    }
}

#[test]
fn a_seed_gives_the_same_trace_again_byte_for_byte() {
    for seed in 0..40 {
        let (first, second) = (replay(seed, None).1, replay(seed, None).1);
        assert!(!first.is_empty());
        let differs = first.iter().zip(&second).position(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
}
