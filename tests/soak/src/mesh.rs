//! Three nodes, of which the third is damaged again and again: once it is ready, it has what the others have.

use std::time::Duration;

use fastrand::Rng;
use gridkv_cluster::{Cluster, Node, wait_until};
use serde_json::Value;

use crate::course::Course;
use crate::crash::BUSY;
use crate::damage::damage;
use crate::durability::Durability;
use crate::flips::{after, load, remove, store_directory};
use crate::ledger::Ledger;
use crate::revival::{Revival, Said, revive};
use crate::run_error::RunError;
use crate::served::Served;
use crate::target::STORE;

/// How long replication may take on a busy machine; no run waits for it to pass.
const PATIENCE: Duration = Duration::from_mins(1);
/// A damaged node has everything again within this time.
const REPAIRED_WITHIN: Duration = Duration::from_secs(30);
/// Its directory, below that of the course.
pub(crate) const MESH: &str = "mesh";
/// The one that is damaged.
const DAMAGED: usize = 3;

/// The nodes, and what was written to them.
#[derive(Debug)]
pub(crate) struct Mesh {
    cluster: Cluster,
    ledger: Ledger,
}

impl Mesh {
    /// Starts three empty nodes.
    ///
    /// # Errors
    /// [`RunError`] when they do not form a cluster.
    pub(crate) fn start(course: &Course<'_>) -> Result<Self, RunError> {
        let directory = course.directory.join(MESH);
        let cluster = course.setup.cluster(course.target, &directory).nodes(3).start()?;
        cluster.wait_ready(PATIENCE)?;
        let mesh = Self { cluster, ledger: Ledger::default() };
        mesh.settle()?;
        Ok(mesh)
    }

    /// Writes a little, damages the third node, and compares it with the first as soon as it is ready.
    ///
    /// # Errors
    /// [`RunError::Findings`] when it lacks something or serves something else.
    pub(crate) fn cycle(
        &mut self,
        course: &mut Course<'_>,
        cycle: u64,
        dice: &mut Rng,
    ) -> Result<(), RunError> {
        let through = self.cluster.node(dice.usize(1..=DAMAGED));
        let loaded = load(course, cycle).until_done(&through.base_url());
        course.summary.acked.merge(&loaded.acked);
        self.ledger.extend(loaded.notes);
        if let Some(code) = loaded.refused.keys().find(|code| !BUSY.contains(&code.as_str())) {
            return Err(RunError::Broken(format!("a write was refused: {code}")));
        }
        self.settle()?;
        let node = self.cluster.node(DAMAGED);
        if dice.bool() {
            node.stop(PATIENCE)?;
        } else {
            node.kill()?;
        }
        let store = store_directory(&node.data_dir())?;
        let how = damage(&store, dice)?;
        let said = Said::since_now(node);
        let mut category = "harmless";
        let revival = revive(node, REPAIRED_WITHIN).map_err(|error| after(&how, &error))?;
        let time = match revival {
            Revival::Ready(time) => time,
            Revival::Refused => {
                category = "refused";
                remove(&store)?;
                match revive(node, REPAIRED_WITHIN)? {
                    Revival::Ready(time) => time,
                    Revival::Refused => {
                        let what = format!("after {how}: refuses to start with an empty store");
                        return Err(RunError::Broken(what));
                    }
                }
            }
        };
        course.summary.ready_after(time);
        if category == "harmless" && said.complains(node) {
            category = "repaired";
        }
        course.summary.keys = self.compare(&how)?;
        course.summary.count(format!("mesh {category}"), 1);
        Ok(())
    }

    /// Both must serve what was acknowledged, and the same; how many keys that is.
    fn compare(&mut self, how: &str) -> Result<usize, RunError> {
        let read = |number: usize| {
            let node = self.cluster.node(number);
            Served::read(&node.client(), STORE, self.ledger.keys())
                .map_err(|error| after(&format!("{how}, {}", node.name()), &error))
        };
        let (healthy, repaired) = (read(1)?, read(DAMAGED)?);
        for (name, served) in [("n1", &healthy), ("n3", &repaired)] {
            let findings = self.ledger.judge(served, Durability::Memory).findings;
            if !findings.is_empty() {
                let error = RunError::Findings(findings);
                return Err(after(&format!("{how}, {name}"), &error));
            }
        }
        if healthy != repaired {
            let what = "n3 differs from n1 in what is not acknowledged".to_owned();
            return Err(after(how, &RunError::Broken(what)));
        }
        self.ledger.settle(&healthy);
        Ok(healthy.len())
    }

    /// Waits until every node sees all others up, and all have what the others have.
    fn settle(&self) -> Result<(), RunError> {
        let nodes = self.cluster.nodes();
        wait_until(PATIENCE, "the cluster to settle", || {
            nodes.iter().all(|node| is_settled(node, nodes.len() - 1))
        })?;
        Ok(())
    }
}

fn is_settled(node: &Node, peers: usize) -> bool {
    let Some(cluster) = node.client().cluster().ok().and_then(|reply| reply.json().ok()) else {
        return false;
    };
    let covered = |peer: &&Value| {
        let store = peer.get("stores").and_then(|stores| stores.get(STORE));
        let field = |name| store.and_then(|store| store.get(name));
        peer.get("state").is_some_and(|state| state == "up")
            && field("pending").is_some_and(|pending| pending == 0)
            && field("frontier_covered").is_some_and(|covered| covered == true)
    };
    let all = cluster.get("peers").and_then(Value::as_array);
    all.is_some_and(|all| all.iter().filter(covered).count() == peers)
}
