//! What happens around every request, and on connections that behave badly.

use std::time::{Duration, Instant};

use gridkv_http::{HostNames, HttpConfig};

use crate::node::serve;

#[test]
fn every_answer_names_the_node_and_the_request() {
    let node = serve(HttpConfig::default());
    for target in ["/", "/livez", "/nowhere", "/v1/kv/main/a", "/v1/kv/none/a", "/metrics"] {
        let answer = node.send("GET", target, &[("x-request-id", "my-id_1")], b"");
        assert_eq!(answer.header("gridkv-node"), "n1", "{target}");
        assert_eq!(answer.header("x-request-id"), "my-id_1", "{target}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{target}");
    }
    let (first, second) = (node.get("/"), node.get("/"));
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    let long = "x".repeat(129);
    let made = node.send("GET", "/", &[("x-request-id", &long)], b"");
    assert_ne!(made.header("x-request-id"), long);
}

#[test]
fn what_is_not_there_is_a_problem() {
    let node = serve(HttpConfig::default());
    for target in ["/nowhere", "/v1", "/v1/", "/v1/kv", "/livez/", "/v1/stores/main/", "/consoles/"]
    {
        assert_eq!(node.get(target).refusal(), (404, "route_not_found".to_owned()), "{target}");
    }
    for (method, target, allow) in [
        ("POST", "/v1/kv/main/a", "GET, HEAD, PUT, DELETE, PATCH"),
        ("OPTIONS", "/v1/kv/main/a", "GET, HEAD, PUT, DELETE, PATCH"),
        ("BREW", "/v1/kv/main/a", "GET, HEAD, PUT, DELETE, PATCH"),
        ("PUT", "/v1/kv/main", "GET, HEAD, DELETE"),
        ("GET", "/v1/stores/main/batch", "POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("DELETE", "/v1/stores", "GET, HEAD"),
        ("GET", "/v1/stores/main", "PUT, DELETE"),
        ("PUT", "/metrics", "GET, HEAD"),
    ] {
        let refused = node.send(method, target, &[], b"");
        assert_eq!(refused.refusal(), (405, "method_not_allowed".to_owned()), "{method} {target}");
        assert_eq!(refused.header("allow"), allow, "{method} {target}");
    }
    assert_eq!(node.get("/livez?x=1").refusal(), (400, "invalid_parameter".to_owned()));
}

#[test]
fn a_foreign_page_changes_nothing() {
    let node = serve(HttpConfig::default());
    let foreign = [("sec-fetch-site", "cross-site")];
    let refused = node.send("PUT", "/v1/kv/main/a", &foreign, b"v");
    assert_eq!(refused.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(node.send("GET", "/v1/kv/main/a", &foreign, b"").status, 404);
    let own = [("sec-fetch-site", "same-origin")];
    assert_eq!(node.send("PUT", "/v1/kv/main/a", &own, b"v").status, 201);
}

#[test]
fn a_page_whose_name_was_made_to_lead_here_gets_nothing_where_nobody_is_asked() {
    let names = HostNames::Own(vec!["kv.example".to_owned()]);
    let node = serve(HttpConfig { host_names: names, ..HttpConfig::default() });
    let ask = |first: &str, host: &str| {
        let mut client = node.client();
        client.raw(format!("{first}\r\n{host}content-length: 1\r\n\r\nv").as_bytes());
        client.answer(first.split(' ').next().unwrap())
    };
    for first in [
        "GET /v1/kv/main HTTP/1.1",
        "GET /console/ HTTP/1.1",
        "GET /nowhere HTTP/1.1",
        "PUT /v1/kv/main/a HTTP/1.1",
        "GET /metrics HTTP/1.0",
    ] {
        let refused = ask(first, "host: evil.example:7400\r\n");
        assert_eq!(refused.refusal(), (403, "forbidden".to_owned()), "{first}");
        assert_eq!(refused.json()["host"], "evil.example:7400");
    }
    let whole = ask("PUT http://evil.example/v1/kv/main/a HTTP/1.1", "host: localhost\r\n");
    assert_eq!(whole.refusal(), (403, "forbidden".to_owned()));
    let port = node.address.port();
    for host in [
        format!("host: 127.0.0.1:{port}\r\n"),
        format!("host: [::1]:{port}\r\n"),
        "host: LOCALHOST.\r\n".to_owned(),
        "host: Kv.Example:80\r\n".to_owned(),
    ] {
        assert_eq!(ask("GET /v1/kv/main HTTP/1.1", &host).status, 200, "{host}");
    }
    assert_eq!(ask("GET /v1/kv/main HTTP/1.0", "").status, 200);
    let whole = ask("GET http://localhost/v1/kv/main HTTP/1.1", "host: evil.example\r\n");
    assert_eq!(whole.status, 200, "{}", whole.text());
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let node = serve(HttpConfig::default());
    let mut client = node.client();
    client.raw(b"PUT /v1/kv/main/a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n");
    assert_eq!(client.answer("PUT").status, 100);
    client.raw(b"v");
    assert_eq!(client.answer("PUT").status, 201);
    assert_eq!(client.send("GET", "/v1/kv/main/a", &[], b"").body, b"v");
}

#[test]
fn pipelined_requests_are_answered_in_order_and_all() {
    let node = serve(HttpConfig::default());
    for _ in 0..50 {
        let mut client = node.client();
        for number in 0..20 {
            let target = format!("/v1/kv/main/{number} HTTP/1.1\r\nhost: x\r\n");
            client.raw(format!("PUT {target}content-length: 2\r\n\r\n{number:02}").as_bytes());
            client.raw(format!("GET {target}\r\n").as_bytes());
        }
        for number in 0..20 {
            assert!(client.answer("PUT").status < 300);
            assert_eq!(client.answer("GET").body, format!("{number:02}").as_bytes());
        }
    }
}

#[test]
fn a_great_many_requests_may_wait_behind_one_that_takes_its_time() {
    const REQUESTS: usize = 5_000;
    let node = serve(HttpConfig::default());
    let etag = node.put("/v1/kv/main/a", b"v").header("etag").to_owned();
    let mut client = node.client();
    let poll = format!("/v1/kv/main/a?wait=300ms HTTP/1.1\r\nhost: x\r\nif-none-match: {etag}");
    client.raw(format!("GET {poll}\r\n\r\n").as_bytes());
    let body = "v".repeat(5_000);
    for coding in ["content-length: 5000\r\n\r\n", "transfer-encoding: chunked\r\n\r\n1388\r\n"] {
        let end = if coding.starts_with('t') { "\r\n0\r\n\r\n" } else { "" };
        let put = format!("PUT /v1/kv/main/b HTTP/1.1\r\nhost: x\r\n{coding}{body}{end}");
        client.raw(put.as_bytes());
    }
    client.raw("GET /v1/kv/main/a HTTP/1.1\r\nhost: x\r\n\r\n".repeat(REQUESTS).as_bytes());
    assert_eq!(client.answer("GET").status, 304);
    assert_eq!(client.answer("PUT").status, 201);
    assert_eq!(client.answer("PUT").status, 204);
    for _ in 0..REQUESTS {
        assert_eq!(client.answer("GET").body, b"v");
    }
}

#[test]
fn more_than_may_be_in_flight_is_refused_before_anything_happened() {
    let node = serve(HttpConfig { max_in_flight: 1, ..HttpConfig::default() });
    let mut slow = node.client();
    slow.raw(b"PUT /v1/kv/main/slow HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nv");
    let both = "gridkv_http_requests_in_flight 2";
    let shown = || String::from_utf8(node.get("/metrics").body).unwrap().contains(both);
    assert!((0..1_000).any(|_| shown()), "the slow request never came");
    let refused = node.put("/v1/kv/main/fast", b"v");
    assert_eq!(refused.refusal(), (503, "overloaded".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    for exempt in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(node.get(exempt).status, 200, "{exempt}");
    }
    slow.raw(b"w");
    assert_eq!(slow.answer("PUT").status, 201);
    assert!(node.put("/v1/kv/main/fast", b"v").status < 300);
}

#[test]
fn long_polls_take_no_place_from_other_requests() {
    let node = serve(HttpConfig { max_in_flight: 1, ..HttpConfig::default() });
    let etag = node.put("/v1/kv/main/a", b"v").header("etag").to_owned();
    let known = format!("host: x\r\nif-none-match: {etag}\r\n");
    let targets = ["/v1/kv/main/a?wait=10m", "/v1/stores/main/changes?wait=10m"];
    let mut polls = Vec::new();
    for target in targets {
        let mut poll = node.client();
        poll.raw(format!("GET {target} HTTP/1.1\r\n{known}\r\n").as_bytes());
        polls.push(poll);
        // The next one would be refused if it came before this one waits.
        let all = format!("gridkv_http_requests_in_flight {}", polls.len() + 1);
        let shown = || String::from_utf8(node.get("/metrics").body).unwrap().contains(&all);
        assert!((0..1_000).any(|_| shown()), "the poll never came");
        while node.get("/v1/kv/main/a").status != 200 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!(node.put("/v1/kv/main/a", b"w").status, 204);
    for poll in &mut polls {
        assert_eq!(poll.answer("GET").status, 200);
    }
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let body_timeout = Duration::from_millis(200);
    let node = serve(HttpConfig { body_timeout, ..HttpConfig::default() });
    let started = Instant::now();
    let mut client = node.client();
    client.raw(b"PUT /v1/kv/main/a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nv");
    let refused = client.answer("PUT");
    assert_eq!(refused.refusal(), (408, "body_timeout".to_owned()));
    assert_eq!(refused.header("connection"), "close");
    assert!(started.elapsed() >= body_timeout);
    assert_eq!(node.get("/v1/kv/main/a").status, 404);
}

#[test]
fn a_head_that_does_not_come_is_given_up_on_every_request() {
    let head_timeout = Duration::from_millis(300);
    let node = serve(HttpConfig { head_timeout, ..HttpConfig::default() });
    for beginning in ["GET /livez HTTP/1.1\r\nhost", ""] {
        let mut client = node.client();
        client.raw(beginning.as_bytes());
        assert_eq!(client.answer("GET").status, 408);
        assert!(client.is_closed());
    }

    let mut client = node.client();
    assert_eq!(client.send("GET", "/livez", &[], b"").status, 200);
    std::thread::sleep(head_timeout * 2);
    let answer = client.send("GET", "/livez", &[], b"");
    assert_eq!(answer.status, 200, "idle is no crime: {answer:?}");
    client.raw(b"GET /livez HTTP/1.1\r\nhost");
    assert_eq!(client.answer("GET").status, 408);
    assert!(client.is_closed());
}

#[test]
fn an_idle_connection_is_closed_in_time() {
    let keep_alive = Duration::from_millis(200);
    let node = serve(HttpConfig { keep_alive, ..HttpConfig::default() });
    let mut client = node.client();
    assert_eq!(client.send("GET", "/livez", &[], b"").status, 200);
    let started = Instant::now();
    assert!(client.is_closed());
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_server_ends_idle_connections_and_lets_requests_end() {
    let mut node = serve(HttpConfig { workers: 1, ..HttpConfig::default() });
    let mut idle = node.client();
    assert_eq!(idle.send("GET", "/livez", &[], b"").status, 200);
    let mut busy = node.client();
    busy.raw(b"PUT /v1/kv/main/a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nv");
    std::thread::sleep(Duration::from_millis(100));
    let started = Instant::now();
    node.tell_to_stop();
    std::thread::sleep(Duration::from_millis(200));
    busy.raw(b"w");
    let answer = busy.answer("PUT");
    assert_eq!((answer.status, answer.header("connection")), (201, "close"));
    assert!(idle.is_closed());
    node.wait();
    assert!(started.elapsed() < Duration::from_secs(10), "it waited for nobody");
}
