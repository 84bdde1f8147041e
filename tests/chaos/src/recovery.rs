//! After all is healed: whether every node is ready and covers all others in time, what all of them then serve, and
//! whether they know that it is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gridkv_cluster::{Client, Cluster, Node, Stopwatch, wait_for, wait_until};
use gridkv_soak::RunError;
use serde_json::{Value, json};

use crate::finding::{Finding, Property};
use crate::history::{History, Look, StoreClass};
use crate::load::micros;
use crate::proof;
use crate::stamp::Stamp;

/// Keys of a page and operations of a batch, as many as a node takes by default, with room for a smaller limit.
const PAGE: usize = 500;

/// What the nodes came to.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) looks: Vec<Look>,
    pub(crate) findings: Vec<Finding>,
    /// Of how many nodes, peers and stores it was asked whether they are known to be the same.
    pub(crate) asked: u64,
    /// From the last fault until all nodes held the same.
    pub(crate) took: Duration,
}

/// Waits for the nodes, and looks at them.
pub(crate) struct Recovery<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) clock: Stopwatch,
    pub(crate) within: Duration,
    pub(crate) interrupted: &'a AtomicBool,
}

impl Recovery<'_> {
    /// Waits until all nodes are ready, cover each other, hold the same and know it, and returns what they hold. What does
    /// not come true in time is a finding; what can be looked at is looked at all the same.
    ///
    /// # Errors
    /// [`RunError::Interrupted`].
    pub(crate) fn run(&self, history: &History) -> Result<Recovered, RunError> {
        let healed = Stopwatch::start();
        let mut recovered = Recovered::default();
        self.ready(&mut recovered);
        self.settled(&mut recovered);
        let looks = wait_for(self.within, "all nodes to hold the same", || {
            let looks = self.look(history);
            recovered.looks = looks.unwrap_or_default();
            let equal = equal(history, &recovered.looks);
            (equal || !self.going_on()).then_some(())
        });
        recovered.took = healed.elapsed();
        self.proven(history, &mut recovered);
        if !self.going_on() {
            return Err(RunError::Interrupted);
        }
        if looks.is_err() && recovered.looks.is_empty() {
            find(&mut recovered, "the cluster", "what the nodes serve could not be read");
        }
        for node in self.cluster.nodes() {
            let log = fs::read(node.log_path()).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
                find(&mut recovered, node.name(), line);
            }
        }
        Ok(recovered)
    }

    fn going_on(&self) -> bool {
        !self.interrupted.load(Ordering::Relaxed)
    }

    fn ready(&self, recovered: &mut Recovered) {
        for node in self.cluster.nodes() {
            if let Err(error) = node.wait_ready_while(self.within, || self.going_on()) {
                find(recovered, node.name(), &error.to_string());
            }
        }
    }

    /// Every node sees all others up, and all have what the others have.
    fn settled(&self, recovered: &mut Recovered) {
        let nodes = self.cluster.nodes();
        let mut last = Vec::new();
        let waited = wait_until(self.within, "all nodes to cover each other", || {
            let unsettled = |node: &Node| unsettled(node, nodes.len() - 1);
            last = nodes.iter().filter_map(unsettled).collect();
            last.is_empty() || !self.going_on()
        });
        if let Err(error) = waited {
            find(recovered, "the cluster", &format!("{error}: {}", last.join("; ")));
        }
    }

    /// Every node says of each other one that each store is the same there, caches aside.
    fn proven(&self, history: &History, recovered: &mut Recovered) {
        let names: Vec<&str> = self.cluster.nodes().iter().map(Node::name).collect();
        let compared = history.stores.iter().filter(|(_, class)| !class.cache);
        let stores: Vec<&str> = compared.map(|(store, _)| store.as_str()).collect();
        let doubts = |node: &Node| {
            let others = names.iter().copied().filter(|name| *name != node.name());
            let others: Vec<&str> = others.collect();
            let found: Vec<_> =
                stores.iter().flat_map(|store| proof::ask(node, store, &others)).collect();
            found
        };
        let mut last = Vec::new();
        let waited = wait_until(self.within, "all nodes to know that they hold the same", || {
            last = self.cluster.nodes().iter().flat_map(doubts).collect();
            last.is_empty() || !self.going_on()
        });
        if waited.is_err() {
            recovered.findings.append(&mut last);
        }
        let asked = stores.len() * names.len() * (names.len() - 1);
        recovered.asked = u64::try_from(asked).unwrap_or(u64::MAX);
    }

    /// What every node serves of every store.
    fn look(&self, history: &History) -> Option<Vec<Look>> {
        let mut looks = Vec::new();
        for store in history.stores.keys() {
            let known = history.ops.iter().filter(|op| op.store == *store);
            let known: BTreeSet<&str> = known.map(|op| op.key.as_str()).collect();
            for (number, node) in (1..).zip(self.cluster.nodes()) {
                looks.push(self.look_at((number, &node.client()), store, &known).ok()?);
            }
        }
        Some(looks)
    }

    fn look_at(
        &self,
        (node, client): (u16, &Client),
        store: &str,
        known: &BTreeSet<&str>,
    ) -> Result<Look, RunError> {
        let listed = client.keys(store, "")?;
        let keys = known.iter().copied().chain(listed.iter().map(String::as_str));
        let keys: Vec<&str> = keys.collect::<BTreeSet<_>>().into_iter().collect();
        let mut records = BTreeMap::new();
        for page in keys.chunks(PAGE) {
            read(client, store, page, &mut records)?;
        }
        let key_count = client.key_count(store)?.unwrap_or_default();
        let listed = u64::try_from(listed.len()).unwrap_or(u64::MAX);
        let (store, at) = (store.to_owned(), micros(&self.clock));
        Ok(Look { node, store, at, records, key_count, listed })
    }
}

/// Whether there is nothing more to wait for. The judge decides what it means if there is.
fn equal(history: &History, looks: &[Look]) -> bool {
    let all = history.stores.iter().all(|(store, class)| {
        let looks: Vec<&Look> = looks.iter().filter(|look| look.store == *store).collect();
        let counted = |look: &&Look| look.key_count == look.listed;
        class.cache || (alike(&looks) && looks.iter().all(counted))
    });
    !looks.is_empty() && all
}

fn alike(looks: &[&Look]) -> bool {
    looks.windows(2).all(|pair| matches!(pair, [a, b] if a.records == b.records))
}

fn find(recovered: &mut Recovered, place: &str, what: &str) {
    let (place, what) = (place.to_owned(), what.to_owned());
    recovered.findings.push(Finding { property: Property::Recovers, place, what });
}

/// Reads these keys in one batch.
fn read(
    client: &Client,
    store: &str,
    keys: &[&str],
    records: &mut BTreeMap<String, (String, Stamp)>,
) -> Result<(), RunError> {
    let ops: Vec<Value> = keys.iter().map(|key| json!({"op": "get", "key": key})).collect();
    let reply = client.batch(store, &json!({ "ops": ops }))?;
    let bad = || RunError::answer("a batch of reads", &reply);
    if reply.status != 200 {
        return Err(bad());
    }
    let answer = reply.json()?;
    let results = answer.get("results").and_then(Value::as_array).ok_or_else(bad)?;
    for (key, result) in keys.iter().zip(results) {
        let text = |field| result.get(field).and_then(Value::as_str);
        match (result.get("status").and_then(Value::as_u64), text("version"), text("value")) {
            (Some(200), Some(version), Some(value)) => {
                let seen = (version.to_owned(), Stamp::read(value.as_bytes()));
                records.insert((*key).to_owned(), seen);
            }
            (Some(404), ..) => {}
            _ => return Err(bad()),
        }
    }
    if results.len() == keys.len() { Ok(()) } else { Err(bad()) }
}

/// What a node misses, or what misses it.
fn unsettled(node: &Node, peers: usize) -> Option<String> {
    let cluster = node.client().cluster().ok().and_then(|reply| reply.json().ok());
    let cluster = cluster.unwrap_or_default();
    let all = cluster.get("peers").and_then(Value::as_array);
    let is_settled = |peer: &&Value| {
        let stores = peer.get("stores").and_then(Value::as_object);
        let covered = |store: &Value| {
            store.get("pending").is_some_and(|pending| pending == 0)
                && store.get("frontier_covered").is_some_and(|covered| covered == true)
        };
        peer.get("state").is_some_and(|state| state == "up")
            && stores.is_some_and(|stores| stores.values().all(covered))
    };
    let settled = all.is_some_and(|all| all.iter().filter(is_settled).count() == peers);
    (!settled).then(|| format!("{} says {cluster}", node.name()))
}

/// What the stores of a node promise, as it says itself.
///
/// # Errors
/// [`RunError`] when it does not say.
pub(crate) fn classes(client: &Client) -> Result<BTreeMap<String, StoreClass>, RunError> {
    let reply = client.stats()?;
    let bad = || RunError::answer("the statistics of all stores", &reply);
    let answer = if reply.status == 200 { reply.json()? } else { return Err(bad()) };
    let stores = answer.get("stores").and_then(Value::as_array).ok_or_else(bad)?;
    stores
        .iter()
        .map(|store| {
            let text = |field| store.get(field).and_then(Value::as_str);
            let name = text("name").or_else(|| text("store")).ok_or_else(bad)?;
            let backend = text("backend").ok_or_else(bad)?.to_owned();
            let persistent = store.get("persistent").and_then(Value::as_bool).ok_or_else(bad)?;
            let cache = backend == "moka";
            Ok((name.to_owned(), StoreClass { backend, persistent, cache }))
        })
        .collect()
}
