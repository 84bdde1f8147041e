//! Many puts at once, and how long they take to arrive everywhere.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use gridkv_bench::connection::Connection;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::workload;
use gridkv_cluster::{Client, Deadline, wait_for};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::nodes::Nodes;

/// Puts in one request.
const BATCH: usize = 500;
/// How long they may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long it took.
pub(crate) struct Flood {
    /// Puts.
    pub(crate) ops: usize,
    /// Until the last was acknowledged.
    pub(crate) acknowledged: Duration,
    /// Until every node had all.
    pub(crate) arrived: Duration,
    /// Ops that node 1's ring lost: gaps, which the others filled by catch-up.
    pub(crate) lost_by_ring: u64,
}

/// Puts `ops` new keys on node 1, one batch after the other.
pub(crate) fn run(nodes: &Nodes, ops: usize, runtime: &Runtime) -> Result<Flood, Box<dyn Error>> {
    let clients: Vec<Client> = nodes.clients().collect();
    let before = keys(clients.first().ok_or("there is no node")?).ok_or("no count of keys")?;
    let bodies: Vec<Vec<u8>> = bodies(ops)?;
    let begun = Stopwatch::start();
    runtime.block_on(send(nodes.addresses()[0], &bodies))?;
    let acknowledged = begun.elapsed();
    let expected = before + u64::try_from(ops)?;
    let deadline = Deadline::after(PATIENCE);
    for client in &clients {
        wait_for(deadline, format!("{} to have all keys", client.base_url()), || {
            (keys(client)? >= expected).then_some(())
        })?;
    }
    let arrived = begun.elapsed();
    let first = clients.first().ok_or("there is no node")?;
    Ok(Flood { ops, acknowledged, arrived, lost_by_ring: lost_by_ring(first)? })
}

fn lost_by_ring(client: &Client) -> Result<u64, Box<dyn Error>> {
    let stats = client.request("GET", "/v1/stores/main/stats").send()?.json()?;
    let lost = stats.get("sync_buffer_overwritten").and_then(serde_json::Value::as_u64);
    Ok(lost.ok_or("the statistics do not name what the ring lost")?)
}

fn keys(client: &Client) -> Option<u64> {
    client.key_count("main").ok().flatten()
}

fn bodies(ops: usize) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let put = |number: usize| {
        let value = String::from_utf8_lossy(&workload::value(number)).into_owned();
        json!({ "op": "put", "key": format!("flood:{number}"), "value": value })
    };
    let numbers: Vec<usize> = (0..ops).collect();
    let body = |numbers: &[usize]| {
        let ops: Vec<_> = numbers.iter().map(|number| put(*number)).collect();
        serde_json::to_vec(&json!({ "ops": ops }))
    };
    Ok(numbers.chunks(BATCH).map(body).collect::<Result<_, _>>()?)
}

async fn send(addr: SocketAddr, bodies: &[Vec<u8>]) -> io::Result<()> {
    let mut connection = Connection::open(addr).await?;
    for body in bodies {
        let answer = connection.post("/v1/stores/main/batch", body, "application/json").await?;
        if answer.status != 200 || !answer.body.starts_with(br#"{"errors":0,"#) {
            return Err(io::Error::other(format!("a batch was answered {}", answer.status)));
        }
    }
    Ok(())
}
