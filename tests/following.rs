//! Following a store of a mesh: what one node takes is told by the feed of another, on every backend; and the end
//! of a node whose feeds are open, and restarts of all in turn, under clients that go to the next node. And what a node
//! tells of itself and the others, each second.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gridkv_cluster::{Client, Node, wait_until};
use serde_json::Value;

use mesh::{NAMES, PATIENCE, STORES, all, builder, contents, puts, ready, settle, write};

/// Opens a stream of lines that begins now.
fn follow(node: &Node, store: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", node.address().http)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "GET /v1/stores/{store}/changes HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "closed in the head");
    }
    reader
}

/// The next change of a stream, past what frames it; `None` at its end.
fn next(stream: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if line.starts_with('{') {
            return Some(serde_json::from_str(&line).unwrap());
        }
    }
}

/// What a node tells of itself and the others at this moment: the first state of its stream.
fn state(node: &Node) -> Value {
    let mut stream = TcpStream::connect(("127.0.0.1", node.address().http)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    let mut told = lines.skip_while(|line| line != "event: state");
    let data = told.nth(1).unwrap();
    serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap()
}

#[test]
fn a_node_tells_how_far_each_is_on_what_the_others_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(["main=memory", "hot=moka"]));
    let nodes = all(&cluster);
    settle(&nodes);
    // Of what n2 wrote, as n1 knows it: how far behind, at most, and whether nothing is known to be missing.
    let reach = |store: &str, reader: &str| {
        let reach = &state(nodes[0])["spread"][store]["n2"][reader];
        (reach["at_most_seconds"].as_f64(), reach["has_all"].as_bool().unwrap())
    };
    for store in ["main", "hot"] {
        nodes[1].client().put(store, "k", b"v").unwrap().expect_status(201).unwrap();
        for reader in ["n1", "n3"] {
            let what = format!("{reader} to have all of {store}");
            wait_until(PATIENCE, what, || matches!(reach(store, reader), (Some(_), true))).unwrap();
        }
    }
    let told = state(nodes[0]);
    assert!(told["spread"]["main"]["n1"].is_null(), "what it wrote itself it counts");
    assert!(told["spread"]["main"]["n2"]["n2"].is_null());
    let names = |of: &str| told[of].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        (names("spread"), names("convergence")),
        (vec!["hot".into(), "main".into()], vec!["main".to_owned()])
    );

    nodes[2].kill().unwrap();
    nodes[1].client().put("main", "later", b"v").unwrap().expect_status(201).unwrap();
    let is_here = || nodes[0].client().get("main", "later").unwrap().status == 200;
    wait_until(PATIENCE, "n1 to have the write", is_here).unwrap();
    let (before, has_all) = reach("main", "n3");
    assert!(!has_all, "n1 has more of n2 than n3 said that it has");
    let grown = || reach("main", "n3").0 > before.map(|seconds| seconds + 0.5);
    wait_until(PATIENCE, "the distance of n3 to grow", grown).unwrap();
    let is_near = || reach("main", "n1").0 < reach("main", "n3").0;
    wait_until(PATIENCE, "n1 to be nearer", is_near).unwrap();
    nodes[2].start().unwrap();
    nodes[2].wait_ready(PATIENCE).unwrap();
    wait_until(PATIENCE, "n3 to have all", || reach("main", "n3").1).unwrap();
}

#[test]
fn what_one_node_takes_another_tells_on_every_backend() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(STORES));
    let nodes = all(&cluster);
    settle(&nodes);
    for store in NAMES {
        let mut feed = follow(nodes[2], store);
        let write = |method: &str, query: &[(&str, &str)]| {
            let client = nodes[0].client();
            let mut request = client.at_key(method, store, "k").body(b"v");
            for (name, value) in query {
                request = request.query(name, value);
            }
            let reply = request.send().unwrap();
            assert!(reply.status < 300, "{}", reply.quoted());
        };
        let mut tells = || {
            let change = next(&mut feed).unwrap();
            assert_eq!(change["key"], "k", "{store}");
            change["event"].as_str().unwrap().to_owned()
        };
        write("PUT", &[]);
        assert_eq!(tells(), "put", "{store}");
        write("DELETE", &[]);
        assert_eq!(tells(), "delete", "{store}");
        // One that comes late has expired by then, and was never there.
        write("PUT", &[("ttl", "100ms")]);
        match tells().as_str() {
            "put" => assert_eq!(tells(), "expire", "{store}"),
            event => assert_eq!(event, "expire", "{store}"),
        }
    }
}

#[test]
fn a_node_whose_feeds_are_open_ends_in_time_and_says_so() {
    for (signal, backend) in [("TERM", "file"), ("INT", "fjall")] {
        let dir = tempfile::tempdir().unwrap();
        let start = || builder(dir.path()).nodes(1).stores([format!("main={backend}")]);
        let cluster = ready(start());
        let (node, over) = (cluster.node(1), AtomicBool::new(false));
        let mut feeds: Vec<_> = (0..8).map(|_| follow(node, "main")).collect();
        let last = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let (client, mut last) = (node.client(), None);
                while !over.load(Ordering::Relaxed) {
                    let value = format!("{}", last.unwrap_or(0_u64) + 1);
                    match client.put("main", "count", value.as_bytes()) {
                        Ok(reply) if reply.status < 300 => last = value.parse().ok(),
                        Ok(_) | Err(_) => break,
                    }
                }
                last
            });
            next(&mut feeds[0]).unwrap();
            mesh::signal(node, signal);
            let status = node.wait_exit(Duration::from_secs(5)).unwrap();
            over.store(true, Ordering::Relaxed);
            assert_eq!(status.code(), Some(0), "{signal}: {}", node.log_tail(20));
            writer.join().unwrap()
        });
        for feed in &mut feeds {
            let mut end = Value::Null;
            while let Some(change) = next(feed) {
                end = change;
            }
            assert_eq!(end["event"], "bye", "{signal}");
        }
        let cluster = ready(start());
        let kept: u64 = contents(&cluster.node(1).client(), "main")["count"].1.parse().unwrap();
        assert!(Some(kept) >= last, "{last:?} was acknowledged, and {kept} is there");
    }
}

/// Does a request at the node that answered last, or at the next one that takes it. Says whether any does.
fn at_any(clients: &[Client], at: &mut usize, ask: impl Fn(&Client) -> bool) -> bool {
    for _ in 0..clients.len() {
        if ask(&clients[*at]) {
            return true;
        }
        *at = (*at + 1) % clients.len();
    }
    false
}

#[test]
fn restarts_of_all_nodes_in_turn_fail_nobody_who_goes_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(["main=file"]));
    let nodes = all(&cluster);
    settle(&nodes);
    write(&nodes[0].client(), "main", &puts("r", 100, "v"));
    settle(&nodes);
    let (over, done, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for worker in 0..4 {
            let (nodes, over, done, failed) = (&nodes, &over, &done, &failed);
            scope.spawn(move || {
                let clients: Vec<Client> = nodes.iter().map(|node| node.client()).collect();
                let mut at = worker % clients.len();
                for n in 0_usize.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let key = format!("w{worker}-{}", n % 50);
                    let put = |client: &Client| {
                        client.put("main", &key, b"v").is_ok_and(|reply| reply.status < 300)
                    };
                    let get = |client: &Client| {
                        client.get("main", "r000007").is_ok_and(|reply| reply.status == 200)
                    };
                    let works = at_any(&clients, &mut at, put) && at_any(&clients, &mut at, get);
                    if works { done } else { failed }.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for node in &nodes {
            let before = done.load(Ordering::Relaxed);
            node.restart(PATIENCE).unwrap();
            node.wait_ready(PATIENCE).unwrap();
            for other in nodes.iter().filter(|other| other.name() != node.name()) {
                mesh::wait_state(other, node.name(), "up");
            }
            let goes_on = || done.load(Ordering::Relaxed) > before + 50;
            wait_until(PATIENCE, "clients to go on", goes_on).unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(failed.load(Ordering::Relaxed), 0, "of {}", done.load(Ordering::Relaxed));
}
