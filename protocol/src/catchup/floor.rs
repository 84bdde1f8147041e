//! Who needs a bootstrap: who has not seen everything below a donor's floor may hold what was deleted and
//! forgotten, and who has more of an origin than there was when it was closed holds what nobody else will take.

use super::View;
use crate::frontier::Closing;
use crate::mutant::{self, Mutant};
use crate::{Frontier, Hlc};

/// Whether who has `own` can go on from there beside a donor with this frontier and floor.
pub(super) fn can_go_on(own: View<'_>, donor: &Frontier, floor: Hlc) -> bool {
    mutant::is(Mutant::NoBootstrap)
        || (covers_floor(own.applied, donor, floor) && !holds_strays(own, donor))
}

/// Whether who has `own` holds what a donor never had of an origin that it has closed: a disk from before, of a
/// run that was lost and whose end all members have agreed on since.
fn holds_strays(own: View<'_>, donor: &Frontier) -> bool {
    // Where it ended is not known any more of all that the donor has closed.
    let is_beyond = |origin, point| donor.closing(origin).is_none_or(|closing| point > closing.at);
    let is_loose = |origin| donor.closing(origin).is_some_and(|closing| !closing.loose);
    own.applied.open().any(|(origin, point)| donor.is_closed(origin) && is_beyond(origin, point))
        || own.loose.keys().any(|origin| is_loose(*origin))
}

/// Whether who has `own` has seen all that was deleted and forgotten by a donor with this frontier and floor.
fn covers_floor(own: &Frontier, donor: &Frontier, floor: Hlc) -> bool {
    let needed = |point: Hlc| match Closing::of(point) {
        None => floor.min(point),
        Some(Closing { at, loose: false }) => floor.min(at),
        Some(Closing { loose: true, .. }) => floor,
    };
    donor.iter().all(|(origin, point)| own.get(origin) >= needed(point))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Origin;
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
        let old = origin(PEER, 1);
        let own = frontier(&[(old, 10)]);
        let donor = |point| [(old, point)].into_iter().collect::<Frontier>();
        assert!(covers_floor(&own, &donor(closed(10, false)), at(99)));
        assert!(!covers_floor(&own, &donor(closed(11, false)), at(99)));
        assert!(!covers_floor(&own, &donor(closed(10, true)), at(99)), "something was beyond");
    }

    #[test]
    fn who_has_more_of_a_closed_origin_than_there_was_can_not_go_on() {
        let (old, new) = (origin(PEER, 1), origin(PEER, 2));
        let strays = |own: &[_], loose: &[Origin], donor: &Frontier| {
            let loose = loose.iter().map(|origin| (*origin, 7)).collect();
            holds_strays(View { applied: &frontier(own), loose: &loose }, donor)
        };
        let mut donor = Frontier::default();
        donor.advance(old, closed(10, false));
        assert!(!strays(&[(old, 10)], &[], &donor));
        assert!(!strays(&[(old, 9), (new, 20)], &[new], &donor), "it lacks some, and catches up");
        assert!(strays(&[(old, 11)], &[], &donor));
        assert!(strays(&[(old, 10)], &[old], &donor));
        donor.advance(new, closed(20, true));
        assert!(!strays(&[(new, 20)], &[new], &donor), "all had some beyond");
        donor.forget_closing(old);
        assert!(strays(&[(old, 10), (new, 20)], &[], &donor), "its end is not known any more");
    }
}
