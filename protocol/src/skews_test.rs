//! What reports tell of clocks: the quickest counts, silence ends it, and a new run begins anew.

use super::*;
use crate::fixture::{NODE, OTHER, PEER, origin};

const FRESH_MS: u64 = 2_000;

fn skews() -> Skews {
    Skews::new(FRESH_MS)
}

/// A report that shows a skew, at a moment.
fn hear(skews: &mut Skews, now: u64, node: NodeId, ms: i64) {
    skews.reported(UnixMs(now), origin(node, 1), UnixMs(now).moved(ms));
}

fn median(skews: &Skews, now: u64) -> Option<i64> {
    skews.median_ms(UnixMs(now))
}

#[test]
fn the_report_that_came_quickest_counts() {
    let mut skews = skews();
    for (now, ms) in [(10_000, -30), (10_200, -3), (10_400, -900)] {
        hear(&mut skews, now, PEER, ms);
    }
    assert_eq!(median(&skews, 10_400), Some(-3));
    assert_eq!((skews.of(PEER), skews.of(OTHER)), (Some(-3), None));
}

#[test]
fn what_was_heard_before_the_window_counts_no_more() {
    let mut skews = skews();
    hear(&mut skews, 10_000, PEER, 0);
    let mut seen = Vec::new();
    for now in (10_200..=10_000 + 2 * SKEW_WINDOW_MS).step_by(200) {
        hear(&mut skews, now, PEER, -900);
        seen.push((now - 10_000, median(&skews, now).unwrap()));
    }
    let changed = seen.iter().find(|(_, ms)| *ms == -900).unwrap().0;
    assert!((SKEW_WINDOW_MS / 2..=SKEW_WINDOW_MS).contains(&changed), "{changed}");
    assert_eq!(seen.last().unwrap().1, -900);
}

#[test]
fn a_long_silence_forgets_the_window() {
    let mut skews = skews();
    hear(&mut skews, 10_000, PEER, 500);
    assert_eq!(median(&skews, 10_000 + FRESH_MS), None);
    assert_eq!(skews.known().collect::<Vec<_>>(), [500]);
    assert_eq!(skews.of(PEER), Some(500), "as it was last");
    hear(&mut skews, 20_000, PEER, 1);
    assert_eq!(median(&skews, 20_000), Some(1));
}

#[test]
fn a_new_run_begins_anew() {
    let mut skews = skews();
    hear(&mut skews, 10_000, PEER, 3_600_000);
    skews.reported(UnixMs(10_100), origin(PEER, 2), UnixMs(10_100));
    assert_eq!(median(&skews, 10_100), Some(0));
}

#[test]
fn of_an_even_number_this_node_breaks_the_tie() {
    let mut skews = skews();
    assert_eq!(median(&skews, 10_000), None);
    hear(&mut skews, 10_000, PEER, 900);
    assert_eq!(median(&skews, 10_000), Some(900));
    hear(&mut skews, 10_000, OTHER, 2);
    assert_eq!(median(&skews, 10_000), Some(2));
    hear(&mut skews, 10_000, NODE, -900);
    assert_eq!(median(&skews, 10_000), Some(2));
    skews.keep(&[OTHER, NODE].into());
    assert_eq!(median(&skews, 10_000), Some(0), "one ahead, one behind");
}

#[test]
fn moving_this_clock_moves_all_others_beside_it() {
    let mut skews = skews();
    hear(&mut skews, 10_000, PEER, 3_600_000);
    skews.moved(3_600_000);
    let now = 10_000 + 3_600_000;
    assert_eq!(median(&skews, now), Some(0), "and it is as fresh as before");
    hear(&mut skews, now + 200, PEER, -1);
    assert_eq!(median(&skews, now + 200), Some(0));
}

#[test]
fn no_clock_is_too_wrong_to_be_counted() {
    let mut skews = skews();
    skews.reported(UnixMs(0), origin(PEER, 1), UnixMs(u64::MAX));
    skews.reported(UnixMs(u64::MAX), origin(OTHER, 1), UnixMs(0));
    skews.moved(i64::MIN);
    skews.moved(i64::MAX);
    assert_eq!(skews.known().count(), 2);
}
