//! What a frontier covers, what closing says, and the laws of joining.

use proptest::prelude::*;

use super::*;

fn origin(node: u32, epoch: u32) -> Origin {
    Origin::new(NodeId(node), Epoch(epoch))
}

#[test]
fn it_only_moves_forward() {
    let mut frontier = Frontier::default();
    assert!(frontier.advance(origin(1, 1), Hlc::from_bits(5)));
    assert!(!frontier.advance(origin(1, 1), Hlc::from_bits(5)));
    assert!(!frontier.advance(origin(1, 1), Hlc::from_bits(4)));
    assert!(!frontier.advance(origin(2, 1), Hlc::ZERO), "zero is what absence means");
    assert_eq!((frontier.get(origin(1, 1)), frontier.len()), (Hlc::from_bits(5), 1));
}

#[test]
fn covering_is_one_comparison_per_origin() {
    let a: Frontier = [(origin(1, 1), Hlc::from_bits(5))].into_iter().collect();
    let version = |bits| Version { hlc: Hlc::from_bits(bits), origin: origin(1, 1) };
    assert!(a.covers(version(5)) && !a.covers(version(6)));
    let mut b = a.clone();
    b.advance(origin(2, 1), Hlc::from_bits(1));
    assert!(b.covers_all(&a) && !a.covers_all(&b));
    let mut c = a.clone();
    c.merge_except(&b, origin(2, 1));
    assert_eq!(c, a, "the excepted origin does not move");
    c.merge_except(&b, origin(9, 9));
    assert_eq!(c, b);
}

#[test]
fn the_newest_epoch_is_of_one_node_only() {
    let frontier: Frontier = [
        (origin(1, 3), Hlc::from_bits(1)),
        (origin(1, 9), Hlc::from_bits(1)),
        (origin(2, 50), Hlc::from_bits(1)),
    ]
    .into_iter()
    .collect();
    assert_eq!(frontier.newest_epoch(NodeId(1)), Some(Epoch(9)));
    assert_eq!(frontier.newest_epoch(NodeId(3)), None);
}

/// Few origins and points, so that frontiers overlap, meet and cover each other all the time.
fn any_frontier() -> impl Strategy<Value = Frontier> {
    let point = prop_oneof![
        4 => (0u64..4).prop_map(Hlc::from_bits),
        1 => (0u64..4, any::<bool>()).prop_map(|(at, loose)| closed(at, loose).point()),
    ];
    prop::collection::vec((0u32..3, 1u32..4, point), 0..6).prop_map(|points| {
        points.into_iter().map(|(node, epoch, point)| (origin(node, epoch), point)).collect()
    })
}

fn join(a: &Frontier, b: &Frontier) -> Frontier {
    let mut both = a.clone();
    both.merge_except(b, origin(99, 99));
    both
}

fn closed(at: u64, loose: bool) -> Closing {
    Closing { at: Hlc::from_bits(at), loose }
}

#[test]
fn a_closed_origin_covers_everything_and_so_do_earlier_ones_of_its_node() {
    let mut frontier: Frontier =
        [(origin(1, 1), Hlc::from_bits(3)), (origin(1, 4), Hlc::from_bits(9))]
            .into_iter()
            .collect();
    assert!(frontier.close(origin(1, 2), closed(5, true)));
    for epoch in [0, 1, 2] {
        let version = Version { hlc: Hlc::CEILING, origin: origin(1, epoch) };
        assert!(frontier.covers(version) && frontier.is_closed(version.origin), "epoch {epoch}");
        assert!(!frontier.advance(version.origin, Hlc::from_bits(100)), "nothing moves any more");
    }
    assert_eq!(frontier.closing(origin(1, 2)), Some(closed(5, true)));
    assert_eq!(frontier.closing(origin(1, 1)), None, "only that it is closed is known");
    assert_eq!(frontier.get(origin(1, 3)), Hlc::ZERO);
    assert_eq!(frontier.get(origin(1, 4)), Hlc::from_bits(9));
    assert_eq!((frontier.greatest(), frontier.low_water()), (Hlc::from_bits(9), Hlc::from_bits(9)));
    assert_eq!(frontier.up_to(Hlc::from_bits(1)).get(origin(1, 2)), Hlc::CLOSED);
    let read: Frontier = frontier.iter().collect();
    assert_eq!(read, frontier, "points say all there is");
}

#[test]
fn how_an_origin_was_closed_is_forgotten_once_a_later_one_says_the_same() {
    let mut frontier = Frontier::default();
    frontier.close(origin(1, 1), closed(5, false));
    assert!(!frontier.forget_closing(origin(1, 1)), "nothing else says that it is closed");
    let mut ahead = frontier.clone();
    frontier.close(origin(1, 7), closed(8, false));
    ahead.close(origin(1, 7), closed(9, false));
    assert_eq!(frontier.fingerprint(), ahead.fingerprint(), "whatever they were closed at");
    assert!(frontier.forget_closing(origin(1, 1)) && !frontier.forget_closing(origin(1, 7)));
    assert_eq!((frontier.len(), frontier.get(origin(1, 1))), (1, Hlc::CLOSED));
    assert_eq!(frontier.fingerprint(), ahead.fingerprint());
    assert!(frontier.covers_all(&ahead) && ahead.covers_all(&frontier));
}

/// What two frontiers cover, over all the origins that tests use.
fn covered(frontier: &Frontier) -> Vec<Hlc> {
    let nodes = 0..3;
    nodes.flat_map(|node| (0..4).map(move |epoch| frontier.get(origin(node, epoch)))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn joining_is_commutative_and_idempotent(a in any_frontier(), b in any_frontier()) {
        prop_assert_eq!(covered(&join(&a, &b)), covered(&join(&b, &a)));
        prop_assert_eq!(join(&a, &a), a);
    }

    #[test]
    fn joining_is_associative(a in any_frontier(), b in any_frontier(), c in any_frontier()) {
        let (left, right) = (join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(covered(&left), covered(&right));
    }

    #[test]
    fn a_join_is_the_least_that_covers_both(
        a in any_frontier(), b in any_frontier(), c in any_frontier(),
    ) {
        let both = join(&a, &b);
        prop_assert!(both.covers_all(&a) && both.covers_all(&b));
        prop_assert_eq!(c.covers_all(&both), c.covers_all(&a) && c.covers_all(&b));
    }

    #[test]
    fn covering_all_is_a_partial_order(
        a in any_frontier(), b in any_frontier(), c in any_frontier(),
    ) {
        prop_assert!(a.covers_all(&a));
        prop_assert_eq!(a.covers_all(&b) && b.covers_all(&a), covered(&a) == covered(&b));
        prop_assert_eq!(a.fingerprint() == b.fingerprint(), covered(&a) == covered(&b));
        prop_assert!(!(a.covers_all(&b) && b.covers_all(&c)) || a.covers_all(&c));
    }

    #[test]
    fn the_excepted_origin_and_only_it_stays(a in any_frontier(), b in any_frontier()) {
        let except = origin(1, 1);
        let mut some = a.clone();
        some.merge_except(&b, except);
        if !b.is_closed(except) {
            prop_assert_eq!(some.get(except), a.get(except));
            prop_assert_eq!(covered(&some.without(except)), covered(&join(&a, &b).without(except)));
        }
    }
}
