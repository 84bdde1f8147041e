//! The console in a browser: starts three nodes, and one with tokens, and does with them what the script in
//! `tests/console/` says while it looks at their pages. It needs Node.js, its packages and Chromium, so it runs by
//! `make console-check` only.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod mesh;

use std::env;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gridkv_cluster::Cluster;
use ring::digest::{SHA256, digest};

use mesh::{PATIENCE, STORES, all, builder, ready, settle};

/// The script, which is stopped when a test fails.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.0.kill().and_then(|()| self.0.wait()));
    }
}

/// The configuration of the node with tokens: one of each role, as the script knows them.
fn guarded_config() -> String {
    let mut text = String::from("[auth]\ntokens = [\n");
    for role in ["metrics", "read", "write", "admin"] {
        let token = format!("gkv_{}", role.repeat(8));
        let mut sha256 = String::new();
        for byte in digest(&SHA256, token.as_bytes()).as_ref() {
            write!(sha256, "{byte:02x}").unwrap();
        }
        writeln!(text, "{{ name = \"{role}\", role = \"{role}\", sha256 = \"{sha256}\" }},")
            .unwrap();
    }
    // Its ring has no room for a burst.
    text + "]\n[sync]\nbuffer_size = 64\n"
}

/// Does what a line of the script says: `node n2 kill`.
fn obey(cluster: &Cluster, line: &str) {
    let [_, name, what] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let node = *all(cluster).iter().find(|node| node.name() == name).unwrap();
    match what {
        "kill" => drop(node.kill().unwrap()),
        "pause" => node.pause().unwrap(),
        "resume" => node.resume().unwrap(),
        "start" => {
            node.start().unwrap();
            node.wait_ready(PATIENCE).unwrap();
        }
        _ => panic!("{line}"),
    }
}

#[test]
#[ignore = "needs Node.js, its packages and Chromium: make console-check"]
fn what_a_person_sees_and_does() {
    let (dir, guarded_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = guarded_dir.path().join("gridkv.toml");
    std::fs::write(&config, guarded_config()).unwrap();
    let guarded = builder(guarded_dir.path()).nodes(1).args(["--config", config.to_str().unwrap()]);
    // A browser on the same cores makes reports late, which looks like a clock that is wrong.
    let nodes = builder(dir.path()).stores(STORES).env("GRIDKV_PEERS__MAX_CLOCK_SKEW", "30s");
    let (guarded, cluster) = (ready(guarded), ready(nodes));
    settle(&all(&cluster));
    let urls: Vec<String> = cluster.nodes().iter().map(gridkv_cluster::Node::base_url).collect();
    let modules = env::var("GRIDKV_CONSOLE_MODULES").expect("make console-check says where");
    let out = env::var("GRIDKV_CONSOLE_OUT").expect("make console-check says where");
    let child = Command::new("node")
        .arg(Path::new(&modules).join("run.js"))
        .env("GRIDKV_URLS", urls.join(" "))
        .env("GRIDKV_GUARDED", guarded.node(1).base_url())
        .env("GRIDKV_OUT", out)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut script = Script(child);
    let mut orders = script.0.stdin.take().unwrap();
    for line in BufReader::new(script.0.stdout.take().unwrap()).lines() {
        obey(&cluster, &line.unwrap());
        orders.write_all(b"ok\n").unwrap();
    }
    let status = script.0.wait().unwrap();
    assert!(status.success(), "{status}");
}
