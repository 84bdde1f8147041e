//! Clients that do a little of everything, so that every panel has something to show, and nothing that an alert is for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use gridkv_cluster::{Client, ClientError, Reply};
use serde_json::{Value, json};

use crate::error::Error;
use crate::trial::Trial;

/// Between two turns of a client: many requests a second for a dashboard, few for a node.
const PAUSE: Duration = Duration::from_millis(500);
/// Records that are read again and again.
const WARM: u64 = 20;
/// Records that are written in turn.
const WRITTEN: u64 = 80;
/// Keys of a list.
const PAGE: usize = 20;
/// The stores that clients write to all the time.
const STORES: [&str; 4] = ["main", "sessions", "big", "scratch"];
/// Those with a cache before them. What is written there and read at once is no hit: a write empties its place.
const CACHED: [&str; 3] = ["hot", "big", "scratch"];

/// Writes what will be read, and reads it on every node, so that caches have it.
pub(crate) fn warm_up(trial: &Trial) -> Result<(), Error> {
    let writer = trial.node(1).client();
    let operations = |op: &str| -> Value {
        let keys = (0..WARM).map(|number| format!("warm-{number}"));
        let all = keys.map(|key| json!({"op": op, "key": key, "value": "warm"}));
        json!({"ops": all.collect::<Vec<_>>()})
    };
    for store in CACHED {
        writer.batch(store, &operations("put"))?.expect_status(200)?;
    }
    for node in trial.nodes() {
        let client = node.client();
        // What was read twice is kept before the engine; from then on it is a hit.
        for number in (0..3).flat_map(|_| 0..WARM) {
            let key = format!("warm-{number}");
            for store in CACHED {
                gridkv_cluster::wait_until(
                    PATIENCE,
                    format!("{} to have {key}", node.name()),
                    || client.get(store, &key).is_ok_and(|reply| reply.status == 200),
                )?;
            }
        }
    }
    Ok(())
}

/// Replicating twenty records takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a client for each node, which goes on until it is over, whatever becomes of the node.
pub(crate) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    trial: &'scope Trial,
    over: &'scope AtomicBool,
) {
    for (number, node) in (1_usize..).zip(trial.nodes()) {
        let (client, stranger) = (node.client(), trial.stranger(number));
        scope.spawn(move || {
            for turn in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                // A node that is down answers nothing; that is what the others are there for.
                drop(turn_of(&client, &stranger, node.name(), turn));
                thread::sleep(PAUSE);
            }
        });
        // Who follows a store waits most of the time.
        let follower = node.client();
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let path = "/v1/stores/main/changes?since=now&wait=1s";
                let follow = follower.request("GET", path).header("Accept", "application/json");
                if follow.send().is_err() {
                    thread::sleep(PAUSE);
                }
            }
        });
    }
}

fn turn_of(client: &Client, stranger: &Client, node: &str, turn: u64) -> Result<(), ClientError> {
    let key = format!("{node}-{}", turn % WRITTEN);
    let warm = format!("warm-{}", turn % WARM);
    for store in STORES {
        client.put(store, &key, b"a value of a client")?;
    }
    client.get("main", &key)?;
    // Everybody writes these at the same time.
    client.put("main", "contested", node.as_bytes())?;
    acked(client, "main", &key, 1)?;
    client.put_if_absent("main", &key, b"it is there")?;
    client.get("main", "nobody wrote this")?;
    client.delete("main", &format!("{node}-{}", (turn + WRITTEN / 2) % WRITTEN))?;
    client.at_key("PATCH", "sessions", &key).query("ttl", "1s").send()?;
    client.list_page("main", "n1-", PAGE, None)?;
    client.batch("sessions", &json!({"ops": [{"op": "get", "key": key}]}))?;
    for store in CACHED {
        client.get(store, &warm)?;
    }
    // A cache that was emptied gets it back.
    client.put("hot", &warm, b"warm")?;
    if turn.is_multiple_of(10) {
        stranger.get("main", &key)?;
    }
    Ok(())
}

/// A write that waits for so many peers, briefly.
pub(crate) fn acked(
    client: &Client,
    store: &str,
    key: &str,
    peers: usize,
) -> Result<Reply, ClientError> {
    let put = client.at_key("PUT", store, key).query("acks", &peers.to_string());
    put.query("ack_timeout", "30ms").body(b"acknowledged").send()
}
