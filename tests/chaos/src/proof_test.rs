//! Answers of nodes about themselves: the one that is as it should be, and every way in which it may not be.

use serde_json::{Value, json};

use super::doubts;
use crate::finding::Property;

fn peer(name: &str) -> Value {
    let since = "2026-01-31T12:00:00.000Z";
    json!({"name": name, "identical_since": since, "diverged_buckets": 0, "behind_ops": 0})
}

/// Where something is found in what n1 says of the store `main`, beside n2 and n3.
fn found(said: &Value) -> Vec<String> {
    let found = doubts("n1", "main", &["n2", "n3"], said);
    assert!(found.iter().all(|finding| finding.property == Property::Proven));
    found.into_iter().map(|finding| finding.place).collect()
}

#[test]
fn a_node_that_is_sure_of_all_its_peers_leaves_no_doubt() {
    assert_eq!(found(&json!({"store": "main", "peers": [peer("n3"), peer("n2")]})), [""; 0]);
}

#[test]
fn a_divergence_is_found_with_its_node_its_peer_and_its_store() {
    for (field, value) in
        [("diverged_buckets", json!(3)), ("behind_ops", json!(1)), ("identical_since", json!(null))]
    {
        let mut wrong = peer("n3");
        wrong[field] = value;
        let said = json!({"store": "main", "peers": [peer("n2"), wrong.clone()]});
        assert_eq!(found(&said), ["n1, main beside n3"], "{field}");
        wrong.as_object_mut().unwrap().remove(field);
        let said = json!({"store": "main", "peers": [peer("n2"), wrong]});
        assert_eq!(found(&said), ["n1, main beside n3"], "no {field}");
    }
    let wrong =
        json!({"name": "n3", "identical_since": null, "diverged_buckets": 3, "behind_ops": 0});
    let found = doubts("n1", "main", &["n3"], &json!({"peers": [wrong.clone()]}));
    assert_eq!(found[0].what, format!("it says {wrong}"));
}

#[test]
fn silence_is_no_proof() {
    for said in [json!(null), json!({"code": "not_ready"}), json!({"store": "main", "peers": []})] {
        assert_eq!(found(&said), ["n1, main beside n2", "n1, main beside n3"], "{said}");
    }
    let said = json!({"store": "main", "peers": [peer("n2")]});
    assert_eq!(found(&said), ["n1, main beside n3"]);
    let mut gone = peer("n2");
    gone["identical_since"] = json!(null);
    let said = json!({"store": "main", "peers": [peer("n2"), gone, peer("n3")]});
    assert_eq!(found(&said), ["n1, main beside n2"], "one of that name is not what it was");
}
