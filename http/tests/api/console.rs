//! The console's files, and the stream that feeds its pages.

use std::collections::BTreeMap;

use gridkv_http::access::{Access, Exposed, Token};
use gridkv_http::{HttpConfig, Role};
use ring::digest::{SHA256, digest};
use serde_json::{Value as Json, json};

use crate::client::Client;
use crate::node::{Served, serve, serve_to};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

#[test]
fn files_say_what_they_are_and_what_they_may() {
    let node = serve(HttpConfig::default());
    for (target, media_type) in [
        ("/console/", "text/html; charset=utf-8"),
        ("/console/index.html", "text/html; charset=utf-8"),
        ("/console/app.js", "text/javascript; charset=utf-8"),
        ("/console/style.css", "text/css; charset=utf-8"),
        ("/console/icon.svg", "image/svg+xml"),
        ("/console/vendor/uPlot.iife.min.js", "text/javascript; charset=utf-8"),
        ("/console/vendor/htm-LICENSE.txt", "text/plain; charset=utf-8"),
    ] {
        let answer = node.get(target);
        assert_eq!(answer.status, 200, "{target}");
        for (name, value) in [
            ("content-type", media_type),
            ("cache-control", "no-cache"),
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), value, "{target}");
        }
        assert!(!answer.body.is_empty());
        let tag = answer.header("etag").to_owned();
        let again = node.send("GET", target, &[("if-none-match", &tag)], b"");
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, tag.as_str()));
        assert_eq!(again.header("content-security-policy"), POLICY);
        let other = node.send("GET", target, &[("if-none-match", "\"other\"")], b"");
        assert_eq!((other.status, &other.body), (200, &answer.body));
        let head = node.send("HEAD", target, &[], b"");
        assert_eq!((head.status, head.header("etag")), (200, tag.as_str()));
    }
    let page = node.get("/console/").text();
    assert!(page.contains("<script src=\"app.js\" type=\"module\">"), "{page}");
}

#[test]
fn what_is_not_there_is_not_found() {
    let node = serve(HttpConfig::default());
    for target in [
        "/console/none.js",
        "/console/vendor/",
        "/console/vendor/SOURCES",
        "/console//app.js",
        "/console/%2e%2e/src/lib.rs",
        "/console/../v1/node",
        "/console/app%2Ejs",
        "/console/app.js/",
    ] {
        assert_eq!(node.get(target).refusal(), (404, "route_not_found".to_owned()), "{target}");
    }
    assert_eq!(node.get("/console/?x=1").refusal(), (400, "invalid_parameter".to_owned()));
    assert_eq!(node.send("POST", "/console/", &[], b"").refusal().0, 405);
}

#[test]
fn browsers_are_led_to_it() {
    let node = serve(HttpConfig::default());
    let door = node.get("/console");
    assert_eq!((door.status, door.header("location")), (308, "/console/"));
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let led = node.send("GET", "/", &[("accept", browser)], b"");
    assert_eq!(
        (led.status, led.header("location"), led.header("vary")),
        (303, "/console/", "accept")
    );
    for accept in ["*/*", "application/json", "text/htmlx"] {
        let root = node.send("GET", "/", &[("accept", accept)], b"");
        assert_eq!((root.status, &root.json()["name"]), (200, &json!("GridKV")), "{accept}");
    }
}

/// Begins the stream, with these lines in the head.
fn stream(node: &Served, headers: &str) -> Client {
    let mut client = node.client();
    client.raw(format!("GET /v1/stream HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes());
    let head = client.head();
    assert_eq!((head.status, head.header("content-type")), (200, "text/event-stream"), "{head:?}");
    assert_eq!(head.header("cache-control"), "no-store");
    client
}

/// The data of the next event of this name.
fn next(events: &mut Client, name: &str) -> Json {
    events.until(&format!("event: {name}\ndata: "));
    let data = events.until("\n\n");
    serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error} in {data}"))
}

#[test]
fn the_stream_tells_everything_at_once_and_then_each_second() {
    let mut node = serve(HttpConfig::default());
    node.put("/v1/kv/main/a", b"1");
    node.get("/v1/kv/main/a");
    let mut events = stream(&node, "");
    assert_eq!(next(&mut events, "reader"), json!({"role": "admin", "tokens": false}));
    let first = next(&mut events, "state");
    assert_eq!((&first["node"]["name"], &first["node"]["cluster"]), (&json!("n1"), &json!("test")));
    assert!(first["node"].get("config").is_none(), "it is long, and does not change each second");
    assert_eq!(first["node"]["version"], node.get("/v1/node").json()["version"]);
    assert_eq!(
        (&first["readiness"]["ready"], &first["cluster"]["peers"]),
        (&json!(true), &json!([]))
    );
    let names: Vec<_> =
        first["stores"].as_array().unwrap().iter().map(|store| &store["store"]).collect();
    assert_eq!(names, ["disk", "main", "tiny"]);
    assert_eq!((&first["spread"]["main"], &first["convergence"]["main"]), (&json!({}), &json!([])));
    assert!(first["actors"].as_array().unwrap().iter().any(|actor| actor["actor"] == "storage"));
    assert_eq!(first["operations"], json!([]));

    let requests = &first["requests"];
    let bounds = requests["bounds_seconds"].as_array().unwrap().len();
    let routes = requests["routes"].as_array().unwrap();
    let puts = routes.iter().find(|route| route["method"] == "PUT").unwrap();
    assert_eq!(
        (&puts["route"], &puts["codes"]),
        (&json!("/v1/kv/{store}/{key}"), &json!({"201": 1}))
    );
    let counts = puts["not_slower"].as_array().unwrap();
    assert_eq!((counts.len(), counts.last().unwrap()), (bounds + 1, &json!(1)));
    assert_eq!(first["at"].as_str().unwrap().len(), "2026-01-31T12:00:00.000Z".len());

    node.put("/v1/kv/main/b", b"1");
    let mut later = (0..10).map(|_| next(&mut events, "state"));
    let second = later.find(|state| state["stores"][1]["key_count"] == 2).unwrap();
    assert!(second["at"].as_str() > first["at"].as_str());

    node.tell_to_drain();
    assert!(next(&mut events, "bye")["detail"].is_string());
    node.wait();
    assert_eq!(events.rest().matches("event").count(), 0, "the connection is closed behind it");
}

#[test]
fn all_who_follow_it_are_told_the_same() {
    let node = serve(HttpConfig::default());
    let mut all: Vec<Client> = (0..20).map(|_| stream(&node, "")).collect();
    let mut told = BTreeMap::<String, Vec<Json>>::new();
    for events in &mut all {
        next(events, "state"); // of the moment at which it came
        for _ in 0..2 {
            let state = next(events, "state");
            told.entry(state["at"].to_string()).or_default().push(state);
        }
    }
    for states in told.values() {
        assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
    }
    let count = told.len();
    assert!((2..=10).contains(&count), "20 were told twice, of {count} moments");
}

#[test]
fn who_follows_it_is_counted_among_those_who_watch() {
    let node = serve(HttpConfig { max_watchers: 1, ..HttpConfig::default() });
    let mut events = stream(&node, "");
    next(&mut events, "state");
    assert_eq!(node.get("/v1/stream").refusal(), (503, "too_many_watchers".to_owned()));
    assert_eq!(node.get("/v1/stream?x=1").refusal(), (400, "invalid_parameter".to_owned()));
    assert_eq!(node.send("HEAD", "/v1/stream", &[], b"").status, 503);
    drop(events);
    let head = || node.send("HEAD", "/v1/stream", &[], b"").status;
    let free = (0..1_000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        head() == 200
    });
    assert!(free, "who goes gives the place back");
}

#[test]
fn the_stream_says_who_reads_and_ends_with_their_token() {
    let token = |role: Role| format!("gkv_{}", role.as_str().repeat(6));
    let known = |role: Role| Token {
        role,
        sha256: digest(&SHA256, token(role).as_bytes()).as_ref().try_into().unwrap(),
    };
    let access = Access::new(Role::ALL.map(known).to_vec(), Exposed::default());
    let node = serve_to(HttpConfig::default(), access.clone());
    let header = |role: Role| format!("authorization: Bearer {}\r\n", token(role));
    for role in [Role::Read, Role::Write, Role::Admin] {
        let mut events = stream(&node, &header(role));
        assert_eq!(next(&mut events, "reader"), json!({"role": role.as_str(), "tokens": true}));
    }
    assert_eq!(node.get("/console/app.js").status, 200, "the files are for everybody");
    assert_eq!(node.get("/v1/stream").refusal(), (401, "unauthorized".to_owned()));
    let bearer = format!("Bearer {}", token(Role::Metrics));
    let refused = node.send("GET", "/v1/stream", &[("authorization", &bearer)], b"");
    assert_eq!((refused.status, &refused.json()["role"]), (403, &json!("read")));

    let mut events = stream(&node, &header(Role::Read));
    next(&mut events, "state");
    access.set(vec![known(Role::Admin)], Exposed::default());
    assert!(!events.rest().contains("event: bye"), "it ends without a word");
}
