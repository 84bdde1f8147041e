//! What the applier does with a batch, as a table over what the store has.

use super::*;
use crate::fixture::{NODE, OTHER, PEER, at, frontier, op, origin};

const NOW: UnixMs = UnixMs(1_000);
const SKEW_MS: u64 = 500;

fn batch(origin: Origin, (after, upto): (u64, u64), ops: &[(&str, u64)]) -> OpBatch {
    OpBatch {
        origin,
        after: at(after),
        upto: at(upto),
        seen: frontier(&[(super::Origin::new(OTHER, crate::Epoch(1)), 3)]),
        ops: ops.iter().map(|(key, ms)| op(key, origin, *ms)).collect(),
    }
}

fn judge(batch: OpBatch, applied: &Frontier, durable: &Frontier) -> Effect {
    Applier::new(NODE, SKEW_MS).step(NOW, Event::Batch { batch, applied, durable })
}

fn answer(outcome: BatchOutcome) -> Effect {
    Effect::Answer(outcome)
}

/// A merge of these ops of the peer's epoch 5.
fn merge(upto: Hlc, ops: &[(&str, u64)]) -> Effect {
    let peer = origin(PEER, 5);
    let OpBatch { seen, ops, .. } = batch(peer, (0, 0), ops);
    Effect::Merge(Stretch { origin: peer, upto, seen, ops })
}

#[test]
fn what_is_taken_of_a_batch() {
    let ops = [("a", 11), ("b", 12), ("c", 13)];
    let skewed = [("a", 1_499), ("b", 1_500), ("c", 1_501)];
    let limit = Hlc::end_of(NOW.plus(SKEW_MS));
    let held = |ms| BatchOutcome::Applied { applied: at(ms), durable: at(2) };
    // The store's frontier of the peer; the batch; what is done.
    let table = [
        ("it continues", 10, (10, 20), &ops[..], merge(at(20), &ops)),
        ("it starts at zero", 0, (0, 20), &ops, merge(at(20), &ops)),
        ("it starts below what is held", 12, (10, 20), &ops, merge(at(20), &ops[2..])),
        ("only its time is new", 13, (10, 20), &ops, merge(at(20), &[])),
        ("a heartbeat", 10, (10, 20), &[], merge(at(20), &[])),
        ("a gap", 9, (10, 20), &ops, answer(BatchOutcome::Gap { have: at(9) })),
        ("a gap from zero", 0, (10, 20), &ops, answer(BatchOutcome::Gap { have: Hlc::ZERO })),
        ("a gap in a heartbeat", 9, (10, 20), &[], answer(BatchOutcome::Gap { have: at(9) })),
        ("nothing new", 20, (10, 20), &ops, answer(held(20))),
        ("less than is held", 25, (10, 20), &ops, answer(held(25))),
        (
            "the last point within the skew",
            10,
            (10, 1_500),
            &skewed[..2],
            merge(at(1_500), &skewed[..2]),
        ),
        (
            "only its time is beyond the skew",
            10,
            (10, 1_600),
            &skewed[..2],
            merge(limit, &skewed[..2]),
        ),
        ("its last op is beyond the skew", 10, (10, 1_600), &skewed, answer(held(10))),
        ("a heartbeat beyond the skew", 10, (10, 1_600), &[], merge(limit, &[])),
        ("all beyond the skew", 1_501, (1_501, 1_600), &[("c", 1_600)], answer(held(1_501))),
        (
            "a gap beyond the skew",
            1_500,
            (1_501, 1_600),
            &skewed[2..],
            answer(BatchOutcome::Gap { have: at(1_500) }),
        ),
    ];
    let peer = origin(PEER, 5);
    for (name, have, bounds, ops, expected) in table {
        let [applied, durable] = [have, 2].map(|ms| frontier(&[(peer, ms)]));
        assert_eq!(judge(batch(peer, bounds, ops), &applied, &durable), expected, "{name}");
    }
}

#[test]
fn whose_batches_are_refused() {
    let table = [
        ("a later epoch is known", origin(PEER, 5), vec![(origin(PEER, 6), 1)], true),
        ("the same epoch is known", origin(PEER, 5), vec![(origin(PEER, 5), 1)], false),
        ("an earlier epoch is known", origin(PEER, 5), vec![(origin(PEER, 4), 1)], false),
        (
            "another node's later epoch is known",
            origin(PEER, 5),
            vec![(origin(OTHER, 9), 1)],
            false,
        ),
        ("this node's own identity", origin(NODE, 5), vec![], true),
        ("this node's own identity, later", origin(NODE, 9), vec![(origin(NODE, 5), 1)], true),
    ];
    for (name, from, known, refused) in table {
        let known = frontier(&known);
        let effect = judge(batch(from, (0, 20), &[]), &known, &known);
        assert_eq!(effect == answer(BatchOutcome::Refused), refused, "{name}: {effect:?}");
    }
}

#[test]
fn an_epoch_that_is_over_is_refused_even_when_it_leaves_a_gap() {
    let known = frontier(&[(origin(PEER, 6), 1)]);
    let effect = judge(batch(origin(PEER, 5), (10, 20), &[]), &known, &known);
    assert_eq!(effect, answer(BatchOutcome::Refused));
}

#[test]
fn a_merge_is_acknowledged_with_what_is_held_after_it() {
    let peer = origin(PEER, 5);
    let [applied, durable] = [20, 10].map(|ms| frontier(&[(peer, ms)]));
    let merged = Event::Merged { origin: peer, applied: &applied, durable: &durable };
    let outcome = BatchOutcome::Applied { applied: at(20), durable: at(10) };
    assert_eq!(Applier::new(NODE, SKEW_MS).step(NOW, merged), answer(outcome));
}

#[test]
fn the_rest_comes_when_time_has_come() {
    let peer = origin(PEER, 5);
    let applier = Applier::new(NODE, SKEW_MS);
    let limit = Hlc::end_of(NOW.plus(SKEW_MS));
    let held: Frontier = [(peer, limit)].into_iter().collect();
    let rest = OpBatch { after: limit, ..batch(peer, (0, 1_502), &[("c", 1_501)]) };
    let step =
        |now, batch| applier.step(now, Event::Batch { batch, applied: &held, durable: &held });
    let outcome = BatchOutcome::Applied { applied: limit, durable: limit };
    assert_eq!(step(NOW, rest.clone()), answer(outcome));
    assert_eq!(step(NOW.plus(2), rest), merge(at(1_502), &[("c", 1_501)]));
}

#[test]
fn the_end_of_time_is_no_overflow() {
    let peer = origin(PEER, 5);
    let applier = Applier::new(NODE, u64::MAX);
    let none = Frontier::default();
    let batch = OpBatch { upto: Hlc::from_bits(u64::MAX), ..batch(peer, (0, 0), &[]) };
    let event = Event::Batch { batch, applied: &none, durable: &none };
    assert_eq!(applier.step(UnixMs(u64::MAX), event), merge(Hlc::from_bits(u64::MAX), &[]));
}

#[test]
fn batches_wait_while_the_store_is_filled_and_those_of_closed_origins_are_refused() {
    let peer = origin(PEER, 1);
    let batch = || OpBatch {
        origin: peer,
        after: Hlc::ZERO,
        upto: at(5),
        seen: Frontier::default(),
        ops: vec![op("k", peer, 5)],
    };
    let mut applier = Applier::new(NODE, 500);
    let mut has = Frontier::default();
    let step = |applier: &Applier, has: &Frontier| {
        let event = Event::Batch { batch: batch(), applied: has, durable: has };
        applier.step(UnixMs(5), event)
    };
    applier.hold(true);
    assert_eq!(step(&applier, &has), Effect::Answer(BatchOutcome::Unavailable));
    applier.hold(false);
    assert!(matches!(step(&applier, &has), Effect::Merge(_)));
    has.close(peer, crate::frontier::Closing { at: at(1), loose: false });
    assert_eq!(step(&applier, &has), Effect::Answer(BatchOutcome::Refused));
}
