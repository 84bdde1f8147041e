//! Who is woken by what, and that nobody waits for what can not come any more.

use futures_util::FutureExt as _;
use gridkv_protocol::Epoch;
use gridkv_protocol::frontier::Closing;

use super::*;

const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);
const FOR_EVER: Duration = Duration::from_secs(100_000);

fn origin(node: NodeId, epoch: u32) -> Origin {
    Origin::new(node, Epoch(epoch))
}

fn own() -> Origin {
    origin(NodeId(1), 1)
}

fn version(hlc: u64) -> Version {
    Version { hlc: Hlc::from_bits(hlc), origin: own() }
}

fn answered(acks: &Acks, peer: NodeId, upto: u64) {
    acks.answered(origin(peer, 1), own(), Hlc::from_bits(upto));
}

#[actix_rt::test]
async fn a_write_waits_for_as_many_as_it_asked_for() {
    let acks = Arc::<Acks>::default();
    let seat = acks.seat().unwrap();
    let mut wait = Box::pin(seat.wait(version(5), vec![N2, N3], 2, FOR_EVER));
    assert!((&mut wait).now_or_never().is_none());
    answered(&acks, N2, 4);
    answered(&acks, N2, 7);
    answered(&acks, N2, 9);
    assert!((&mut wait).now_or_never().is_none(), "one peer, however often it answers");
    acks.reported(origin(N3, 1), &[(own(), Hlc::from_bits(5))].into_iter().collect());
    assert_eq!(wait.await, [N2, N3], "a report says it as well as an answer");
    assert_eq!(seat.wait(version(5), vec![N2, N3], 2, FOR_EVER).await, [N2, N3], "known already");
    assert_eq!(acks.counts(), AckCounts { met: 2, timed_out: 0 });
}

#[actix_rt::test]
async fn who_was_not_asked_does_not_count() {
    let acks = Arc::<Acks>::default();
    let seat = acks.seat().unwrap();
    let mut wait = Box::pin(seat.wait(version(5), vec![N2], 1, FOR_EVER));
    answered(&acks, N3, 9);
    assert!((&mut wait).now_or_never().is_none());
    answered(&acks, N2, 5);
    assert_eq!(wait.await, [N2]);
}

#[actix_rt::test]
async fn patience_ends_and_says_who_has_it() {
    let acks = Arc::<Acks>::default();
    answered(&acks, N3, 9);
    let seat = acks.seat().unwrap();
    assert_eq!(seat.wait(version(5), vec![N2, N3], 2, Duration::from_millis(1)).await, [N3]);
    assert_eq!(acks.counts(), AckCounts { met: 0, timed_out: 1 });
    assert_eq!(acks.state().waiting.len(), 0);
}

#[actix_rt::test]
async fn a_past_epoch_is_answered_by_frontier() {
    let acks = Arc::<Acks>::default();
    let seat = acks.seat().unwrap();
    let mut wait = Box::pin(seat.wait(version(5), vec![N2], 1, FOR_EVER));
    // The node went on under a new epoch: answers are about that one.
    acks.answered(origin(N2, 1), origin(NodeId(1), 2), Hlc::from_bits(50));
    assert!((&mut wait).now_or_never().is_none(), "of another origin");
    let caught_up = [(own(), Hlc::from_bits(6)), (origin(NodeId(1), 2), Hlc::from_bits(50))];
    acks.reported(origin(N2, 1), &caught_up.into_iter().collect());
    assert_eq!(wait.await, [N2]);
}

#[actix_rt::test]
async fn a_closed_epoch_answers_for_those_before_it() {
    let acks = Arc::<Acks>::default();
    let seat = acks.seat().unwrap();
    let mut wait = Box::pin(seat.wait(version(5), vec![N2], 1, FOR_EVER));
    assert!((&mut wait).now_or_never().is_none());
    let mut theirs = Frontier::default();
    theirs.close(origin(NodeId(1), 2), Closing { at: Hlc::from_bits(9), loose: false });
    acks.reported(origin(N2, 1), &theirs);
    assert_eq!(wait.await, [N2]);
}

#[actix_rt::test]
async fn a_node_that_stops_lets_everyone_go() {
    let acks = Arc::<Acks>::default();
    answered(&acks, N3, 9);
    let (one, two) = (acks.seat().unwrap(), acks.seat().unwrap());
    let mut wait = Box::pin(one.wait(version(5), vec![N2, N3], 2, FOR_EVER));
    assert!((&mut wait).now_or_never().is_none());
    acks.close();
    assert_eq!(wait.await, [N3]);
    assert_eq!(two.wait(version(5), vec![N2], 1, FOR_EVER).await, [], "and who comes later");
}

#[actix_rt::test]
async fn a_request_that_goes_away_leaves_nothing_behind() {
    let acks = Arc::<Acks>::default();
    let seat = acks.seat().unwrap();
    let mut wait = Box::pin(seat.wait(version(5), vec![N2], 1, FOR_EVER));
    assert!((&mut wait).now_or_never().is_none());
    assert_eq!(acks.state().waiting.len(), 1);
    drop(wait);
    assert_eq!(acks.state().waiting.len(), 0);
}

#[test]
fn seats_are_counted_and_given_back() {
    let acks = Arc::<Acks>::default();
    let taken: Vec<Seat> = (0..MAX_WAITS).map(|_| acks.seat().unwrap()).collect();
    assert!(acks.seat().is_none());
    drop(taken);
    assert_eq!(acks.seats.load(Ordering::Acquire), 0, "the refused one too");
    assert!(acks.seat().is_some());
}
