//! Whether the nodes know that they hold the same: what each says of itself beside each of its peers, store by store.
//!
//! The judge looks at what is served; this asks whether a node would tell its operator the same. It is asked once all is
//! well again and nobody writes: then a node that can not say it, or says otherwise, is wrong.

use gridkv_cluster::Node;
use serde_json::Value;

use crate::finding::{Finding, Property};

/// What a node says of a store that it should not, or does not say of it and should, beside all `others`.
pub(crate) fn ask(node: &Node, store: &str, others: &[&str]) -> Vec<Finding> {
    let path = format!("/v1/stores/{store}/convergence");
    let said = node.client().request("GET", &path).send().ok().and_then(|reply| reply.json().ok());
    doubts(node.name(), store, others, &said.unwrap_or_default())
}

/// The same of an answer.
fn doubts(node: &str, store: &str, others: &[&str], said: &Value) -> Vec<Finding> {
    let peers = said.get("peers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let name = |peer: &Value| peer.get("name").and_then(Value::as_str).map(str::to_owned);
    let finding = |peer: &str, what: String| {
        let place = format!("{node}, {store} beside {peer}");
        Finding { property: Property::Proven, place, what }
    };
    let unsure = peers.iter().filter(|peer| !is_sure(peer));
    let unsure =
        unsure.map(|peer| finding(&name(peer).unwrap_or_default(), format!("it says {peer}")));
    let is_named = |other: &&&str| peers.iter().any(|peer| name(peer).as_deref() == Some(**other));
    let unnamed = others.iter().filter(|other| !is_named(other));
    unsure.chain(unnamed.map(|other| finding(other, format!("it says {said}")))).collect()
}

/// Whether a node says of a peer that both hold the same, and have everything of each other.
fn is_sure(peer: &Value) -> bool {
    let none = |field| peer.get(field).is_some_and(|count| count == 0);
    peer.get("identical_since").is_some_and(Value::is_string)
        && none("diverged_buckets")
        && none("behind_ops")
}

#[cfg(test)]
#[path = "proof_test.rs"]
mod proof_test;
