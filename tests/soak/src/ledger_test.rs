//! Histories made by hand: the checker must find what is wrong in the bad ones, and nothing in the good ones.

use super::*;

const KEY: &str = "k";

fn print(text: &str) -> Print {
    Print::of(text.as_bytes())
}

fn put(text: &str, outcome: Outcome) -> Note {
    Note { key: KEY.to_owned(), wrote: Some(print(text)), outcome }
}

fn delete(outcome: Outcome) -> Note {
    Note { key: KEY.to_owned(), wrote: None, outcome }
}

fn acked(version: &str, durability: Durability) -> Outcome {
    Outcome::Acked { version: version.to_owned(), durability }
}

fn os(version: &str) -> Outcome {
    acked(version, Durability::Os)
}

/// One key is served with this text in this version.
fn serves(text: &str, version: &str) -> Served {
    Served::of([(KEY, Seen { version: version.to_owned(), print: print(text) })])
}

fn nothing() -> Served {
    Served::of([])
}

fn judge(notes: &[Note], served: &Served, survives: Durability) -> Judgement {
    let mut ledger = Ledger::default();
    ledger.extend(notes.iter().cloned());
    ledger.judge(served, survives)
}

fn found(notes: &[Note], served: &Served) -> Vec<Kind> {
    kinds(&judge(notes, served, Durability::Os))
}

fn kinds(judgement: &Judgement) -> Vec<Kind> {
    judgement.findings.iter().map(|finding| finding.kind).collect()
}

const LOST: Kind = Kind::Lost { promised: Durability::Os };

#[test]
fn what_was_acknowledged_last_is_good() {
    let notes = [put("a", os("1")), delete(os("2")), put("b", os("3"))];
    assert_eq!(found(&notes, &serves("b", "3")), []);
    assert_eq!(found(&notes[..2], &nothing()), []);
    assert_eq!(found(&[], &nothing()), []);
}

#[test]
fn a_write_without_an_answer_may_be_there_or_not() {
    let notes = [put("a", os("1")), put("b", Outcome::Unknown), delete(Outcome::Unknown)];
    assert_eq!(found(&notes, &serves("a", "1")), []);
    assert_eq!(found(&notes, &serves("b", "2")), []);
    assert_eq!(found(&notes, &nothing()), []);
    assert_eq!(found(&[put("a", Outcome::Unknown)], &nothing()), []);
}

#[test]
fn a_lost_acknowledgement_is_found() {
    assert_eq!(found(&[put("a", os("1"))], &nothing()), [LOST]);
    assert_eq!(found(&[delete(Outcome::Unknown), put("a", os("1"))], &nothing()), [LOST]);
}

#[test]
fn an_older_value_than_the_acknowledged_one_is_found() {
    let notes = [put("a", os("1")), put("b", os("2"))];
    assert_eq!(found(&notes, &serves("a", "1")), [LOST]);
    // Also one whose own write was never answered.
    let notes = [put("a", Outcome::Unknown), put("b", os("2"))];
    assert_eq!(found(&notes, &serves("a", "1")), [LOST]);
}

#[test]
fn an_invented_value_is_found() {
    assert_eq!(found(&[put("a", os("1"))], &serves("x", "1")), [Kind::Invented]);
    // A key that nobody wrote, and one of which all was deleted.
    assert_eq!(found(&[], &serves("x", "1")), [Kind::Invented]);
    assert_eq!(found(&[delete(os("1"))], &serves("x", "2")), [Kind::Invented]);
}

#[test]
fn a_resurrected_value_is_found() {
    let notes = [put("a", os("1")), delete(os("2"))];
    assert_eq!(found(&notes, &serves("a", "1")), [Kind::Resurrected]);
}

#[test]
fn a_value_under_a_foreign_version_is_found() {
    assert_eq!(found(&[put("a", os("1"))], &serves("a", "9")), [Kind::OtherVersion]);
}

#[test]
fn versions_that_do_not_rise_are_found() {
    let notes = [put("a", os("2")), put("b", os("2"))];
    assert_eq!(found(&notes, &serves("b", "2")), [Kind::VersionFell]);
}

#[test]
fn only_what_the_fault_may_take_may_be_lost_and_all_is_counted() {
    let notes = [
        put("a", acked("1", Durability::Fsync)),
        put("b", acked("2", Durability::Os)),
        put("c", acked("3", Durability::Memory)),
    ];
    let cut = judge(&notes, &serves("a", "1"), Durability::Fsync);
    assert_eq!(kinds(&cut), []);
    assert_eq!((cut.lost.of(Durability::Os), cut.lost.of(Durability::Memory)), (1, 1));
    assert_eq!(kinds(&judge(&notes, &serves("a", "1"), Durability::Os)), [LOST]);
    assert_eq!(kinds(&judge(&notes, &serves("b", "2"), Durability::Os)), []);
    let gone = judge(&notes, &nothing(), Durability::Fsync);
    assert_eq!(kinds(&gone), [Kind::Lost { promised: Durability::Fsync }]);
    assert_eq!(gone.lost.of(Durability::Fsync), 1);
}

#[test]
fn what_was_served_once_must_stay_although_it_was_never_acknowledged() {
    let mut ledger = Ledger::default();
    ledger.extend([put("a", Outcome::Unknown)]);
    let first = serves("a", "1");
    assert_eq!(kinds(&ledger.judge(&first, Durability::Os)), []);
    ledger.settle(&first);
    assert_eq!(kinds(&ledger.judge(&first, Durability::Os)), []);
    assert_eq!(kinds(&ledger.judge(&nothing(), Durability::Os)), [Kind::Vanished]);
    assert_eq!(kinds(&ledger.judge(&serves("a", "2"), Durability::Os)), [Kind::OtherVersion]);
    // Under a later write that may be lost, it is still the least that must be there.
    ledger.extend([put("b", acked("2", Durability::Memory))]);
    assert_eq!(kinds(&ledger.judge(&first, Durability::Os)), []);
    assert_eq!(kinds(&ledger.judge(&nothing(), Durability::Os)), [Kind::Vanished]);
}

#[test]
fn a_key_that_was_away_at_the_last_look_does_not_come_back() {
    let mut ledger = Ledger::default();
    ledger.extend([put("a", Outcome::Unknown)]);
    ledger.settle(&nothing());
    assert_eq!(kinds(&ledger.judge(&serves("a", "1"), Durability::Os)), [Kind::Invented]);
}

#[test]
fn values_are_known_as_long_as_they_are_not_settled() {
    let mut ledger = Ledger::default();
    ledger.extend([put("a", os("1")), put("b", os("2"))]);
    let seen = |text, version: &str| Seen { version: version.to_owned(), print: print(text) };
    assert!(ledger.once_written(KEY, &seen("a", "1")) && ledger.once_written(KEY, &seen("b", "2")));
    for (key, text, version) in [(KEY, "c", "1"), (KEY, "a", "2"), ("other", "a", "1")] {
        assert!(!ledger.once_written(key, &seen(text, version)));
    }
}
