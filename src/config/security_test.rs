//! Authentication and TLS: what is taken, what is refused, and that no secret is ever shown.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::trial_test::Trial;
use gridkv_http::Role;

use super::*;

const SECRET: &str = "sixteen-and-sixteen-letters-long";
const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn one(trial: Trial, parts: &[&str]) {
    let problems = trial.problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    for part in parts {
        assert!(problems[0].contains(part), "{part:?} is missing in {:?}", problems[0]);
    }
}

fn token(name: &str, role: &str, digest: &str) -> String {
    format!("{{ name = '{name}', role = '{role}', sha256 = '{digest}' }}")
}

fn tokens(list: &[String]) -> String {
    format!("[auth]\ntokens = [{}]\n", list.join(", "))
}

/// A private file in a directory of its own.
fn private(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    (dir, path)
}

#[test]
fn nothing_is_asked_by_default() {
    let config = Trial::default().config();
    assert_eq!(config.http.tls, None);
    assert_eq!(config.peers.security(), PeerSecurity::Plain);
    assert_eq!(config.auth, AuthConfig { tokens: Vec::new(), tokens_file: None });
    assert_eq!(config.exposures(), []);
}

#[test]
fn a_node_that_only_this_machine_reaches_has_names_of_its_own() {
    let exposed = ["--insecure-expose-without-auth"];
    let names = |text: &str| Trial::default().file(text).typed(&exposed).config().own_names();
    let listed = "[node]\nname = 'n1'\n[http]\nhost_names = ['kv.example', 'kv.example.org.']\n";
    let own = ["kv.example", "kv.example.org.", "n1"].map(str::to_owned);
    assert_eq!(names(listed), Some(own.to_vec()));
    assert_eq!(names(&format!("{listed}listen = '[::1]:1'")), Some(own.to_vec()));
    assert_eq!(names(&format!("{listed}listen = '0.0.0.0:1'")), None, "others are to reach it");
    let tls = format!("{listed}[http.tls]\ncert = 'a'\nkey = 'b'");
    assert_eq!(names(&tls), None, "a certificate says whose name it is");
    for bad in ["kv.example:7400", "http://kv", "", "*.example"] {
        let text = format!("[http]\nhost_names = ['{bad}']");
        let refused = Trial::default().file(&text).problems().concat();
        let rule = "must be a list of names without a port";
        assert!(refused.contains(rule), "{refused}");
    }
}

#[test]
fn files_are_taken_from_the_directory_of_the_one_that_names_them() {
    let config = Trial::default()
        .file(
            "[http.tls]\ncert = 'node.pem'\nkey = '/etc/node.key'\n\
             [peers.tls]\nca = 'tls/ca.pem'\ncert = 'node.pem'\nkey = 'node.key'\nallow = ['n1', 'n2']",
        )
        .variable("GRIDKV_PEERS__TLS__KEY", "here.key")
        .config();
    let http = config.http.tls.clone().unwrap();
    assert!(http.cert.is_absolute() && http.cert.ends_with("node.pem"), "{http:?}");
    assert_eq!(http.key, Path::new("/etc/node.key"));
    let PeerSecurity::Mutual(peers) = config.peers.security() else { panic!("{config:?}") };
    assert!(peers.ca.ends_with("tls/ca.pem") && peers.ca.parent() != Some(Path::new("tls")));
    assert_eq!(peers.files.cert, http.cert);
    assert_eq!(peers.files.key, Path::new("here.key"), "a variable means where the node runs");
    assert_eq!(peers.allow, ["n1", "n2"]);
    let listed = Trial::default()
        .file("[peers.tls]\nca = 'a'\ncert = 'b'\nkey = 'c'")
        .variable("GRIDKV_PEERS__TLS__ALLOW", "n1, n2")
        .config();
    assert_eq!(listed.peers.tls.unwrap().allow, ["n1", "n2"]);
}

#[test]
fn half_of_it_is_refused() {
    let whole = "[peers.tls]\nca = 'ca.pem'\ncert = 'a.pem'\nkey = 'a.key'\n";
    let both = format!("{whole}[peers]\nsecret = '{SECRET}'");
    let table: [(&str, &[&str]); 8] = [
        ("[http.tls]\ncert = 'a.pem'", &["http.tls.cert", "needs http.tls.key beside it"]),
        ("[http.tls]\nkey = 'a.key'", &[":2: http.tls.key", "needs http.tls.cert beside it"]),
        ("[peers.tls]\nca = 'ca.pem'", &["needs peers.tls.cert and peers.tls.key beside it"]),
        ("[peers.tls]\ncert = 'a'\nkey = 'b'", &["needs peers.tls.ca beside it"]),
        (&both, &["peers.secret: peers.tls and peers.secret exclude each other"]),
        ("[peers.tls]\nallow = ['n1']", &[":2: peers.tls.allow", "would do nothing"]),
        ("[peers.tls]\nallow = ['a b']", &["a list of names of 1 to 128 letters"]),
        ("[peers.tls]\nallow = 'n1'", &["must be a list of names, not string"]),
    ];
    for (text, parts) in table {
        one(Trial::default().file(text), parts);
    }
}

#[test]
fn a_secret_comes_from_a_variable_or_a_private_file() {
    let secret = |config: &Config| config.peers.secret.clone().unwrap().expose().to_owned();
    let file = format!("[peers]\nsecret = '{SECRET}'");
    assert_eq!(secret(&Trial::default().file(&file).config()), SECRET);
    let open = Trial::default().file(&file).open().load().unwrap_err().to_string();
    for part in ["/gridkv.toml:2: peers.secret: ", "(mode 0644)", "run: chmod 600 /"] {
        assert!(open.contains(part) && !open.contains(SECRET), "{open}");
    }
    let plain = Trial::default().variable("GRIDKV_PEERS__SECRET", SECRET);
    assert_eq!(secret(&plain.config()), SECRET);
    let (_dir, path) = private("secret", &format!("{SECRET}\n"));
    let by_file = || Trial::default().variable("GRIDKV_PEERS__SECRET_FILE", path.to_str().unwrap());
    assert_eq!(secret(&by_file().config()), SECRET, "the end of the line is no part of it");
    assert_eq!(secret(&by_file().file("[peers]\nsecret = ''").config()), SECRET);
    let twice = by_file().variable("GRIDKV_PEERS__SECRET", SECRET);
    one(twice, &["peers.secret: given twice; the other value is \"********\""]);
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let parts = ["variable GRIDKV_PEERS__SECRET_FILE: peers.secret: ", "chmod 600"];
    if rustix::process::geteuid().is_root() {
        one(by_file(), &parts);
    }
    let missing = Trial::default().variable("GRIDKV_PEERS__SECRET_FILE", "/nowhere/secret");
    one(missing, &["/nowhere/secret can not be read"]);
    let none = Trial::default().file(&file).variable("GRIDKV_PEERS__SECRET_FILE", "");
    assert_eq!(none.config().peers.secret, None, "an empty variable covers the file");
}

#[test]
fn no_message_shows_a_secret() {
    let (short, long) = ("hunter2", "z".repeat(1_025));
    for secret in [short, &long] {
        let trial = Trial::default().variable("GRIDKV_PEERS__SECRET", secret);
        let problem = trial.problems().concat();
        assert!(problem.contains("peers.secret: must be 32 to 1024 characters"), "{problem}");
        assert!(!problem.contains(secret), "{problem}");
    }
    for pasted in ["gkv_token", &DIGEST[1..]] {
        let problem = Trial::default().file(&tokens(&[token("a", "read", pasted)])).problems();
        assert!(problem[0].contains("number 1 needs as sha256 the 64"), "{problem:?}");
        assert!(!problem[0].contains(pasted), "{problem:?}");
    }
    let shared = format!(
        "[peers]\nsecret = '{SECRET}'\n[peers.tls]\nca = 'a'\ncert = 'b'\nkey = 'c'\n{}",
        tokens(&[token("a", "read", DIGEST), token("b", "admin", DIGEST)])
    );
    let problems = Trial::default().file(&shared).problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().any(|p| p.contains("auth.tokens: a and b have the same sha256")));
    assert!(!problems.concat().contains(SECRET) && !problems.concat().contains(DIGEST));
}

#[test]
fn what_is_printed_masks_secrets() {
    let file = format!("[peers]\nsecret = '{SECRET}'\n{}", tokens(&[token("app", "read", DIGEST)]));
    let loaded = Trial::default().file(&file).load().unwrap();
    let text = loaded.to_toml();
    assert!(text.contains("secret = \"********\""), "{text}");
    assert!(text.contains("name = \"app\""), "{text}");
    for shown in [text, format!("{loaded:?}")] {
        assert!(shown.contains("********"), "{shown}");
        assert!(!shown.contains(SECRET) && !shown.contains(DIGEST), "{shown}");
        assert!(!shown.contains("159, 134, 208"), "nor as bytes: {shown}");
    }
    let none = Trial::default().load().unwrap().to_toml();
    assert!(none.contains("secret = \"\"") && none.contains("tokens = []"), "{none}");
}

#[test]
fn tokens_are_checked() {
    let table = [
        ("tokens = 'x'", "must be a list of { name, role, sha256 }, not string"),
        ("tokens = ['x']", "number 1 is none"),
        ("tokens = [{ name = 'a', role = 'read' }]", "number 1 needs sha256, a string"),
        ("tokens = [{ role = 'read', sha256 = 'x' }]", "number 1 needs name, a string"),
        ("tokens = [{ nam = 'a' }]", "the nearest known key is name"),
    ];
    for (line, part) in table {
        one(Trial::default().file(&format!("[auth]\n{line}")), &[":2: auth.tokens: ", part]);
    }
    let bad = [
        (token("a b", "read", DIGEST), "needs a name of 1 to 64 letters"),
        (token("", "read", DIGEST), "needs a name of"),
        (token("a", "raed", DIGEST), "one of metrics, read, write, admin; the nearest is read"),
    ];
    for (token, part) in bad {
        one(Trial::default().file(&tokens(&[token])), &[part]);
    }
    let list: Vec<String> = (0..129).map(|n| token("a", "read", &format!("{n:064x}"))).collect();
    one(Trial::default().file(&tokens(&list)), &["at most 128"]);
    assert_eq!(Trial::default().file(&tokens(&list[..128])).config().auth.tokens.len(), 128);
    let typed = Trial::default().variable("GRIDKV_AUTH__TOKENS", "a");
    one(typed, &["belongs into a file", "GRIDKV_AUTH__TOKENS_FILE"]);
}

#[test]
fn tokens_come_from_the_configuration_and_from_a_file() {
    let upper = DIGEST.to_uppercase();
    let file = tokens(&[token("app", "write", &upper), token("app", "metrics", &"0".repeat(64))]);
    let (_dir, path) =
        private("tokens.toml", &format!("tokens = [{}]", token("ops", "admin", &"1".repeat(64))));
    let trial = || {
        Trial::default().file(&file).variable("GRIDKV_AUTH__TOKENS_FILE", path.to_str().unwrap())
    };
    let config = trial().config();
    let shown: Vec<_> =
        config.auth.tokens.iter().map(|token| (token.name.as_str(), token.role)).collect();
    assert_eq!(shown, [("app", Role::Write), ("app", Role::Metrics), ("ops", Role::Admin)]);
    assert_eq!(config.auth.tokens[0].sha256.0[..3], [0x9f, 0x86, 0xd0]);
    assert_eq!(config.auth.tokens[2].sha256.0, [0x11; 32]);

    fs::write(&path, "tokens = [").unwrap();
    one(trial(), &["tokens.toml:1: tokens: not TOML"]);
    fs::write(&path, "token = []").unwrap();
    one(trial(), &["tokens.toml: tokens: unknown key"]);
    fs::write(&path, format!("tokens = [{}]", token("a", "root", DIGEST))).unwrap();
    one(trial(), &["tokens.toml: tokens: must be", "number 1 needs a role"]);
    fs::write(&path, format!("tokens = [{}]", token("a", "admin", DIGEST))).unwrap();
    one(trial(), &["app and a have the same sha256"]);
    fs::write(&path, "").unwrap();
    assert_eq!(trial().config().auth.tokens.len(), 2);
    let alone = Trial::default().variable("GRIDKV_AUTH__TOKENS_FILE", path.to_str().unwrap());
    one(alone, &["auth.tokens_file = ", "there is no token in it"]);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    one(trial(), &["variable GRIDKV_AUTH__TOKENS_FILE: auth.tokens_file: ", "chmod 600"]);
    fs::remove_file(&path).unwrap();
    one(trial(), &["can not be read"]);
}

#[test]
fn what_strangers_reach_asks_who_they_are() {
    const HTTP: &str = "0.0.0.0:7400";
    let tls = "[http.tls]\ncert = 'a.pem'\nkey = 'a.key'\n";
    let known = tokens(&[token("app", "admin", DIGEST)]);
    let trial = |text: &str| Trial::default().file(text).typed(&["--listen", HTTP]);
    one(trial(""), &["flag --listen: http.listen", "there is no authentication"]);
    one(trial(tls), &["there is no authentication"]);
    one(trial(&known), &["cross the network in clear", "http.tls.cert"]);
    assert_eq!(trial(&format!("{tls}{known}")).config().exposures(), []);

    let peers = ["--peer-listen", "0.0.0.0:7500", "--advertise", "n1:7500"];
    let trial = |text: &str| Trial::default().file(text).typed(&peers);
    one(trial(""), &["peers.listen", "no authentication between nodes"]);
    let secret = format!("[peers]\nsecret = '{SECRET}'");
    assert_eq!(trial(&secret).config().exposures(), []);
    let certificates = "[peers.tls]\nca = 'ca'\ncert = 'a'\nkey = 'b'";
    assert_eq!(trial(certificates).config().exposures(), []);

    let all = [&peers[..], &["--listen", HTTP, "--insecure-expose-without-auth"]].concat();
    let exposed = |text: &str| Trial::default().file(text).typed(&all).config().exposures();
    assert_eq!(exposed(""), [Exposure::HttpWithoutTokens, Exposure::PeersUnproven]);
    assert_eq!(exposed(&format!("{secret}\n{known}")), [Exposure::HttpInClear]);
    assert_eq!(Exposure::HttpInClear.listener(), "http.listen");
    assert_eq!(Exposure::PeersUnproven.listener(), "peers.listen");
}
