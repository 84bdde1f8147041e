//! Adding and forgetting members, as far as a node alone can refuse it.

use std::net::TcpListener;

use gridkv_http::HttpConfig;

use crate::node::serve;

const PEERS: &str = "/v1/cluster/peers";

#[test]
fn what_can_not_be_dialled_is_refused() {
    let node = serve(HttpConfig::default());
    let add = |body: &str| node.send("POST", PEERS, &[], body.as_bytes());
    for body in ["", "{}", "[]", "{\"addr\":7}", "{\"addr\":\"h:1\",\"name\":\"n2\"}", "h:1"] {
        assert_eq!(add(body).refusal(), (400, "malformed_body".to_owned()), "{body}");
    }
    for addr in ["", "h", "h:0", ":7500", "h:65536", "a b:1", "http://h:1", "h:1/"] {
        let refused = add(&format!("{{\"addr\":\"{addr}\"}}"));
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{addr}");
    }
    let own = node.get("/v1/cluster").json()["self"]["addr"].clone();
    assert_eq!(add(&format!("{{\"addr\":{own}}}")).refusal(), (409, "peer_is_self".to_owned()));
    let msgpack = [("content-type", "application/x-msgpack")];
    let refused = node.send("POST", PEERS, &msgpack, b"\x80");
    assert_eq!(refused.refusal(), (415, "unsupported_media_type".to_owned()));
    assert_eq!(node.get(PEERS).header("allow"), "POST");
}

#[test]
fn an_address_where_nobody_listens_is_not_kept() {
    let node = serve(HttpConfig::default());
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let body = format!("{{\"addr\":\"{gone}\"}}");
    let refused = node.send("POST", PEERS, &[], body.as_bytes());
    assert_eq!(refused.refusal(), (504, "peer_unreachable".to_owned()));
    // Somebody who listens there later is not called.
    let later = TcpListener::bind(gone).unwrap();
    later.set_nonblocking(true).unwrap();
    let refused = node.send("POST", PEERS, &[], b"{\"addr\":\"127.0.0.1:1\"}");
    assert_eq!(refused.refusal(), (504, "peer_unreachable".to_owned()));
    assert!(later.accept().is_err(), "it was called");
}

#[test]
fn whom_nobody_knows_and_oneself_can_not_be_forgotten() {
    let node = serve(HttpConfig::default());
    let id = node.get("/v1/node").json()["identity"].as_str().unwrap().to_owned();
    for myself in ["n1", "n%31", &id] {
        let refused = node.delete(&format!("{PEERS}/{myself}"));
        assert_eq!(refused.refusal(), (409, "peer_is_self".to_owned()), "{myself}");
    }
    for nobody in ["n2", "", "%FF", "0000beef"] {
        let refused = node.delete(&format!("{PEERS}/{nobody}"));
        assert_eq!(refused.refusal(), (404, "peer_not_found".to_owned()), "{nobody}");
    }
    assert_eq!(node.delete(&format!("{PEERS}/n1?x=1")).status, 400);
}
