//! Who asks, and whom: tokens, certificates, and what is said when one is missing or not enough.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use gridkv_cluster::wait_until;

use super::desk::{Desk, PATIENCE, gridkv, said};

/// A role, its token, and the token's SHA-256.
const TOKENS: [(&str, &str, &str); 2] = [
    (
        "read",
        "gkv_RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR",
        "984f01b8dc119178844516e98bf0bb6a3f758ed0928cc6b1a5d6e5bcc1244440",
    ),
    (
        "write",
        "gkv_WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
        "5b106513a5dc8dee0f0a7c454e584bf26066a559a3cf182849b6b3118fab9e6e",
    ),
];

/// A file that only its owner reads.
fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_token_says_who_asks() {
    let dir = tempfile::tempdir().unwrap();
    let rows = TOKENS.map(|(role, _, sha256)| {
        format!("{{ name = \"{role}\", role = \"{role}\", sha256 = \"{sha256}\" }}")
    });
    private(&dir.path().join("tokens.toml"), &format!("tokens = [{}]\n", rows.join(", ")));
    for (role, token, _) in TOKENS {
        private(&dir.path().join(format!("{role}.token")), &format!("{token}\n"));
    }
    let file = dir.path().join("tokens.toml").to_str().unwrap().to_owned();
    let desk = Desk::over(dir, |builder| builder.nodes(1).env("GRIDKV_AUTH__TOKENS_FILE", &file));

    desk.run(&["put", "k", "v"]).failed(1, &["unauthorized", "--token-file FILE or GRIDKV_TOKEN"]);
    let put = desk.run(&["--token-file", "write.token", "put", "k", "v"]);
    assert_eq!(put.code, Some(0), "{}", put.error);
    desk.run(&["get", "k", "--token-file", "read.token"]).printed("v");
    desk.run(&["put", "k", "w", "--token-file", "read.token"]).failed(1, &["forbidden", "write"]);
    let node = desk.cluster.node(1);
    let read = TOKENS[0].1;
    said(desk.command(node, &["get", "k"]).env("GRIDKV_TOKEN", read)).printed("v");
    let write = said(desk.command(node, &["get", "."]).env("GRIDKV_TOKEN_FILE", "read.token"));
    write.failed(3, &["key_not_found"]);
    // A flag is above the environment.
    let both = ["put", "k", "w", "--token-file", "write.token"];
    assert_eq!(said(desk.command(node, &both).env("GRIDKV_TOKEN", read)).code, Some(0));
    // Health needs none, and is told no names then.
    let health = desk.run(&["health", "-o", "text"]);
    assert_eq!((health.code, health.text()), (Some(0), "node\tok\t\n"), "{}", health.error);

    let shown = gridkv(desk.dir.path(), &["config", "show"]);
    let shown = said({ shown }.env("GRIDKV_PEERS__SECRET", "0123456789abcdef0123456789abcdef"));
    assert_eq!(shown.code, Some(0), "{}", shown.error);
    assert!(!shown.text().contains("0123456789abcdef"), "{}", shown.text());
}

#[test]
fn a_new_token_is_known_by_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let made = said(&mut gridkv(dir.path(), &["token", "write", "--name", "ci"]));
    assert_eq!(made.code, Some(0), "{}", made.error);
    let (token, line) = made.text().split_once('\n').unwrap();
    assert!(
        token.starts_with("gkv_") && line.contains("name = \"ci\", role = \"write\""),
        "{line}"
    );
    private(&dir.path().join("tokens.toml"), &format!("tokens = [\n{line}]\n"));
    private(&dir.path().join("ci.token"), token);
    said(&mut gridkv(dir.path(), &["token", "write", "--name", "a b"])).failed(2, &["--name"]);
    let json = said(&mut gridkv(dir.path(), &["token", "read", "-o", "json"]));
    let json: serde_json::Value = serde_json::from_slice(&json.out).unwrap();
    assert_eq!((&json["name"], &json["role"]), (&"read".into(), &"read".into()));
    assert_ne!(json["token"], token, "a new one each time");

    let file = dir.path().join("tokens.toml").to_str().unwrap().to_owned();
    let desk = Desk::over(dir, |builder| builder.nodes(1).env("GRIDKV_AUTH__TOKENS_FILE", &file));
    assert_eq!(desk.run(&["put", "k", "v", "--token-file", "ci.token"]).code, Some(0));
    desk.run(&["persist", "--token-file", "ci.token"]).failed(1, &["forbidden"]);
}

#[test]
fn commands_reach_nodes_inside_tls_and_believe_only_their_authority() {
    let dir = tempfile::tempdir().unwrap();
    for (cluster, nodes) in
        [("grid", &["--node", "n1", "--node", "n2"][..]), ("other", &["--node", "n1"])]
    {
        let made = said(&mut gridkv(
            dir.path(),
            &[&["init", "--dir", cluster, "--cluster", cluster], nodes].concat(),
        ));
        assert_eq!(made.code, Some(0), "{}", made.error);
    }
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();
    let (authority, token) = (read("grid/ca.pem"), read("grid/tokens/admin.token"));
    let config = |node: &str| ["--config".to_owned(), path(&format!("grid/{node}/gridkv.toml"))];
    let (first, second) = (config("n1"), config("n2"));
    let desk = Desk::over(dir, |builder| {
        let builder = builder.nodes(2).https(&authority).token(&token);
        builder.node_args(1, first).node_args(2, second)
    });

    let who = ["--ca", "grid/ca.pem", "--token-file", "grid/tokens/admin.token"];
    let run = |arguments: &[&str]| desk.run(&[arguments, &who].concat());
    let linked = || run(&["peers", "-o", "text"]).text().contains("\tup\t");
    wait_until(PATIENCE, "the peer to be up", linked).unwrap();
    let put = run(&["put", "k", "v", "--acks", "1"]);
    assert_eq!(put.code, Some(0), "{}", put.error);
    run(&["get", "k"]).printed("v");
    assert_eq!(run(&["backup", "main.gkvs", "--verify"]).code, Some(0));
    assert!(run(&["watch", "--since", "0", "--limit", "1"]).text().starts_with("put    k "));
    assert_eq!(run(&["bench", "-t", "put", "-n", "200", "-c", "2"]).code, Some(0));
    let node = desk.cluster.node(1);
    let mut by_environment = desk.command(node, &["get", "k"]);
    by_environment.env("GRIDKV_CA", "grid/ca.pem").env("GRIDKV_TOKEN", token.trim());
    said(&mut by_environment).printed("v");

    desk.run(&["put", "k", "x"]).failed(2, &["--ca"]);
    desk.run(&["put", "k", "x", "--ca", "other/ca.pem"])
        .failed(5, &["trusted", "nothing was sent"]);
    desk.run(&["get", "k", "--ca", "grid/ca.pem"]).failed(1, &["unauthorized"]);
    // In clear, where TLS is spoken: nobody can know what such a node made of it.
    let clear = node.base_url().replace("https", "http");
    desk.run(&["put", "k", "x", "--url", &clear])
        .failed(5, &["unknown", "it may speak TLS", "https://"]);
    run(&["get", "k"]).printed("v");
}
