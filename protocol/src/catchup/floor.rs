//! The rule of the floor: who has not seen everything below it may hold what was deleted and forgotten.

use crate::frontier::Closing;
use crate::mutant::{self, Mutant};
use crate::{Frontier, Hlc};

/// Whether who has `own` has seen all that was deleted and forgotten by a donor with this frontier and floor.
pub(super) fn covers_floor(own: &Frontier, donor: &Frontier, floor: Hlc) -> bool {
    if mutant::is(Mutant::NoBootstrap) {
        return true;
    }
    let needed = |point: Hlc| match Closing::of(point) {
        None => floor.min(point),
        Some(Closing { at, loose: false }) => floor.min(at),
        Some(Closing { loose: true, .. }) => floor,
    };
    // Where they ended is not known of all that the donor has closed.
    let unlisted = |origin| donor.is_closed(origin) && donor.closing(origin).is_none();
    donor.iter().all(|(origin, point)| own.get(origin) >= needed(point))
        && own.open().all(|(origin, point)| !unlisted(origin) || point >= floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{NODE, OTHER, PEER, at, frontier, origin};

    fn closed(ms: u64, loose: bool) -> Hlc {
        Closing { at: at(ms), loose }.point()
    }

    #[test]
    fn what_a_donor_has_of_each_origin_below_its_floor_must_be_covered() {
        let donor = frontier(&[(origin(PEER, 1), 50), (origin(OTHER, 1), 5)]);
        let table: [(&[_], u64, bool); 6] = [
            (&[], 0, true),
            (&[], 1, false),
            (&[(origin(PEER, 1), 20), (origin(OTHER, 1), 5)], 20, true),
            (&[(origin(PEER, 1), 19), (origin(OTHER, 1), 5)], 20, false),
            (&[(origin(PEER, 1), 20), (origin(OTHER, 1), 4)], 20, false),
            (&[(origin(PEER, 1), 20), (origin(OTHER, 1), 5), (origin(NODE, 1), 1)], 20, true),
        ];
        for (own, floor, covers) in table {
            assert_eq!(covers_floor(&frontier(own), &donor, at(floor)), covers, "{own:?} {floor}");
        }
    }

    #[test]
    fn of_a_closed_origin_its_end_is_enough_if_it_is_known() {
        let (old, new) = (origin(PEER, 1), origin(PEER, 2));
        let own = frontier(&[(old, 10)]);
        let donor = |point| [(old, point)].into_iter().collect::<Frontier>();
        assert!(covers_floor(&own, &donor(closed(10, false)), at(99)));
        assert!(!covers_floor(&own, &donor(closed(11, false)), at(99)));
        assert!(!covers_floor(&own, &donor(closed(10, true)), at(99)), "something was beyond");
        let mut unlisted = donor(closed(10, false));
        unlisted.advance(new, closed(20, false));
        unlisted.forget_closing(old);
        let own = frontier(&[(old, 10), (new, 20)]);
        assert!(!covers_floor(&own, &unlisted, at(30)));
        assert!(covers_floor(&own, &unlisted, at(10)));
    }
}
