//! Nodes that ask who sends a request: tokens that are rotated under writes, a configuration that is read again, and
//! a log that tells of none of it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "tokens/flood.rs"]
mod flood;
mod mesh;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gridkv_cluster::{Client, Cluster, Node, wait_for, wait_until};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use mesh::{Model, PATIENCE, STORES, agree, all, builder, no_panic, ready, settle, signal};

/// A token as they are made, and no real one.
fn token(name: &str) -> String {
    format!("gkv_{name:A<43}")
}

fn sha256(token: &str) -> String {
    let mut text = String::new();
    for byte in digest(&SHA256, token.as_bytes()).as_ref() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// `tokens = [...]` of these names and roles.
fn tokens(list: &[(&str, &str)]) -> String {
    let one = |(name, role): &(&str, &str)| {
        format!("{{ name = \"{name}\", role = \"{role}\", sha256 = \"{}\" }}", sha256(&token(name)))
    };
    format!("tokens = [{}]\n", list.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// Writes a file that nobody else may read; what is there gives way at once.
fn private(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, Permissions::from_mode(0o600)).unwrap();
    fs::rename(&new, path).unwrap();
}

/// What the nodes of a test are told, in one file for all, and the file of their tokens.
struct Files {
    config: PathBuf,
    tokens: PathBuf,
}

impl Files {
    fn new(dir: &Path, log_level: &str, list: &[(&str, &str)]) -> Self {
        let (config, tokens) = (dir.join("gridkv.toml"), dir.join("tokens.toml"));
        let files = Self { config, tokens };
        files.write(log_level, list);
        files
    }

    fn write(&self, log_level: &str, list: &[(&str, &str)]) {
        private(
            &self.config,
            &format!("auth.tokens_file = 'tokens.toml'\nlog.level = '{log_level}'\n"),
        );
        private(&self.tokens, &tokens(list));
    }
}

fn bearing(node: &Node, name: &str) -> Client {
    Client::with_timeout(&node.base_url(), PATIENCE).bearing(Some(&token(name)))
}

fn status(node: &Node, name: &str) -> u16 {
    bearing(node, name).request("GET", "/v1/kv/main").send().unwrap().status
}

fn log(node: &Node) -> String {
    fs::read_to_string(node.log_path()).unwrap()
}

/// Has the nodes read their configuration again, and waits until all have.
fn read_again(nodes: &[&Node]) {
    let told = |node: &Node| log(node).matches("the configuration was read again").count();
    let before: Vec<usize> = nodes.iter().map(|node| told(node)).collect();
    for (node, before) in nodes.iter().zip(before) {
        signal(node, "HUP");
        wait_until(PATIENCE, "the configuration to be read again", || told(node) > before).unwrap();
    }
}

fn cluster(dir: &Path, files: &Files, nodes: u16) -> Cluster {
    let config = files.config.to_str().unwrap();
    ready(builder(dir).nodes(nodes).stores(STORES).args(["--config", config]).token(&token("ops")))
}

#[test]
fn a_rotated_token_costs_no_write() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path(), "info", &[("ops", "admin"), ("old", "write")]);
    let cluster = cluster(dir.path(), &files, 2);
    let nodes = all(&cluster);
    settle(&nodes);
    assert_eq!((status(nodes[0], "old"), status(nodes[0], "new")), (200, 401));
    let (holds, over) = (Mutex::new("old"), AtomicBool::new(false));
    let written = Mutex::new(Model::new());
    thread::scope(|scope| {
        for writer in 0..4_u64 {
            let (node, holds, over, written) =
                (nodes[usize::from(writer % 2 == 0)], &holds, &over, &written);
            scope.spawn(move || {
                for number in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let held = *holds.lock().unwrap();
                    let (key, value) =
                        (format!("w{writer}-{number:06}"), format!("{held}-{number}"));
                    let put = bearing(node, held).put("main", &key, value.as_bytes()).unwrap();
                    assert_eq!(put.status, 201, "{key} by {held}: {}", put.quoted());
                    written.lock().unwrap().insert(key, value);
                }
            });
        }
        let so_far = || written.lock().unwrap().len();
        let go_on = |count: usize| {
            let enough = so_far() + count;
            wait_until(PATIENCE, "writes to go on", || so_far() >= enough).unwrap();
        };
        go_on(100);
        files.write("info", &[("ops", "admin"), ("old", "write"), ("new", "write")]);
        read_again(&nodes);
        for node in &nodes {
            assert_eq!((status(node, "old"), status(node, "new")), (200, 200));
        }
        go_on(100);
        *holds.lock().unwrap() = "new";
        go_on(100); // whoever was about to write with the old one has done so
        files.write("info", &[("ops", "admin"), ("new", "write")]);
        read_again(&nodes);
        for node in &nodes {
            assert_eq!((status(node, "old"), status(node, "new")), (401, 200));
        }
        go_on(100);
        over.store(true, Ordering::Relaxed);
    });
    let written = written.into_inner().unwrap();
    assert!(written.values().any(|value| value.starts_with("old")));
    assert!(written.values().any(|value| value.starts_with("new")));
    agree(&nodes, "main", &written);
    no_panic(&nodes);
}

#[test]
fn a_configuration_is_read_again_and_a_bad_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path(), "info", &[("ops", "admin"), ("app", "read")]);
    let cluster = cluster(dir.path(), &files, 1);
    let node = cluster.node(1);
    let shown = || node.client().request("GET", "/v1/node").send().unwrap().json().unwrap();
    let level = || shown()["config"]["log"]["level"].clone();
    let good = fs::read_to_string(&files.config).unwrap();
    let last = || log(node).lines().last().unwrap_or_default().to_owned();

    // Each is whole but for one thing, and would let nobody in.
    for (config, list, part) in [
        ("[http", "tokens = []\n".to_owned(), "not TOML"),
        ("auth.tokens = [1]\n", "tokens = []\n".to_owned(), "auth.tokens"),
        ("http.nope = 1\n", "tokens = []\n".to_owned(), "http.nope"),
        (good.as_str(), String::new(), "there is no token in it"),
        ("log.level = 'trace'\n", String::new(), "restart the node if that is meant"),
        (good.as_str(), format!("tokens = [\"{}\"]\n", token("pasted")), "number 1 is none"),
        (good.as_str(), "tokens = ".to_owned(), "not TOML"),
    ] {
        private(&files.config, config);
        private(&files.tokens, &list);
        read_again(&[node]);
        assert!(last().contains("is refused: nothing was changed"), "{}", last());
        assert!(last().contains(part), "{part}: {}", last());
        assert_eq!((status(node, "app"), level()), (200, json!("info")));
    }
    files.write("info", &[("ops", "admin")]);
    fs::set_permissions(&files.tokens, Permissions::from_mode(0o644)).unwrap();
    read_again(&[node]);
    assert!(last().contains("chmod 600"), "{}", last());
    assert_eq!(status(node, "app"), 200);

    // Over HTTP the level is changed until the configuration is read again.
    let (admin, quieter) = (node.client(), br#"{"level":"error"}"#);
    let put = admin.request("PUT", "/v1/admin/log-level").body(quieter).send().unwrap();
    assert_eq!(put.status, 204);
    assert_eq!(level(), json!("error"));
    private(
        &files.config,
        &format!("{}http.workers = 1\nhttp.max_key_bytes = 77\n", good.replace("info", "warn")),
    );
    private(&files.tokens, &tokens(&[("ops", "admin"), ("app", "metrics")]));
    signal(node, "HUP");
    wait_until(PATIENCE, "the token to have another role", || status(node, "app") == 403).unwrap();
    wait_until(PATIENCE, "the level to be shown", || level() == json!("warn")).unwrap();
    let told = || log(node).contains("what changed here holds only after a restart");
    wait_until(PATIENCE, "what needs a restart to be named", told).unwrap();
    let line = last();
    // Of the file; the variable that gives the workers wins over it.
    assert!(line.contains("http.max_key_bytes") && !line.contains("http.workers"), "{line}");
    assert_eq!(shown()["config"]["http"]["max_key_bytes"], 1_024, "what is shown is what holds");

    node.restart(PATIENCE).unwrap();
    node.wait_ready(PATIENCE).unwrap();
    assert_eq!(
        (shown()["config"]["http"]["max_key_bytes"].clone(), status(node, "app")),
        (json!(77), 403)
    );
    no_panic(&[node]);
}

#[test]
fn who_has_no_token_is_told_no_more_than_that_it_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path(), "info", &[("ops", "admin"), ("prom", "metrics")]);
    let cluster = cluster(dir.path(), &files, 1);
    let node = cluster.node(1);
    let stranger = node.client().bearing(None);
    assert_eq!(stranger.readyz().unwrap().text(), "[+]node ok\n");
    assert!(node.client().readyz().unwrap().text().contains("[+]store:main ok"));
    for path in ["/metrics", "/v1/stats", "/v1/node", "/v1/kv/main/k", "/nowhere"] {
        let refused = stranger.request("GET", path).send().unwrap();
        assert_eq!(
            (refused.status, refused.header("www-authenticate")),
            (401, Some("Bearer")),
            "{path}"
        );
        assert_eq!(refused.code().as_deref(), Some("unauthorized"));
    }
    let prom = bearing(node, "prom");
    let metrics = prom.request("GET", "/metrics").send().unwrap();
    for line in [
        "gridkv_http_auth_failures_total{reason=\"missing\"} 5",
        "gridkv_exposed_without_auth{listener=\"http\"} 0",
    ] {
        assert!(metrics.text().lines().any(|shown| shown == line), "{line}");
    }
    let refused = prom.request("GET", "/v1/kv/main/k").send().unwrap();
    let role: Value = refused.json().unwrap();
    assert_eq!((refused.status, role["role"].as_str()), (403, Some("read")));
}

#[test]
fn a_listener_that_strangers_reach_is_never_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path(), "info", &[("ops", "admin")]);
    let config = files.config.to_str().unwrap();
    let everywhere = || builder(dir.path()).nodes(1).everywhere();
    for (arguments, said) in [
        (vec![], "there is no authentication: whoever reaches it"),
        (vec!["--config", config], "every token would cross the network in clear"),
        (vec!["--config", config], "no authentication between nodes"),
    ] {
        let refused = everywhere().args(arguments).start().unwrap();
        let node = refused.node(1);
        let ended = wait_for(PATIENCE, "the node to refuse", || node.ended().unwrap()).unwrap();
        assert_eq!(ended.code(), Some(2));
        assert!(log(node).contains(said), "{said}: {}", log(node));
        assert!(!log(node).contains("WARN"), "it never ran: {}", log(node));
    }
    let cluster = ready(everywhere().args(["--insecure-expose-without-auth"]));
    let node = cluster.node(1);
    let shown = node.client().request("GET", "/v1/node").send().unwrap().json().unwrap();
    assert_eq!(shown["exposed_without_auth"], json!({"http": true, "peers": true}));
    let metrics = node.client().request("GET", "/metrics").send().unwrap();
    for listener in ["http", "peers"] {
        let line = format!("gridkv_exposed_without_auth{{listener=\"{listener}\"}} 1");
        assert!(metrics.text().lines().any(|shown| shown == line), "{line}");
        let warned = log(node);
        let warned = warned.lines().filter(|line| line.contains("WARN"));
        let of_listener = format!("{listener}.listen");
        assert_eq!(warned.filter(|line| line.contains(&of_listener)).count(), 1);
    }
    assert_eq!(node.client().put("main", "k", b"v").unwrap().status, 201);
}

/// Sends tokens in every way, also where none belongs, and gives all that must not be found in a log.
fn use_tokens(node: &Node, secrets: &mut Vec<String>) {
    let mut keep = |text: String| {
        secrets.push(text.clone());
        text
    };
    let (good, pasted) = (keep(token("app")), keep(token("Pasted")));
    let client = bearing(node, "app");
    for number in 0..300 {
        let put = client.put("main", &format!("k{number}"), b"v").unwrap();
        assert!([201, 204].contains(&put.status), "{}", put.quoted());
        let guess = keep(token(&format!("guess{number}x")));
        let refused = node.client().bearing(Some(&guess)).get("main", "k1").unwrap();
        assert!([401, 429].contains(&refused.status), "{}", refused.quoted());
    }
    let stranger = node.client().bearing(None);
    for (name, value) in [
        ("Authorization", format!("Basic {pasted}")),
        ("Authorization", pasted.clone()),
        ("Authorization", format!("Bearer {pasted} {good}")),
        ("Cookie", format!("token={good}")),
        ("X-Request-Id", pasted.clone()),
        ("X-Api-Key", good.clone()),
    ] {
        let refused =
            stranger.request("PUT", "/v1/kv/main/k").header(name, &value).body(b"v").send();
        assert_eq!(refused.unwrap().status, 401, "{name}");
    }
    for path in [
        format!("/v1/kv/main/{good}"),
        format!("/v1/{pasted}"),
        format!("/v1/kv/main/k?token={good}"),
        format!("/v1/stores/{pasted}"),
    ] {
        assert_eq!(stranger.request("PUT", &path).body(b"v").send().unwrap().status, 401, "{path}");
        let known = client.request("PUT", &path).body(b"v").send().unwrap();
        assert!([201, 204, 400, 403, 404].contains(&known.status), "{path}: {}", known.quoted());
    }
    let refused = client.request("POST", "/v1/admin/drain").send().unwrap();
    assert_eq!(refused.status, 403);
}

#[test]
fn no_log_tells_a_token_or_a_secret() {
    const SECRET: &str = "a-secret-of-the-peers-4b61cc0f27e9";
    let dir = tempfile::tempdir().unwrap();
    let list = [("ops", "admin"), ("app", "write")];
    let files = Files::new(dir.path(), "info", &list);
    let config = files.config.to_str().unwrap();
    let made = builder(dir.path()).nodes(2).stores(STORES).args(["--config", config]);
    let cluster = ready(made.env("GRIDKV_PEERS__SECRET", SECRET).token(&token("ops")));
    let nodes = all(&cluster);
    settle(&nodes);
    let mut secrets = vec![SECRET.to_owned(), token("ops")];
    use_tokens(nodes[0], &mut secrets);
    nodes[1].kill().unwrap();
    use_tokens(nodes[0], &mut secrets);
    nodes[1].start().unwrap();
    nodes[1].wait_ready(PATIENCE).unwrap();
    // And files that somebody got wrong, with the token itself in the place of what is known of it.
    let pasted = token("PastedIntoAFile");
    let wrong = format!("tokens = [{{ name = 'a', role = 'read', sha256 = '{pasted}' }}]\n");
    private(&files.tokens, &wrong);
    read_again(&nodes);
    files.write("info", &list);
    read_again(&nodes);
    settle(&nodes);
    secrets.extend([pasted, sha256(&token("ops")), sha256(&token("app"))]);

    let shown = nodes[0].client().request("GET", "/v1/node").send().unwrap().text().into_owned();
    let metrics = nodes[0].client().request("GET", "/metrics").send().unwrap().text().into_owned();
    assert!(shown.contains("\"secret\":\"********\""), "{shown}");
    let mut told =
        BTreeMap::from([("/v1/node".to_owned(), shown), ("/metrics".to_owned(), metrics)]);
    for node in &nodes {
        assert!(node.stop(PATIENCE).unwrap().success());
        let log = log(node);
        assert!(log.contains("ready") && log.contains("is refused: nothing was changed"));
        told.insert(node.name().to_owned(), log);
    }
    for (place, text) in &told {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in {place}");
        }
    }
    no_panic(&nodes);
}

#[test]
fn a_check_prints_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path(), "info", &[]);
    let secret = dir.path().join("secret");
    private(&secret, "a-secret-of-the-peers-4b61cc0f27e9\n");
    let inline = tokens(&[("ops", "admin")]);
    private(
        &files.config,
        &format!("[auth]\n{inline}[peers]\nlisten = '0.0.0.0:7500'\nadvertise = 'n1:7500'\n"),
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridkv"));
    command.current_dir(dir.path()).args(["serve", "--check", "--config", "gridkv.toml"]);
    let checked = command.env("GRIDKV_PEERS__SECRET_FILE", &secret).output().unwrap();
    let out = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(out.contains("secret = \"********\"") && out.contains("# environment"), "{out}");
    assert!(out.contains("name = \"ops\"") && !out.contains(&sha256(&token("ops"))), "{out}");
    assert!(!out.contains("4b61cc0f27e9"), "{out}");
    let found = wait_for(PATIENCE, "nothing else", || Some(dir.path().join("data").try_exists()));
    assert!(!found.unwrap().unwrap(), "nothing was started");
}
