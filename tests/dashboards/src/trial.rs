//! The cluster that is looked at: three nodes of this build with certificates and tokens, a store of every kind, and
//! three stores that are easy to bring into trouble.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gridkv_cluster::{Client, Cluster, Node, wait_until};

use crate::error::Error;
use crate::scrape::Scrape;
use crate::tool;

/// One that is killed, one that is in trouble, one that is neither.
const NODES: [&str; 3] = ["n1", "n2", "n3"];
/// `ring` and `slow` publish badly, `small` has little room.
const STORES: [&str; 8] = [
    "main=file",
    "sessions=memory",
    "hot=moka",
    "big=fjall",
    "scratch=fjall-memory",
    "ring=memory",
    "slow=memory",
    "small=memory",
];
/// What of them differs from the defaults.
const SETTINGS: [(&str, &str); 7] = [
    ("GRIDKV_STORES__MAIN__PERSIST_INTERVAL", "1s"),
    // One batch of a client is more than it holds.
    ("GRIDKV_STORES__RING__SYNC__BUFFER_SIZE", "64"),
    // What is written stays in the ring until it is half full, or for ten seconds.
    ("GRIDKV_STORES__SLOW__SYNC__FLUSH_INTERVAL", "10s"),
    ("GRIDKV_STORES__SMALL__MAX_MEMORY_MB", "1"),
    ("GRIDKV_STORES__SMALL__MEMORY_POLICY", "reject"),
    ("GRIDKV_HTTP__WORKERS", "2"),
    // Eight stores of three debug builds on two cores, which others may use as well.
    ("GRIDKV_PEERS__HEARTBEAT_INTERVAL", "500ms"),
];
/// A debug build on a busy machine takes seconds.
const READY_LIMIT: Duration = Duration::from_mins(1);

/// The cluster, and the directory of its papers.
pub(crate) struct Trial {
    cluster: Cluster,
    gridkv: PathBuf,
    papers: PathBuf,
}

impl Trial {
    /// Starts the nodes below `directory`, and waits until each hears all others.
    pub(crate) fn start(gridkv: &Path, directory: &Path) -> Result<Self, Error> {
        let papers = directory.join("papers");
        let mut init = vec!["init".to_owned(), "--dir".to_owned(), papers.display().to_string()];
        init.extend(NODES.iter().flat_map(|name| ["--node".to_owned(), (*name).to_owned()]));
        run(gridkv, &init)?;
        let read = |name: &str| {
            let path = papers.join(name);
            fs::read_to_string(&path).map_err(|source| Error::io("read", &path, source))
        };
        let (authority, token) = (read("ca.pem")?, read("tokens/admin.token")?);
        let builder = Cluster::builder(gridkv, directory).stores(STORES).own_process_group();
        let builder = builder.https(&authority).token(token.trim());
        let builder =
            SETTINGS.iter().fold(builder, |builder, (name, value)| builder.env(name, value));
        let builder = (1_u16..).zip(NODES).fold(builder, |builder, (number, name)| {
            let config = papers.join(name).join("gridkv.toml");
            builder.node_args(number, ["--config", &config.display().to_string()])
        });
        let cluster = builder.start()?;
        cluster.wait_ready(READY_LIMIT)?;
        let trial = Self { cluster, gridkv: gridkv.to_owned(), papers };
        for node in trial.cluster.nodes() {
            wait_until(READY_LIMIT, format!("{} to hear its peers", node.name()), || {
                let states = node.client().peer_states().unwrap_or_default();
                states.iter().filter(|(_, state)| state == "up").count() == NODES.len() - 1
            })?;
        }
        Ok(trial)
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        self.cluster.nodes()
    }

    /// Node `number`, counted from 1.
    pub(crate) fn node(&self, number: usize) -> &Node {
        self.cluster.node(number)
    }

    /// How Prometheus finds them: with these rules, each second.
    pub(crate) fn scrape(&self, rules: Vec<PathBuf>) -> Scrape {
        let nodes = self.nodes().iter();
        let nodes = nodes
            .map(|node| (node.name().to_owned(), format!("127.0.0.1:{}", node.address().http)));
        let papers = (self.papers.join("ca.pem"), self.papers.join("tokens/metrics.token"));
        Scrape { nodes: nodes.collect(), rules, papers: Some(papers), each_second: true }
    }

    /// Gives a node a certificate that ends in so many days; it takes it without a restart.
    pub(crate) fn renew(&self, number: usize, days: u32) -> Result<(), Error> {
        let node = self.node(number);
        let papers = self.papers.display().to_string();
        let words = ["init", "--dir", &papers, "--renew", node.name(), "--days", &days.to_string()];
        run(&self.gridkv, &words)?;
        node.reload()?;
        Ok(())
    }

    /// What `/metrics` of each node says that runs.
    pub(crate) fn exposed(&self) -> Result<Vec<(String, String)>, Error> {
        let running = self.nodes().iter().filter(|node| node.must_run().is_ok());
        let exposed = running.map(|node| {
            let reply = node.client().request("GET", "/metrics").send()?.expect_status(200)?;
            Ok((node.name().to_owned(), reply.text().into_owned()))
        });
        exposed.collect()
    }

    /// A client that no node knows.
    pub(crate) fn stranger(&self, number: usize) -> Client {
        self.node(number).client().bearing(Some("nobody-knows-this-token"))
    }
}

fn run<S: AsRef<str>>(gridkv: &Path, words: &[S]) -> Result<(), Error> {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let mut command = Command::new(gridkv);
    command.args(&words);
    let said = tool::run(command, b"").map_err(|source| Error::io("run", gridkv, source))?;
    said.map_or(Ok(()), |said| {
        Err(Error::Failed { command: format!("gridkv {}", words.join(" ")), said })
    })
}
