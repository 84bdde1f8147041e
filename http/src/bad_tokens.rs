//! Who sent tokens that are none, lately: a bounded table without a lock.
//!
//! An address has a place among four, found by a hash that no client can know. When all four are taken the
//! one that has been quiet for longest gives way, so that addresses without end cost no memory; they are
//! slowed less. An address of IPv6 counts by its network of 64 bits, all of which one client may have.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};

use gridkv_protocol::UnixMs;

/// Bad tokens of one address within a second that are looked at; the next are answered 429.
pub(crate) const PER_SECOND: u64 = 5;

/// Addresses that are remembered, at most: 32 KiB.
const PLACES: usize = 4_096;
/// Places that an address may have.
const WAYS: usize = 4;

/// A place is the mark of an address, a second and a count.
const COUNT_BITS: u32 = 8;
const SECOND_BITS: u32 = 32;
const MOST: u64 = (1 << COUNT_BITS) - 1;

/// The table.
pub(crate) struct BadTokens {
    hasher: RandomState,
    places: Vec<AtomicU64>,
}

#[derive(Clone, Copy)]
struct Place {
    mark: u64,
    second: u64,
    count: u64,
}

impl Place {
    fn of(packed: u64) -> Self {
        Self {
            mark: packed >> (COUNT_BITS + SECOND_BITS),
            second: packed >> COUNT_BITS & ((1 << SECOND_BITS) - 1),
            count: packed & MOST,
        }
    }

    fn packed(self) -> u64 {
        self.mark << (COUNT_BITS + SECOND_BITS) | self.second << COUNT_BITS | self.count
    }

    /// One more of the same address.
    fn again(self, second: u64) -> Self {
        let count = if self.second == second { (self.count + 1).min(MOST) } else { 1 };
        Self { mark: self.mark, second, count }
    }
}

impl BadTokens {
    /// Nobody yet.
    pub(crate) fn new() -> Self {
        let places = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Self { hasher: RandomState::new(), places }
    }

    /// Counts one more bad token of `address`. Says whether that are too many for this second.
    pub(crate) fn count(&self, address: IpAddr, now: UnixMs) -> bool {
        let hash = self.hasher.hash_one(network(address));
        let second = (now.0 / 1_000) & ((1 << SECOND_BITS) - 1);
        let mark = hash >> (COUNT_BITS + SECOND_BITS);
        let set = usize::try_from(hash).unwrap_or(usize::MAX) % (PLACES / WAYS);
        let ways = || self.places.iter().skip(set * WAYS).take(WAYS);
        let is_mine = |place: &&AtomicU64| Place::of(place.load(Ordering::Relaxed)).mark == mark;
        let place = ways().find(is_mine).or_else(|| {
            ways().min_by_key(|place| {
                let Place { second, count, .. } = Place::of(place.load(Ordering::Relaxed));
                (second, count)
            })
        });
        let Some(place) = place else { return false };
        let next = |packed: u64| {
            let there = Place::of(packed);
            let mine = Place { mark, second: 0, count: 0 };
            Some(if there.mark == mark { there } else { mine }.again(second).packed())
        };
        let update = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let before = update.unwrap_or_else(|packed| packed);
        next(before).is_some_and(|packed| Place::of(packed).count > PER_SECOND)
    }
}

/// What counts as one client.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_slowed(bad: &BadTokens, address: &str, now: u64) -> bool {
        bad.count(address.parse().unwrap(), UnixMs(now))
    }

    #[test]
    fn the_sixth_within_a_second_is_too_many_and_the_next_second_begins_anew() {
        let bad = BadTokens::new();
        for now in [1_000, 2_999, 1_700_000_000_000] {
            let told: Vec<bool> = (0..7).map(|_| is_slowed(&bad, "192.0.2.1", now)).collect();
            assert_eq!(told, [false, false, false, false, false, true, true], "{now}");
        }
        assert!(
            !is_slowed(&bad, "192.0.2.2", 1_700_000_000_000),
            "another address is another client"
        );
        for _ in 0..1_000 {
            assert!(is_slowed(&bad, "192.0.2.1", 1_700_000_000_999), "and the count never wraps");
        }
    }

    #[test]
    fn one_client_is_one_network() {
        let bad = BadTokens::new();
        for last in 1..=5 {
            assert!(!is_slowed(&bad, &format!("2001:db8::{last}"), 1));
        }
        assert!(is_slowed(&bad, "2001:db8::abcd:1", 1));
        assert!(!is_slowed(&bad, "2001:db8:0:1::1", 1));
        for _ in 0..5 {
            assert!(!is_slowed(&bad, "::ffff:192.0.2.7", 1));
        }
        assert!(is_slowed(&bad, "192.0.2.7", 1));
    }

    #[test]
    fn addresses_without_end_take_no_more_room() {
        let bad = BadTokens::new();
        for address in 0..100_000_u32 {
            bad.count(IpAddr::V4(address.into()), UnixMs(5_000));
        }
        assert_eq!(bad.places.len(), PLACES);
        for _ in 0..5 {
            is_slowed(&bad, "192.0.2.1", 6_000);
        }
        assert!(is_slowed(&bad, "192.0.2.1", 6_000), "and who goes on is still slowed");
    }
}
