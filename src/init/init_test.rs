//! What is made, and that nothing that is there is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use gridkv_actors::clock::ClockSource;

use super::*;
use crate::config;
use crate::tls::Tls;

fn now() -> UnixMs {
    ClockSource::start().now()
}

fn plan(dir: &Path, nodes: &[&str]) -> Plan {
    let nodes = nodes.iter().map(|node| NodePlan::parse(node).unwrap()).collect();
    let ports = Ports { http: 7_400, peers: 7_500 };
    Plan { dir: dir.to_owned(), cluster: "grid".into(), nodes, days: Days(365), ports }
}

fn load(file: &Path) -> config::Config {
    let registry = gridkv_actors::Registry::with_built_in();
    let loaded = config::load(config::Sources {
        file: Some(file),
        environment: [],
        flags: Vec::new(),
        backends: &registry.spellings(),
        host_name: "host".into(),
        expose_without_auth: false,
    });
    loaded.unwrap_or_else(|error| panic!("{error}")).config
}

/// Every file and directory below `dir`, with its mode.
fn modes(dir: &Path) -> Vec<(PathBuf, u32)> {
    let mut found =
        vec![(dir.to_owned(), fs::metadata(dir).unwrap().permissions().mode() & 0o7777)];
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(modes(&entry.path()));
        } else {
            found.push((entry.path(), entry.metadata().unwrap().permissions().mode() & 0o7777));
        }
    }
    found
}

#[test]
fn each_node_gets_what_it_starts_with_and_nobody_else_may_read_it() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("deep/grid");
    let nodes = ["n1=10.0.0.1", "n2=two.example.org", "n3=10.0.0.1", "n4", "n5", "n6=::1"];
    let cluster = make(&plan(&dir, &nodes), now()).unwrap();
    let urls: Vec<&str> = cluster.urls.iter().map(|(_, url)| url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "https://10.0.0.1:7400",
            "https://two.example.org:7400",
            "https://10.0.0.1:7401",
            "https://127.0.0.1:7400",
            "https://127.0.0.1:7401",
            "https://[::1]:7400",
        ]
    );
    for (path, mode) in modes(&dir) {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{}", path.display());
    }
    for name in ["n1", "n2", "n3", "n4", "n5", "n6"] {
        let config = load(&dir.join(name).join("gridkv.toml"));
        assert_eq!((config.node.name.as_str(), config.node.cluster.as_str()), (name, "grid"));
        assert_eq!(config.node.data_dir, Some(cluster.dir.join(name).join("data")));
        assert_eq!((config.peers.seeds.len(), config.auth.tokens.len()), (5, 4));
        assert!(config.exposures().is_empty());
        let tls = Tls::read(&config, now()).unwrap();
        let end = tls.certificates.end(gridkv_http::certificates::Listener::Peers);
        assert_eq!(end, Some(cluster.ends));
    }
    let two = load(&dir.join("n2/gridkv.toml"));
    assert_eq!(two.http.listen.to_string(), "0.0.0.0:7400");
    assert_eq!(two.peers.advertise.unwrap().to_string(), "two.example.org:7500");
    let mut texts: Vec<String> = ROLES
        .map(|role| fs::read_to_string(dir.join(format!("tokens/{role}.token"))).unwrap())
        .to_vec();
    // 32 bytes in base64 are 43 letters.
    assert!(texts.iter().all(|text| text.starts_with("gkv_") && text.len() == 47));
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 4);
    assert!(!fs::read_to_string(dir.join("n1/tokens.toml")).unwrap().contains("gkv_"));
}

#[test]
fn nothing_that_is_there_is_touched_and_what_fails_leaves_nothing() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("grid");
    make(&plan(&dir, &["n1"]), now()).unwrap();
    let before = fs::read(dir.join("ca.key")).unwrap();
    assert!(matches!(make(&plan(&dir, &["n1"]), now()), Err(InitError::Exists(_))));
    assert_eq!(fs::read(dir.join("ca.key")).unwrap(), before);
    let other = base.path().join("other");
    fs::write(&other, "x").unwrap();
    assert!(matches!(make(&plan(&other, &["n1"]), now()), Err(InitError::Exists(_))));
    let twice = make(&plan(&base.path().join("new"), &["n1", "n1"]), now());
    assert!(matches!(twice, Err(InitError::Twice(_))));
    let ports = Plan {
        ports: Ports { http: u16::MAX, peers: 1 },
        ..plan(&base.path().join("new"), &["n1", "n2"])
    };
    assert!(matches!(make(&ports, now()), Err(InitError::Ports(_))));
    let mut left: Vec<_> =
        fs::read_dir(base.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["grid", "other"]);
    // An empty directory that somebody made for it is taken.
    let empty = base.path().join("empty");
    fs::create_dir(&empty).unwrap();
    make(&plan(&empty, &["n1"]), now()).unwrap();
}

#[test]
fn names_and_hosts_that_can_not_be_are_refused() {
    for node in [
        "",
        "a b",
        "-a",
        "a-",
        "a_b",
        "a..b",
        "tokens",
        "ca.key",
        "n1=",
        "n1=a b",
        "n1=h:7500",
        "n1=1.2.3",
        "n1=*.x",
    ] {
        assert!(NodePlan::parse(node).is_err(), "{node:?}");
    }
    let long = "a".repeat(64);
    assert!(NodePlan::parse(&long).is_err() && NodePlan::parse(&long[1..]).is_ok());
    let base = tempfile::tempdir().unwrap();
    let plan = Plan { cluster: "a b".into(), ..plan(&base.path().join("x"), &["n1"]) };
    assert!(matches!(make(&plan, now()), Err(InitError::Name(_))));
}

#[test]
fn a_renewed_certificate_takes_the_place_of_the_old_one_and_no_other() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("grid");
    make(&plan(&dir, &["n1=10.0.0.1", "n2"]), now()).unwrap();
    let all = || -> Vec<Vec<u8>> {
        modes(&dir)
            .iter()
            .filter(|(path, _)| path.is_file())
            .map(|(path, _)| fs::read(path).unwrap())
            .collect()
    };
    let before = all();
    let config = load(&dir.join("n1/gridkv.toml"));
    let tls = Tls::read(&config, now()).unwrap();
    let ends = renew(&dir, "n1", Days(700), now()).unwrap();
    assert_eq!(tls.look(now()).unwrap().len(), 2);
    assert_eq!(tls.certificates.end(gridkv_http::certificates::Listener::Http), Some(ends));
    let differing = before.iter().zip(all()).filter(|(old, new)| *old != new).count();
    assert_eq!((differing, before.len()), (2, all().len()), "a certificate and its key");
    assert!(modes(&dir).iter().all(|(_, mode)| [0o600, 0o700].contains(mode)));

    let unknown = renew(&dir, "n9", Days(1), now()).unwrap_err().to_string();
    assert!(unknown.contains("n1, n2"), "{unknown}");
    assert!(matches!(renew(base.path(), "n1", Days(1), now()), Err(InitError::Io { .. })));
    // Another authority's key makes certificates that nobody takes: that is seen before they are there.
    let other = base.path().join("other");
    make(&plan(&other, &["n1"]), now()).unwrap();
    let key = dir.join("ca.key");
    fs::copy(other.join("ca.key"), &key).unwrap();
    let now_there = all();
    assert!(matches!(renew(&dir, "n1", Days(1), now()), Err(InitError::Unfit { .. })));
    assert_eq!(all(), now_there);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(renew(&dir, "n1", Days(1), now()), Err(InitError::Private(_))));
}
