//! What this package promises about processes, tried on a node that is easy to make misbehave.
//!
//! How real nodes behave is tested in the root package.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "all of this is a test; clippy sees that only of functions marked as one"
)]

mod fake_node;

use fake_node::fake_binary;
use gridkv_cluster::{Cluster, ClusterError, Dataset, Node, POLL_INTERVAL, wait_for, wait_until};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

fn alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).try_exists().unwrap()
}

fn pids(cluster: &Cluster) -> Vec<u32> {
    cluster.nodes().iter().filter_map(Node::pid).collect()
}

#[test]
fn nodes_start_replicate_and_stop() {
    let dir = tempfile::tempdir().unwrap();
    let cluster =
        Cluster::builder(fake_binary(), dir.path()).stores(["main=file"]).start().unwrap();
    cluster.wait_ready(LIMIT).unwrap();
    let countries = Dataset::countries().unwrap();
    let loaded = countries.load_through(&cluster.node(1).client(), "main", LIMIT).unwrap();
    assert_eq!(loaded.records, countries.len());
    let reader = cluster.node(3).client();
    assert_eq!(reader.key_count("main").unwrap(), Some(249));
    assert_eq!(reader.keys("main", "country/F").unwrap().len(), 6);
    countries.compare(&reader, "main").unwrap();
    reader.put("main", "country/FR", b"changed").unwrap();
    let error = countries.compare(&reader, "main").unwrap_err().to_string();
    assert!(error.contains("1 of 249") && error.contains("country/FR"), "{error}");

    let node = cluster.node(2);
    let pid = node.pid().unwrap();
    assert_eq!(fs::read_to_string(node.directory().join("pid")).unwrap(), format!("{pid}\n"));
    cluster.stop(LIMIT).unwrap();
    assert!(!alive(pid));
}

#[test]
fn a_node_that_was_stopped_can_start_again() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::builder(fake_binary(), dir.path()).nodes(1).start().unwrap();
    let node = cluster.node(1);
    node.wait_ready(LIMIT).unwrap();
    assert!(matches!(node.start(), Err(ClusterError::AlreadyRunning(_))));
    let first = node.pid().unwrap();
    assert!(node.stop(LIMIT).unwrap().success());
    assert!(!alive(first));
    assert!(matches!(node.kill(), Err(ClusterError::NotRunning(_))));
    node.start().unwrap();
    node.wait_ready(LIMIT).unwrap();
    node.restart(LIMIT).unwrap();
    node.wait_ready(LIMIT).unwrap();
    assert_eq!(node.kill().unwrap().code(), None);
    assert_eq!(node.pid(), None);
    assert!(!node.directory().join("pid").try_exists().unwrap());
    assert_eq!(node.log_tail(100).matches("fake node n1 serves").count(), 3);
}

#[test]
fn a_paused_node_is_not_ready_and_then_is_again() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::builder(fake_binary(), dir.path()).nodes(1).start().unwrap();
    let node = cluster.node(1);
    node.wait_ready(LIMIT).unwrap();
    node.pause().unwrap();
    assert!(!node.is_ready().unwrap());
    node.resume().unwrap();
    node.wait_ready(LIMIT).unwrap();
}

#[test]
fn a_node_that_exits_is_noticed_at_once_and_its_log_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let cluster =
        Cluster::builder(fake_binary(), dir.path()).node_args(2, ["--fake-exit"]).start().unwrap();
    let error = cluster.wait_ready(Duration::from_hours(1)).unwrap_err();
    assert!(matches!(&error, ClusterError::Exited { node, .. } if node == "n2"));
    assert!(error.to_string().contains("fake node n2 gives up"), "{error}");
}

#[test]
fn a_node_that_never_is_ready_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::builder(fake_binary(), dir.path())
        .nodes(1)
        .args(["--fake-unready"])
        .start()
        .unwrap();
    let node = cluster.node(1);
    wait_until(LIMIT, "the fake to answer", || node.client().readyz().is_ok()).unwrap();
    let error = node.wait_ready(POLL_INTERVAL).unwrap_err().to_string();
    assert!(error.contains("node n1 to become ready"), "{error}");
    assert!(error.contains("503 [-]store:main loading"), "{error}");
    assert!(error.contains("fake node n1 serves"), "{error}");
}

#[test]
fn a_node_that_ignores_sigterm_is_reported_and_still_dies_with_the_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::builder(fake_binary(), dir.path()).nodes(1).start().unwrap();
    let node = cluster.node(1);
    node.wait_ready(LIMIT).unwrap();
    // A stopped process takes SIGTERM only when it goes on.
    node.pause().unwrap();
    let error = node.stop(POLL_INTERVAL).unwrap_err();
    assert!(matches!(error, ClusterError::NotStopped { .. }), "{error}");
    let pid = node.pid().unwrap();
    drop(cluster);
    assert!(!alive(pid));
}

#[test]
fn a_panic_leaves_no_process_behind() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::builder(fake_binary(), dir.path()).start().unwrap();
    let pids = pids(&cluster);
    assert!(pids.len() == 3 && pids.iter().all(|pid| alive(*pid)));
    let panicked = thread::spawn(move || {
        let _cluster = cluster;
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert!(!pids.iter().any(|pid| alive(*pid)));
}

#[test]
fn a_node_gets_the_environment_that_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::builder(fake_binary(), dir.path())
        .nodes(1)
        .env("GRIDKV_LOG__LEVEL", "debug")
        .start()
        .unwrap();
    cluster.wait_ready(LIMIT).unwrap();
    let log = cluster.node(1).log_tail(100);
    assert!(log.contains("environment: GRIDKV_LOG__FORMAT GRIDKV_LOG__LEVEL"), "{log}");
}

fn cluster_program(arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
    command
        .args(arguments)
        .arg("--gridkv")
        .arg(fake_binary())
        .arg("--dir")
        .arg(directory)
        .arg("--free-ports")
        .env("GRIDKV_NODE__NAME", "not-for-nodes")
        .stdin(Stdio::null());
    command
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Starts the program, and waits until it stays up.
fn staying(arguments: &[&str], directory: &Path) -> Child {
    let report = directory.join("report");
    let program = cluster_program(arguments, directory)
        .stdout(fs::File::create(&report).unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let up = || fs::read_to_string(&report).unwrap().contains("Ctrl-C stops all nodes.");
    wait_until(LIMIT, "the program to stay up", up).unwrap();
    program
}

fn pid_in(directory: &Path, node: &str) -> u32 {
    fs::read_to_string(directory.join(node).join("pid")).unwrap().trim().parse().unwrap()
}

fn send(signal: &str, pid: u32) {
    let sent = Command::new("/bin/sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "kill", signal, &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

fn ended(mut program: Child) -> Output {
    wait_for(LIMIT, "the program to end", || program.try_wait().unwrap()).unwrap();
    program.wait_with_output().unwrap()
}

#[test]
fn run_once_proves_prints_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("n7")).unwrap();
    fs::write(dir.path().join("notes"), "mine").unwrap();
    let output = cluster_program(&["run", "--once"], dir.path()).output().unwrap();
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("3 nodes ready in"), "{out}{err}");
    assert!(out.contains("main: 249 countries written through n1"), "{out}{err}");
    assert!(out.contains("sessions: 249 countries"), "{out}{err}");
    assert!(out.contains("n2 n3"), "{out}{err}");
    assert!(out.contains("main(file) 249 keys, sessions(memory) 249 keys"), "{out}{err}");
    assert!(out.contains("All stopped in"), "{out}{err}");
    assert!(!out.contains('\x1b'), "{out}");
    let log = fs::read_to_string(dir.path().join("n1/log")).unwrap();
    assert!(log.contains("environment: GRIDKV_LOG__FORMAT\n"), "the caller's is passed on: {log}");
    assert!(!dir.path().join("n7").try_exists().unwrap());
    assert!(dir.path().join("notes").try_exists().unwrap());
}

#[test]
fn a_signal_stops_the_program_and_all_its_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let program = staying(&["run"], dir.path());
    let pids = ["n1", "n2", "n3"].map(|node| pid_in(dir.path(), node));
    send("INT", program.id());
    let output = ended(program);
    assert!(output.status.success(), "{:?}", texts(&output));
    assert!(!pids.iter().any(|pid| alive(*pid)));
}

#[test]
fn a_second_signal_kills_nodes_that_hang() {
    let dir = tempfile::tempdir().unwrap();
    let program = staying(&["up", "--nodes", "2"], dir.path());
    let pid = pid_in(dir.path(), "n2");
    send("STOP", pid);
    send("INT", program.id());
    let report = || fs::read_to_string(dir.path().join("report")).unwrap();
    wait_until(LIMIT, "the stop to begin", || report().contains("Stopping")).unwrap();
    send("INT", program.id());
    assert_eq!(ended(program).status.code(), Some(130));
    assert!(!alive(pid));
}

#[test]
fn a_node_that_dies_stops_the_others_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let program = staying(&["up"], dir.path());
    let pids = ["n1", "n3"].map(|node| pid_in(dir.path(), node));
    send("KILL", pid_in(dir.path(), "n2"));
    let output = ended(program);
    let (_, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err.contains("node n2 ended by itself") && err.contains("fake node n2 serves"),
        "{err}"
    );
    assert!(!pids.iter().any(|pid| alive(*pid)));
}

#[test]
fn at_a_terminal_a_node_that_dies_is_told_and_enter_starts_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let program = cluster_program(&["up"], dir.path());
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    // Without `exec`, a shell that stays would take Ctrl-C too, and its own end by it would be what is returned.
    let line = format!("exec {}", words.join(" "));
    let report = dir.path().join("report");
    // Gives it a terminal, whose keys are what is written here.
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(fs::File::create(&report).unwrap())
        .spawn()
        .unwrap();
    let mut keys = terminal.stdin.take().unwrap();
    let said = |text: &str| {
        let said = || fs::read_to_string(&report).unwrap().contains(text);
        wait_until(LIMIT, text, said).unwrap();
    };
    said("Ctrl-C stops all nodes.");
    let pids = ["n1", "n2", "n3"].map(|node| pid_in(dir.path(), node));
    send("KILL", pids[1]);
    said("n2 ended by itself");
    assert!(alive(pids[0]) && alive(pids[2]), "the others go on");
    keys.write_all(b"\n").unwrap();
    said("n2 is started again.");
    let anew = pid_in(dir.path(), "n2");
    assert!(anew != pids[1] && alive(anew));
    keys.write_all(b"\x03").unwrap();
    let output = ended(terminal);
    assert!(output.status.success(), "{}", fs::read_to_string(&report).unwrap());
    assert!(![pids[0], anew, pids[2]].iter().any(|pid| alive(*pid)));
}

#[test]
fn a_taken_port_is_refused_and_its_owner_named() {
    let dir = tempfile::tempdir().unwrap();
    // Somebody else's development cluster may have the port already; then it is refused all the same.
    let _taken = std::net::TcpListener::bind("127.0.0.1:7432");
    let output = Command::new(env!("CARGO_BIN_EXE_cluster"))
        .args(["up", "--nodes", "32", "--gridkv"])
        .arg(fake_binary())
        .arg("--dir")
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let (_, err) = texts(&output);
    assert!(err.contains("is taken by") && err.contains("(process "), "{err}");
}

#[test]
fn run_without_a_node_program_says_how_to_build_it() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cluster"))
        .args(["run", "--gridkv", "/nonexistent/gridkv", "--dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let (_, err) = texts(&output);
    assert!(err.contains("/nonexistent/gridkv") && err.contains("cargo build --release"), "{err}");
}
