//! When the publisher goes back, waits, or gives up: gaps, parts taken, links that break, new epochs,
//! a log that forgets, and the lag it tells.

use super::*;

fn raised(ops: Vec<LoggedOp>, closed: u64, floor: u64) -> Event {
    Event::Committed { ops, closed: at(closed), floor: at(floor) }
}

fn gap(have: u64) -> BatchOutcome {
    BatchOutcome::Gap { have: at(have) }
}

const FOUR: [(&str, u64); 4] = [("a", 1), ("b", 2), ("c", 3), ("d", 4)];

/// With `FOUR` in its log, and both batches of it on the way to `PEER`.
fn streaming() -> Publisher {
    let mut publisher = publisher(LIMITS);
    let steps = vec![
        (reported(PEER, 0), vec![]),
        (committed(logged(me(), &FOUR), 4), vec![sent(0, 2, &FOUR[..2]), sent(2, 4, &FOUR[2..])]),
    ];
    follow("streaming", &mut publisher, steps);
    publisher
}

#[test]
fn what_follows_an_answer() {
    let retry = UnixMs(now().0 + LIMITS.retry_ms);
    let again_from = |ms: usize| vec![sent(ms as u64, 4, &FOUR[ms..])];
    let all_again = vec![sent(0, 2, &FOUR[..2]), sent(2, 4, &FOUR[2..])];
    // The answer to the first batch; what is sent at once; what is sent when the retry is due.
    let table = [
        ("all taken", applied(2), vec![], vec![]),
        ("taken before", applied(4), vec![], vec![]),
        ("a part taken", applied(1), vec![], vec![sent(1, 2, &FOUR[1..2])]),
        ("nothing taken", applied(0), vec![], vec![sent(0, 2, &FOUR[..2])]),
        ("a gap", gap(0), all_again, vec![]),
        ("not now", BatchOutcome::Unavailable, vec![], vec![sent(0, 2, &FOUR[..2])]),
        ("never", BatchOutcome::Refused, vec![], vec![]),
    ];
    for (name, outcome, at_once, later) in table {
        let mut publisher = streaming();
        let sends = publisher.step(now(), answered((0, 2), outcome));
        assert_eq!(read_all(&sends), at_once, "{name}: at once");
        let before = UnixMs(retry.0 - 1);
        assert_eq!(read_all(&publisher.step(before, Event::Tick)), [], "{name}: before the retry");
        assert_eq!(read_all(&publisher.step(retry, Event::Tick)), later, "{name}: the retry");
    }
    let mut publisher = streaming();
    publisher.step(now(), answered((0, 2), applied(2)));
    let sends = publisher.step(now(), answered((2, 4), gap(3)));
    assert_eq!(read_all(&sends), again_from(3), "a gap goes back to what the peer has");
}

#[test]
fn answers_to_what_was_rewound_move_nothing() {
    let stale =
        [applied(4), applied(3), gap(0), gap(3), BatchOutcome::Unavailable, BatchOutcome::Refused];
    for outcome in stale {
        let mut publisher = streaming();
        let steps = vec![
            (answered((0, 2), applied(1)), vec![]),
            (answered((2, 4), outcome), vec![]),
            (answered((0, 2), outcome), vec![]),
        ];
        follow("while holding", &mut publisher, steps);
        let retry = now().plus(LIMITS.retry_ms);
        let again = read_all(&publisher.step(retry, Event::Tick));
        assert_eq!(again, [sent(1, 2, &FOUR[1..2])], "{outcome:?}");
        // And once it streams again: the answer names no batch that is in flight.
        let steps = vec![(answered((2, 4), outcome), vec![]), (Event::Tick, vec![])];
        follow("while streaming", &mut publisher, steps);
    }
}

#[test]
fn what_a_peer_could_not_take_goes_again_alone_and_no_longer_than_it_was() {
    for outcome in [applied(0), BatchOutcome::Unavailable] {
        let mut publisher = publisher(PublisherLimits { batch_max_ops: 9, ..LIMITS });
        publisher.step(now(), reported(PEER, 0));
        publisher.step(now(), committed(logged(me(), &FOUR[..2]), 3));
        let mut time = now();
        for ms in 4..10 {
            publisher.step(time, answered((0, 3), outcome));
            // Writes go on. A batch that took them in with each try would never be in the past.
            publisher.step(time, committed(logged(me(), &[("z", ms)]), ms));
            time = time.plus(LIMITS.retry_ms);
            let sends = publisher.step(time, Event::Tick);
            assert_eq!(read_all(&sends), [sent(0, 3, &FOUR[..2])], "{outcome:?}");
        }
    }
}

#[test]
fn once_it_is_taken_the_window_opens_again() {
    let mut publisher = streaming();
    publisher.step(now(), answered((0, 2), applied(1)));
    publisher.step(now().plus(LIMITS.retry_ms), Event::Tick);
    let more: Vec<(&str, u64)> = vec![("e", 5), ("f", 6), ("g", 7)];
    let steps = vec![
        (committed(logged(me(), &more), 7), vec![]),
        (
            answered((1, 2), applied(2)),
            vec![sent(2, 4, &FOUR[2..]), sent(4, 6, &more[..2]), sent(6, 7, &more[2..])],
        ),
    ];
    follow("taken", &mut publisher, steps);
    // A part whose last point carries no op ends where the batch ended.
    let mut publisher = self::publisher(LIMITS);
    publisher.step(now(), reported(PEER, 0));
    publisher.step(now(), committed(vec![], 9));
    publisher.step(now(), answered((0, 9), applied(5)));
    publisher.step(now(), committed(logged(me(), &[("k", 12)]), 12));
    let due = now().plus(LIMITS.retry_ms);
    assert_eq!(read_all(&publisher.step(due, Event::Tick)), [sent(5, 9, &[])]);
    let steps = vec![
        (Event::Tick, vec![]),
        (answered((5, 9), applied(9)), vec![sent(9, 12, &[("k", 12)])]),
    ];
    follow("time only", &mut publisher, steps);
}

#[test]
fn below_the_floor_a_peer_waits_until_a_catch_up_has_brought_it_there() {
    let mut publisher = publisher(LIMITS);
    let three = &FOUR[..3];
    let steps = vec![
        (raised(logged(me(), three), 3, 2), vec![]),
        (reported(PEER, 0), vec![]),
        (Event::Tick, vec![]),
        (reported(PEER, 1), vec![]),
        (reported(PEER, 2), vec![sent(2, 3, &FOUR[2..3])]),
    ];
    follow("below the floor", &mut publisher, steps);

    let mut publisher = streaming();
    let steps = vec![
        // The ring lost ops up to 3 while the batches were on the way: they do arrive.
        (raised(vec![], 4, 3), vec![]),
        (answered((0, 2), applied(2)), vec![]),
        // Not so the second one, and now the log has a hole.
        (answered((2, 4), gap(2)), vec![]),
        (reported(PEER, 2), vec![]),
        // A catch-up went past what had been sent: what is older is not sent again.
        (reported(PEER, 3), vec![sent(3, 4, &FOUR[3..])]),
    ];
    follow("floor raised under way", &mut publisher, steps);
}

#[test]
fn a_report_of_more_than_was_sent_skips_it() {
    let mut publisher = publisher(PublisherLimits { queue_bytes: 1, ..LIMITS });
    let steps = vec![
        (reported(PEER, 0), vec![]),
        (committed(logged(me(), &FOUR), 4), vec![sent(0, 2, &FOUR[..2])]),
        // What is in flight, or less: nothing changes.
        (reported(PEER, 2), vec![]),
        (reported(PEER, 3), vec![sent(3, 4, &FOUR[3..])]),
        // The answer to what was rewound.
        (answered((0, 2), applied(3)), vec![]),
        (answered((3, 4), applied(4)), vec![]),
    ];
    follow("skip", &mut publisher, steps);
}

#[test]
fn a_link_that_breaks_and_is_made_anew() {
    let mut publisher = streaming();
    let steps = vec![
        (Event::LinkDown { peer: PEER }, vec![]),
        (Event::Tick, vec![]),
        (answered((0, 2), applied(2)), vec![]),
        (committed(vec![], 5), vec![]),
        // Only the first batch had arrived.
        (reported(PEER, 2), vec![sent(2, 5, &FOUR[2..])]),
        (Event::LinkDown { peer: OTHER }, vec![]),
        // The peer's disk was rolled back: it has less than it once had.
        (Event::LinkDown { peer: PEER }, vec![]),
        (reported(PEER, 1), vec![sent(1, 3, &FOUR[1..3]), sent(3, 5, &FOUR[3..])]),
    ];
    follow("link", &mut publisher, steps);
    assert_eq!(publisher.lag(PEER, now()).pending, 3, "lag follows what the peer says now");
}

#[test]
fn who_refuses_gets_nothing_until_its_link_is_made_anew() {
    let mut publisher = streaming();
    let steps = vec![
        (answered((0, 2), BatchOutcome::Refused), vec![]),
        (reported(PEER, 0), vec![]),
        (reported(PEER, 4), vec![]),
        (committed(vec![], 9), vec![]),
        (Event::LinkDown { peer: PEER }, vec![]),
        (reported(PEER, 3), vec![sent(3, 9, &FOUR[3..])]),
    ];
    follow("refused", &mut publisher, steps);
}

#[test]
fn a_new_epoch_starts_at_zero_with_an_empty_log() {
    let next = origin(NODE, 8);
    let mut publisher = streaming();
    // Nothing is closed yet in the new epoch: not even a heartbeat goes.
    let steps = vec![(Event::NewOrigin(next), vec![]), (Event::Tick, vec![])];
    follow("new epoch", &mut publisher, steps);
    assert_eq!((publisher.origin(), publisher.log().floor()), (next, Hlc::ZERO));
    assert!(publisher.log().is_empty());
    let sends = publisher.step(now(), committed(logged(next, &[("e", 5)]), 5));
    assert_eq!(read_all(&sends), [sent(0, 5, &[("e", 5)])]);
    assert_eq!(sends[0].batch.origin, next);
}

#[test]
fn ops_of_a_new_epoch_start_it_too() {
    let next = origin(NODE, 8);
    let mut publisher = streaming();
    let mixed = [logged(me(), &[("e", 5)]), logged(next, &[("f", 6)])].concat();
    let sends = publisher.step(now(), committed(mixed, 6));
    assert_eq!(publisher.origin(), next);
    assert_eq!(read_all(&sends), [sent(0, 6, &[("f", 6)])], "the old epoch's op is not sent");
}

#[test]
fn ops_of_a_past_epoch_do_not_bring_it_back() {
    let next = origin(NODE, 8);
    let mut publisher = streaming();
    publisher.step(now(), Event::NewOrigin(next));
    // The ring still held an op of the past epoch. A batch of it would start at zero, without the ops
    // that were in the log before, and whoever takes it would cover what it does not have.
    let left_over = logged(me(), &[("e", 5)]);
    let sends = publisher.step(now(), committed(left_over, 5));
    assert_eq!(publisher.origin(), next);
    assert!(sends.iter().all(|send| send.batch.origin == next && send.batch.ops.is_empty()));
}

#[test]
fn answers_to_a_past_epoch_say_nothing_of_the_new_one() {
    let next = origin(NODE, 8);
    for outcome in [applied(9), BatchOutcome::Refused, BatchOutcome::Unavailable, gap(1)] {
        let mut publisher = publisher(LIMITS);
        publisher.step(now(), reported(PEER, 0));
        publisher.step(now(), committed(vec![], 4));
        publisher.step(now(), Event::NewOrigin(next));
        publisher.step(now(), committed(logged(next, &[("e", 4)]), 4));
        assert_eq!(read_all(&publisher.step(now(), answered((0, 4), outcome))), []);
        assert_eq!(publisher.lag(PEER, now()).pending, 1, "{outcome:?}: nothing of it arrived");
        // Were the peer refused, or the batch taken for answered, this would be sent otherwise.
        let sends = publisher.step(now(), committed(logged(next, &[("f", 6)]), 6));
        assert_eq!(read_all(&sends), [sent(4, 6, &[("f", 6)])], "{outcome:?}");
    }
}

#[test]
fn a_past_epoch_that_was_refused_does_not_silence_the_new_one() {
    let next = origin(NODE, 8);
    let mut publisher = streaming();
    publisher.step(now(), answered((0, 2), BatchOutcome::Refused));
    publisher.step(now(), Event::NewOrigin(next));
    let sends = publisher.step(now(), committed(logged(next, &[("e", 5)]), 5));
    assert_eq!(read_all(&sends), [sent(0, 5, &[("e", 5)])]);
}

#[test]
fn the_log_forgets_its_oldest_ops_by_bytes() {
    let weight = op("a", me(), 1).weight();
    let mut small = publisher(PublisherLimits { log_bytes: 2 * weight, ..LIMITS });
    small.step(now(), committed(logged(me(), &FOUR), 4));
    let log = small.log();
    assert_eq!((log.floor(), log.len(), log.bytes()), (at(2), 2, 2 * weight));
    assert_eq!(log.closed(), at(4));
    let steps = vec![
        (reported(PEER, 1), vec![]),
        (reported(OTHER, 2), vec![sent(2, 4, &FOUR[2..])]),
        (reported(PEER, 2), vec![sent(2, 4, &FOUR[2..])]),
    ];
    follow("evicted", &mut small, steps);

    // An op that is larger than the whole log is a gap for everybody, not a stop.
    let mut tiny = publisher(PublisherLimits { log_bytes: weight - 1, ..LIMITS });
    let steps = vec![
        (reported(PEER, 0), vec![]),
        (committed(logged(me(), &FOUR[..1]), 1), vec![]),
        (committed(vec![], 2), vec![]),
        (reported(PEER, 1), vec![sent(1, 2, &[])]),
    ];
    follow("larger than the log", &mut tiny, steps);
    assert_eq!((tiny.log().floor(), tiny.log().len(), tiny.log().bytes()), (at(1), 0, 0));
}

#[test]
fn how_far_a_peer_lags() {
    let lag = |pending, age_ms, gap| Lag { pending, age_ms, gap };
    let table = [
        ("nothing", 0, 0, lag(4, now().0 - 1, false)),
        ("a part", 2, 0, lag(2, now().0 - 3, false)),
        ("all", 4, 0, lag(0, 0, false)),
        ("all, after the log forgot it", 4, 4, lag(0, 0, false)),
        ("less than the floor", 1, 2, lag(2, now().0 - 2, true)),
        ("less than the floor, and no op left", 1, 4, lag(0, now().0 - 4, true)),
    ];
    for (name, have, floor, expected) in table {
        let mut publisher = publisher(LIMITS);
        publisher.step(now(), raised(logged(me(), &FOUR), 4, floor));
        publisher.step(now(), reported(PEER, have));
        assert_eq!(publisher.lag(PEER, now()), expected, "the peer has {name}");
        let unheard = publisher.lag(OTHER, now());
        let all = publisher.log().count_after(Hlc::ZERO);
        assert_eq!(unheard.pending, all, "who was never heard of covers nothing");
    }
    // What was sent is pending until it is answered.
    let mut publisher = streaming();
    assert_eq!(publisher.lag(PEER, now()).pending, 4);
    publisher.step(now(), answered((0, 2), applied(2)));
    assert_eq!(publisher.lag(PEER, now()).pending, 2);
    // A clock behind the op's own time makes no negative age.
    assert_eq!(publisher.lag(PEER, UnixMs(0)).age_ms, 0);
}
