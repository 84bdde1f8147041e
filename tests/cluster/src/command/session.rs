//! Nodes in the foreground: from "are the ports free" to "all have stopped", whatever happens between.

use crate::command::CommandError;
use crate::command::figure;
use crate::command::interrupt::Interrupt;
use crate::command::screen::Screen;
use clap::Args;
use gridkv_cluster::{
    Client, ClientError, Cluster, Deadline, Node, PortOwner, Ports, Stopwatch, wait_for,
};
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// The stores of every node, one per backend that a node has: what `make run` shows is what there is.
const STORES: [&str; 5] =
    ["main=file", "sessions=memory", "hot=moka", "big=fjall", "scratch=fjall-memory"];
/// Nodes that are asked to stop flush and hand over first; a node gives itself 25 s for that.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How often nodes that are up are looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);

/// How much of a log is shown with an error.
const LOG_LINES: usize = 25;

/// What the subcommands that start nodes have in common.
#[derive(Debug, Args)]
pub(crate) struct SessionOptions {
    /// The node program.
    #[arg(long, value_name = "PATH", default_value = "target/release/gridkv")]
    gridkv: PathBuf,
    /// Where node N keeps log, pid and data, in nN/. What earlier sessions left there is removed first.
    #[arg(long, value_name = "DIR", default_value = ".cluster")]
    dir: PathBuf,
    /// The stores of every node.
    #[arg(long = "store", value_name = "NAME=BACKEND", default_values_t = STORES.map(str::to_owned))]
    stores: Vec<String>,
    /// Take any free ports instead of 7401, 7402, ... and 7501, 7502, ...
    #[arg(long)]
    free_ports: bool,
    /// How long the nodes may take to be ready.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    ready_within: u64,
}

/// A running cluster that is stopped by Ctrl-C.
pub(crate) struct Session {
    cluster: Cluster,
    interrupt: Interrupt,
    directory: PathBuf,
    /// Whether the nodes are where `make grafana` looks for them.
    found_by_prometheus: bool,
    /// How long it took until all nodes were ready and saw each other.
    ready_after: Duration,
}

impl Session {
    /// Runs `work` on nodes that are ready and see each other, then stops them in order, whether it succeeded or not.
    pub(crate) fn with(
        options: &SessionOptions,
        nodes: u16,
        screen: &Screen,
        work: impl FnOnce(&Self) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let interrupt = Interrupt::install()?;
        let cluster = options.prepare(nodes)?;
        let directory = options.dir.clone();
        screen.line(format!(
            "Starting {nodes} nodes with fresh data in {}/ ...",
            directory.display()
        ))?;
        let found_by_prometheus = !options.free_ports;
        let ready_after = Duration::ZERO;
        let mut session = Self { cluster, interrupt, directory, found_by_prometheus, ready_after };
        let ready_within = Duration::from_secs(options.ready_within);
        let worked = session.open(ready_within).and_then(|()| {
            session.print_title(screen)?;
            work(&session)
        });
        if let Err(error) = &worked
            && !matches!(error, CommandError::Interrupted)
        {
            let text = error.to_string();
            screen.line(screen.bad(text.lines().next().unwrap_or_default()))?;
        }
        // What went wrong first is told; nodes that are left when this fails are killed by the drop of the cluster.
        let closed = session.close(screen);
        worked.and(closed)
    }

    fn open(&mut self, ready_within: Duration) -> Result<(), CommandError> {
        let deadline = Deadline::after(ready_within);
        let watch = Stopwatch::start();
        self.cluster.nodes().iter().try_for_each(Node::start)?;
        if !self.cluster.wait_ready_while(deadline, || !self.interrupt.is_requested())? {
            return Err(CommandError::Interrupted);
        }
        for node in self.cluster.nodes() {
            let client = node.client();
            let others = self.cluster.nodes().len() - 1;
            self.wait(deadline, &format!("{} to see {others} peers up", node.name()), || {
                answered(client.peer_states(), |states| {
                    states.iter().filter(|(_, state)| state == "up").count() == others
                })
            })?;
        }
        self.ready_after = watch.elapsed();
        Ok(())
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        self.cluster.nodes()
    }

    /// Waits like [`wait_for`], but ends at once when somebody presses Ctrl-C or a node dies.
    pub(crate) fn wait(
        &self,
        deadline: impl Into<Deadline>,
        what: &str,
        mut probe: impl FnMut() -> Option<Result<(), CommandError>>,
    ) -> Result<(), CommandError> {
        wait_for(deadline, what, || self.must_go_on().err().map(Err).or_else(&mut probe))?
    }

    /// Stays until Ctrl-C. A node that dies is an error, or, where somebody sits at a terminal, something to look at:
    /// the others go on, and Enter starts it again.
    pub(crate) fn stay(&self, screen: &Screen) -> Result<(), CommandError> {
        let enter = io::stdin().is_terminal().then(enter_pressed);
        loop {
            let goes_on = match &enter {
                None => self.must_go_on(),
                Some(enter) => self.look_after(enter, screen),
            };
            match goes_on {
                Ok(()) => thread::sleep(WATCH_INTERVAL),
                Err(CommandError::Interrupted) => return Ok(()),
                Err(died) => return Err(died),
            }
        }
    }

    /// Tells of nodes that have ended since the last look, and starts those that are gone when somebody wants it.
    fn look_after(&self, enter: &Receiver<()>, screen: &Screen) -> Result<(), CommandError> {
        if self.interrupt.is_requested() {
            return Err(CommandError::Interrupted);
        }
        for node in self.nodes().iter().filter(|node| node.pid().is_some()) {
            let Some(status) = node.ended()? else { continue };
            let name = node.name();
            screen.line(screen.bad(&format!("{name} ended by itself ({status})")))?;
            screen.line("The others go on; their consoles show it. Enter starts it again.")?;
        }
        if enter.try_recv().is_ok() {
            for node in self.nodes().iter().filter(|node| node.pid().is_none()) {
                node.start()?;
                screen.line(format!("{} is started again.", node.name()))?;
            }
        }
        Ok(())
    }

    /// Says when somebody presses Ctrl-C, or a node has died.
    pub(crate) fn must_go_on(&self) -> Result<(), CommandError> {
        if self.interrupt.is_requested() {
            return Err(CommandError::Interrupted);
        }
        Ok(self.cluster.must_run()?)
    }

    /// Stops all that still run. A second Ctrl-C or the limit kills what is left.
    fn close(&self, screen: &Screen) -> Result<(), CommandError> {
        let running = || self.nodes().iter().filter(|node| node.must_run().is_ok());
        if running().next().is_none() {
            return Ok(());
        }
        screen.line("\nStopping all nodes ...")?;
        let watch = Stopwatch::start();
        let deadline = Deadline::after(STOP_LIMIT);
        let stopping: Vec<&Node> = running().collect();
        for node in &stopping {
            // One that ended by itself meanwhile is found below, with its status.
            drop(node.terminate());
        }
        let mut ended = Ok(());
        for node in stopping {
            ended = ended.and(self.close_one(node, deadline));
        }
        if self.interrupt.is_urgent() {
            screen.line("Killed.")?;
            return Err(CommandError::Interrupted);
        }
        ended?;
        screen.line(format!("All stopped in {}.", figure::duration(watch.elapsed())))?;
        Ok(())
    }

    fn close_one(&self, node: &Node, deadline: Deadline) -> Result<(), CommandError> {
        let what = format!("node {} to stop", node.name());
        let ended = wait_for(deadline, what, || {
            if self.interrupt.is_urgent() {
                return Some(node.kill());
            }
            node.ended().transpose()
        });
        match ended {
            Ok(Ok(status)) if status.success() || self.interrupt.is_urgent() => Ok(()),
            Ok(Ok(status)) => {
                let (node, log_tail) = (node.name().to_owned(), node.log_tail(LOG_LINES));
                Err(CommandError::BadExit { node, status, log_tail })
            }
            Ok(Err(error)) => Err(error.into()),
            Err(late) => {
                node.kill()?;
                Err(late.into())
            }
        }
    }

    fn print_title(&self, screen: &Screen) -> io::Result<()> {
        let title = format!("GridKV {}", env!("CARGO_PKG_VERSION"));
        let ready =
            format!("{} nodes ready in {}", self.nodes().len(), figure::duration(self.ready_after));
        screen.line(format!("{} · {}", screen.bold(&title), screen.good(&ready)))
    }

    /// Prints the nodes with their peers, their stores and how many keys these have.
    pub(crate) fn print_nodes(&self, screen: &Screen) -> Result<(), CommandError> {
        screen.line("")?;
        let rows: Vec<_> = self.nodes().iter().map(row).collect::<Result<_, _>>()?;
        screen.table(["node", "http", "pid", "peers", "stores"], &rows)?;
        Ok(())
    }

    /// Prints requests to copy, and where the logs are.
    pub(crate) fn print_hints(&self, screen: &Screen, store: &str) -> Result<(), CommandError> {
        let (Some(first), Some(last)) = (self.nodes().first(), self.nodes().last()) else {
            return Ok(());
        };
        let (first, last) = (first.base_url(), last.base_url());
        let key = format!("v1/kv/{store}/greeting");
        let put = format!("echo hello | curl -i -T - {first}/{key}");
        let get = format!("curl -i {last}/{key}");
        let once = format!("curl -i -X PUT --data-binary hi -H 'If-None-Match: *' {last}/{key}");
        let logs = format!("{}/n*/log", self.directory.display());
        let mut hints = vec![
            ("put", put),
            ("get", get),
            ("put if absent", once),
            ("console", format!("{first}/console/")),
            ("metrics", format!("{first}/metrics")),
            ("logs", logs),
        ];
        if self.found_by_prometheus {
            let nodes = self.nodes().len();
            hints.push((
                "dashboards",
                format!("make grafana NODES={nodes}   # in another terminal"),
            ));
        }
        screen.line("")?;
        for (label, hint) in hints {
            screen.line(format!("  {}  {hint}", screen.dim(&format!("{label:<13}"))))?;
        }
        Ok(())
    }
}

impl SessionOptions {
    /// The stores, as `(name, backend)`.
    pub(crate) fn store_names(&self) -> impl Iterator<Item = &str> {
        self.stores
            .iter()
            .map(|store| store.split_once('=').map_or(store.as_str(), |(name, _)| name))
    }

    /// Refuses what cannot work before anything of an earlier session is removed.
    fn prepare(&self, nodes: u16) -> Result<Cluster, CommandError> {
        if !fs::metadata(&self.gridkv).is_ok_and(|found| found.is_file()) {
            return Err(CommandError::NoBinary(self.gridkv.clone()));
        }
        let ports = if self.free_ports { Ports::Free } else { Ports::Development };
        let cluster = Cluster::builder(&self.gridkv, &self.dir)
            .nodes(nodes)
            .stores(&self.stores)
            .ports(ports)
            .own_process_group()
            .build()?;
        if let Some(port) = cluster.nodes().iter().find_map(|node| node.address().taken()) {
            return Err(CommandError::PortTaken { port, owner: PortOwner::of(port) });
        }
        empty(&self.dir)?;
        Ok(cluster)
    }
}

/// One look of a wait at what a node said: no answer now may be an answer at the next look, but an answer of the wrong
/// shape stays wrong.
pub(crate) fn answered<T>(
    answer: Result<T, ClientError>,
    condition: impl FnOnce(&T) -> bool,
) -> Option<Result<(), CommandError>> {
    match answer {
        Ok(answer) => condition(&answer).then_some(Ok(())),
        Err(ClientError::Transport { .. }) => None,
        Err(wrong) => Some(Err(wrong.into())),
    }
}

/// Removes the directories `n1`, `n2`, ... of earlier sessions, and nothing else that may lie beside them.
fn empty(directory: &Path) -> Result<(), CommandError> {
    let cannot = |source| CommandError::Empty { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(cannot)?,
    };
    for entry in entries {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix('n'));
        if number.is_some_and(|number| number.parse::<u16>().is_ok()) {
            fs::remove_dir_all(entry.path()).map_err(cannot)?;
        }
    }
    Ok(())
}

fn row(node: &Node) -> Result<[String; 5], CommandError> {
    let client: Client = node.client();
    let peers = client.peer_states()?.into_iter().map(|(name, state)| match state.as_str() {
        "up" => name,
        _ => format!("{name}({state})"),
    });
    let stores = client.store_stats()?.into_iter().map(|store| {
        let keys = figure::count(store.key_count);
        format!("{}({}) {keys} keys", store.name, store.backend)
    });
    Ok([
        node.name().to_owned(),
        node.base_url(),
        node.pid().map_or_else(String::new, |pid| pid.to_string()),
        peers.collect::<Vec<_>>().join(" "),
        stores.collect::<Vec<_>>().join(", "),
    ])
}

/// Something comes whenever somebody presses Enter. The thread ends with the program.
fn enter_pressed() -> Receiver<()> {
    let (pressed, enter) = mpsc::channel();
    thread::spawn(move || {
        for _line in io::stdin().lines().map_while(Result::ok) {
            if pressed.send(()).is_err() {
                return;
            }
        }
    });
    enter
}
