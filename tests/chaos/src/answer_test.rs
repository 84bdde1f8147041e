//! Answers as nodes give them, and what callers make of them.

use gridkv_cluster::Reply;
use gridkv_soak::Durability;

use super::outcomes;
use crate::history::{Asked, Outcome, Safety};
use crate::request::Ask;
use crate::stamp::Stamp;

fn put() -> Ask {
    let stamp = Stamp::new(1, 1);
    let asked = Asked::Put { stamp, ttl_ms: None, condition: None, safety: Safety::default() };
    Ask { key: "k".to_owned(), asked, bytes: 0 }
}

fn get() -> Ask {
    Ask { key: "k".to_owned(), asked: Asked::Get, bytes: 0 }
}

fn reply(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Reply {
    let headers =
        headers.iter().map(|(name, value)| ((*name).parse().unwrap(), (*value).parse().unwrap()));
    Reply { status, headers: headers.collect(), body: body.as_bytes().to_vec() }
}

fn problem(status: u16, code: &str) -> Reply {
    reply(status, &[], &format!("{{\"code\":\"{code}\"}}"))
}

fn of_one(ask: Ask, reply: Reply) -> Outcome {
    outcomes(&[ask], false, &Ok(reply)).pop().unwrap()
}

#[test]
fn a_success_tells_version_durability_and_peers() {
    let headers = [("gridkv-version", "5-1"), ("gridkv-durability", "os"), ("gridkv-acks", "2/1")];
    let written =
        Outcome::Written { version: "5-1".to_owned(), durability: Some(Durability::Os), acks: 2 };
    assert_eq!(of_one(put(), reply(201, &headers, "")), written);
    let found = Outcome::Found { version: "5-1".to_owned(), stamp: Stamp::new(1, 1) };
    assert_eq!(of_one(get(), reply(200, &headers, "c1.1 0 ")), found);
    assert!(matches!(of_one(put(), reply(201, &[], "")), Outcome::Unknown(_)));
}

#[test]
fn only_what_is_certain_is_a_refusal() {
    for (status, code) in [(412, "precondition_failed"), (503, "not_ready"), (507, "disk_full")] {
        assert_eq!(of_one(put(), problem(status, code)), Outcome::Refused(code.to_owned()));
    }
    for (status, code) in [(500, "outcome_unknown"), (503, "store_failed"), (504, "ack_timeout")] {
        assert_eq!(of_one(put(), problem(status, code)), Outcome::Unknown(code.to_owned()));
    }
    assert!(matches!(of_one(put(), reply(502, &[], "<html>")), Outcome::Unknown(_)));
    assert_eq!(of_one(get(), problem(404, "key_not_found")), Outcome::Nothing);
    assert!(matches!(of_one(get(), problem(404, "store_not_found")), Outcome::Refused(_)));
}

#[test]
fn each_operation_of_a_batch_has_its_own_outcome() {
    let body = r#"{"errors":1,"results":[{"status":201,"version":"5-1"},
        {"status":200,"version":"4-1","value":"c1.1 0 "},{"status":404,"code":"key_not_found"},
        {"status":412,"code":"precondition_failed"}]}"#;
    let reply = reply(200, &[("gridkv-durability", "fsync")], body);
    let asks = [put(), get(), get(), put(), put()];
    let outcomes = outcomes(&asks, true, &Ok(reply));
    let version = "5-1".to_owned();
    let durability = Some(Durability::Fsync);
    assert_eq!(outcomes[0], Outcome::Written { version, durability, acks: 0 });
    let found = Outcome::Found { version: "4-1".to_owned(), stamp: Stamp::new(1, 1) };
    assert_eq!(outcomes[1], found);
    assert_eq!(outcomes[2], Outcome::Nothing);
    assert_eq!(outcomes[3], Outcome::Refused("precondition_failed".to_owned()));
    assert!(matches!(outcomes[4], Outcome::Unknown(_)), "there is no fifth result");
}
