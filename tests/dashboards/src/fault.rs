//! What is done to the cluster, and which alerts have to tell of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use gridkv_cluster::{Client, ClientError, Request};
use serde_json::{Value, json};

use crate::error::Error;
use crate::load::acked;
use crate::trial::Trial;

/// Between two turns of a client that makes trouble.
const PAUSE: Duration = Duration::from_millis(500);
/// Keys of a batch: fewer than nodes may differ by without an alert.
const KEYS: usize = 50;
/// How often a batch writes each of them, so that it is more than a ring of 64 holds.
const TIMES: usize = 4;
/// 16 of these are the whole store `small`.
const LARGE: usize = 64 * 1_024;

/// An alert that has to fire, and the label that all that fire must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) alert: &'static str,
    pub(crate) label: &'static str,
    pub(crate) value: &'static str,
}

const fn expected(alert: &'static str, label: &'static str, value: &'static str) -> Expected {
    Expected { alert, label, value }
}

/// What the faults below must be told by, and nothing else.
pub(crate) const EXPECTED: [Expected; 11] = [
    expected("GridKVNodeDown", "instance", "n3"),
    expected("GridKVNotReady", "instance", "n2"),
    expected("GridKVPeerDown", "peer", "n3"),
    expected("GridKVReplicationLag", "peer", "n3"),
    expected("GridKVSyncBufferDeep", "store", "slow"),
    expected("GridKVSyncOperationsOverwritten", "store", "ring"),
    expected("GridKVCacheHitRateLow", "store", "hot"),
    expected("GridKVMemoryNearLimit", "store", "small"),
    expected("GridKVHighErrorRate", "job", "gridkv"),
    expected("GridKVCertificateExpires", "instance", "n2"),
    expected("GridKVCertificateEnds", "instance", "n1"),
];

/// What may fire besides, because it is no fault of these nodes: a machine that is busy with other things is slow.
pub(crate) const BUSY: [Expected; 1] = [expected("GridKVHighLatency", "job", "gridkv")];
/// And once a node came back: its caches are empty.
pub(crate) const COLD: [Expected; 2] = [
    expected("GridKVCacheHitRateLow", "instance", "n2"),
    expected("GridKVCacheHitRateLow", "instance", "n3"),
];

/// A second node that drains, a third one that is killed, rings that overflow and that nobody empties, a cache that is asked for what it has not,
/// a store that is full, writes that ask for more peers than there are, certificates that are about to end.
pub(crate) fn begin<'scope>(
    scope: &'scope Scope<'scope, '_>,
    trial: &'scope Trial,
    over: &'scope AtomicBool,
) -> Result<(), Error> {
    trial.renew(1, 1)?;
    trial.renew(2, 10)?;
    must_succeed("draining n2", trial.node(2).client().request("POST", "/v1/admin/drain"))?;
    trial.node(3).kill()?;
    let client = trial.node(1).client();
    scope.spawn(move || {
        for turn in 0_u64.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            // What is refused here shows on the dashboards.
            drop(trouble(&client, turn));
            thread::sleep(PAUSE);
        }
    });
    Ok(())
}

fn trouble(client: &Client, turn: u64) -> Result<(), ClientError> {
    client.batch("ring", &burst())?;
    client.batch("slow", &burst())?;
    for number in 0..10 {
        client.get("hot", &format!("nobody wrote {turn}-{number}"))?;
    }
    client.put("small", &format!("large-{turn}"), &vec![b'x'; LARGE])?;
    acked(client, "main", "for all", 2)?;
    Ok(())
}

fn burst() -> Value {
    let all = (0..KEYS * TIMES).map(
        |number| json!({"op": "put", "key": format!("burst-{}", number % KEYS), "value": "again"}),
    );
    json!({"ops": all.collect::<Vec<_>>()})
}

/// Mends all of it; what the clients above do has to be over.
pub(crate) fn mend(trial: &Trial, patience: Duration) -> Result<(), Error> {
    trial.node(3).start()?;
    trial.node(3).wait_ready(patience)?;
    // Only a start ends what an operator has drained.
    trial.node(2).restart(patience)?;
    trial.node(2).wait_ready(patience)?;
    trial.renew(1, 365)?;
    trial.renew(2, 365)?;
    let client = trial.node(1).client();
    let empty = client.request("DELETE", "/v1/kv/small").query("prefix", "large-");
    must_succeed("emptying the store small", empty)
}

fn must_succeed(what: &str, request: Request<'_>) -> Result<(), Error> {
    let reply = request.send()?;
    if (200..300).contains(&reply.status) {
        Ok(())
    } else {
        Err(Error::Fault { what: what.to_owned(), said: reply.quoted() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::check::root;
    use crate::rules::Rules;

    #[test]
    fn alerts_that_no_fault_sets_off_are_named_where_the_check_is_described() {
        let readme = fs::read_to_string(root().join("grafana/README.md")).unwrap();
        let (_, rest) = readme.split_once("What fires only in `gridkv.test.yml`").unwrap();
        let told = rest.split(|c: char| !c.is_ascii_alphanumeric());
        let told: BTreeSet<&str> = told.filter(|word| word.starts_with("GridKV")).collect();
        let rules = Rules::read(&root()).unwrap();
        let all = rules.alerts().iter().map(|alert| alert.name.as_str());
        let fired: BTreeSet<&str> = EXPECTED.iter().map(|expected| expected.alert).collect();
        assert_eq!(told, all.filter(|name| !fired.contains(name)).collect());
    }
}
