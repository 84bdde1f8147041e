//! A log of a million lines: strangers knock at the peers' port, and each of them is told of, while clients write and
//! are refused. It takes minutes, so `make soak-logs` runs it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gridkv_cluster::{Node, wait_until};

use super::{Files, bearing, sha256, token};
use crate::mesh::{PATIENCE, STORES, all, builder, no_panic, ready, settle};

/// Lines of the level info.
const LINES: usize = 1_000_000;
/// How long they may take.
const LONGEST: Duration = Duration::from_mins(30);
/// Strangers at once, and clients.
const STRANGERS: usize = 4;
const CLIENTS: usize = 2;
/// In each key, each value and each token that is no good.
const MARK: &str = "canary-5d1f0a7c";
const SECRET: &str = "a-secret-of-the-peers-90b2d7715e3f";

/// A log that grows, and what must not be in it.
struct Log {
    file: BufReader<File>,
    line: Vec<u8>,
    lines: usize,
    secrets: Vec<String>,
    /// The first line that told one of them.
    told: Option<String>,
}

impl Log {
    fn open(path: &Path, secrets: Vec<String>) -> Self {
        let file = BufReader::new(File::open(path).unwrap());
        Self { file, line: Vec::new(), lines: 0, secrets, told: None }
    }

    /// Reads what has come since; of a last line that is not whole yet, the rest comes later.
    fn read_on(&mut self) {
        while self.file.read_until(b'\n', &mut self.line).unwrap() > 0 && self.line.ends_with(b"\n")
        {
            let line = String::from_utf8_lossy(&self.line);
            if self.told.is_none() && self.secrets.iter().any(|secret| line.contains(secret)) {
                self.told = Some(line.into_owned());
            }
            self.lines += 1;
            self.line.clear();
        }
    }
}

fn knock(node: &Node) {
    let mut stranger = TcpStream::connect((Ipv4Addr::LOCALHOST, node.address().peers)).unwrap();
    // Cut off at any moment: that is what they are here for.
    drop(stranger.write_all(b"GET / HTTP/1.1\r\n\r\n"));
    drop(stranger.read_to_end(&mut Vec::new()));
}

fn write(node: &Node, number: usize) {
    let key = format!("{MARK}-{}", number % 10_000);
    let put = bearing(node, "app").put("main", &key, format!("{MARK}-v{number}").as_bytes());
    let put = put.unwrap();
    assert!([201, 204].contains(&put.status), "{}", put.quoted());
    let guess = bearing(node, &format!("{MARK}{number}")).get("main", &key).unwrap();
    assert!([401, 429].contains(&guess.status), "{}", guess.quoted());
}

#[test]
#[ignore = "it takes minutes: make soak-logs"]
fn a_million_lines_tell_no_token_secret_key_or_value() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path(), "info", &[("ops", "admin"), ("app", "write")]);
    let config = files.config.to_str().unwrap();
    let made = builder(dir.path()).nodes(2).stores(STORES).args(["--config", config]);
    let cluster = ready(made.env("GRIDKV_PEERS__SECRET", SECRET).token(&token("ops")));
    let nodes = all(&cluster);
    settle(&nodes);
    let secrets = vec![
        MARK.to_owned(),
        SECRET.to_owned(),
        token("ops"),
        token("app"),
        sha256(&token("ops")),
        sha256(&token("app")),
    ];
    let mut log = Log::open(&nodes[0].log_path(), secrets.clone());
    let over = AtomicBool::new(false);
    let until_over = |act: &dyn Fn(usize)| {
        let mut number = 0;
        while !over.load(Ordering::Relaxed) {
            act(number);
            number += 1;
        }
    };
    let (until_over, node) = (&until_over, nodes[0]);
    thread::scope(|scope| {
        for _ in 0..STRANGERS {
            scope.spawn(move || until_over(&|_| knock(node)));
        }
        for _ in 0..CLIENTS {
            scope.spawn(move || until_over(&|number| write(node, number)));
        }
        let waited = wait_until(LONGEST, "a million lines", || {
            log.read_on();
            log.lines >= LINES || log.told.is_some()
        });
        over.store(true, Ordering::Relaxed);
        waited.unwrap();
    });
    settle(&nodes);
    for node in &nodes {
        assert!(node.stop(PATIENCE).unwrap().success());
    }
    log.read_on();
    let mut other = Log::open(&nodes[1].log_path(), secrets);
    other.read_on();
    assert_eq!((log.told, other.told), (None, None));
    assert!(log.lines >= LINES && other.lines > 0);
    no_panic(&nodes);
}
