//! A machine's clock is set an hour forward or back, before its node starts or while it runs: no version is reused or goes
//! back, a node that is ahead takes no writes, the others notice nothing, and once the clock is right all hold the same.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod faketime;
mod mesh;

use std::path::Path;
use std::time::Duration;

use faketime::WallClock;
use gridkv_cluster::{Cluster, Node, Reply, Stopwatch, wait_for, wait_until};
use mesh::{Model, PATIENCE, agree, builder, logs, ready, settle};
use serde_json::{Value, json};

const HOUR_SECONDS: i64 = 3_600;
const HOUR_MS: i64 = HOUR_SECONDS * 1_000;
/// A node that is ahead is fenced, and one whose clock is right is not, within this time.
const SOON: Duration = Duration::from_secs(10);
/// Longer than a fence takes to come.
const A_WHILE: Duration = Duration::from_secs(8);

/// Three nodes, of which the second has a wall clock that the test sets.
struct Trio {
    cluster: Cluster,
    wall: WallClock,
    model: Model,
    writes: usize,
    /// The last version that the second node minted.
    last: String,
}

impl Trio {
    /// `None` where no wall clock can be set.
    fn start(directory: &Path, test: &str) -> Option<Self> {
        let wall = WallClock::new(directory, test)?;
        let cluster = ready(wall.worn_by(2, builder(directory)));
        let mut trio = Self { cluster, wall, model: Model::new(), writes: 0, last: String::new() };
        trio.second_writes();
        trio.others_write();
        agree(&trio.all(), "main", &trio.model);
        Some(trio)
    }

    fn all(&self) -> Vec<&Node> {
        self.cluster.nodes().iter().collect()
    }

    fn second(&self) -> &Node {
        self.cluster.node(2)
    }

    /// Writes through a node and notes it; says which key.
    fn write(&mut self, number: usize) -> (String, Reply) {
        self.writes += 1;
        let (key, value) = (format!("k{}", self.writes % 40), format!("v{}", self.writes));
        let reply = self.cluster.node(number).client().put("main", &key, value.as_bytes()).unwrap();
        assert!(matches!(reply.status, 201 | 204), "n{number}: {}", reply.quoted());
        self.model.insert(key.clone(), value);
        (key, reply)
    }

    /// The second node takes writes, in versions that only grow.
    fn second_writes(&mut self) {
        for _ in 0..20 {
            let version = self.write(2).1.version().unwrap().to_owned();
            assert!(version > self.last, "{version} after {}", self.last);
            self.last = version;
        }
    }

    /// The others are ready and take writes.
    fn others_write(&mut self) {
        for number in [1, 3] {
            assert!(self.cluster.node(number).is_ready().unwrap(), "{}", logs(&self.all()));
            for _ in 0..20 {
                self.write(number);
            }
        }
    }

    /// The second node starts again, with a clock that is so far off.
    fn restart_second(&self, ahead_seconds: i64) {
        self.second().stop(PATIENCE).unwrap();
        self.wall.set(ahead_seconds);
        self.second().start().unwrap();
    }

    /// Once the second node is ready: everyone takes writes, and everyone holds all of them.
    fn all_is_well(&mut self) {
        self.second().wait_ready(PATIENCE).unwrap();
        self.second_writes();
        self.others_write();
        agree(&self.all(), "main", &self.model);
        assert_eq!(metric(self.second(), "gridkv_clock_fenced"), "0");
    }
}

/// What a node says of its clock.
fn clock(node: &Node) -> Value {
    let reply = node.client().request("GET", "/v1/node").send().unwrap();
    reply.expect_status(200).unwrap().json().unwrap()["clock"].clone()
}

fn metric(node: &Node, name: &str) -> String {
    let text = node.client().request("GET", "/metrics").send().unwrap().text().into_owned();
    let sample = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    sample.unwrap().to_owned()
}

fn is_about(value: &Value, ms: i64) -> bool {
    value.as_i64().is_some_and(|it| (it - ms).abs() < 2_000)
}

fn wait_not_ready(node: &Node, saying: &str) {
    wait_until(SOON, format!("/readyz to say {saying}"), || {
        let reply = node.client().readyz();
        reply.is_ok_and(|reply| reply.status == 503 && reply.text().contains(saying))
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", logs(&[node])));
}

/// The node takes no write of any kind, and says why.
fn is_fenced(node: &Node) {
    let client = node.client();
    let batch = json!({"ops": [{"op": "get", "key": "k1"}, {"op": "delete", "key": "k1"}]});
    let acked = client.at_key("PUT", "main", "k1").query("acks", "1").body(b"v");
    for reply in [
        client.put("main", "new", b"v"),
        client.delete("main", "k1"),
        client.batch("main", &batch),
        acked.send(),
    ] {
        let reply = reply.unwrap();
        assert_eq!((reply.status, reply.code().as_deref()), (503, Some("clock_fenced")));
    }
    let reads = json!({"ops": [{"op": "get", "key": "k1"}]});
    assert_eq!(client.batch("main", &reads).unwrap().status, 200);
    assert_eq!(metric(node, "gridkv_clock_fenced"), "1");
    assert_eq!(metric(node, "gridkv_ready"), "0");
    assert_eq!(clock(node)["fenced"], true);
    assert!(is_about(&clock(node)["ahead_of_peers_ms"], HOUR_MS), "{}", clock(node));
}

/// Waits until the node holds what was written elsewhere.
fn takes(node: &Node, key: &str, value: &str) {
    wait_until(PATIENCE, format!("{} to take {key}", node.name()), || {
        node.client().get("main", key).unwrap().body == value.as_bytes()
    })
    .unwrap();
}

#[test]
fn an_hour_ahead_at_the_start_is_fenced_until_it_starts_again_with_the_right_clock() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut trio) = Trio::start(dir.path(), "an hour ahead at the start") else { return };
    trio.restart_second(HOUR_SECONDS);
    let since = Stopwatch::start();
    let first = wait_for(SOON, "a write to be refused because of the clock", || {
        let reply = trio.second().client().put("main", "new", b"v").ok()?;
        assert_eq!(reply.status, 503, "{}", reply.quoted());
        (reply.code().as_deref() == Some("clock_fenced")).then_some(reply)
    });
    first.unwrap_or_else(|error| panic!("{error}\n{}", trio.second().log_tail(30)));
    assert!(since.elapsed() < SOON);
    wait_not_ready(trio.second(), "clock_fenced");
    is_fenced(trio.second());
    // It serves reads, and takes what others write.
    trio.others_write();
    let (key, _) = trio.write(1);
    takes(trio.second(), &key, &trio.model[&key]);
    // A deadline that has passed by its clock has not passed.
    let client = trio.cluster.node(1).client();
    let lasting = client.at_key("PUT", "main", "lasting").query("ttl", "10m");
    assert_eq!(lasting.body(b"v").send().unwrap().status, 201);
    trio.model.insert("lasting".to_owned(), "v".to_owned());
    wait_until(PATIENCE, "the second node to cover it", || {
        mesh::peer(trio.cluster.node(1), "n2")
            .is_some_and(|it| it["stores"]["main"]["pending"] == 0)
    })
    .unwrap();
    // Its wall clock alone does not help: time never steps back.
    trio.wall.set(0);
    wait_until(PATIENCE, "the wall clock to be seen", || {
        is_about(&clock(trio.second())["ahead_of_wall_ms"], HOUR_MS)
    })
    .unwrap();
    is_fenced(trio.second());
    trio.restart_second(0);
    trio.all_is_well();
}

#[test]
fn an_hour_behind_at_the_start_lags_and_recovers_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut trio) = Trio::start(dir.path(), "an hour behind at the start") else { return };
    trio.restart_second(-HOUR_SECONDS);
    wait_not_ready(trio.second(), "behind most members");
    let behind = "gridkv_clock_standing{standing=\"behind\"}";
    assert_eq!(metric(trio.second(), behind), "1");
    assert!(is_about(&clock(trio.second())["ahead_of_peers_ms"], -HOUR_MS));
    trio.others_write();
    // It goes on where it was, in versions above all that it minted before; the others take them.
    wait_until(PATIENCE, "the second node to take writes", || {
        trio.second().client().put("main", "k0", b"v").unwrap().status < 300
    })
    .unwrap();
    trio.model.insert("k0".to_owned(), "v".to_owned());
    trio.second_writes();
    trio.others_write();
    trio.wall.set(0);
    trio.second().wait_ready(PATIENCE).unwrap();
    settle(&trio.all());
    // What both sides wrote meanwhile stands as the versions say, the same everywhere.
    let same = mesh::same(&trio.all(), "main");
    trio.model = same.into_iter().map(|(key, (_, value))| (key, value)).collect();
    trio.all_is_well();
}

#[test]
fn a_clock_that_is_set_while_its_node_runs_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut trio) = Trio::start(dir.path(), "set while its node runs") else { return };
    for ahead in [HOUR_SECONDS, -HOUR_SECONDS, 0] {
        trio.wall.set(ahead);
        wait_until(PATIENCE, "the wall clock to be seen", || {
            is_about(&clock(trio.second())["ahead_of_wall_ms"], -ahead * 1_000)
        })
        .unwrap();
        let since = Stopwatch::start();
        while since.elapsed() < A_WHILE {
            assert!(trio.second().is_ready().unwrap(), "{}", trio.second().log_tail(20));
            trio.second_writes();
            trio.others_write();
        }
        assert!(
            is_about(&clock(trio.second())["ahead_of_peers_ms"], 0),
            "{}",
            clock(trio.second())
        );
        agree(&trio.all(), "main", &trio.model);
    }
}

#[test]
fn versions_go_on_over_restarts_with_any_clock() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut trio) = Trio::start(dir.path(), "over restarts with any clock") else { return };
    for ahead in [-HOUR_SECONDS, HOUR_SECONDS, -24 * HOUR_SECONDS, 0] {
        trio.second().kill().unwrap();
        trio.wall.set(ahead);
        trio.second().start().unwrap();
        if ahead > 0 {
            wait_not_ready(trio.second(), "clock_fenced");
            is_fenced_from_the_start(&trio);
        } else {
            wait_until(PATIENCE, "the second node to take writes", || {
                let reply = trio.second().client().put("main", "k0", b"v");
                reply.is_ok_and(|reply| reply.status < 300)
            })
            .unwrap();
            trio.second_writes();
        }
    }
    trio.second().wait_ready(PATIENCE).unwrap();
    let same = mesh::same(&trio.all(), "main");
    trio.model = same.into_iter().map(|(key, (_, value))| (key, value)).collect();
    trio.all_is_well();
}

/// Nothing that the second node minted lies in a future of the others: they cover all of it.
fn is_fenced_from_the_start(trio: &Trio) {
    is_fenced(trio.second());
    for number in [1, 3] {
        let peers = mesh::mesh(&trio.cluster.node(number).client());
        assert_eq!(peers["peers"].as_array().unwrap().len(), 2);
    }
    wait_until(PATIENCE, "the others to cover it", || {
        [1, 3].iter().all(|number| {
            let peer = mesh::peer(trio.second(), &format!("n{number}")).unwrap();
            peer["stores"]["main"]["frontier_covered"] == true
        })
    })
    .unwrap();
}
