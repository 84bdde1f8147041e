//! Whether all nodes hold the same: as they say themselves, and key by key.

use std::error::Error;
use std::time::Duration;

use gridkv_cluster::{Client, Deadline, wait_for};
use serde_json::Value;

use crate::mesh::Mesh;

/// Keys of one page: as many as a node gives.
const PAGE: usize = 1_000;

/// Waits until every node has found its digest to be the same as each peer's.
///
/// # Errors
/// When one has not within `patience`.
pub fn wait(mesh: &Mesh, patience: Duration) -> Result<(), Box<dyn Error>> {
    let deadline = Deadline::after(patience);
    let others = mesh.nodes().len() - 1;
    for (client, node) in mesh.clients().iter().zip(mesh.nodes()) {
        let what = format!("{} to be identical to its peers", node.name());
        wait_for(deadline, what, || is_identical(client, others).then_some(()))?;
    }
    Ok(())
}

fn is_identical(client: &Client, others: usize) -> bool {
    let reply = client.request("GET", "/v1/stores/main/convergence").send();
    let json = reply.ok().and_then(|reply| reply.expect_status(200).ok()?.json().ok());
    let peers = json.as_ref().and_then(|json| json.get("peers")?.as_array());
    let is_same = |peer: &Value| peer.get("identical_since").is_some_and(Value::is_string);
    peers.is_some_and(|peers| peers.len() == others && peers.iter().all(is_same))
}

/// Compares keys and versions of all nodes.
///
/// # Errors
/// When they differ.
pub fn compare(mesh: &Mesh) -> Result<(), Box<dyn Error>> {
    let clients = mesh.clients();
    let (first, others) = clients.split_first().ok_or("there is no node")?;
    let expected = versions(first)?;
    for other in others {
        let found = versions(other)?;
        if found != expected {
            let differ = expected.iter().zip(&found).filter(|(one, other)| one != other).count();
            let (here, there) = (expected.len(), found.len());
            let url = other.base_url();
            return Err(format!("{url} has {there} keys of {here}, {differ} differ").into());
        }
    }
    Ok(())
}

/// All keys in their order, each with its version.
fn versions(client: &Client) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = client.list_page("main", "", PAGE, cursor.as_deref())?;
        let page = page.expect_status(200)?.json()?;
        let text = |of: &Value, field| of.get(field).and_then(Value::as_str).map(str::to_owned);
        for record in page.get("keys").and_then(Value::as_array).into_iter().flatten() {
            let both = text(record, "key").zip(text(record, "version"));
            all.push(both.ok_or("a key without a version")?);
        }
        cursor = text(&page, "next_cursor");
        if cursor.is_none() {
            return Ok(all);
        }
    }
}
