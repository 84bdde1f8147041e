//! Several nodes that know each other: how many, with which stores, on which ports.

use crate::cluster_error::ClusterError;
use crate::deadline::Deadline;
use crate::launch::Launch;
use crate::node::Node;
use crate::port::{Address, Ports};
use std::ffi::OsString;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};

/// More processes than this on one machine prove nothing more, and the development ports would meet.
pub const MAX_NODES: u16 = 32;

/// What a cluster will be. Made by [`Cluster::builder`].
#[derive(Clone, Debug)]
#[must_use = "nothing is started before `start`"]
pub struct Builder {
    binary: PathBuf,
    directory: PathBuf,
    nodes: u16,
    stores: Vec<String>,
    ports: Ports,
    dialled: Vec<u16>,
    arguments: Vec<(Option<u16>, OsString)>,
    environment: Vec<(Option<u16>, String, String)>,
    own_process_group: bool,
    everywhere: bool,
    token: Option<String>,
    authority: Option<String>,
}

impl Builder {
    /// How many nodes; 3 unless said otherwise.
    pub fn nodes(mut self, nodes: u16) -> Self {
        self.nodes = nodes;
        self
    }

    /// The stores of every node, each as `NAME=BACKEND`; without any, the node's own default.
    pub fn stores<S: Into<String>>(mut self, stores: impl IntoIterator<Item = S>) -> Self {
        self.stores = stores.into_iter().map(Into::into).collect();
        self
    }

    /// How ports are chosen; [`Ports::Free`] unless said otherwise.
    pub fn ports(mut self, ports: Ports) -> Self {
        self.ports = ports;
        self
    }

    /// The ports on 127.0.0.1 that peers dial instead of the nodes' own, the first node's first: those of whatever
    /// stands between them. Nodes beyond the last one given are dialled where they listen.
    pub fn dialled_at(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.dialled = ports.into_iter().collect();
        self
    }

    /// Adds arguments to the command line of every node.
    pub fn args<S: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| (None, argument.into())));
        self
    }

    /// Adds arguments to the command line of node `number`, counted from 1.
    pub fn node_args<S: Into<OsString>>(
        mut self,
        number: u16,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        let arguments = arguments.into_iter().map(|argument| (Some(number), argument.into()));
        self.arguments.extend(arguments);
        self
    }

    /// Sets an environment variable of every node. The caller's own `GRIDKV_*` variables never reach a node.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((None, name.to_owned(), value.to_owned()));
        self
    }

    /// Sets an environment variable of node `number`, counted from 1.
    pub fn node_env(mut self, number: u16, name: &str, value: &str) -> Self {
        self.environment.push((Some(number), name.to_owned(), value.to_owned()));
        self
    }

    /// Gives each node a process group of its own, so that Ctrl-C reaches only the process that stops them in order.
    /// Not for tests: there Ctrl-C ends the test process without unwinding, and has to reach the nodes by itself.
    pub fn own_process_group(mut self) -> Self {
        self.own_process_group = true;
        self
    }

    /// Has the nodes listen on every address of the machine, which they refuse unless they are told how to ask who
    /// connects, or not to. Peers and clients still use 127.0.0.1.
    pub fn everywhere(mut self) -> Self {
        self.everywhere = true;
        self
    }

    /// The token that the nodes' clients send. Which tokens the nodes know is a matter of their configuration.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// The nodes speak HTTPS, with certificates of this authority (PEM), and their clients take no other. That they
    /// do is a matter of their configuration.
    pub fn https(mut self, authority: &str) -> Self {
        self.authority = Some(authority.to_owned());
        self
    }

    /// Chooses ports and makes the nodes, without starting any.
    ///
    /// # Errors
    /// [`ClusterError::Ports`] when no ports are free, [`ClusterError::Io`] for a number of nodes that is 0 or over
    /// [`MAX_NODES`], or when the current directory cannot be read.
    pub fn build(self) -> Result<Cluster, ClusterError> {
        if !(1..=MAX_NODES).contains(&self.nodes) {
            let source = io::Error::other(format!("allowed are 1 to {MAX_NODES}"));
            let action = format!("cannot make a cluster of {} nodes", self.nodes);
            return Err(ClusterError::Io { action, source });
        }
        let addresses: Vec<Address> =
            (1..=self.nodes).map(|number| self.ports.address(number)).collect::<Result<_, _>>()?;
        let binary = absolute(&self.binary)?;
        let directory = absolute(&self.directory)?;
        let nodes = (1..=self.nodes).zip(&addresses).map(|(number, address)| {
            let name = format!("n{number}");
            let directory = directory.join(&name);
            let arguments = self.command_line(number, &directory, *address, &addresses);
            Node::new(Launch {
                name,
                address: *address,
                binary: binary.clone(),
                directory,
                arguments,
                environment: self.environment_of(number),
                own_process_group: self.own_process_group,
                token: self.token.clone(),
                authority: self.authority.clone(),
            })
        });
        Ok(Cluster { nodes: nodes.collect() })
    }

    /// Makes the nodes and starts them all. They are not ready yet: see [`Cluster::wait_ready`].
    ///
    /// # Errors
    /// As for [`Builder::build`] and [`Node::start`]; what was started by then is killed.
    pub fn start(self) -> Result<Cluster, ClusterError> {
        let cluster = self.build()?;
        cluster.nodes.iter().try_for_each(Node::start)?;
        Ok(cluster)
    }

    fn command_line(
        &self,
        number: u16,
        directory: &Path,
        own: Address,
        all: &[Address],
    ) -> Vec<OsString> {
        let mut line: Vec<OsString> = vec!["serve".into()];
        let mut option = |name: &str, value: OsString| line.extend([name.into(), value]);
        option("--name", format!("n{number}").into());
        option("--data-dir", directory.join("data").into());
        let host = if self.everywhere { "0.0.0.0" } else { "127.0.0.1" };
        option("--listen", format!("{host}:{}", own.http).into());
        option("--peer-listen", format!("{host}:{}", own.peers).into());
        let given = self.dialled.iter().map(Some).chain(iter::repeat(None));
        for (one, given) in all.iter().zip(given) {
            let port = given.copied().unwrap_or(one.peers);
            match (*one == own, given) {
                (false, _) => option("--join", format!("127.0.0.1:{port}").into()),
                (true, Some(_)) => option("--advertise", format!("127.0.0.1:{port}").into()),
                (true, None) if self.everywhere => {
                    option("--advertise", format!("127.0.0.1:{port}").into());
                }
                (true, None) => {}
            }
        }
        for store in &self.stores {
            option("--store", store.into());
        }
        let extra = self.arguments.iter().filter(|(whose, _)| whose.is_none_or(|it| it == number));
        line.extend(extra.map(|(_, argument)| argument.clone()));
        line
    }

    fn environment_of(&self, number: u16) -> Vec<(String, String)> {
        // A log that goes to a file would be JSON; these are read by people.
        let mut environment = vec![("GRIDKV_LOG__FORMAT".to_owned(), "text".to_owned())];
        let own = self.environment.iter().filter(|(whose, ..)| whose.is_none_or(|it| it == number));
        environment.extend(own.map(|(_, name, value)| (name.clone(), value.clone())));
        environment
    }
}

/// Nodes that were given each other's addresses as seeds. Dropping it kills and reaps all, also while panicking.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
}

impl Cluster {
    /// Begins a cluster of nodes that run `gridkv_binary` and keep everything below `directory`: node N its log, pid
    /// and data in `nN/`. What is there already is used, as after a restart.
    pub fn builder(gridkv_binary: impl Into<PathBuf>, directory: impl Into<PathBuf>) -> Builder {
        Builder {
            binary: gridkv_binary.into(),
            directory: directory.into(),
            nodes: 3,
            stores: Vec::new(),
            ports: Ports::Free,
            dialled: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            own_process_group: false,
            everywhere: false,
            token: None,
            authority: None,
        }
    }

    /// Node `number`, counted from 1, as in its name.
    ///
    /// # Panics
    /// When there is no such node: a mistake in the caller's text.
    #[must_use]
    pub fn node(&self, number: usize) -> &Node {
        let count = self.nodes.len();
        let Some(node) = number.checked_sub(1).and_then(|index| self.nodes.get(index)) else {
            panic!("there is no node {number}: nodes are 1 to {count}");
        };
        node
    }

    /// All nodes, the first first.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Waits until all nodes are ready, all before the same deadline. Any that exits ends the wait at once: the others
    /// may be waiting for it.
    ///
    /// # Errors
    /// As for [`Node::wait_ready`], of the first that failed.
    pub fn wait_ready(&self, deadline: impl Into<Deadline>) -> Result<(), ClusterError> {
        self.wait_ready_while(deadline, || true).map(drop)
    }

    /// The same, while the caller wants to go on: false when it no longer does.
    ///
    /// # Errors
    /// As for [`Cluster::wait_ready`].
    pub fn wait_ready_while(
        &self,
        deadline: impl Into<Deadline>,
        mut going_on: impl FnMut() -> bool,
    ) -> Result<bool, ClusterError> {
        let deadline = deadline.into();
        for node in &self.nodes {
            let all_run = || self.must_run().is_ok();
            if !node.wait_ready_while(deadline, || all_run() && going_on())? {
                return self.must_run().map(|()| false);
            }
        }
        Ok(true)
    }

    /// Succeeds while all nodes run.
    ///
    /// # Errors
    /// As for [`Node::must_run`], of the first that does not.
    pub fn must_run(&self) -> Result<(), ClusterError> {
        self.nodes.iter().try_for_each(Node::must_run)
    }

    /// Asks all running nodes to stop in order and waits for all, killing nobody.
    ///
    /// # Errors
    /// As for [`Node::stop`], of the first that failed; all were asked, and waited for.
    pub fn stop(&self, deadline: impl Into<Deadline>) -> Result<(), ClusterError> {
        let deadline = deadline.into();
        let running: Vec<&Node> = self.nodes.iter().filter(|node| node.pid().is_some()).collect();
        let asked: Vec<_> = running.iter().map(|node| node.terminate()).collect();
        let ended = running.iter().map(|node| node.wait_exit(deadline).map(drop));
        // An early collect: all are waited for before the first failure is told.
        let ended: Vec<_> = ended.collect();
        asked.into_iter().chain(ended).collect()
    }
}

fn absolute(path: &Path) -> Result<PathBuf, ClusterError> {
    let cannot = ClusterError::io(format!("cannot resolve {}", path.display()));
    std::path::absolute(path).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(node: &Node) -> String {
        let words: Vec<_> = node
            .launch()
            .arguments
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        words.join(" ")
    }

    #[test]
    fn each_node_joins_all_others() {
        let cluster = Cluster::builder("/bin/gridkv", "/tmp/c")
            .ports(Ports::Development)
            .stores(["main=file"])
            .node_args(2, ["--bootstrap"])
            .build()
            .unwrap();
        assert_eq!(
            line(cluster.node(2)),
            "serve --name n2 --data-dir /tmp/c/n2/data --listen 127.0.0.1:7402 \
             --peer-listen 127.0.0.1:7502 --join 127.0.0.1:7501 --join 127.0.0.1:7503 \
             --store main=file --bootstrap"
        );
        assert!(!line(cluster.node(1)).contains("--bootstrap"));
    }

    #[test]
    fn peers_dial_what_stands_between_them() {
        let cluster = Cluster::builder("/bin/gridkv", "/tmp/c")
            .ports(Ports::Development)
            .dialled_at([17501, 17502])
            .build()
            .unwrap();
        let second = line(cluster.node(2));
        assert!(second.contains("--peer-listen 127.0.0.1:7502 --join 127.0.0.1:17501"));
        assert!(second.ends_with("--advertise 127.0.0.1:17502 --join 127.0.0.1:7503"));
    }

    #[test]
    fn nodes_that_listen_everywhere_are_dialled_here() {
        let everywhere = Cluster::builder("x", "y").ports(Ports::Development).everywhere();
        let first = line(everywhere.nodes(1).build().unwrap().node(1));
        for option in
            ["--listen 0.0.0.0:7401", "--peer-listen 0.0.0.0:7501", "--advertise 127.0.0.1:7501"]
        {
            assert!(first.contains(option), "{first}");
        }
    }

    #[test]
    fn a_cluster_needs_a_sensible_number_of_nodes() {
        for nodes in [0, MAX_NODES + 1] {
            assert!(Cluster::builder("x", "y").nodes(nodes).build().is_err());
        }
    }

    #[test]
    #[should_panic(expected = "nodes are 1 to 3")]
    fn nodes_are_counted_from_one() {
        let cluster = Cluster::builder("x", "y").build().unwrap();
        assert_eq!(cluster.node(0).pid(), None);
    }
}
