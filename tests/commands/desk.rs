//! Where commands are typed: a directory, nodes to talk to, and what came back.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use gridkv_cluster::{Builder, Cluster, Node, wait_until};
use tempfile::TempDir;

/// How long anything may take on a machine that is busy with other tests; no test waits for it to pass.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Nodes and a directory.
pub(crate) struct Desk {
    pub(crate) cluster: Cluster,
    pub(crate) dir: TempDir,
}

/// What a command said before it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) error: String,
}

impl Said {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// It did what was asked, and printed this.
    pub(crate) fn printed(&self, out: &str) {
        assert_eq!((self.code, self.text()), (Some(0), out), "{}", self.error);
    }

    /// It ended like this, printed nothing, and its complaint has these words.
    pub(crate) fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.text()), (Some(code), ""), "{}", self.error);
        for word in words {
            assert!(self.error.contains(word), "{word}: {}", self.error);
        }
    }
}

/// The program, without the environment's settings.
pub(crate) fn gridkv(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridkv"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GRIDKV_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(directory);
    command
}

pub(crate) fn said(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    Said { code: status.code(), out: stdout, error: String::from_utf8(stderr).unwrap() }
}

impl Desk {
    /// A desk with so many nodes that are ready, each with stores `main` on disk and `sessions` in memory.
    pub(crate) fn with_nodes(nodes: u16) -> Self {
        let desk = Self::over(tempfile::tempdir().unwrap(), |builder| builder.nodes(nodes));
        // Ready is not yet linked in both directions.
        let linked = |node: &Node| {
            let peers = desk.command(node, &["peers", "-o", "text"]).output().unwrap();
            let peers = String::from_utf8(peers.stdout).unwrap();
            peers.lines().filter(|line| line.contains("\tup\t")).count() == usize::from(nodes) - 1
        };
        for node in desk.cluster.nodes() {
            wait_until(PATIENCE, "peers to be up", || linked(node)).unwrap();
        }
        desk
    }

    /// A desk over a directory with what is in it, whose nodes are configured further.
    pub(crate) fn over(dir: TempDir, configure: impl FnOnce(Builder) -> Builder) -> Self {
        let builder = Cluster::builder(env!("CARGO_BIN_EXE_gridkv"), dir.path().join("nodes"))
            .env("GRIDKV_HTTP__WORKERS", "2")
            .stores(["main=file", "sessions=memory"]);
        let cluster = configure(builder).start().unwrap();
        cluster.wait_ready(PATIENCE).unwrap();
        Self { cluster, dir }
    }

    /// A command that talks to a node.
    pub(crate) fn command(&self, node: &Node, arguments: &[&str]) -> Command {
        let mut command = gridkv(self.dir.path(), arguments);
        command.env("GRIDKV_URL", node.base_url());
        command
    }

    /// What a command said that talks to the first node.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(self.cluster.node(1), arguments))
    }

    /// The same with something on standard input.
    pub(crate) fn fed(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut child = self.start(arguments, Stdio::piped(), Stdio::piped());
        child.stdin.take().unwrap().write_all(input).unwrap();
        ended(child)
    }

    /// A command that goes on, whose output goes somewhere.
    pub(crate) fn start(&self, arguments: &[&str], input: Stdio, out: Stdio) -> Child {
        let mut command = self.command(self.cluster.node(1), arguments);
        command.stdin(input).stdout(out).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// A new file in the directory, for output.
    pub(crate) fn file(&self, name: &str) -> Stdio {
        File::create(self.dir.path().join(name)).unwrap().into()
    }

    /// What a file in the directory holds.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }
}

/// What a command that was started said.
pub(crate) fn ended(child: Child) -> Said {
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Said { code: status.code(), out: stdout, error: String::from_utf8(stderr).unwrap() }
}

/// Lines of what an import reads.
pub(crate) fn records(count: u32, key: impl Fn(u32) -> String) -> Vec<u8> {
    let mut lines = String::new();
    for number in 0..count {
        lines.push_str(
            &serde_json::json!({"key": key(number), "value": format!("v{number}")}).to_string(),
        );
        lines.push('\n');
    }
    lines.into_bytes()
}

/// Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let sent = Command::new("/bin/sh").args(["-c", "kill -s INT \"$1\"", "kill", &pid]).status();
    assert!(sent.unwrap().success());
}
