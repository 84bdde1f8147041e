//! The feed of changes in its three shapes, and the long poll of one key.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gridkv_http::HttpConfig;
use serde_json::{Value as Json, json};

use crate::client::Client;
use crate::node::{Served, serve};

const FEED: &str = "/v1/stores/main/changes";

/// The changes after a place, as event and key, and the next place.
fn read(node: &Served, query: &str) -> (Vec<(String, String)>, String) {
    let answer = node.get(&format!("{FEED}?{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let document = answer.json();
    assert_eq!(document["store"], "main");
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let results = document["results"].as_array().unwrap();
    let told = results.iter().map(|change| (text(&change["event"]), text(&change["key"])));
    (told.collect(), text(&document["last_seq"]))
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(event, key)| ((*event).to_owned(), (*key).to_owned())).collect()
}

/// Begins a stream, and reads its head.
fn stream(node: &Served, target: &str, headers: &str) -> Client {
    let mut client = node.client();
    client.raw(format!("GET {target} HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes());
    let head = client.head();
    assert_eq!(head.status, 200, "{head:?}");
    client
}

#[test]
fn a_document_tells_what_changed_and_where_to_go_on() {
    let node = serve(HttpConfig::default());
    let (nothing, start) = read(&node, "");
    assert_eq!(nothing, []);
    node.put("/v1/kv/main/a", b"1");
    node.put("/v1/kv/main/b", b"1");
    node.delete("/v1/kv/main/a");
    let all = pairs(&[("put", "a"), ("put", "b"), ("delete", "a")]);
    assert_eq!(read(&node, "since=0").0, all);
    let (told, end) = read(&node, &format!("since={start}"));
    assert_eq!(told, all);
    assert_eq!(read(&node, &format!("since={end}")), (vec![], end.clone()));
    assert_eq!(read(&node, "since=now"), (vec![], end.clone()));
    let (first, next) = read(&node, "since=0&limit=1");
    assert_eq!(first, pairs(&[("put", "a")]));
    assert_eq!(read(&node, &format!("since={next}")).0, pairs(&[("put", "b"), ("delete", "a")]));
    let of_b = read(&node, "since=0&prefix=b");
    assert_eq!(
        of_b,
        (pairs(&[("put", "b")]), end.clone()),
        "what was passed over is not read again"
    );
    let resumed = node.send("GET", &format!("{FEED}?since=0"), &[("last-event-id", &end)], b"");
    assert_eq!(resumed.json()["results"], json!([]), "the header wins");
    assert_eq!(node.send("HEAD", &format!("{FEED}?wait=10m"), &[], b"").status, 200);
}

#[test]
fn values_come_with_their_type_while_they_are_the_newest() {
    let node = serve(HttpConfig::default());
    let put = |value: &[u8]| {
        let text = [("content-type", "text/plain")];
        let put = node.send("PUT", "/v1/kv/main/a?ttl=1h", &text, value);
        put.header("gridkv-version").to_owned()
    };
    let (first, second) = (put(b"old"), put(b"new!"));
    let document = node.get(&format!("{FEED}?since=0&include=value")).json();
    let results = document["results"].as_array().unwrap();
    assert_eq!((&results[0]["version"], &results[0]["size"]), (&json!(first), &json!(3)));
    assert!(results[0].get("value").is_none() && results[0].get("content_type").is_none());
    assert_eq!((&results[1]["version"], &results[1]["size"]), (&json!(second), &json!(4)));
    assert_eq!(results[1]["value"], "bmV3IQ==");
    assert_eq!(results[1]["content_type"], "text/plain");
    assert!(results[1]["expires_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn a_long_poll_answers_with_the_first_change_that_is_its_own() {
    let node = serve(HttpConfig::default());
    let begun = Instant::now();
    let (told, place) = read(&node, "wait=50ms&prefix=b");
    assert!(told.is_empty() && begun.elapsed() >= Duration::from_millis(50));
    let mut client = node.client();
    let target = format!("{FEED}?since={place}&prefix=b&wait=10m");
    client.raw(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
    node.put("/v1/kv/main/a", b"1");
    node.put("/v1/kv/main/b", b"1");
    let document = client.answer("GET").json();
    assert_eq!(document["results"].as_array().unwrap().len(), 1);
    assert_eq!(document["results"][0]["key"], "b");
}

#[test]
fn a_deadline_that_passes_is_an_event() {
    let node = serve(HttpConfig::default());
    node.put("/v1/kv/main/a?ttl=20ms", b"1");
    let mut told = read(&node, "since=0");
    // It may have come to an end before it was read.
    if told.0 != pairs(&[("expire", "a")]) {
        assert_eq!(told.0[0], ("put".to_owned(), "a".to_owned()));
        told = read(&node, &format!("since={}&wait=10m", read(&node, "since=0&limit=1").1));
    }
    assert_eq!(told.0, pairs(&[("expire", "a")]));
}

#[test]
fn events_stream_as_they_are_committed_and_end_with_a_word() {
    let mut node = serve(HttpConfig::default());
    node.put("/v1/kv/main/a", b"1");
    let place = read(&node, "").1;
    let mut events = stream(&node, FEED, "accept: text/event-stream\r\n");
    let beginning = events.until("\n\n");
    assert!(beginning.contains(&format!("retry: 2000\nid: {place}\n\n")), "{beginning}");
    node.put("/v1/kv/main/b", b"1");
    let event = events.until("}\n\n");
    assert!(event.contains("event: put\ndata: {\"event\":\"put\",\"seq\":\""), "{event}");
    let id = event.split("id: ").nth(1).unwrap().lines().next().unwrap().to_owned();

    let lines = format!("accept: application/x-ndjson\r\nlast-event-id: {place}\r\n");
    let mut lines = stream(&node, &format!("{FEED}?since=0"), &lines);
    let line = lines.until("}\n");
    assert!(line.contains(&format!("\"seq\":\"{id}\"")), "{line}");

    node.tell_to_drain();
    assert!(events.until("}\n\n").contains("event: bye\ndata: {"));
    assert!(lines.until("}\n").contains("\"event\":\"bye\""));
    node.wait();
    assert_eq!(
        (events.rest().matches("event").count(), lines.rest().matches("event").count()),
        (0, 0)
    );
}

#[test]
fn a_stream_with_a_limit_ends_by_itself() {
    let node = serve(HttpConfig::default());
    for at in 0..3 {
        node.put(&format!("/v1/kv/main/{at}"), b"1");
    }
    let target = format!("{FEED}?since=0&limit=2");
    let mut lines = stream(&node, &target, "accept: application/x-ndjson\r\n");
    let all = lines.rest();
    assert_eq!(all.matches("\"event\":\"put\"").count(), 2, "{all}");
}

#[test]
fn who_was_away_for_too_long_is_told_and_who_is_too_slow_is_cut_off() {
    let node = serve(HttpConfig::default());
    let place = read(&node, "").1;
    let mut slow = stream(&node, FEED, "accept: text/event-stream\r\n");
    slow.until("\n\n");
    let key = "k".repeat(1_000);
    let ops: Vec<Json> = (0..512)
        .map(|at| json!({"op": "put", "key": format!("{key}{at}"), "value": "v"}))
        .collect();
    let batch = json!({"ops": ops}).to_string();
    // More than the buffers between the node and a client that does not read, and then more than the log holds.
    for _ in 0..60 {
        assert_eq!(node.send("POST", "/v1/stores/main/batch", &[], batch.as_bytes()).status, 200);
    }
    let all = slow.rest();
    let end = &all[all.len() - 400..];
    assert!(end.contains("event: truncated\ndata: {\"code\":\"changes_truncated\""), "{end}");
    let metrics = node.get("/metrics").text();
    let missed = metrics
        .lines()
        .find_map(|line| line.strip_prefix("gridkv_watch_dropped_events_total{store=\"main\"} "));
    let (missed, told) =
        (missed.unwrap().parse::<usize>().unwrap(), all.matches("event: put").count());
    assert!(missed > 0 && missed + told <= 60 * 512 - 1_024, "{missed} missed after {told}");
    let gone = node.get(&format!("{FEED}?since={place}"));
    assert_eq!(gone.refusal(), (410, "changes_truncated".to_owned()));
    let oldest = gone.json()["oldest"].as_str().unwrap().to_owned();
    assert_eq!(node.get(&format!("{FEED}?since={oldest}&limit=1")).status, 200);
    assert_eq!(node.get(&format!("{FEED}?since=0")).refusal().0, 410);
    let other = format!("{FEED}?since=0000000000000001-1");
    assert_eq!(node.get(&other).refusal(), (410, "changes_truncated".to_owned()));
}

/// Reads events of a stream that goes on after `place` until so many have come, and breaks it off. Notes the
/// newest version of each key, and says where to go on.
fn follow(node: &Served, place: &str, count: usize, seen: &mut BTreeMap<String, String>) -> String {
    let headers = format!("accept: text/event-stream\r\nlast-event-id: {place}\r\n");
    let mut events = stream(node, FEED, &headers);
    let mut place = place.to_owned();
    for _ in 0..count {
        events.until("data: ");
        let data = events.until("}\n\n");
        let change: Json = serde_json::from_str(&data).unwrap();
        let text = |name: &str| change[name].as_str().unwrap().to_owned();
        assert_ne!(text("event"), "truncated");
        seen.insert(text("key"), text("version"));
        place = text("seq");
    }
    place
}

#[test]
fn a_reader_that_is_broken_off_and_goes_on_again_and_again_sees_the_last_of_every_key() {
    const WRITES: usize = 800;
    let node = serve(HttpConfig::default());
    let place = read(&node, "").1;
    let (mut seen, mut written) = (BTreeMap::new(), BTreeMap::new());
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let node = &node;
                scope.spawn(move || {
                    let (mut client, mut written) = (node.client(), BTreeMap::new());
                    for at in 0..WRITES / 2 {
                        let key = format!("{writer}-{}", at % 97);
                        let method = if at % 7 == 0 { "DELETE" } else { "PUT" };
                        let done = client.send(method, &format!("/v1/kv/main/{key}"), &[], b"v");
                        written.insert(key, done.header("gridkv-version").to_owned());
                    }
                    written
                })
            })
            .collect();
        let mut place = place;
        for round in 0..100 {
            place = follow(&node, &place, 1 + round % 13, &mut seen);
        }
        for writer in writers {
            written.extend(writer.join().unwrap());
        }
        let mut rest = read(&node, &format!("since={place}&limit=1000"));
        while !rest.0.is_empty() {
            follow(&node, &place, rest.0.len(), &mut seen);
            place = rest.1;
            rest = read(&node, &format!("since={place}&limit=1000"));
        }
    });
    assert_eq!(seen, written);
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let node = serve(HttpConfig::default());
    for query in [
        "since=",
        "since=1",
        "since=later",
        "include=all",
        "limit=0",
        "limit=1001",
        "wait=11m",
        "wait=x",
        "sinc=0",
    ] {
        let refused = node.get(&format!("{FEED}?{query}")).refusal();
        assert_eq!(refused, (400, "invalid_parameter".to_owned()), "{query}");
    }
    let refused = |headers: &[(&str, &str)], query: &str| {
        node.send("GET", &format!("{FEED}{query}"), headers, b"").refusal().1
    };
    assert_eq!(refused(&[("accept", "text/html")], ""), "not_acceptable");
    assert_eq!(refused(&[("accept", "text/event-stream")], "?wait=1s"), "invalid_parameter");
    assert_eq!(refused(&[("last-event-id", "1")], ""), "invalid_parameter");
    assert_eq!(node.get("/v1/stores/none/changes").refusal().1, "store_not_found");
    assert_eq!(node.put(FEED, b"").refusal().0, 405);
}

#[test]
fn watchers_have_a_limit_of_their_own() {
    let node = serve(HttpConfig { max_watchers: 1, ..HttpConfig::default() });
    let mut first = stream(&node, FEED, "accept: text/event-stream\r\n");
    first.until("\n\n");
    let refused = node.get(FEED);
    assert_eq!(refused.refusal(), (503, "too_many_watchers".to_owned()));
    assert_eq!((refused.header("retry-after"), &refused.json()["limit"]), ("1", &json!(1)));
    let version = node.put("/v1/kv/main/a", b"1").header("etag").to_owned();
    let poll = node.send("GET", "/v1/kv/main/a?wait=1s", &[("if-none-match", &version)], b"");
    assert_eq!(poll.refusal().1, "too_many_watchers");
    drop(first);
    is_free_again(&node);
    // Also of one that went away in the middle of what it was told.
    for round in 0..20 {
        let mut reader = stream(&node, &format!("{FEED}?since=0"), "accept: text/event-stream\r\n");
        reader.until("event: put");
        node.put("/v1/kv/main/a", round.to_string().as_bytes());
        drop(reader);
        is_free_again(&node);
    }
    // And of those who wait for something to happen.
    let version = node.get("/v1/kv/main/a").header("etag").to_owned();
    for target in ["/v1/kv/main/a?wait=10m", &format!("{FEED}?wait=10m")] {
        let mut poll = node.client();
        let known = format!("host: x\r\nif-none-match: {version}\r\n");
        poll.raw(format!("GET {target} HTTP/1.1\r\n{known}\r\n").as_bytes());
        let both = "gridkv_http_requests_in_flight 2";
        let shown = || String::from_utf8(node.get("/metrics").body).unwrap().contains(both);
        assert!((0..1_000).any(|_| shown()), "the poll never came");
        drop(poll);
        is_free_again(&node);
    }
}

/// Waits until the only seat is free.
fn is_free_again(node: &Served) {
    let begun = Instant::now();
    while node.get(FEED).status != 200 {
        // Long before the next ping, which is when it would be seen at the latest.
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody sees that the client is gone");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_key_can_be_waited_for() {
    let node = serve(HttpConfig::default());
    for store in ["main", "disk"] {
        let key = format!("/v1/kv/{store}/a");
        let version = node.put(&key, b"1").header("etag").to_owned();
        let known = [("if-none-match", version.as_str())];
        let begun = Instant::now();
        let same = node.send("GET", &format!("{key}?wait=50ms"), &known, b"");
        assert_eq!((same.status, same.header("etag")), (304, version.as_str()));
        assert!(begun.elapsed() >= Duration::from_millis(50));

        let mut client = node.client();
        let poll =
            format!("GET {key}?wait=10m HTTP/1.1\r\nhost: x\r\nif-none-match: {version}\r\n\r\n");
        client.raw(poll.as_bytes());
        node.put(&format!("{key}b"), b"another key");
        node.put(&key, b"2");
        let changed = client.answer("GET");
        assert_eq!((changed.status, changed.body.as_slice()), (200, b"2".as_slice()));

        let version = changed.header("etag").to_owned();
        let poll =
            format!("GET {key}?wait=10m HTTP/1.1\r\nhost: x\r\nif-none-match: {version}\r\n\r\n");
        client.raw(poll.as_bytes());
        node.delete(&key);
        assert_eq!(client.answer("GET").refusal(), (404, "key_not_found".to_owned()));
        let absent = node.send("GET", &format!("{key}?wait=10m"), &known, b"");
        assert_eq!(absent.status, 404, "it is not what is known");
        node.put(&key, b"3");
        assert_eq!(node.send("GET", &format!("{key}?wait=10m"), &known, b"").body, b"3");
    }
    for (target, header) in [("?wait=1s", None), ("?wait=x", Some("*")), ("?wait=11m", Some("*"))] {
        let headers: Vec<_> = header.map(|value| ("if-none-match", value)).into_iter().collect();
        let refused = node.send("GET", &format!("/v1/kv/main/a{target}"), &headers, b"");
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{target}");
    }
}

#[test]
fn a_node_that_stops_lets_go_who_waits_for_a_change() {
    let mut node = serve(HttpConfig::default());
    let version = node.put("/v1/kv/main/a", b"1").header("etag").to_owned();
    let (mut key, mut feed) = (node.client(), node.client());
    let poll = format!(
        "GET /v1/kv/main/a?wait=10m HTTP/1.1\r\nhost: x\r\nif-none-match: {version}\r\n\r\n"
    );
    key.raw(poll.as_bytes());
    feed.raw(format!("GET {FEED}?wait=10m HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
    let in_flight = || String::from_utf8(node.get("/metrics").body).unwrap();
    while !in_flight().contains("gridkv_http_requests_in_flight 3") {
        std::thread::sleep(Duration::from_millis(5));
    }
    node.tell_to_drain();
    assert_eq!(key.answer("GET").status, 304);
    assert_eq!(feed.answer("GET").json()["results"], json!([]));
    node.wait();
}
