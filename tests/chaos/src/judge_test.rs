//! The judge is judged: histories that are good must pass, and each bad one must fail for its own reason alone.

use gridkv_soak::Durability;

use super::judge;
use super::story::{KEY, Story, acked, by_peers, memory, os, refused, stamp, unknown};
use crate::finding::Property;
use crate::history::{Loss, Safety};

const DISK: &str = "disk";
const MEMORY: &str = "memory";
const CACHE: &str = "cache";

fn good(story: &Story) {
    assert_eq!(judge(&story.history).findings, [], "{story:#?}");
}

fn bad(story: &Story, property: Property) {
    assert_eq!(story.broken(), [property], "{:#?}", judge(&story.history).findings);
}

// Good histories.

#[test]
fn the_newest_of_concurrent_writes_wins_wherever_it_was_made() {
    good(&Story::of(DISK).put(1, 1, os("2")).put(2, 2, os("1")).all(Some((1, "2"))));
    good(&Story::of(MEMORY).put(1, 1, memory("1")).put(2, 2, memory("2")).all(Some((2, "2"))));
}

#[test]
fn a_write_of_unknown_outcome_may_have_been_made_or_not() {
    let story = Story::of(DISK).put(1, 1, os("1")).put(2, 2, unknown());
    good(&story.clone().all(Some((1, "1"))));
    good(&story.clone().all(Some((2, "2"))));
    good(&story.finds(2, 2, "2").finds(3, 1, "1").all(Some((2, "2"))));
}

#[test]
fn a_deletion_of_unknown_outcome_may_explain_an_absence() {
    let story = Story::of(DISK).put(1, 1, os("1")).delete(2, unknown());
    good(&story.clone().all(None));
    good(&story.finds(1, 1, "1").finds_nothing(1).all(None));
}

#[test]
fn what_only_memory_had_may_be_gone_after_a_kill() {
    let story = Story::of(MEMORY).put(1, 1, memory("1")).put(1, 2, memory("2")).killed(1);
    good(&story.clone().finds_nothing(1).all(None));
    good(&story.clone().all(Some((1, "1"))));
    good(&story.all(Some((2, "2"))));
}

#[test]
fn what_is_lost_with_a_disk_was_not_promised_without_peers() {
    let story = Story::of(DISK).put(1, 1, acked("1", Durability::Fsync)).wiped(1);
    good(&story.all(None));
}

#[test]
fn nodes_may_lag_behind_each_other() {
    let story = Story::of(DISK).put(1, 1, os("1")).put(1, 2, os("2"));
    let story = story.finds_nothing(2).finds(3, 1, "1").finds(2, 1, "1").finds(2, 2, "2");
    good(&story.all(Some((2, "2"))));
}

#[test]
fn answers_may_cross() {
    // The read was asked before the write was answered, and sees what was there before.
    let story = Story::of(DISK).put(1, 1, os("1")).put(1, 2, os("2")).finds(1, 1, "1");
    good(&story.at_the_same_time().all(Some((2, "2"))));
}

#[test]
fn a_value_whose_time_is_over_is_gone() {
    let story = Story::of(DISK).put_for(1, 1, 500, os("1")).finds(1, 1, "1").later(3);
    good(&story.finds_nothing(1).all(None));
}

#[test]
fn a_condition_holds_again_once_the_state_of_the_node_was_lost() {
    let story = Story::of(MEMORY).put(1, 1, memory("1")).put_if(1, 2, "1", memory("2")).killed(1);
    good(&story.put_if(1, 3, "1", memory("3")).all(Some((3, "3"))));
}

#[test]
fn what_is_absent_may_be_written_if_it_is_absent() {
    let story = Story::of(DISK).put(1, 1, os("1")).delete(1, os("2"));
    good(&story.put_if_absent(1, 2, os("3")).all(Some((2, "3"))));
}

#[test]
fn a_cache_may_forget() {
    let story = Story::of(CACHE).put(1, 1, memory("1")).finds_nothing(1);
    good(&story.clone().all(None));
    good(&story.look(1, Some((1, "1"))).look(2, None).look(3, Some((1, "1"))));
}

#[test]
fn a_write_that_was_refused_is_nowhere() {
    let story = Story::of(DISK).put(1, 1, os("1")).put(1, 2, refused()).delete(2, refused());
    good(&story.finds(1, 1, "1").all(Some((1, "1"))));
}

#[test]
fn peers_may_lose_a_write_when_all_of_its_holders_do() {
    let story = Story::of(DISK).put(1, 1, by_peers("1", 1)).wiped(1).wiped(2);
    good(&story.all(None));
}

#[test]
fn what_a_client_saw_in_passing_from_a_process_that_died_may_be_gone() {
    let mut story = Story::of(MEMORY).put(1, 1, memory("1")).finds(1, 1, "1");
    // The read crossed the kill: nobody knows which process answered.
    let read = story.history.ops[1].clone();
    let loss = Loss { node: 1, from: read.invoked + 1, to: read.returned, disk: false };
    story.history.losses.push(loss);
    good(&story.finds_nothing(1).all(None));
}

// Bad histories.

#[test]
fn an_acknowledged_write_that_is_gone_is_lost() {
    bad(&Story::of(DISK).put(1, 1, os("1")).all(None), Property::Keeps);
    bad(&Story::of(MEMORY).put(1, 1, memory("1")).killed(2).all(None), Property::Keeps);
    let older = Story::of(DISK).put(1, 1, os("1")).put(2, 2, os("2")).killed(2);
    bad(&older.all(Some((1, "1"))), Property::Keeps);
}

#[test]
fn a_write_that_survives_the_process_must_survive_a_kill() {
    bad(&Story::of(DISK).put(1, 1, os("1")).killed(1).all(None), Property::Keeps);
}

#[test]
fn a_write_that_peers_have_survives_the_loss_of_a_disk() {
    bad(&Story::of(DISK).put(1, 1, by_peers("1", 1)).wiped(1).all(None), Property::Keeps);
}

#[test]
fn what_was_served_elsewhere_must_stay_although_its_writer_lost_it() {
    let story = Story::of(MEMORY).put(1, 1, memory("1")).finds(2, 1, "1").killed(1);
    bad(&story.all(None), Property::Keeps);
}

#[test]
fn a_deleted_value_that_is_back_is_found() {
    let story = Story::of(DISK).put(1, 1, os("1")).delete(2, os("2"));
    bad(&story.clone().all(Some((1, "1"))), Property::StaysDeleted);
    bad(&story.finds(2, 1, "1").all(None), Property::StaysDeleted);
}

#[test]
fn nodes_that_differ_are_found() {
    let story = Story::of(DISK).put(1, 1, unknown());
    bad(&story.look(1, Some((1, "1"))).look(2, None).look(3, None), Property::Converges);
    let story = Story::of(CACHE).put(1, 1, unknown()).put(1, 2, unknown());
    bad(&story.look(1, Some((1, "1"))).look(2, Some((2, "2"))), Property::Converges);
    bad(&Story::of(DISK), Property::Converges);
}

#[test]
fn a_count_that_is_wrong_is_found() {
    let mut story = Story::of(DISK).put(1, 1, os("1")).all(Some((1, "1")));
    story.history.looks[1].key_count = 2;
    bad(&story, Property::Converges);
}

#[test]
fn a_value_that_nobody_wrote_is_found() {
    bad(&Story::of(DISK).put(1, 1, os("1")).all(Some((9, "2"))), Property::Written);
    bad(
        &Story::of(DISK).put(1, 1, os("1")).finds(2, 9, "0").all(Some((1, "1"))),
        Property::Written,
    );
    let mut elsewhere = Story::of(DISK).put(1, 1, os("1")).all(Some((1, "1")));
    elsewhere.history.ops[0].key = format!("not {KEY}");
    assert!(elsewhere.broken().contains(&Property::Written));
}

#[test]
fn a_value_that_was_seen_before_it_was_written_is_found() {
    bad(
        &Story::of(DISK).finds(2, 1, "1").put(1, 1, os("1")).all(Some((1, "1"))),
        Property::Written,
    );
}

#[test]
fn a_refused_write_that_is_there_is_found() {
    bad(&Story::of(DISK).put(1, 1, refused()).all(Some((1, "1"))), Property::Refused);
    let seen = Story::of(DISK).put(1, 1, os("1")).put(1, 2, refused()).finds(2, 2, "2");
    bad(&seen.put(1, 3, os("3")).all(Some((3, "3"))), Property::Refused);
}

#[test]
fn a_node_that_goes_back_is_found() {
    let story = Story::of(DISK).put(1, 1, os("1")).put(1, 2, os("2"));
    bad(&story.clone().finds(1, 1, "1").all(Some((2, "2"))), Property::NeverBack);
    bad(&story.clone().finds_nothing(1).all(Some((2, "2"))), Property::NeverBack);
    let reads = story.finds(3, 2, "2").finds(3, 1, "1");
    bad(&reads.all(Some((2, "2"))), Property::NeverBack);
    let restart = Story::of(DISK).put(1, 1, os("1")).killed(1).finds_nothing(1);
    bad(&restart.all(Some((1, "1"))), Property::NeverBack);
    let cache = Story::of(CACHE).put(1, 1, memory("1")).put(1, 2, memory("2")).finds(1, 1, "1");
    bad(&cache.all(None), Property::NeverBack);
}

#[test]
fn a_later_write_with_an_earlier_version_is_found() {
    let story = Story::of(DISK).put(1, 1, os("2")).put(1, 2, os("1"));
    bad(&story.all(Some((1, "2"))), Property::NeverBack);
}

#[test]
fn a_version_that_is_given_twice_is_found() {
    let story = Story::of(DISK).put(1, 1, os("1")).put(2, 2, os("1"));
    bad(&story.all(Some((1, "1"))), Property::Versions);
    let moved = Story::of(DISK).put(1, 1, os("1")).finds(2, 1, "2");
    bad(&moved.put(1, 2, os("3")).all(Some((2, "3"))), Property::Versions);
}

#[test]
fn a_condition_that_did_not_hold_is_found() {
    let twice = Story::of(DISK).put(1, 1, os("1")).put_if(1, 2, "1", os("2"));
    let twice = twice.put_if(1, 3, "1", os("3")).at_the_same_time();
    bad(&twice.all(Some((3, "3"))), Property::Conditions);
    let stale = Story::of(DISK).put(1, 1, os("1")).put(1, 2, os("2")).put_if(1, 3, "1", os("3"));
    bad(&stale.all(Some((3, "3"))), Property::Conditions);
    let there = Story::of(DISK).put(1, 1, os("1")).put_if_absent(1, 2, os("2"));
    bad(&there.all(Some((2, "2"))), Property::Conditions);
}

#[test]
fn a_value_that_is_served_after_its_time_is_found() {
    let story = Story::of(DISK).put_for(1, 1, 500, os("1")).later(3);
    bad(&story.clone().finds(2, 1, "1").all(None), Property::Deadlines);
    bad(&story.all(Some((1, "1"))), Property::Deadlines);
}

#[test]
fn a_value_that_goes_before_its_time_is_found() {
    let story = Story::of(DISK).put_for(1, 1, 60_000, os("1")).finds_nothing(1);
    bad(&story.later(70).all(None), Property::NeverBack);
}

#[test]
fn an_acknowledgement_that_says_too_little_is_found() {
    let durable = Safety { durability: Some(Durability::Fsync), acks: 0 };
    let story = Story::of(DISK).put_safely(1, 1, durable, os("1")).all(Some((1, "1")));
    bad(&story, Property::Acknowledgements);
    let peers = Safety { durability: None, acks: 1 };
    let story = Story::of(DISK).put_safely(1, 1, peers, os("1")).all(Some((1, "1")));
    bad(&story, Property::Acknowledgements);
    let story = Story::of(DISK).put(1, 1, memory("1")).all(Some((1, "1")));
    bad(&story, Property::Acknowledgements);
}

#[test]
fn what_is_looked_at_is_counted() {
    let story = Story::of(DISK).put(1, 1, os("1")).finds(1, 1, "1").put(1, 2, refused());
    let verdict = judge(&story.all(Some((1, "1"))).history);
    let looked = |property| verdict.looked_at(property);
    assert_eq!(looked(Property::Keeps), 3);
    assert_eq!(looked(Property::Written), 4);
    assert_eq!(looked(Property::Refused), 1);
    assert_eq!(looked(Property::Versions), 1);
    assert!(looked(Property::NeverBack) >= 1);
    assert!(!stamp(1).is_torn());
}
