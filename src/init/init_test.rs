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
    let ports = Wanted::default();
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
        assert_eq!(config.node.data_dir, Some(dir.join(name).join("data")));
        assert_eq!((config.peers.seeds.len(), config.auth.tokens.len()), (5, 4));
        assert!(config.exposures().is_empty());
        let tls = Tls::read(&config, now()).unwrap();
        let end = tls.certificates.end(gridkv_http::certificates::Listener::Peers);
        assert_eq!(end, Some(cluster.ends));
    }
    let two = load(&dir.join("n2/gridkv.toml"));
    assert_eq!(two.http.listen.to_string(), "0.0.0.0:7400");
    assert_eq!(two.peers.advertise.unwrap().to_string(), "two.example.org:7500");
    let mut texts: Vec<String> = Role::ALL
        .map(Role::as_str)
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
fn what_a_node_gets_does_not_know_where_it_was_made() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("grid");
    make(&plan(&dir, &["n1=10.0.0.1"]), now()).unwrap();
    let here = base.path().to_str().unwrap();
    for (path, content) in contents(&dir) {
        let told = String::from_utf8_lossy(&content).contains(here);
        assert!(!told, "{} names {here}", path.display());
    }
    let there = base.path().join("elsewhere");
    fs::rename(dir.join("n1"), &there).unwrap();
    let config = load(&there.join("gridkv.toml"));
    assert_eq!(config.node.data_dir, Some(there.join("data")));
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
    for below in ["grid", "grid/deeper"] {
        let refused = make(&plan(&other.join(below), &["n1"]), now()).unwrap_err();
        assert!(matches!(&refused, InitError::NoDirectory(path) if *path == other), "{refused}");
    }
    let twice = make(&plan(&base.path().join("new"), &["n1", "n1"]), now());
    assert!(matches!(twice, Err(InitError::Twice(_))));
    let ports = Plan {
        ports: Wanted { http: Some(u16::MAX), peers: Some(1) },
        ..plan(&base.path().join("new"), &["n1", "n2"])
    };
    assert!(matches!(make(&ports, now()), Err(InitError::Ports(_))));
    let ports = Plan {
        ports: Wanted { http: Some(7_500), peers: None },
        ..plan(&base.path().join("new"), &["n1"])
    };
    assert!(matches!(make(&ports, now()), Err(InitError::SamePort(7_500))));
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
        "n1=a,",
        "n1=a,,b",
    ] {
        assert!(NodePlan::parse(node).is_err(), "{node:?}");
    }
    for host in
        ["0.0.0.0", "::", "[::]", "::ffff:0.0.0.0", "255.255.255.255", "224.0.0.1", "ff02::1"]
    {
        for node in [format!("n1={host}"), format!("n1=10.0.0.1,{host}")] {
            let said = NodePlan::parse(&node).unwrap_err().to_string();
            assert!(said.contains(host) && said.contains("the address or name by which"), "{said}");
        }
    }
    let long = "a".repeat(64);
    assert!(NodePlan::parse(&long).is_err() && NodePlan::parse(&long[1..]).is_ok());
    let base = tempfile::tempdir().unwrap();
    let plan = Plan { cluster: "a b".into(), ..plan(&base.path().join("x"), &["n1"]) };
    assert!(matches!(make(&plan, now()), Err(InitError::Name(_))));
}

#[test]
fn what_an_init_that_was_killed_leaves_is_named_with_what_to_do() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("grid");
    let left = base.path().join("grid.new");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("ca.key"), "x").unwrap();
    let said = make(&plan(&dir, &["n1"]), now()).unwrap_err().to_string();
    assert!(said.contains(&format!("rm -r {}", left.display())), "{said}");
    assert!(said.contains("killed") && !said.contains("--renew"), "{said}");
    assert!(left.join("ca.key").try_exists().unwrap(), "nothing is removed unasked");
    fs::remove_dir_all(&left).unwrap();
    make(&plan(&dir, &["n1"]), now()).unwrap();
    // In a cluster: unfinished, and whole but not yet in the cluster's file.
    for (name, word) in [("n2.new", "killed"), ("n2", "does not know that node")] {
        let left = dir.join(name);
        fs::create_dir(&left).unwrap();
        fs::write(left.join("node.key"), "x").unwrap();
        let said = add(&growth(&dir, &["n2"]), now()).unwrap_err().to_string();
        assert!(said.contains(&format!("rm -r {}", left.display())), "{said}");
        assert!(said.contains(word) && !said.contains("--renew"), "{said}");
        fs::remove_dir_all(&left).unwrap();
    }
    add(&growth(&dir, &["n2"]), now()).unwrap();
}

#[test]
fn nodes_of_one_machine_do_not_share_a_port() {
    let base = tempfile::tempdir().unwrap();
    let urls = |name: &str, nodes: &[&str]| {
        let made = make(&plan(&base.path().join(name), nodes), now()).unwrap();
        made.urls.into_iter().map(|(_, url)| url).collect::<Vec<_>>()
    };
    let at = |url: &str| url.to_owned();
    let mixed = urls("mixed", &["n1=localhost", "n2", "n3=a.example", "n4=A.Example"]);
    let expected = [
        at("https://localhost:7400"),
        at("https://127.0.0.1:7401"),
        at("https://a.example:7400"),
        at("https://A.Example:7401"),
    ];
    assert_eq!(mixed, expected);
}

#[test]
fn a_cluster_on_ports_of_its_own_grows_on_these() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("grid");
    let ports = Wanted { http: Some(8_400), peers: Some(9_400) };
    make(&Plan { ports, ..plan(&dir, &["n1=10.0.0.1", "n2=10.0.0.1"]) }, now()).unwrap();
    add(&growth(&dir, &["n3=10.0.0.3", "n4=10.0.0.1"]), now()).unwrap();
    let listens = |node: &str| {
        let config = load(&dir.join(node).join("gridkv.toml"));
        (config.http.listen.to_string(), config.peers.listen.to_string())
    };
    assert_eq!(listens("n3"), ("10.0.0.3:8400".into(), "10.0.0.3:9400".into()));
    assert_eq!(listens("n4"), ("10.0.0.1:8402".into(), "10.0.0.1:9402".into()));
    let wanted = Wanted { http: Some(8_500), peers: None };
    add(&Growth { ports: wanted, ..growth(&dir, &["n5=10.0.0.5"]) }, now()).unwrap();
    assert_eq!(listens("n5"), ("10.0.0.5:8500".into(), "10.0.0.5:9400".into()));
    let same = Wanted { http: Some(9_400), peers: None };
    let refused = add(&Growth { ports: same, ..growth(&dir, &["n6=10.0.0.6"]) }, now());
    assert!(matches!(refused, Err(InitError::SamePort(9_400))));
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

fn growth(dir: &Path, nodes: &[&str]) -> Growth {
    let Plan { dir, nodes, days, ports, .. } = plan(dir, nodes);
    Growth { dir, nodes, days, ports }
}

/// The names and contents of all files below `dir`.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = modes(dir).into_iter().map(|(path, _)| path).filter(|path| path.is_file());
    let mut all: Vec<_> = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    all.sort();
    all
}

fn names_of_certificate(file: &Path, names: &[&str]) -> bool {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let der = CertificateDer::from_pem_file(file).unwrap();
    names.iter().all(|name| der.windows(name.len()).any(|bytes| bytes == name.as_bytes()))
}

#[test]
fn added_nodes_know_those_before_them_and_nothing_of_these_is_touched() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("grid");
    make(&plan(&dir, &["n1=10.0.0.1", "n2=two.example.org,kv.example.org"]), now()).unwrap();
    let two = dir.join("n2/node.pem");
    assert!(names_of_certificate(&two, &["two.example.org", "kv.example.org"]));
    let before = contents(&dir);
    let new = ["n3=10.0.0.1,kv.example.org", "n4=10.0.0.4", "n5=10.0.0.1"];
    let grown = add(&growth(&dir, &new), now()).unwrap();
    let urls: Vec<&str> = grown.cluster.urls.iter().map(|(_, url)| url.as_str()).collect();
    assert_eq!(urls, ["https://10.0.0.1:7401", "https://10.0.0.4:7400", "https://10.0.0.1:7402"]);
    assert!(grown.choosy.is_empty());
    for (path, content) in &before {
        let same = fs::read(path).unwrap() == *content;
        assert_eq!(same, !path.ends_with("cluster.toml"), "{}", path.display());
    }
    assert_eq!(contents(&dir).len(), before.len() + 3 * 5);
    assert!(modes(&dir).iter().all(|(_, mode)| [0o600, 0o700].contains(mode)));
    for name in ["n3", "n4", "n5"] {
        let config = load(&dir.join(name).join("gridkv.toml"));
        assert_eq!((config.node.name.as_str(), config.node.cluster.as_str()), (name, "grid"));
        let seeds: Vec<_> = config.peers.seeds.iter().map(ToString::to_string).collect();
        assert_eq!(seeds, ["10.0.0.1:7500", "two.example.org:7500"]);
        assert_eq!(config.auth.tokens, load(&dir.join("n1/gridkv.toml")).auth.tokens);
        Tls::read(&config, now()).unwrap();
    }
    // What was added is known like the others: for more nodes, and for a new certificate with all its names.
    let more = add(&growth(&dir, &["n6=10.0.0.6"]), now()).unwrap();
    assert_eq!(more.cluster.name, "grid");
    assert_eq!(load(&dir.join("n6/gridkv.toml")).peers.seeds.len(), 5);
    renew(&dir, "n3", Days(700), now()).unwrap();
    assert!(names_of_certificate(&dir.join("n3/node.pem"), &["kv.example.org", "n3.node.gridkv"]));
}

#[test]
fn what_can_not_be_added_leaves_all_as_it_was() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("grid");
    make(&plan(&dir, &["n1=10.0.0.1", "n2"]), now()).unwrap();
    fs::create_dir(dir.join("n5")).unwrap();
    fs::write(dir.join("n5/mine"), "x").unwrap();
    let before = contents(&dir);
    let refused = |nodes: &[&str]| {
        let error = add(&growth(&dir, nodes), now()).unwrap_err();
        assert_eq!(contents(&dir), before, "{error}");
        error
    };
    assert!(matches!(refused(&["n3", "n1"]), InitError::Known(_)));
    assert!(matches!(refused(&["n3", "n3"]), InitError::Twice(_)));
    // The first is whole when the second one fails.
    assert!(matches!(refused(&["n3", "n5"]), InitError::Stray(_)));
    // And both are in their places when the cluster's file can not be replaced.
    let in_the_way = dir.join("cluster.toml.new");
    fs::create_dir(&in_the_way).unwrap();
    assert!(matches!(refused(&["n3", "n4"]), InitError::Io { .. }));
    fs::remove_dir(&in_the_way).unwrap();
    let mut left: Vec<_> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["ca.key", "ca.pem", "cluster.toml", "n1", "n2", "n5", "tokens"]);

    let file = dir.join("n2/gridkv.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("allow = []", "allow = [\"n1\"]")).unwrap();
    assert_eq!(add(&growth(&dir, &["n3"]), now()).unwrap().choosy, ["n2"]);
    fs::write(dir.join("n2/tokens.toml"), "tokens = []").unwrap();
    assert!(matches!(add(&growth(&dir, &["n4"]), now()), Err(InitError::Tokens { .. })));
    for name in ["n1", "n2", "n3"] {
        fs::remove_file(dir.join(name).join("tokens.toml")).unwrap();
    }
    assert!(matches!(add(&growth(&dir, &["n4"]), now()), Err(InitError::NoTokens(_))));
}

#[test]
fn a_cluster_that_was_made_before_nodes_could_be_added_is_renewed_and_tells_what_is_missing() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("grid");
    make(&plan(&dir, &["n1=10.0.0.1"]), now()).unwrap();
    let old = "cluster = \"grid\"\n\n[nodes.n1]\nhosts = [\"10.0.0.1\"]\n";
    fs::write(dir.join("cluster.toml"), old).unwrap();
    renew(&dir, "n1", Days(1), now()).unwrap();
    let said = add(&growth(&dir, &["n2"]), now()).unwrap_err().to_string();
    let line = "ports = { http = 7400, peers = 7500 }";
    assert!(said.contains(line) && said.contains("\"n1\""), "{said}");
    fs::write(dir.join("cluster.toml"), format!("{old}{line}\n")).unwrap();
    add(&growth(&dir, &["n2"]), now()).unwrap();
}
