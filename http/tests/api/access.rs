//! Who may do what: every resource, every method, and everybody who may come.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::Duration;

use gridkv_http::access::{Access, Exposed, Token};
use gridkv_http::{HttpConfig, Role};
use ring::digest::{SHA256, digest};

use crate::client::Answer;
use crate::node::{Served, serve_to, serve_unready_to};

/// In every value that nobody may see who is refused.
const MARK: &str = "MARKED-91c4";

const METHODS: [&str; 8] = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "BREW"];

/// What each resource asks for, written down once more: for reading, and for all else.
const TABLE: [(&str, Option<Role>, Option<Role>); 32] = {
    const METRICS: Option<Role> = Some(Role::Metrics);
    const READ: Option<Role> = Some(Role::Read);
    const WRITE: Option<Role> = Some(Role::Write);
    const ADMIN: Option<Role> = Some(Role::Admin);
    [
        ("/", None, None),
        ("/livez", None, None),
        ("/readyz", None, None),
        ("/v1/openapi.json", None, None),
        ("/console", None, None),
        ("/console/", None, None),
        ("/console/{file}", None, None),
        ("/v1/stream", READ, None),
        ("/metrics", METRICS, None),
        ("/v1/stats", METRICS, None),
        ("/v1/stores", METRICS, None),
        ("/v1/stores/{store}/stats", METRICS, None),
        ("/v1/kv/{store}", READ, WRITE),
        ("/v1/kv/{store}/{key}", READ, WRITE),
        ("/v1/stores/{store}/batch", None, READ),
        ("/v1/stores/{store}/changes", READ, None),
        ("/v1/stores/{store}/convergence", READ, None),
        ("/v1/stores/{store}/convergence/{peer}", READ, None),
        ("/v1/stores/{store}/receipts/{version}", READ, None),
        ("/v1/stores/{store}/snapshot", READ, ADMIN),
        ("/v1/stores/{store}", None, ADMIN),
        ("/v1/stores/{store}/persist", None, ADMIN),
        ("/v1/stores/{store}/compact", None, ADMIN),
        ("/v1/node", READ, None),
        ("/v1/cluster", READ, None),
        ("/v1/cluster/peers", None, ADMIN),
        ("/v1/cluster/peers/{name}", None, ADMIN),
        ("/v1/cluster/peers/{name}/full-sync", None, ADMIN),
        ("/v1/operations", READ, None),
        ("/v1/operations/{id}", READ, None),
        ("/v1/admin/log-level", None, ADMIN),
        ("/v1/admin/drain", None, ADMIN),
    ]
};

fn token(role: Role) -> String {
    format!("gkv_{}", role.as_str().repeat(6))
}

fn known(role: Role, text: &str) -> Token {
    Token { role, sha256: digest(&SHA256, text.as_bytes()).as_ref().try_into().unwrap() }
}

fn access() -> Access {
    let tokens = Role::ALL.map(|role| known(role, &token(role)));
    Access::new(tokens.to_vec(), Exposed::default())
}

fn serve() -> Served {
    // Answers of `/readyz` have no names, and that is enough to wait for.
    serve_to(HttpConfig::default(), access())
}

fn ask(node: &Served, token: &str, method: &str, target: &str, body: &[u8]) -> Answer {
    let header = format!("Bearer {token}");
    node.send(method, target, &[("authorization", &header)], body)
}

/// The head of an answer that goes on.
fn begin(node: &Served, token: &str, target: &str) -> Answer {
    let mut client = node.client();
    let head = format!("host: x\r\nauthorization: Bearer {token}\r\n\r\n");
    client.raw(format!("GET {target} HTTP/1.1\r\n{head}").as_bytes());
    client.head()
}

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// It leads nowhere.
    Nowhere,
    /// Nothing.
    Nothing,
    /// At least this role.
    For(Role),
}

/// Every resource and method, as the document of the API has them, and what each asks for.
fn every_request(node: &Served) -> Vec<(String, &'static str, Asks)> {
    let document = node.get("/v1/openapi.json").json();
    let paths = document["paths"].as_object().unwrap();
    let listed: BTreeSet<&str> = TABLE.iter().map(|(pattern, ..)| *pattern).collect();
    assert_eq!(paths.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed);
    let mut requests = Vec::new();
    for (pattern, to_read, to_change) in TABLE {
        let target = pattern
            .replace("{store}", "main")
            .replace("{key}", "k")
            .replace("{file}", "app.js")
            .replace("{version}", "0000000000000001-0000000200000003")
            .replace("{peer}", "n2")
            .replace("{name}", "n2")
            .replace("{id}", "1");
        for method in METHODS {
            let role = if matches!(method, "GET" | "HEAD") { to_read } else { to_change };
            let asks = match paths[pattern].get(method.to_ascii_lowercase()) {
                Some(_) => role.map_or(Asks::Nothing, Asks::For),
                None => Asks::Nowhere,
            };
            requests.push((target.clone(), method, asks));
        }
    }
    for target in ["/nowhere", "/v1/kv", "/consoles/", "/v1/stores/main/nothing"] {
        requests.extend(METHODS.map(|method| (target.to_owned(), method, Asks::Nowhere)));
    }
    requests
}

/// What a refused request may say, and no more.
fn assert_tells_nothing(answer: &Answer, method: &str, place: &str) {
    let headers = format!("{:?}", answer.headers);
    assert!(!headers.contains("gridkv-version") && !headers.contains("etag"), "{place}: {headers}");
    assert!(!headers.contains("allow"), "{place}: {headers}");
    assert!(!answer.text().contains(MARK) && !headers.contains(MARK), "{place}");
    if method == "HEAD" {
        return;
    }
    let allowed = ["type", "title", "status", "code", "detail", "instance", "request_id", "role"];
    let body = answer.json();
    let fields = body.as_object().unwrap().keys();
    assert!(fields.into_iter().all(|field| allowed.contains(&field.as_str())), "{place}: {body}");
    let (status, code) = answer.refusal();
    match status {
        401 => {
            assert_eq!(
                (code.as_str(), answer.header("www-authenticate")),
                ("unauthorized", "Bearer")
            );
        }
        403 => assert_eq!(code, "forbidden"),
        _ => assert_eq!((code.as_str(), answer.header("retry-after")), ("rate_limited", "1")),
    }
}

/// All that a refused request could have changed.
fn state(node: &Served) -> BTreeMap<&'static str, String> {
    let admin = token(Role::Admin);
    let get = |target| ask(node, &admin, "GET", target, b"").text();
    let stores: Vec<_> =
        serde_json::from_str::<serde_json::Value>(&get("/v1/stores")).unwrap()["stores"]
            .as_array()
            .unwrap()
            .iter()
            .map(|store| {
                (store["store"].clone(), store["key_count"].clone(), store["tombstones"].clone())
            })
            .collect();
    let config = serde_json::from_str::<serde_json::Value>(&get("/v1/node")).unwrap();
    BTreeMap::from([
        ("stores", format!("{stores:?}")),
        ("keys", get("/v1/kv/main?include=meta,value")),
        ("operations", get("/v1/operations")),
        ("config", config["config"].to_string()),
        ("ready", get("/readyz")),
    ])
}

/// A body that would delete a key, were it a batch.
const BODY: &[u8] = b"{\"ops\":[{\"op\":\"delete\",\"key\":\"k\"}]}";

/// Sends a request as everybody who has no token that is known. Gives how many were refused.
fn ask_as_strangers(node: &Served, (target, method, asks): &(String, &'static str, Asks)) -> usize {
    let admin = token(Role::Admin);
    let (good, cookie) = (format!("Bearer {admin}"), format!("token={admin}"));
    let strangers: [&[(&str, &str)]; 8] = [
        &[],
        &[("authorization", "Bearer gkv_unknown")],
        &[("authorization", "Basic YTpi")],
        &[("authorization", "Bearer")],
        &[("authorization", "")],
        &[("x-authorization", &good)],
        &[("cookie", &cookie)],
        &[("authorization", &good), ("authorization", "Bearer gkv_unknown")],
    ];
    let mut refused = 0;
    for (number, headers) in strangers.iter().enumerate() {
        let place = format!("{method} {target} by stranger {number}");
        let answer = node.send(method, target, headers, BODY);
        if *asks == Asks::Nothing {
            assert!(![401, 403, 429].contains(&answer.status), "{place}: {answer:?}");
            continue;
        }
        let is_guess = number == 1 && answer.status == 429;
        assert!(answer.status == 401 || is_guess, "{place}: {answer:?}");
        assert_tells_nothing(&answer, method, &place);
        refused += 1;
    }
    if *asks != Asks::Nothing {
        let in_query = format!("{target}?token={admin}&access_token={admin}");
        assert_eq!(node.send(method, &in_query, &[], b"").status, 401, "{in_query}");
    }
    refused
}

/// Sends it with every token of a role that may not. Gives how many were refused.
fn ask_as_those_who_may_not(node: &Served, request: &(String, &'static str, Asks)) -> usize {
    let (target, method, Asks::For(needed)) = request else { return 0 };
    let mut refused = 0;
    for held in Role::ALL.into_iter().filter(|held| held < needed) {
        let place = format!("{method} {target} by {}", held.as_str());
        let answer = ask(node, &token(held), method, target, BODY);
        assert_eq!(answer.status, 403, "{place}: {answer:?}");
        assert_tells_nothing(&answer, method, &place);
        if *method != "HEAD" {
            assert_eq!(answer.json()["role"], needed.as_str(), "{place}");
        }
        refused += 1;
    }
    refused
}

#[test]
fn nobody_gets_more_than_their_role() {
    let node = serve();
    let put = ask(&node, &token(Role::Admin), "PUT", "/v1/kv/main/k", MARK.as_bytes());
    assert_eq!(put.status, 201);
    let before = state(&node);
    let requests = every_request(&node);
    let refused: usize = requests
        .iter()
        .map(|request| ask_as_strangers(&node, request) + ask_as_those_who_may_not(&node, request))
        .sum();
    assert!(refused > 1_500, "{refused}");
    assert_eq!(state(&node), before, "what was refused changed nothing");
}

#[test]
fn everybody_gets_what_their_role_allows() {
    let node = serve();
    let mut requests = every_request(&node);
    // What ends the node's service comes last.
    requests.sort_by_key(|(_, _, asks)| *asks == Asks::For(Role::Admin));
    let mut let_in = 0;
    for (target, method, asks) in &requests {
        for held in Role::ALL {
            let place = format!("{method} {target} by {}", held.as_str());
            let answer = || match (target.as_str(), *method) {
                ("/v1/stream", "GET") => begin(&node, &token(held), target), // it has no end
                _ => ask(&node, &token(held), method, target, b""),
            };
            match *asks {
                Asks::Nowhere => assert!([404, 405].contains(&answer().status), "{place}"),
                Asks::For(needed) if held < needed => {} // refused above
                Asks::For(_) | Asks::Nothing => {
                    let answer = answer();
                    assert!(![401, 403, 405, 429].contains(&answer.status), "{place}: {answer:?}");
                    let_in += 1;
                }
            }
        }
    }
    assert!(let_in > 100, "{let_in}");
}

#[test]
fn a_batch_asks_for_what_its_operations_do() {
    let node = serve();
    let read = r#"{"ops":[{"op":"get","key":"k"},{"op":"get","key":""}]}"#;
    let write = r#"{"ops":[{"op":"get","key":"k"},{"op":"put","key":"k","value":"v"}]}"#;
    let refused_alone = r#"{"ops":[{"op":"delete","key":""}]}"#;
    let send = |role: Role, body: &str| {
        ask(&node, &token(role), "POST", "/v1/stores/main/batch", body.as_bytes())
    };
    assert_eq!(send(Role::Metrics, read).refusal(), (403, "forbidden".to_owned()));
    assert_eq!(send(Role::Read, read).status, 200);
    for body in [write, refused_alone] {
        let refused = send(Role::Read, body);
        assert_eq!(refused.refusal(), (403, "forbidden".to_owned()));
        assert_eq!(refused.json()["role"], "write");
    }
    let unwritten = ask(&node, &token(Role::Read), "GET", "/v1/kv/main/k", b"");
    assert_eq!(unwritten.status, 404, "nothing was written");
    assert_eq!(send(Role::Write, write).status, 200);
    assert_eq!(send(Role::Write, refused_alone).status, 200);
}

#[test]
fn who_has_no_token_is_told_no_names() {
    let unready = serve_unready_to(access());
    let told = unready.get("/readyz");
    assert_eq!((told.status, told.text().lines().count()), (503, 1));
    let json = unready.send("GET", "/readyz", &[("accept", "application/json")], b"").json();
    assert_eq!((&json["ready"], json["checks"].as_array().unwrap().len()), (&false.into(), 1));
    for text in [told.text(), json.to_string(), unready.get("/livez").text()] {
        assert!(!text.contains("main") && !text.contains("127.0.0.1:1"), "{text}");
    }
    let bad = ask(&unready, "gkv_unknown", "GET", "/readyz", b"");
    assert_eq!(bad.text(), told.text(), "a probe with a wrong token still is a probe");
    let shown = ask(&unready, &token(Role::Metrics), "GET", "/readyz", b"").text();
    assert!(shown.contains("store:main"), "{shown}");
}

#[test]
fn who_guesses_is_slowed() {
    let node = serve();
    let mut client = node.client();
    let mut statuses = BTreeMap::new();
    for guess in 0..100 {
        let header = format!("Bearer gkv_guess{guess}");
        let answer = client.send("GET", "/v1/kv/main/k", &[("authorization", &header)], b"");
        *statuses.entry(answer.status).or_insert(0) += 1;
        let good = ask(&node, &token(Role::Read), "GET", "/v1/kv/main/k", b"");
        assert_eq!(good.status, 404, "who knows is not slowed");
        if answer.status == 429 {
            assert_eq!((answer.header("retry-after"), answer.header("connection")), ("1", "close"));
            client = node.client();
        }
    }
    assert!(statuses[&429] >= 50 && statuses[&401] >= 5, "{statuses:?}");
    let metrics = ask(&node, &token(Role::Metrics), "GET", "/metrics", b"").text();
    for (reason, status) in [("unknown", 401), ("rate_limited", 429)] {
        let line =
            format!("gridkv_http_auth_failures_total{{reason=\"{reason}\"}} {}", statuses[&status]);
        assert!(metrics.lines().any(|shown| shown == line), "{line} is not in\n{metrics}");
    }
}

#[test]
fn a_token_that_is_taken_away_ends_what_it_began() {
    let access = access();
    let node = serve_to(HttpConfig::default(), access.clone());
    let auth = format!("authorization: Bearer {}", token(Role::Read));
    let put = |value: &[u8]| ask(&node, &token(Role::Write), "PUT", "/v1/kv/main/k", value);
    let etag = put(b"v").header("etag").to_owned();
    let mut stream = node.client();
    let target = "/v1/stores/main/changes?since=0&include=value";
    let head = format!("host: x\r\n{auth}\r\naccept: application/x-ndjson\r\n\r\n");
    stream.raw(format!("GET {target} HTTP/1.1\r\n{head}").as_bytes());
    assert_eq!(stream.head().status, 200);
    stream.until("\"key\"");
    let mut poll = node.client();
    let head = format!("host: x\r\n{auth}\r\nif-none-match: {etag}\r\n\r\n");
    poll.raw(format!("GET /v1/kv/main/k?wait=1m HTTP/1.1\r\n{head}").as_bytes());
    sleep(Duration::from_millis(1_200)); // the poll is old enough to be asked again who it is

    access.set(vec![known(Role::Write, &token(Role::Write))], Exposed { http: true, peers: true });
    assert_eq!(ask(&node, &token(Role::Read), "GET", "/v1/kv/main/k", b"").status, 401);
    assert_eq!(put(MARK.as_bytes()).status, 204, "and who keeps theirs goes on");
    let answer = poll.answer("GET");
    assert_eq!(answer.refusal(), (401, "unauthorized".to_owned()));
    assert!(!stream.rest().contains(MARK), "the stream ends instead");

    let shown = ask(&node, &token(Role::Write), "GET", "/v1/node", b"").json();
    assert_eq!(shown["exposed_without_auth"], serde_json::json!({"http": true, "peers": true}));
    let metrics = ask(&node, &token(Role::Write), "GET", "/metrics", b"").text();
    assert!(metrics.contains("gridkv_exposed_without_auth{listener=\"peers\"} 1"), "{metrics}");
}
