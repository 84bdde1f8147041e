//! Comparisons: what is believed, when, and what is done about it.

use std::collections::BTreeMap;

use super::*;
use crate::fixture::{OTHER, PEER};
use crate::limits::DIGEST_BUCKETS;

/// A store's digest as the machine sees it: roots by frontier, and time.
struct Bench {
    machine: Convergence,
    roots: BTreeMap<u64, u64>,
    now: UnixMs,
}

impl Bench {
    fn new() -> Self {
        let machine = Convergence::default();
        Self { machine, roots: BTreeMap::new(), now: UnixMs(1_000_000) }
    }

    fn step(&mut self, event: Event) -> Vec<Effect> {
        let roots = &self.roots;
        self.machine.step(self.now, event, |frontier| roots.get(&frontier).copied())
    }

    fn pass(&mut self, ms: u64) -> Vec<Effect> {
        self.now = self.now.plus(ms);
        self.step(Event::Tick)
    }

    /// Here the root was `mine` at this frontier, and the peer says that there it was `theirs`.
    fn meet(&mut self, frontier: u64, mine: u64, theirs: u64) -> Vec<Effect> {
        self.roots.insert(frontier, mine);
        self.report(frontier, theirs)
    }

    fn report(&mut self, frontier: u64, root: u64) -> Vec<Effect> {
        self.step(Event::Reported { peer: PEER, proof: Some(Proof { frontier, root }) })
    }

    fn digest(&mut self, theirs: Sums, mine: Sums) -> Vec<Effect> {
        let digests = Some(Digests { theirs, mine });
        self.step(Event::DigestCame { peer: PEER, digests })
    }

    fn agreement(&self) -> Agreement {
        let mut known = self.machine.agreements();
        known.find(|(id, _)| *id == PEER).map(|(_, it)| it).unwrap_or_default()
    }

    /// Brings it to where the peer's digest is asked for.
    fn diverge(&mut self) {
        assert_eq!(self.meet(1, 10, 11), []);
        assert_eq!(self.meet(2, 10, 11), [Effect::RequestDigest { peer: PEER }]);
    }
}

/// A digest whose buckets hold zeros but for these.
fn sums(frontier: u64, root: u64, filled: &[usize]) -> Sums {
    let mut buckets = vec![0; DIGEST_BUCKETS];
    for at in filled {
        buckets[*at] = 1;
    }
    Sums { proof: Proof { frontier, root }, buckets }
}

#[test]
fn it_knows_since_when_two_stores_are_the_same() {
    let mut bench = Bench::new();
    assert_eq!(bench.agreement(), Agreement::default());
    bench.step(Event::Reported { peer: PEER, proof: None });
    assert_eq!(bench.agreement(), Agreement::default(), "it said nothing");
    assert_eq!(bench.meet(1, 5, 5), []);
    let since = Some(bench.now);
    for frontier in 2..60 {
        bench.pass(COMPARED_WITHIN_MS - 1);
        assert_eq!(bench.meet(frontier, frontier, frontier), []);
        assert_eq!(bench.agreement().identical_since, since);
    }
    bench.pass(COMPARED_WITHIN_MS);
    assert_eq!(bench.agreement().identical_since, since);
    bench.pass(1);
    assert_eq!(bench.agreement().identical_since, None, "nothing was compared for too long");
    bench.meet(60, 1, 1);
    assert_eq!(bench.agreement().identical_since, Some(bench.now));
    bench.step(Event::LinkDown { peer: PEER });
    assert_eq!(bench.agreement().identical_since, None);
}

#[test]
fn a_proof_waits_for_the_frontier_to_come_and_not_for_ever() {
    let mut bench = Bench::new();
    bench.report(1, 5);
    bench.report(2, 6);
    assert_eq!(bench.agreement().identical_since, None);
    bench.roots.insert(2, 6);
    bench.pass(10);
    assert_eq!(bench.agreement().identical_since, Some(bench.now));
    // The one before it is of no more use, whatever it says.
    bench.roots.insert(1, 4);
    bench.pass(10);
    assert!(bench.agreement().identical_since.is_some());

    bench.report(3, 7);
    bench.pass(PROOF_WAITS_MS + 1);
    bench.roots.insert(3, 8);
    bench.pass(1);
    assert!(bench.agreement().identical_since.is_some(), "it waited for too long");
    for frontier in 10..10 + 10 * MAX_WAITING_PROOFS as u64 {
        bench.report(frontier, 0);
    }
    assert_eq!(bench.machine.peers[&PEER].waiting.len(), MAX_WAITING_PROOFS);
}

#[test]
fn a_difference_at_one_frontier_is_no_divergence() {
    let mut bench = Bench::new();
    bench.meet(1, 5, 5);
    assert_eq!(bench.meet(2, 10, 11), []);
    assert_eq!(bench.agreement(), Agreement::default());
    assert_eq!(bench.meet(2, 10, 11), [], "the same frontier");
    assert_eq!(bench.meet(3, 12, 12), [], "and it was nothing");
    assert_eq!(bench.agreement().identical_since, Some(bench.now));
    assert_eq!(bench.meet(4, 10, 11), []);
    assert_eq!(bench.agreement().diverged_buckets, 0);
}

#[test]
fn a_difference_that_lasts_is_counted_and_repaired() {
    let mut bench = Bench::new();
    bench.diverge();
    assert_eq!(bench.agreement(), Agreement { identical_since: None, diverged_buckets: 1 });
    assert_eq!(bench.meet(3, 10, 11), [], "it is asked for once");
    let repair = Effect::Repair { peer: PEER, buckets: vec![7, 4_095] };
    let effects = bench.digest(sums(3, 11, &[7, 8]), sums(9, 10, &[8, 4_095]));
    assert_eq!(effects, [repair]);
    assert_eq!(bench.agreement().diverged_buckets, 2);
    assert_eq!(bench.meet(4, 10, 11), [], "while it is repaired");
    bench.pass(REPAIR_PAUSE_MS);
    bench.step(Event::Repaired { peer: PEER });
    assert_eq!(bench.agreement().diverged_buckets, 2, "until it is compared again");
    assert_eq!(bench.meet(5, 12, 12), [Effect::Agreed { peer: PEER }]);
    let agreed = Agreement { identical_since: Some(bench.now), diverged_buckets: 0 };
    assert_eq!(bench.agreement(), agreed);
}

#[test]
fn what_can_not_be_repaired_is_tried_ever_more_seldom() {
    let mut bench = Bench::new();
    bench.diverge();
    let (mut frontier, mut last_pause) = (10, 0);
    for _ in 0..16 {
        let effects = bench.digest(sums(2, 11, &[1]), sums(2, 10, &[]));
        assert_eq!(effects, [Effect::Repair { peer: PEER, buckets: vec![1] }]);
        bench.step(Event::Repaired { peer: PEER });
        let repaired = bench.now;
        loop {
            frontier += 1;
            let step = (last_pause / 8).clamp(100, COMPARED_WITHIN_MS);
            bench.now = bench.now.plus(step);
            if !bench.meet(frontier, 10, 11).is_empty() {
                break;
            }
            assert_eq!(bench.agreement().diverged_buckets, 1);
        }
        let pause = bench.now.since(repaired);
        assert!(pause >= last_pause && pause <= LONGEST_REPAIR_PAUSE_MS + COMPARED_WITHIN_MS);
        last_pause = pause;
    }
    assert!(last_pause >= LONGEST_REPAIR_PAUSE_MS);
}

#[test]
fn digests_of_other_moments_are_not_compared() {
    let mut bench = Bench::new();
    bench.diverge();
    let written_since = Digests { theirs: sums(2, 11, &[1]), mine: sums(7, 99, &[2]) };
    let unknown = Digests { theirs: sums(77, 11, &[1]), mine: sums(2, 10, &[]) };
    for digests in [Some(written_since), Some(unknown), None] {
        let came = bench.step(Event::DigestCame { peer: PEER, digests });
        assert_eq!(came, [], "and it is not asked for at once");
        assert_eq!(bench.pass(DIGEST_RETRY_MS - 1), []);
        assert_eq!(bench.pass(1), [Effect::RequestDigest { peer: PEER }]);
    }
    assert_eq!(bench.pass(DIGEST_TIMEOUT_MS - 1), []);
    assert_eq!(bench.pass(1), [Effect::RequestDigest { peer: PEER }], "it did not come");
    assert_eq!(bench.digest(sums(5, 10, &[3]), sums(5, 10, &[3])), [], "it is the same by now");
    assert_eq!(bench.agreement().diverged_buckets, 0);
    assert_eq!(bench.digest(sums(2, 11, &[1]), sums(2, 10, &[])), [], "nobody asked");
}

#[test]
fn while_writes_go_on_it_is_what_differs_each_time() {
    let mut bench = Bench::new();
    bench.diverge();
    let mut look = |at: u64, written: &[usize], wanted: Option<Vec<u16>>| {
        let effects = bench.digest(sums(100 + at, 11, &[9]), sums(200 + at, 99, written));
        let repair = |buckets| Effect::Repair { peer: PEER, buckets };
        assert_eq!(effects, wanted.map(repair).into_iter().collect::<Vec<_>>());
        bench.pass(DIGEST_RETRY_MS);
        bench.agreement().diverged_buckets
    };
    for at in 0..3 {
        assert_eq!(look(at, &[1, 10 + usize::try_from(at).unwrap()], None), 1);
    }
    assert_eq!(look(3, &[1, 2], Some(vec![1, 9])), 2);
    bench.step(Event::Repaired { peer: PEER });
    bench.pass(REPAIR_PAUSE_MS);
    bench.meet(20, 10, 11);
    assert_eq!(bench.meet(21, 10, 11), [Effect::RequestDigest { peer: PEER }]);
    for at in 0..10 {
        let effects =
            bench.digest(sums(300 + at, 11, &[]), sums(400 + at, 99, &[usize::from(at % 2 == 0)]));
        assert_eq!(effects, [], "never the same one");
        bench.pass(DIGEST_RETRY_MS);
    }
}

#[test]
fn each_peer_is_one_of_its_own() {
    let mut bench = Bench::new();
    bench.diverge();
    let proof = Some(Proof { frontier: 2, root: 10 });
    bench.step(Event::Reported { peer: OTHER, proof });
    let known: BTreeMap<NodeId, Agreement> = bench.machine.agreements().collect();
    assert!(known[&OTHER].identical_since.is_some() && known[&PEER].identical_since.is_none());
    bench.step(Event::LinkDown { peer: PEER });
    bench.step(Event::Repaired { peer: PEER });
    assert_eq!(bench.machine.agreements().count(), 1);
}
