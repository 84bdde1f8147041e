//! Connections to the port for clients that are no conversation: noise, heads without end, and clients that say nothing.

mod mesh;
mod siege;

use std::net::TcpStream;

use siege::answer::{Answer, request};
use siege::{Siege, dial, end, send};

#[test]
fn heads_that_are_none() {
    let mut siege = Siege::begin();
    let huge = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let long_path = format!("GET /v1/kv/main/{} HTTP/1.1\r\nHost: a\r\n\r\n", "k".repeat(200_000));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(40_000));
    for head in [
        huge.as_str(),
        &long_path,
        &many,
        "\r\n\r\n\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost a\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\0\r\n\r\n",
        "GET / HTTP/1.1\r\nA : b\r\n\r\n",
        "G\u{1}T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET \u{1} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http:// HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        siege.sent += 1;
        let mut stream = dial(siege.http(3));
        send(&mut stream, head.as_bytes());
        end(&stream);
        let what = &head[..head.len().min(60)];
        Answer::read(&mut stream, what).is_refusal(what);
    }
    let mut random = fastrand::Rng::with_seed(0x6874_7470);
    for _ in 0..200 {
        let mut noise = vec![0; random.usize(1..300)];
        random.fill(&mut noise);
        noise.extend_from_slice(b"\r\n\r\n");
        siege.sent += 1;
        let mut stream = dial(siege.http(1));
        send(&mut stream, &noise);
        end(&stream);
        Answer::read(&mut stream, "noise").is_refusal("noise");
    }
    // A good request with some bytes changed: whatever it then means, it is no fault of the node.
    let good = request(
        "PUT",
        "/v1/kv/sessions/m?ttl=5s",
        "If-None-Match: *\r\nContent-Type: a/b\r\n",
        b"value",
    );
    for _ in 0..200 {
        let mut changed = good.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..changed.len());
            changed[at] = random.u8(..);
        }
        siege.sent += 1;
        let mut stream = dial(siege.http(2));
        send(&mut stream, &changed);
        end(&stream);
        let answer = Answer::read(&mut stream, "a changed request");
        assert!(answer.status < 500 || answer.status == 503, "{answer:?}");
    }
    siege.ends(400);
}

#[test]
fn clients_that_are_slow_or_say_nothing_are_closed() {
    let mut siege = Siege::begin();
    let beginnings: [&[u8]; 4] = [
        b"G",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"PUT /v1/kv/main/slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
        b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET",
    ];
    let mut slow: Vec<TcpStream> = Vec::new();
    for beginning in beginnings.iter().cycle().take(150) {
        let mut stream = dial(siege.http(1));
        send(&mut stream, beginning);
        slow.push(stream);
    }
    siege.sent += slow.len();
    // Meanwhile others are served.
    assert_eq!(siege.node(1).client().put("sessions", "meanwhile", b"v").unwrap().status, 201);
    for stream in &mut slow {
        let answer = Answer::read(stream, "a slow client");
        assert!(matches!(answer.status, 0 | 200 | 408), "{answer:?}");
    }
    assert_eq!(siege.node(1).client().get("main", "slow").unwrap().status, 404);
    siege.ends(150);
}

#[test]
fn a_client_that_stops_in_a_chunk_is_closed_too() {
    let mut siege = Siege::begin();
    siege.sent += 1;
    let mut stream = dial(siege.http(1));
    let head =
        b"PUT /v1/kv/main/slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";
    send(&mut stream, head);
    let answer = Answer::read(&mut stream, "a client that stops in a chunk");
    assert_eq!(answer.status, 408, "{answer:?}");
    siege.ends(1);
}

#[test]
fn who_is_refused_before_the_end_of_a_body_hears_one_answer_only() {
    let mut siege = Siege::begin();
    let refused = [("/v1/kv/main/k", 413), ("/v1/kv/nowhere/k", 404), ("/v1/kv/main/%FF", 400)];
    for (path, status) in refused.into_iter().cycle().take(6) {
        siege.sent += 1;
        let mut stream = dial(siege.http(1 + siege.sent % 3));
        send(&mut stream, &request("PUT", path, "", &vec![b'v'; 2 << 20]));
        let answer = Answer::read(&mut stream, path);
        assert_eq!(answer.is_problem(path).status, status);
    }
    siege.ends(6);
}
