//! Strangers at the port for clients: every request that is not one gets a clear refusal, in time, and costs nothing.

#![expect(clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;
mod siege;

use gridkv_protocol::codec;
use serde_json::{Value, json};

use siege::answer::{Answer, request};
use siege::{Siege, dial, end, json as parsed, send};

/// Sends bytes as a whole conversation.
fn say(siege: &mut Siege, bytes: &[u8]) -> Answer {
    siege.sent += 1;
    let mut stream = dial(siege.http(1 + siege.sent % 3));
    send(&mut stream, bytes);
    end(&stream);
    let what = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    Answer::read(&mut stream, &what)
}

/// Must be refused by a problem with this status and code.
fn refused(siege: &mut Siege, bytes: &[u8], status: u16, code: &str) {
    let answer = say(siege, bytes);
    let what = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    answer.is_problem(&what);
    let said = parsed(&answer.body)["code"].clone();
    assert_eq!((answer.status, said), (status, Value::from(code)), "{what}");
}

/// Words of one text: a table that stays short.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_ascii_whitespace()
}

#[test]
fn keys_that_are_none() {
    let mut siege = Siege::begin();
    let (long, encoded) = ("k".repeat(1_025), "%41".repeat(1_025));
    let keys = words("%FF %C3 %ED%A0%80 %zz % a%2 %% . .. %2e %2E%2e");
    for key in keys.chain(["", long.as_str(), encoded.as_str()]) {
        for method in ["GET", "PUT", "DELETE"] {
            let bytes = request(method, &format!("/v1/kv/main/{key}"), "", b"");
            refused(&mut siege, &bytes, 400, "invalid_key");
        }
        let head = request("HEAD", &format!("/v1/kv/main/{key}"), "", b"");
        assert_eq!(say(&mut siege, &head).status, 400, "{key}");
    }
    let long = "s".repeat(100);
    for store in words("Main nowhere %FF .. main%2Fk").chain(["", long.as_str()]) {
        let bytes = request("PUT", &format!("/v1/kv/{store}/k"), "", b"v");
        refused(&mut siege, &bytes, 404, "store_not_found");
    }
    for path in words("/v1 /v1/kv /v2/kv/main/k /v1/kvs/main/k // /v1/stores/main/stats/x /%") {
        refused(&mut siege, &request("GET", path, "", b""), 404, "route_not_found");
    }
    for method in words("POST OPTIONS TRACE BREW get XXXXXXXXXXXXXXXXXXXXXXXXXXXXXX") {
        let bytes = request(method, "/v1/kv/main/k", "", b"");
        refused(&mut siege, &bytes, 405, "method_not_allowed");
    }
    siege.ends(70);
}

#[test]
fn parameters_and_conditions_that_are_none() {
    let mut siege = Siege::begin();
    let parameters = "ttl= ttl=-1 ttl=1.5 ttl=1d ttl=99999999999999999999 ttl=1s&ttl=1s ttl=%FF ttl=% tll=1s \
                      durability=none durability= x = %00=1 limit=5";
    for query in words(parameters) {
        let bytes = request("PUT", &format!("/v1/kv/main/k?{query}"), "", b"v");
        refused(&mut siege, &bytes, 400, "invalid_parameter");
    }
    let parameters = "limit=0 limit=1001 limit=-1 limit=1e3 limit= limit=%2B5 prefx=a limit=5&limit=5 \
         delimiter= delimiter=%FF include= include=key all=true";
    for query in words(parameters) {
        let bytes = request("GET", &format!("/v1/kv/main?{query}"), "", b"");
        refused(&mut siege, &bytes, 400, "invalid_parameter");
    }
    for query in
        words("prefix= prefix prefix=&all=no all=true prefix=a&limit=1 prefix=%FF x=1").chain([""])
    {
        let bytes = request("DELETE", &format!("/v1/kv/main?{query}"), "", b"");
        refused(&mut siege, &bytes, 400, "invalid_parameter");
    }
    for query in words("ttl= ttl=x ttl=1s&ttl=1s keep ttl=1s&x=1").chain([""]) {
        let bytes = request("PATCH", &format!("/v1/kv/main/k?{query}"), "", b"");
        refused(&mut siege, &bytes, 400, "invalid_parameter");
    }
    let long = "A".repeat(4_000);
    for cursor in words("x AAAA %00 AQ AQRtYWlu AQRtYWluAABr= AgRtYWluAAAAaw AgRtYWluAAAAZ2s")
        .chain(["", long.as_str()])
    {
        let bytes = request("GET", &format!("/v1/kv/main?cursor={cursor}"), "", b"");
        refused(&mut siege, &bytes, 400, "bad_cursor");
    }
    for path in words("/ /livez /readyz /metrics /v1/stats /v1/stores /v1/node /v1/cluster") {
        let bytes = request("GET", &format!("{path}?x=1"), "", b"");
        refused(&mut siege, &bytes, 400, "invalid_parameter");
        refused(&mut siege, &request("DELETE", path, "", b""), 405, "method_not_allowed");
    }
    let (long, never) = ("\"a\",".repeat(500), "\"0000000000000000-0000000000000000\"");
    for version in words("\"x\" W/\"0\"").chain([long.as_str(), never]) {
        for method in ["PUT", "DELETE"] {
            let headers = format!("If-Match: {version}\r\n");
            let bytes = request(method, "/v1/kv/main/k", &headers, b"");
            refused(&mut siege, &bytes, 412, "precondition_failed");
        }
    }
    for version in words("x \" 0-0 \"a \"a,\"b\" w/\"0\" *,\"a\" ** \"a\"\"b\"") {
        for (method, name) in [("PUT", "If-Match"), ("GET", "If-None-Match")] {
            let headers = format!("{name}: {version}\r\n");
            let bytes = request(method, "/v1/kv/main/k", &headers, b"");
            refused(&mut siege, &bytes, 400, "invalid_parameter");
        }
    }
    siege.ends(50);
}

#[test]
fn bodies_that_are_too_much_or_not_what_they_say() {
    let mut siege = Siege::begin();
    let two_mib = vec![b'v'; 2 << 20];
    refused(&mut siege, &request("PUT", "/v1/kv/main/k", "", &two_mib), 413, "value_too_large");
    for length in ["1048577", "9999999999", "18446744073709551615"] {
        let head =
            format!("PUT /v1/kv/main/k HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        refused(&mut siege, head.as_bytes(), 413, "value_too_large");
    }
    let batch =
        "POST /v1/stores/main/batch HTTP/1.1\r\nHost: a\r\nContent-Length: 16777217\r\n\r\n";
    refused(&mut siege, batch.as_bytes(), 413, "body_too_large");
    // Chunks without end: the answer comes before the end does.
    for _ in 0..5 {
        siege.sent += 1;
        let mut stream = dial(siege.http(1));
        send(
            &mut stream,
            b"PUT /v1/kv/main/k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 0x10000], b"\r\n"].concat();
        for _ in 0..64 {
            send(&mut stream, &chunk);
        }
        end(&stream);
        let answer = Answer::read(&mut stream, "chunks without end");
        assert!(matches!(answer.status, 0 | 413), "{answer:?}");
    }
    // A body that ends early, or is none.
    for head in [
        "Content-Length: 10\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-1\r\nab\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nab\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: +3\r\n\r\nabc",
        "Content-Length: 0x3\r\n\r\nabc",
        "Content-Length: 3, 3\r\n\r\nabc",
        "Content-Length: 99999999999999999999999\r\n\r\nabc",
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip\r\n\r\nabc",
        "Transfer-Encoding: xchunked\r\n\r\nabc",
        "Transfer-Encoding: chunked, identity\r\n\r\nabc",
    ] {
        siege.sent += 1;
        let mut stream = dial(siege.http(2));
        send(
            &mut stream,
            format!("PUT /v1/kv/main/smuggled HTTP/1.1\r\nHost: a\r\n{head}").as_bytes(),
        );
        end(&stream);
        Answer::read(&mut stream, head).is_refusal(head);
    }
    let smuggled = siege.node(2).client().get("main", "smuggled").unwrap();
    assert_eq!(smuggled.status, 404, "{}", smuggled.quoted());
    for content_type in ["x\u{1}", "a/b\r\n c", &"t".repeat(300)] {
        let headers = format!("Content-Type: {content_type}\r\n");
        say(&mut siege, &request("PUT", "/v1/kv/main/smuggled", &headers, b"v"))
            .is_refusal(content_type);
    }
    siege.ends(30);
}

/// A batch of this media type.
fn post(kind: &str, body: &[u8]) -> Vec<u8> {
    request("POST", "/v1/stores/main/batch", &format!("Content-Type: {kind}\r\n"), body)
}

#[test]
fn batches_that_are_none() {
    let mut siege = Siege::begin();
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let deep_ops = format!("{{\"ops\":[{{\"op\":{}1{}}}]}}", "[".repeat(5_000), "]".repeat(5_000));
    let texts = br#"{ {} [] null "ops" {"ops":null} {"ops":{}} {"ops":[{]} {"ops":[],"ops":[]} {"ops":[]}{
        {"ops":[],"x":1} {"ops":[],"atomic":"yes"} {"ops":[{}]} {"ops":[1]} {"ops":[{"op":"drop","key":"k"}]}
        {"ops":[{"op":"put","key":1,"value":"v"}]} {"ops":[{"op":"put","key":"k"}]}
        {"ops":[{"op":"get","key":"k","value":"v"}]}
        {"ops":[{"op":"put","key":"k","value":"v","encoding":"hex"}]}"#;
    let texts = texts.split(u8::is_ascii_whitespace).filter(|text| !text.is_empty());
    for text in texts.chain([b"".as_slice(), b"\xff\xfe", &deep, deep_ops.as_bytes()]) {
        refused(&mut siege, &post("application/json", text), 400, "malformed_body");
    }
    for ops in [1_001, 10_000] {
        let op = json!({"op": "put", "key": "k", "value": "v"});
        let body = json!({ "ops": vec![op; ops] });
        let answer = say(&mut siege, &post("application/json", body.to_string().as_bytes()));
        assert!(matches!(answer.is_problem("too many").status, 400 | 413), "{answer:?}");
        let packed = codec::encode_named(&body).unwrap();
        let answer = say(&mut siege, &post("application/x-msgpack", &packed));
        assert!(matches!(answer.is_problem("too many").status, 400 | 413), "{answer:?}");
    }
    for kind in ["text/html", "application/jsonx", "a", "application/cbor", ","] {
        refused(&mut siege, &post(kind, b"{\"ops\":[]}"), 415, "unsupported_media_type");
    }
    siege.ends(30);
}

#[test]
fn packed_batches_that_are_none_and_operations_with_faults() {
    let mut siege = Siege::begin();
    let good = codec::encode_named(
        &json!({"ops": [{"op": "get", "key": "k"}, {"op": "get", "key": "l"}]}),
    )
    .unwrap();
    for length in 0..good.len() {
        refused(&mut siege, &post("application/x-msgpack", &good[..length]), 400, "malformed_body");
    }
    for bytes in [
        vec![0xdd, 0xff, 0xff, 0xff, 0xff],
        vec![0xdf, 0xff, 0xff, 0xff, 0xff],
        vec![0x91; 100_000],
        vec![0xc1],
        [good.as_slice(), &[0]].concat(),
        b"\x81\xa3ops\xdd\xff\xff\xff\xff".to_vec(),
        b"\x81\xa3ops\xc6\xff\xff\xff\xff".to_vec(),
    ] {
        refused(&mut siege, &post("application/x-msgpack", &bytes), 400, "malformed_body");
    }
    // Faults of single operations are answered one by one, and nothing of them is done.
    let key = "k".repeat(1_025);
    let body = json!({"ops": [
        {"op": "put", "key": "", "value": "v"},
        {"op": "put", "key": key, "value": "v"},
        {"op": "put", "key": "bad", "value": "%", "encoding": "base64"},
        {"op": "put", "key": "bad", "value": "x".repeat((1 << 20) + 1)},
        {"op": "put", "key": "bad", "value": "v", "ttl": "soon"},
        {"op": "put", "key": "bad", "value": "v", "ttl": u64::MAX},
        {"op": "touch", "key": "bad", "ttl": 5},
    ]});
    let answer = say(&mut siege, &post("application/json", body.to_string().as_bytes()));
    let statuses: Vec<Value> = parsed(&answer.body)["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["status"].clone())
        .collect();
    assert_eq!(
        (answer.status, statuses),
        (200, [400, 400, 400, 413, 400, 400, 404].map(Value::from).to_vec())
    );
    assert_eq!(siege.node(1).client().get("main", "bad").unwrap().status, 404);
    siege.ends(40);
}
