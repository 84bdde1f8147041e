//! What an allocation takes from the system: more than was asked for, as glibc's allocator rounds.

/// Bytes that the allocator keeps before each allocation.
pub(crate) const HEAD_BYTES: usize = 8;

/// Every allocation is a multiple of this.
const UNIT_BYTES: usize = 16;

/// The smallest allocation.
const LEAST_BYTES: usize = 32;

/// Bytes of memory that an allocation of `wanted` bytes takes; none for no bytes.
pub(crate) const fn bytes(wanted: usize) -> usize {
    if wanted == 0 {
        return 0;
    }
    let rounded = (wanted + HEAD_BYTES).next_multiple_of(UNIT_BYTES);
    if rounded < LEAST_BYTES { LEAST_BYTES } else { rounded }
}

// CAVEATS: the system's own rounding to pages, which very large allocations get, is left out: it is
// below 3% there. Free room between allocations is left out too.

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn allocations_are_rounded_as_the_allocator_rounds() {
        let sizes = [0, 1, 24, 25, 40, 41, 152, 153, 1_000];
        assert_eq!(sizes.map(bytes), [0, 32, 32, 48, 48, 64, 160, 176, 1_008]);
    }
}
