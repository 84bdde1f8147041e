//! A cluster on three machines, as far as one machine can show it: each node in a network namespace of its own, with an
//! address that is no loopback. A token is rotated and a certificate renewed while clients write.
//!
//! Where no namespaces can be made (it takes root, and a kernel that has them) it says so, and shows nothing.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gridkv_cluster::{Client, wait_until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_mins(1);
const NODES: [&str; 3] = ["n1", "n2", "n3"];
const OLD: &str = "tokens/write.token";

/// Runs a program and says what it says when it fails.
fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let done = Command::new(program).args(arguments).env_remove("GRIDKV_CONFIG").output();
    let done = done.map_err(|error| format!("{program}: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(format!("{program} {}: {}", arguments.join(" "), said.trim()))
}

fn ip(line: &str) -> Result<String, String> {
    run("ip", &line.split(' ').collect::<Vec<_>>())
}

/// A network of this test's own: a bridge, and a namespace for each node. Dropped, it is gone.
struct Network {
    id: u32,
}

impl Network {
    fn make() -> Result<Self, String> {
        let network = Self { id: std::process::id() };
        let bridge = network.bridge();
        ip(&format!("link add {bridge} type bridge"))?;
        ip(&format!("addr add {}/24 dev {bridge}", network.address(254)))?;
        ip(&format!("link set {bridge} up"))?;
        for number in 1..=NODES.len() {
            let (space, address) = (network.space(number), network.address(number));
            let (near, far) = (format!("gkv{}n{number}", network.id % 100_000), "eth0");
            ip(&format!("netns add {space}"))?;
            ip(&format!("link add {near} type veth peer name {far} netns {space}"))?;
            ip(&format!("link set {near} master {bridge} up"))?;
            ip(&format!("-n {space} addr add {address}/24 dev {far}"))?;
            ip(&format!("-n {space} link set {far} up"))?;
            ip(&format!("-n {space} link set lo up"))?;
        }
        Ok(network)
    }

    fn bridge(&self) -> String {
        format!("gkb{}", self.id % 100_000)
    }

    fn space(&self, number: usize) -> String {
        format!("gridkv-{}-{number}", self.id)
    }

    /// Of the addresses that are set aside for trying out networks.
    fn address(&self, host: usize) -> String {
        format!("198.18.{}.{host}", self.id % 250)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for number in 1..=NODES.len() {
            drop(ip(&format!("netns del {}", self.space(number)))); // its end of the pair goes with it
        }
        drop(ip(&format!("link del {}", self.bridge())));
    }
}

/// A node in its namespace. Dropped, it is killed.
struct Node<'a> {
    network: &'a Network,
    number: usize,
    papers: &'a Path,
    child: Child,
}

impl<'a> Node<'a> {
    fn start(network: &'a Network, papers: &'a Path, number: usize) -> Self {
        let child = Self::spawn(network, papers, number);
        Self { network, number, papers, child }
    }

    fn spawn(network: &Network, papers: &Path, number: usize) -> Child {
        let directory = papers.join(NODES[number - 1]);
        let log = File::options().create(true).append(true).open(directory.join("log")).unwrap();
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &network.space(number), env!("CARGO_BIN_EXE_gridkv")])
            .args(["serve", "--config", directory.join("gridkv.toml").to_str().unwrap()])
            .env("GRIDKV_LOG__FORMAT", "text")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command.spawn().unwrap()
    }

    fn client(&self, token: &str) -> Client {
        let url = format!("https://{}:7400", self.network.address(self.number));
        let authority = fs::read_to_string(self.papers.join("ca.pem")).unwrap();
        Client::with_timeout(&url, PATIENCE).trusting(&authority).bearing(Some(token))
    }

    fn signal(&self, name: &str) {
        run("kill", &[&format!("-{name}"), &self.child.id().to_string()]).unwrap();
    }

    fn log(&self) -> String {
        let directory = self.papers.join(NODES[self.number - 1]);
        fs::read_to_string(directory.join("log")).unwrap()
    }

    fn wait_ready(&self) {
        let ready = || self.client("").readyz().is_ok_and(|reply| reply.status == 200);
        let waited = wait_until(PATIENCE, "a node to be ready", ready);
        assert!(waited.is_ok(), "{waited:?}\n{}", self.log());
    }

    /// Has it read its configuration again, and waits until it has.
    fn read_again(&self) {
        let times = || self.log().matches("the configuration was read again").count();
        let before = times();
        self.signal("HUP");
        wait_until(PATIENCE, "the configuration to be read again", || times() > before).unwrap();
    }

    fn restart(&mut self) {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
        self.child = Self::spawn(self.network, self.papers, self.number);
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default(); // it may have ended by itself
        self.child.wait().map(drop).unwrap_or_default();
    }
}

fn gridkv(arguments: &[&str]) {
    run(env!("CARGO_BIN_EXE_gridkv"), arguments).unwrap();
}

/// Writes all tokens that a node knows: those that `gridkv init` made, but for the one to write, and this one.
fn know(papers: &Path, others: &[&str], token: Option<&str>) {
    for node in NODES {
        let path = papers.join(node).join("tokens.toml");
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.retain(|line| others.iter().all(|other| !line.contains(other)));
        let added = token.map(|token| {
            let file = papers.join("token");
            fs::write(&file, token).unwrap();
            let sha256 = run("sha256sum", &[file.to_str().unwrap()]).unwrap();
            format!("  {{ name = \"new\", role = \"write\", sha256 = \"{}\" }},", &sha256[..64])
        });
        if let Some(added) = &added {
            lines.insert(lines.len() - 1, added);
        }
        fs::write(&path, lines.join("\n")).unwrap();
    }
}

fn keys(node: &Node<'_>, token: &str) -> BTreeSet<String> {
    keys_of(node, token, "")
}

fn keys_of(node: &Node<'_>, token: &str, writer: &str) -> BTreeSet<String> {
    node.client(token).keys("main", writer).unwrap().into_iter().collect()
}

fn made(dir: &Path, network: &Network) -> PathBuf {
    let papers = dir.join("papers");
    let nodes = NODES.iter().enumerate();
    let nodes: Vec<String> =
        nodes.map(|(at, name)| format!("--node={name}={}", network.address(at + 1))).collect();
    let line = ["init", "--cluster", "apart", "--dir", papers.to_str().unwrap()];
    gridkv(&line.into_iter().chain(nodes.iter().map(String::as_str)).collect::<Vec<_>>());
    papers
}

/// Writes key after key with the token that holds, until it is over.
fn write_until(node: &Node<'_>, holds: &Mutex<String>, over: &AtomicBool) -> BTreeSet<String> {
    let mut written = BTreeSet::new();
    for number in 0.. {
        let token = holds.lock().unwrap().clone();
        let key = format!("{}-{number:05}", NODES[node.number - 1]);
        let put = node.client(&token).put("main", &key, b"v").unwrap();
        assert_eq!(put.status, 201, "{key}: {}", put.quoted());
        written.insert(key);
        if over.load(Ordering::Relaxed) {
            break;
        }
    }
    written
}

/// Gives a node another certificate, which it goes on with.
fn renew(node: &Node<'_>, token: &str) {
    let end = || {
        let shown = node.client(token).request("GET", "/v1/node").send().unwrap();
        shown.json().unwrap()["certificates"]["peers"]["expires_at"].as_str().unwrap().to_owned()
    };
    let (before, papers) = (end(), node.papers.to_str().unwrap());
    gridkv(&["init", "--dir", papers, "--renew", NODES[node.number - 1], "--days", "700"]);
    node.read_again();
    assert!(end() > before);
}

#[test]
fn three_nodes_apart_rotate_a_token_and_renew_a_certificate_and_lose_no_write() {
    let network = match Network::make() {
        Ok(network) => network,
        Err(why) => {
            eprintln!("skipped: no network namespaces can be made here ({why})");
            return;
        }
    };
    let dir = tempfile::tempdir().unwrap();
    let papers = made(dir.path(), &network);
    let mut nodes: Vec<Node<'_>> =
        (1..=NODES.len()).map(|number| Node::start(&network, &papers, number)).collect();
    nodes.iter().for_each(Node::wait_ready);
    let old = fs::read_to_string(papers.join(OLD)).unwrap();
    let mesh: Value = nodes[0].client(&old).cluster().unwrap().json().unwrap();
    let addresses: BTreeSet<&str> = mesh["peers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| peer["addr"].as_str().unwrap())
        .collect();
    assert_eq!(addresses.len(), 2, "{mesh}");
    assert!(addresses.iter().all(|address| address.starts_with("198.18.")), "{mesh}");

    let new = "gkv_a-token-of-a-test-that-is-not-random-at-all";
    let (holds, over) = (Mutex::new(old.clone()), AtomicBool::new(false));
    let written = thread::scope(|scope| {
        let writers: Vec<_> = nodes[..2]
            .iter()
            .map(|node| scope.spawn(|| write_until(node, &holds, &over)))
            .collect();
        know(&papers, &[], Some(new));
        nodes.iter().for_each(Node::read_again);
        new.clone_into(&mut holds.lock().unwrap());
        // Until every write that was begun with the old one is over.
        let of_each = || [0, 1].map(|at| keys_of(&nodes[at], new, NODES[at]).len());
        let seen = of_each();
        let more = || of_each().iter().zip(seen).all(|(now, seen)| *now > seen + 2);
        wait_until(PATIENCE, "writes with the new token", more).unwrap();
        know(&papers, &["\"write\", role"], None);
        nodes.iter().for_each(Node::read_again);
        assert_eq!(nodes[0].client(&old).get("main", "k").unwrap().status, 401, "the old token");

        renew(&nodes[1], new);
        over.store(true, Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect::<BTreeSet<String>>()
    });
    // The third node dials the one with the new certificate anew, and is dialled by it.
    nodes[2].restart();
    nodes[2].wait_ready();
    assert!(written.len() > 20, "{} writes", written.len());
    for node in &nodes {
        let all = || keys(node, new) == written;
        let waited = wait_until(PATIENCE, "all writes to be everywhere", all);
        assert!(waited.is_ok(), "{waited:?}\n{}", node.log());
    }
    for node in &mut nodes[..2] {
        assert!(node.child.try_wait().unwrap().is_none(), "it ran all the time");
        assert!(!node.log().contains("panicked"), "{}", node.log());
    }
}
