//! Clusters that `gridkv init` made: nodes that know each other by certificates, clients inside TLS with tokens,
//! certificates that are renewed while all of it runs, and strangers of every kind before the door.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gridkv_cluster::{Builder, Client, Cluster, Node, wait_until};
use serde_json::Value;

use mesh::{Model, PATIENCE, agree, all, builder, no_panic, ready, settle, signal};

const SECRET: &str = "a secret of thirty-two characters";

fn gridkv(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridkv"));
    command.args(arguments).env_remove("GRIDKV_PEERS__SECRET").output().unwrap()
}

/// What `gridkv init` made for three nodes named as those of a test's cluster are.
struct Papers(PathBuf);

impl Papers {
    fn make(dir: &Path, cluster: &str) -> Self {
        let path = dir.join(format!("papers of {cluster}"));
        let text = path.to_str().unwrap();
        let nodes = ["--node", "n1", "--node", "n2", "--node", "n3"];
        let made = gridkv(&[&["init", "--dir", text, "--cluster", cluster], &nodes[..]].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let said = String::from_utf8(made.stdout).unwrap();
        let start = format!("gridkv serve -c {text}/n1/gridkv.toml");
        assert!(said.contains(&start), "{said}");
        Self(path)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    fn config(&self, node: &str) -> String {
        self.0.join(node).join("gridkv.toml").to_str().unwrap().to_owned()
    }

    /// A cluster whose first three nodes have these papers.
    fn cluster(&self, dir: &Path, nodes: u16) -> Builder {
        let made = builder(dir).nodes(nodes).stores(["main=file"]).https(&self.read("ca.pem"));
        let made = made.token(&self.read("tokens/admin.token"));
        (1..=nodes.min(3)).fold(made, |made, number| {
            made.node_args(number, ["--config", &self.config(&format!("n{number}"))])
        })
    }
}

fn log(node: &Node) -> String {
    fs::read_to_string(node.log_path()).unwrap()
}

fn wait_log(node: &Node, words: &str, times: usize) {
    let said = || log(node).matches(words).count() >= times;
    wait_until(PATIENCE, format!("{} to log {words:?}", node.name()), said).unwrap();
}

fn end_of(node: &Node, listener: &str) -> String {
    let shown = node.client().request("GET", "/v1/node").send().unwrap().json().unwrap();
    shown["certificates"][listener]["expires_at"].as_str().unwrap().to_owned()
}

fn peers(node: &Node) -> Vec<String> {
    let mesh: Value = node.client().cluster().unwrap().json().unwrap();
    let peers = mesh["peers"].as_array().unwrap();
    peers.iter().map(|peer| peer["name"].as_str().unwrap().to_owned()).collect()
}

fn put(client: &Client, key: &str, model: &mut Model) {
    let put = client.put("main", key, key.as_bytes()).unwrap();
    assert_eq!(put.status, 201, "{key}: {}", put.quoted());
    model.insert(key.to_owned(), key.to_owned());
}

#[test]
fn what_init_made_is_whole_and_is_refused_when_others_may_read_its_keys() {
    let dir = tempfile::tempdir().unwrap();
    let papers = Papers::make(dir.path(), "grid");
    for node in ["n1", "n2", "n3"] {
        let checked = gridkv(&["serve", "--config", &papers.config(node), "--check"]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
    let again = gridkv(&["init", "--dir", papers.0.to_str().unwrap(), "--node", "n1"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("nothing is overwritten"));
    let key = papers.0.join("n1/node.key");
    let chmod = Command::new("chmod").arg("640").arg(&key).status().unwrap();
    assert!(chmod.success());
    let refused = gridkv(&["serve", "--config", &papers.config("n1")]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("http.tls.key") && said.contains("chmod 600"), "{said}");
    for wrong in [&["init", "--dir", "x"][..], &["init", "--dir", "x", "--node", "a b"]] {
        assert_eq!(gridkv(wrong).status.code(), Some(2));
    }
}

#[test]
fn a_certificate_is_renewed_under_writes_without_a_restart_or_a_lost_write() {
    let dir = tempfile::tempdir().unwrap();
    let papers = Papers::make(dir.path(), "grid");
    let cluster: Cluster = ready(papers.cluster(dir.path(), 3));
    let nodes = all(&cluster);
    settle(&nodes);
    let stranger = nodes[0].client().bearing(None).get("main", "k").unwrap();
    assert_eq!(stranger.status, 401, "no token");
    let (before, pid) = (end_of(nodes[0], "http"), nodes[0].pid());
    let over = AtomicBool::new(false);
    let mut model = thread::scope(|scope| {
        let writers: Vec<_> = nodes
            .iter()
            .map(|node| {
                let over = &over;
                scope.spawn(move || {
                    let mut written = Model::new();
                    // A connection of its own for each: all of them meet the new certificate.
                    for number in 0.. {
                        let key = format!("{}-{number:05}", node.name());
                        let put = node.client().put("main", &key, key.as_bytes());
                        // It is killed, and may be back, and not ready yet, when it is asked again.
                        let is_gone = put.as_ref().map_or(true, |put| put.status == 503);
                        if is_gone && node.name() == "n2" {
                            break;
                        }
                        let put = put.unwrap();
                        assert_eq!(put.status, 201, "{key}: {}", put.quoted());
                        written.insert(key.clone(), key);
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    written
                })
            })
            .collect();
        let directory = papers.0.to_str().unwrap();
        let renewed = gridkv(&["init", "--dir", directory, "--renew", "n1", "--days", "700"]);
        assert!(renewed.status.success(), "{}", String::from_utf8_lossy(&renewed.stderr));
        signal(nodes[0], "HUP");
        wait_log(nodes[0], "goes on with another certificate", 2);
        assert!(end_of(nodes[0], "http") > before && end_of(nodes[0], "peers") > before);
        // Links that are made from now on meet it too.
        nodes[1].kill().unwrap();
        nodes[1].start().unwrap();
        nodes[1].wait_ready(PATIENCE).unwrap();
        over.store(true, Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect::<Model>()
    });
    assert_eq!(nodes[0].pid(), pid, "without a restart");
    settle(&nodes);
    // The write that its end cut off may stand as well.
    let there = nodes[0].client().keys("main", "n2-").unwrap();
    model.extend(there.into_iter().map(|key| (key.clone(), key)));
    agree(&nodes, "main", &model);
    assert!(model.len() > 30, "{} writes", model.len());
    cluster.stop(PATIENCE).unwrap();
    no_panic(&nodes);
}

#[test]
fn tls_that_begins_or_ends_waits_for_a_restart_and_what_else_changed_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let papers = Papers::make(dir.path(), "grid");
    let cluster: Cluster = ready(papers.cluster(dir.path(), 3));
    let nodes = all(&cluster);
    settle(&nodes);
    let (node, path) = (nodes[0], papers.0.join("n1/gridkv.toml"));
    let whole = papers.read("n1/gridkv.toml");
    let level = |level: &str| format!("[log]\nlevel = \"{level}\"\n");
    let shown = |pointer: &str| {
        let shown = node.client().request("GET", "/v1/node").send().unwrap().json().unwrap();
        shown.pointer(pointer).unwrap().clone()
    };
    let without = |text: &str, section: &str| {
        let (before, rest) = text.split_once(&format!("[{section}]\n")).unwrap();
        let (_, after) = rest.split_once("\n[").unwrap();
        format!("{before}[{after}")
    };
    let in_clear = without(&without(&whole, "http.tls"), "peers.tls");
    fs::write(&path, format!("{in_clear}{}", level("debug"))).unwrap();
    signal(node, "HUP");
    wait_log(node, "what changed here holds only after a restart", 1);
    let log = log(node);
    let line = log.lines().rfind(|line| line.contains("only after a restart")).unwrap();
    for key in ["http.tls.cert", "http.tls.key", "peers.tls.ca", "peers.tls.cert", "peers.tls.key"]
    {
        assert!(line.contains(key), "{key}: {line}");
    }
    assert!(!line.contains("log.level") && !log.contains("nothing was changed"), "{log}");
    assert_eq!(shown("/config/log/level"), "debug", "the rest is taken");
    assert!(
        shown("/config/http/tls/cert").as_str().unwrap().ends_with("node.pem"),
        "what holds is shown"
    );
    // The other way round, and a certificate that is new meanwhile.
    node.restart(PATIENCE).unwrap();
    let plain = Client::new(&node.base_url().replace("https", "http"))
        .bearing(Some(papers.read("tokens/admin.token").trim()));
    wait_until(PATIENCE, "n1 to answer in clear", || {
        plain.stats().is_ok_and(|it| it.status == 200)
    })
    .unwrap();
    fs::write(&path, format!("{whole}{}", level("warn"))).unwrap();
    signal(node, "HUP");
    wait_log(node, "what changed here holds only after a restart", 2);
    let said = plain.request("GET", "/v1/node").send().unwrap().json().unwrap();
    assert_eq!(said["config"]["log"]["level"], "warn");
    assert_eq!(said["config"]["http"]["tls"]["cert"], "");
}

#[test]
fn a_node_that_is_added_joins_a_cluster_that_runs() {
    let dir = tempfile::tempdir().unwrap();
    let papers = Papers::make(dir.path(), "grid");
    let made = papers.cluster(dir.path(), 4).node_args(4, ["--config", &papers.config("n4")]);
    let cluster = made.node_env(1, "GRIDKV_PEERS__BOOTSTRAP", "true").build().unwrap();
    let nodes = all(&cluster);
    for node in &nodes[..3] {
        node.start().unwrap();
        node.wait_ready(PATIENCE).unwrap();
    }
    let mut model = Model::new();
    put(&nodes[0].client(), "before", &mut model);
    let directory = papers.0.to_str().unwrap();
    let add = || gridkv(&["init", "--dir", directory, "--add", "n4"]);
    let (added, again) = (add(), add());
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    assert_eq!(again.status.code(), Some(1), "it is there");
    assert!(String::from_utf8_lossy(&again.stderr).contains("has a node \"n4\" already"));
    nodes[3].start().unwrap();
    nodes[3].wait_ready(PATIENCE).unwrap();
    for number in 0..20 {
        put(&nodes[number % 4].client(), &format!("k{number}"), &mut model);
    }
    settle(&nodes);
    agree(&nodes, "main", &model);
    cluster.stop(PATIENCE).unwrap();
    no_panic(&nodes);
}

#[test]
fn who_is_of_another_authority_or_shows_no_certificate_stays_outside() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Papers::make(dir.path(), "grid"), Papers::make(dir.path(), "other"));
    // The third node has the papers of the other cluster, and claims to be of this one; the fourth has none.
    let outsider = [
        ("GRIDKV_PEERS__TLS__CA", "ca.pem"),
        ("GRIDKV_PEERS__TLS__CERT", "n3/node.pem"),
        ("GRIDKV_PEERS__TLS__KEY", "n3/node.key"),
    ];
    let made = outsider.iter().fold(ours.cluster(dir.path(), 4), |made, (name, file)| {
        made.node_env(3, name, theirs.0.join(file).to_str().unwrap())
    });
    // One line for all strangers has the reason of the last; at this level each has its own.
    let made = made.env("GRIDKV_LOG__LEVEL", "debug");
    let cluster = made.node_env(3, "GRIDKV_NODE__CLUSTER", "other").build().unwrap();
    let nodes = all(&cluster);
    for node in &nodes {
        node.start().unwrap();
    }
    wait_log(nodes[2], "its certificate is of another authority than peers.tls.ca", 1);
    wait_log(nodes[3], "the other side speaks TLS, and this node has neither", 1);
    for node in &nodes[..2] {
        wait_log(node, "what came is no TLS", 1);
        wait_log(node, "it refuses this node's certificate", 1);
    }
    // The two know two seeds that never let them in, so they wait; a client hears whom they wait for.
    let waits = nodes[0].client().readyz().unwrap();
    assert_eq!(waits.status, 503, "{}", waits.quoted());
    for node in &nodes[..2] {
        let names = peers(node);
        assert!(!names.iter().any(|name| name == "n3" || name == "n4"), "{names:?}");
    }
    says_nothing_to_strangers(nodes[0]);
}

/// Whoever says something else than TLS, or nothing, or only its beginning, is cut off, and hears an alert at most.
fn says_nothing_to_strangers(node: &Node) {
    let said: [&[u8]; 4] = [
        b"GET /v1/kv/main HTTP/1.1\r\nhost: x\r\n\r\n",
        &[0xff; 200],
        b"",
        &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01],
    ];
    let address = node.address();
    thread::scope(|scope| {
        for port in [address.http, address.peers] {
            for bytes in said {
                scope.spawn(move || {
                    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    stream.write_all(bytes).unwrap();
                    let mut answer = Vec::new();
                    let ended = stream.read_to_end(&mut answer);
                    let kind = ended.err().map(|error| error.kind());
                    assert!(kind != Some(ErrorKind::WouldBlock), "{bytes:?} is still connected");
                    assert!(answer.len() <= 7, "{:?}", String::from_utf8_lossy(&answer));
                });
            }
        }
    });
}

#[test]
fn a_node_that_is_not_in_the_list_is_told_so_and_is_not_ready() {
    let dir = tempfile::tempdir().unwrap();
    let papers = Papers::make(dir.path(), "grid");
    let made = papers.cluster(dir.path(), 3);
    let made = [1, 2].into_iter().fold(made, |made, number| {
        made.node_env(number, "GRIDKV_PEERS__TLS__ALLOW", "n1,n2").node_env(
            number,
            "GRIDKV_PEERS__BOOTSTRAP",
            if number == 1 { "true" } else { "false" },
        )
    });
    let cluster = made.build().unwrap();
    let nodes = all(&cluster);
    nodes[0].start().unwrap();
    nodes[0].wait_ready(PATIENCE).unwrap();
    nodes[1].start().unwrap();
    nodes[1].wait_ready(PATIENCE).unwrap();
    nodes[2].start().unwrap();
    wait_log(nodes[2], "is not among the names of peers.tls.allow", 1);
    assert_eq!(nodes[2].client().readyz().unwrap().status, 503);
    assert_eq!(peers(nodes[0]), ["n2"]);
}

#[test]
fn nodes_that_share_a_secret_replicate_and_who_has_another_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let made = builder(dir.path()).nodes(3).stores(["main=memory"]);
    let made = made.node_env(1, "GRIDKV_PEERS__BOOTSTRAP", "true");
    let made = made.env("GRIDKV_PEERS__SECRET", SECRET);
    let other = "a secret of thirty-two characterZ";
    let cluster = made.node_env(3, "GRIDKV_PEERS__SECRET", other).build().unwrap();
    let nodes = all(&cluster);
    nodes[0].start().unwrap();
    nodes[0].wait_ready(PATIENCE).unwrap();
    nodes[1].start().unwrap();
    nodes[1].wait_ready(PATIENCE).unwrap();
    nodes[2].start().unwrap();
    let mut model = Model::new();
    for number in 0..20 {
        put(&nodes[number % 2].client(), &format!("k{number}"), &mut model);
    }
    settle(&nodes[..2]);
    agree(&nodes[..2], "main", &model);
    wait_log(nodes[2], "it did not prove that it knows the secret", 1);
    wait_log(nodes[0], "it did not prove that it knows the secret", 1);
    assert_eq!(peers(nodes[0]), ["n2"]);
    for node in &nodes {
        let log = log(node);
        assert!(!log.contains(SECRET) && !log.contains(other), "a secret in the log");
    }
}
