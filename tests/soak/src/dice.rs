//! Chance that can be repeated: the same seed makes the same choices, whatever the machine does meanwhile.

use fastrand::Rng;

/// An odd number near the golden ratio of 2^64: multiplying by it spreads small numbers over all bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The chance of one part of a run: of a target, a cycle, a writer. Parts do not share theirs, so that what one of
/// them does more often, because it was faster, does not change the others.
#[must_use]
pub fn dice(seed: u64, part: &str, number: u64) -> Rng {
    let mixed = part
        .bytes()
        .map(u64::from)
        .chain([number])
        .fold(seed, |mixed, word| (mixed ^ word).wrapping_mul(SPREAD).rotate_left(29));
    Rng::with_seed(mixed)
}
