//! Clients that end what they send, or go away, while something is under way.

use std::time::{Duration, Instant};

use gridkv_http::HttpConfig;

use crate::client::Client;
use crate::node::{Served, serve};

/// A version that a node which does not exist would have minted.
const ELSEWHERE: &str = "01a2088455220000-0000beef6a000000";

/// Long before any wait here would end by itself.
const SOON: Duration = Duration::from_secs(20);

/// Sends a request, and says at once that no more follows.
fn send_all(node: &Served, head: &str, body: &[u8]) -> Client {
    let mut client = node.client();
    client.raw(&[head.as_bytes(), body].concat());
    client.say_all();
    client
}

fn put(node: &Served, target: &str, body: &[u8]) -> Client {
    let length = body.len();
    let head = format!("PUT {target} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    send_all(node, &head, body)
}

#[test]
fn a_client_may_close_its_side_right_behind_its_body() {
    let node = serve(HttpConfig::default());
    for n in 0..60 {
        node.put(&format!("/v1/kv/main/k{n:03}"), &vec![n; 60_000]);
    }
    let snapshot = node.get("/v1/stores/main/snapshot").body;
    for _ in 0..8 {
        let loaded = put(&node, "/v1/stores/disk/snapshot", &snapshot).answer("PUT");
        assert_eq!(loaded.status, 200, "{}", loaded.text());
        let value = put(&node, "/v1/kv/main/large", &vec![7; 1 << 20]).answer("PUT");
        assert!(matches!(value.status, 201 | 204), "{}", value.text());
    }
    let chunks = snapshot
        .chunks(50_000)
        .map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    let body = chunks.chain([b"0\r\n\r\n".to_vec()]).collect::<Vec<_>>().concat();
    let head =
        "PUT /v1/stores/disk/snapshot HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(send_all(&node, head, &body).answer("PUT").status, 200);
}

#[test]
fn a_body_that_is_not_whole_is_still_refused() {
    let node = serve(HttpConfig::default());
    for (target, sent) in [("/v1/kv/main/a", 5), ("/v1/stores/main/snapshot", 200_000)] {
        let head = format!("PUT {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n");
        let refused = send_all(&node, &head, &vec![b'{'; sent]).answer("PUT");
        assert_eq!(refused.status, 400, "{}", refused.text());
    }
    assert_eq!(node.get("/v1/kv/main/a").status, 404);
}

fn in_flight(node: &Served) -> u64 {
    let text = node.get("/metrics").text();
    let mut shown =
        text.lines().filter_map(|line| line.strip_prefix("gridkv_http_requests_in_flight "));
    shown.next().unwrap().parse().unwrap()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < SOON, "{what} takes too long");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn who_waits_for_a_version_and_goes_keeps_no_place() {
    let node = serve(HttpConfig::default());
    let head = format!(
        "GET /v1/kv/main/a?min_version={ELSEWHERE}&timeout=10m HTTP/1.1\r\nhost: x\r\n\r\n"
    );
    let waiting: Vec<Client> = (0..10)
        .map(|_| {
            let mut client = node.client();
            client.raw(head.as_bytes());
            client
        })
        .collect();
    wait_until("ten reads in flight", || in_flight(&node) == 11);
    drop(waiting);
    wait_until("their end", || in_flight(&node) == 1);
}

#[test]
fn who_only_closes_its_side_still_gets_what_comes_soon() {
    let node = serve(HttpConfig::default());
    let head = format!(
        "GET /v1/kv/main/a?min_version={ELSEWHERE}&timeout=100ms HTTP/1.1\r\nhost: x\r\n\r\n"
    );
    let answer = send_all(&node, &head, b"").answer("GET");
    assert_eq!(answer.refusal(), (504, "version_not_reached".to_owned()));
}
