//! What the hostile tests share: a cluster under siege, its weight before and after, and connections that say anything.

#![allow(dead_code, reason = "every test program uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

pub(crate) mod answer;
pub(crate) mod gallery;

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use gridkv_cluster::{Cluster, Node, wait_until};
use gridkv_protocol::frame::{HEADER_BYTES, WIRE};
use gridkv_protocol::message::Message;
use serde_json::Value;

use crate::mesh::{self, Model, PATIENCE};

/// A node may grow by this much, whatever it was sent.
const MOST_GROWTH_KIB: u64 = 64 * 1_024;
/// A connection that is of no further use is closed within this, on a busy machine too.
pub(crate) const CLOSED_WITHIN: Duration = Duration::from_secs(30);

/// Three nodes that have to stand it.
pub(crate) struct Siege {
    cluster: Cluster,
    before: Vec<Weight>,
    model: Model,
    /// How many inputs were sent.
    pub(crate) sent: usize,
    _directory: tempfile::TempDir,
}

/// A process before it was attacked.
struct Weight {
    pid: u32,
    kib: u64,
}

impl Siege {
    /// Starts them, with short patience for slow clients, and gives them something to hold.
    pub(crate) fn begin() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let builder = mesh::builder(directory.path())
            .stores(["main=file", "sessions=memory"])
            .env("GRIDKV_HTTP__HEAD_TIMEOUT", "2s")
            .env("GRIDKV_HTTP__KEEP_ALIVE", "4s")
            .env("GRIDKV_HTTP__BODY_TIMEOUT", "3s");
        let cluster = mesh::ready(builder);
        let mut siege = Self {
            cluster,
            before: Vec::new(),
            model: Model::new(),
            sent: 0,
            _directory: directory,
        };
        siege.converges("before");
        siege.before = siege.nodes().into_iter().map(Weight::of).collect();
        siege
    }

    pub(crate) fn nodes(&self) -> Vec<&Node> {
        self.cluster.nodes().iter().collect()
    }

    /// Where node `number` listens for peers.
    pub(crate) fn peers(&self, number: usize) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.cluster.node(number).address().peers).into()
    }

    /// Where node `number` listens for clients.
    pub(crate) fn http(&self, number: usize) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.cluster.node(number).address().http).into()
    }

    /// One node.
    pub(crate) fn node(&self, number: usize) -> &Node {
        self.cluster.node(number)
    }

    /// Kills a node and starts it again; from then on it is another process, which may not be ready yet.
    pub(crate) fn restart(&mut self, number: usize) {
        self.node(number).kill().unwrap();
        self.node(number).start().unwrap();
        self.before[number - 1] = Weight::of(self.node(number));
    }

    /// The origin of a node, as its neighbours know it.
    pub(crate) fn origin(&self, number: usize) -> gridkv_protocol::Origin {
        let me = &mesh::mesh(&self.node(number).client())["self"];
        let id = u32::from_str_radix(me["id"].as_str().unwrap(), 16).unwrap();
        let epoch = u32::try_from(me["epoch"].as_u64().unwrap()).unwrap();
        gridkv_protocol::Origin::new(gridkv_protocol::NodeId(id), gridkv_protocol::Epoch(epoch))
    }

    /// Writes on each and reads on all.
    fn converges(&mut self, round: &str) {
        let nodes: Vec<&Node> = self.cluster.nodes().iter().collect();
        for node in &nodes {
            let changes = mesh::puts(&format!("{round}-{}-", node.name()), 20, "v");
            mesh::write_and_note(&node.client(), "main", &mut self.model, &changes);
        }
        mesh::agree(&nodes, "main", &self.model);
    }

    /// The end: everyone lives, knows everyone, is no heavier than before, and still replicates.
    pub(crate) fn ends(mut self, at_least: usize) {
        assert!(self.sent >= at_least, "only {} inputs were sent", self.sent);
        self.converges("after");
        mesh::no_panic(&self.nodes());
        for (node, before) in self.nodes().iter().zip(&self.before) {
            assert_eq!(node.pid(), Some(before.pid), "{} died", node.name());
            wait_until(PATIENCE, format!("{} to be no heavier than before", node.name()), || {
                Weight::of(node).kib < before.kib + MOST_GROWTH_KIB
            })
            .unwrap();
            let log = fs::read_to_string(node.log_path()).unwrap();
            assert!(
                !log.contains(" ERROR "),
                "{} met an error:\n{}",
                node.name(),
                node.log_tail(20)
            );
            let live = node.client().request("GET", "/livez").send().unwrap();
            assert_eq!(live.status, 200);
        }
        for node in self.nodes() {
            assert_eq!(
                node.stop(PATIENCE).unwrap().code(),
                Some(0),
                "{} stops in order",
                node.name()
            );
        }
    }

    /// How often links between good nodes were made so far.
    pub(crate) fn links_made(&self) -> usize {
        self.lines_with("linked")
    }

    /// How often a node got in at a peer to publish to it.
    pub(crate) fn links_made_by(&self, number: usize) -> usize {
        lines_with(self.node(number), "linked")
    }

    /// Lines in all logs that have these words.
    pub(crate) fn lines_with(&self, words: &str) -> usize {
        self.nodes().into_iter().map(|node| lines_with(node, words)).sum()
    }
}

fn lines_with(node: &Node, words: &str) -> usize {
    let log = fs::read_to_string(node.log_path()).unwrap();
    log.lines().filter(|line| line.contains(words)).count()
}

impl Weight {
    fn of(node: &Node) -> Self {
        let pid = node.pid().unwrap();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib = line.trim().trim_end_matches(" kB").parse().unwrap();
        Self { pid, kib }
    }
}

/// Sends bytes; a receiver that has had enough may have closed already.
pub(crate) fn send(stream: &mut TcpStream, bytes: &[u8]) {
    // A reset is an answer too.
    drop(stream.write_all(bytes));
}

/// Connects.
pub(crate) fn dial(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(CLOSED_WITHIN)).unwrap();
    stream.set_write_timeout(Some(CLOSED_WITHIN)).unwrap();
    stream
}

/// Says that nothing more comes.
pub(crate) fn end(stream: &TcpStream) {
    drop(stream.shutdown(Shutdown::Write));
}

/// All that comes until the other side closes; fails when it does not.
pub(crate) fn until_closed(stream: &mut TcpStream, what: &str) -> Vec<u8> {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("the connection stays open after {what}: {:?}", String::from_utf8_lossy(&all))
        }
        // A reset after the last bytes is a close.
        Ok(_) | Err(_) => all,
    }
}

/// A body as JSON; nothing when it is none.
pub(crate) fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// The next message from a node; `None` when it closes first.
pub(crate) fn next(stream: &mut TcpStream) -> Option<Message> {
    let mut head = [0; HEADER_BYTES];
    stream.read_exact(&mut head).ok()?;
    let header = WIRE.parse(&head, 64 << 20).unwrap();
    let mut payload = vec![0; header.length()];
    stream.read_exact(&mut payload).ok()?;
    header.verify(&payload).unwrap();
    Some(Message::from_frame(&header, &payload).unwrap())
}
