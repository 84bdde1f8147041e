//! What the publisher sends, as tables of events and the batches that follow them: windows, the cut
//! of batches, coalescing, and closed time. Gaps, holds and lag are in `publisher_pace_test.rs`.

use super::*;
use crate::fixture::{NODE, OTHER, PEER, at, frontier, logged, op, origin, seen_by};

#[path = "publisher_pace_test.rs"]
mod pace;

const LIMITS: PublisherLimits = PublisherLimits {
    log_bytes: 1_000_000,
    batch_max_ops: 2,
    batch_max_bytes: 100_000,
    queue_bytes: 1_000_000,
    retry_ms: 50,
};

fn me() -> Origin {
    origin(NODE, 7)
}

fn now() -> UnixMs {
    UnixMs(10_000)
}

fn publisher(limits: PublisherLimits) -> Publisher {
    Publisher::new(me(), limits)
}

fn committed(ops: Vec<LoggedOp>, closed: u64) -> Event {
    Event::Committed { ops, closed: at(closed), floor: Hlc::ZERO }
}

fn reported(peer: NodeId, have: u64) -> Event {
    Event::Reported { peer, have: at(have) }
}

/// `PEER` answers the batch of `me()` between these milliseconds.
fn answered((after, upto): (u64, u64), outcome: BatchOutcome) -> Event {
    Event::Answered { peer: PEER, origin: me(), after: at(after), upto: at(upto), outcome }
}

fn applied(ms: u64) -> BatchOutcome {
    BatchOutcome::Applied { applied: at(ms), durable: Hlc::ZERO }
}

/// A batch as a test reads it: its bounds in milliseconds, and its ops.
type Sent = (u64, u64, Vec<(String, u64)>);

fn sent(after: u64, upto: u64, ops: &[(&str, u64)]) -> Sent {
    (after, upto, ops.iter().map(|(key, ms)| ((*key).to_owned(), *ms)).collect())
}

fn read(batch: &OpBatch) -> Sent {
    let one = |op: &Op| (op.key.as_str().to_owned(), op.record.version.hlc.physical().0);
    let ops = batch.ops.iter().map(one).collect();
    (batch.after.physical().0, batch.upto.physical().0, ops)
}

fn read_all(sends: &[Send]) -> Vec<Sent> {
    sends.iter().map(|send| read(&send.batch)).collect()
}

/// Feeds events at one moment and compares what is sent after each.
fn follow(name: &str, publisher: &mut Publisher, steps: Vec<(Event, Vec<Sent>)>) {
    for (number, (event, expected)) in steps.into_iter().enumerate() {
        let text = format!("{event:?}");
        let sends = publisher.step(now(), event);
        assert_eq!(read_all(&sends), expected, "{name}: step {number}: {text}");
    }
}

#[test]
fn nothing_is_sent_before_a_peer_has_said_what_it_has() {
    let mut publisher = publisher(LIMITS);
    let steps = vec![
        (committed(logged(me(), &[("a", 1)]), 5), vec![]),
        (Event::Tick, vec![]),
        (answered((0, 5), applied(5)), vec![]),
        (reported(PEER, 0), vec![sent(0, 5, &[("a", 1)])]),
    ];
    follow("silent", &mut publisher, steps);
}

#[test]
fn batches_follow_on_each_other_in_a_window() {
    let ops: Vec<(String, u64)> = (1..=40).map(|ms| (format!("k{ms}"), ms)).collect();
    let ops: Vec<(&str, u64)> = ops.iter().map(|(key, ms)| (key.as_str(), *ms)).collect();
    let mut publisher = publisher(LIMITS);
    publisher.step(now(), reported(PEER, 0));
    let sends = publisher.step(now(), committed(logged(me(), &ops), 40));
    assert_eq!(sends.len(), MAX_BATCHES_IN_FLIGHT, "the window is full");
    let bounds: Vec<(u64, u64)> =
        read_all(&sends).into_iter().map(|(after, upto, _)| (after, upto)).collect();
    assert_eq!(bounds[..3], [(0, 2), (2, 4), (4, 6)]);
    let steps = vec![
        (Event::Tick, vec![]),
        (answered((0, 2), applied(2)), vec![sent(16, 18, &[("k17", 17), ("k18", 18)])]),
        (answered((2, 4), applied(4)), vec![sent(18, 20, &[("k19", 19), ("k20", 20)])]),
    ];
    follow("window", &mut publisher, steps);
}

#[test]
fn bytes_in_flight_are_bounded_but_one_batch_always_goes() {
    let mut publisher = publisher(PublisherLimits { queue_bytes: 1, ..LIMITS });
    let ops = logged(me(), &[("a", 1), ("b", 2), ("c", 3)]);
    let steps = vec![
        (reported(PEER, 0), vec![]),
        (committed(ops, 3), vec![sent(0, 2, &[("a", 1), ("b", 2)])]),
        (answered((0, 2), applied(2)), vec![sent(2, 3, &[("c", 3)])]),
    ];
    follow("queue bytes", &mut publisher, steps);
}

#[test]
fn peers_go_at_their_own_pace() {
    let mut publisher = publisher(LIMITS);
    publisher.step(now(), committed(logged(me(), &[("a", 1), ("b", 2), ("c", 3)]), 3));
    publisher.step(now(), reported(PEER, 2));
    let sends = publisher.step(now(), reported(OTHER, 0));
    assert!(sends.iter().all(|send| send.peer == OTHER));
    assert_eq!(read_all(&sends), [sent(0, 2, &[("a", 1), ("b", 2)]), sent(2, 3, &[("c", 3)])]);
    assert_eq!(publisher.lag(PEER, now()).pending, 1);
    assert_eq!(publisher.lag(OTHER, now()).pending, 3);
}

#[test]
fn what_ends_a_batch() {
    let [nobody, somebody] = [frontier(&[]), frontier(&[(origin(PEER, 1), 9)])];
    let weight = op("a", me(), 1).weight();
    let two_views = [
        seen_by(me(), &nobody, &[("a", 1)]),
        seen_by(me(), &somebody, &[("b", 2)]),
        seen_by(me(), &somebody, &[("c", 3)]),
    ]
    .concat();
    let three = [("a", 1), ("b", 2), ("c", 3)];
    let table = [
        (
            "its number of ops",
            LIMITS,
            logged(me(), &three),
            vec![sent(0, 2, &three[..2]), sent(2, 9, &three[2..])],
        ),
        (
            "its bytes",
            PublisherLimits { batch_max_ops: 9, batch_max_bytes: 2 * weight, ..LIMITS },
            logged(me(), &three),
            vec![sent(0, 2, &three[..2]), sent(2, 9, &three[2..])],
        ),
        (
            "one byte less",
            PublisherLimits { batch_max_ops: 9, batch_max_bytes: 2 * weight - 1, ..LIMITS },
            logged(me(), &three),
            vec![sent(0, 1, &three[..1]), sent(1, 2, &three[1..2]), sent(2, 9, &three[2..])],
        ),
        (
            "ops larger than a batch go alone",
            PublisherLimits { batch_max_ops: 9, batch_max_bytes: 1, ..LIMITS },
            logged(me(), &three),
            vec![sent(0, 1, &three[..1]), sent(1, 2, &three[1..2]), sent(2, 9, &three[2..])],
        ),
        (
            "a writer who has seen more",
            PublisherLimits { batch_max_ops: 9, ..LIMITS },
            two_views,
            vec![sent(0, 1, &three[..1]), sent(1, 9, &three[1..])],
        ),
        (
            "a limit of no ops still lets one go",
            PublisherLimits { batch_max_ops: 0, ..LIMITS },
            logged(me(), &three[..2]),
            vec![sent(0, 1, &three[..1]), sent(1, 9, &three[1..2])],
        ),
    ];
    for (name, limits, ops, expected) in table {
        let mut publisher = publisher(limits);
        let steps = vec![(reported(PEER, 0), vec![]), (committed(ops, 9), expected)];
        follow(name, &mut publisher, steps);
    }
}

#[test]
fn a_batch_carries_what_its_writer_had_seen() {
    let seen = frontier(&[(origin(PEER, 1), 9)]);
    let mut publisher = publisher(LIMITS);
    publisher.step(now(), reported(PEER, 0));
    let sends = publisher.step(now(), committed(seen_by(me(), &seen, &[("a", 1)]), 1));
    assert_eq!(sends.iter().map(|send| &send.batch.seen).collect::<Vec<_>>(), [&seen]);
}

#[test]
fn ops_of_one_key_coalesce_within_one_batch_and_never_across() {
    let ops = logged(me(), &[("a", 1), ("b", 2), ("a", 3), ("a", 4)]);
    let table = [
        ("all in one", 9, vec![sent(0, 4, &[("b", 2), ("a", 4)])]),
        // Were "a"@1 left out of the first batch, its receiver would cover 2 without it.
        ("in two", 2, vec![sent(0, 2, &[("a", 1), ("b", 2)]), sent(2, 4, &[("a", 4)])]),
        (
            "in three",
            1,
            vec![
                sent(0, 1, &[("a", 1)]),
                sent(1, 2, &[("b", 2)]),
                sent(2, 3, &[("a", 3)]),
                sent(3, 4, &[("a", 4)]),
            ],
        ),
    ];
    for (name, batch_max_ops, expected) in table {
        let mut publisher = publisher(PublisherLimits { batch_max_ops, ..LIMITS });
        let steps = vec![(reported(PEER, 0), vec![]), (committed(ops.clone(), 4), expected)];
        follow(name, &mut publisher, steps);
    }
}

#[test]
fn a_heartbeat_closes_time_when_nothing_is_in_flight() {
    let mut publisher = publisher(LIMITS);
    let steps = vec![
        (reported(PEER, 0), vec![]),
        (committed(vec![], 5), vec![sent(0, 5, &[])]),
        (committed(vec![], 6), vec![]),
        (Event::Tick, vec![]),
        // Ops do not wait for the heartbeat's answer.
        (committed(logged(me(), &[("a", 8)]), 8), vec![sent(5, 8, &[("a", 8)])]),
        (committed(vec![], 9), vec![]),
        (answered((0, 5), applied(5)), vec![]),
        (answered((5, 8), applied(8)), vec![sent(8, 9, &[])]),
        (answered((8, 9), applied(9)), vec![]),
        (Event::Tick, vec![]),
    ];
    follow("heartbeat", &mut publisher, steps);
}

#[test]
fn only_the_last_batch_reaches_the_closed_point_and_none_goes_past_it() {
    let mut publisher = publisher(LIMITS);
    let steps = vec![
        (reported(PEER, 0), vec![]),
        (
            committed(logged(me(), &[("a", 1), ("b", 2), ("c", 3)]), 7),
            vec![sent(0, 2, &[("a", 1), ("b", 2)]), sent(2, 7, &[("c", 3)])],
        ),
        // A peer that claims more than was ever closed gets nothing until time has come.
        (reported(PEER, 20), vec![]),
        (committed(vec![], 19), vec![]),
        (committed(logged(me(), &[("d", 21)]), 21), vec![sent(20, 21, &[("d", 21)])]),
    ];
    follow("closed", &mut publisher, steps);
    assert_eq!(publisher.log().closed(), at(21));
}
