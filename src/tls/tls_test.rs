//! Certificates in files: what is taken, what is refused and in which words, and what happens when they change.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use gridkv_actors::clock::ClockSource;

use super::*;
use crate::init::{Days, Made, Names, authority::Authority};

fn now() -> UnixMs {
    ClockSource::start().now()
}

/// A directory with an authority and what it made for node `n1`.
struct Stage {
    dir: tempfile::TempDir,
    authority: Authority,
    config: Config,
}

impl Stage {
    fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::make("grid", now()).unwrap();
        let registry = gridkv_actors::Registry::with_built_in();
        let path = dir.path().join("gridkv.toml");
        let text = "node.name = \"n1\"\nnode.cluster = \"grid\"\nnode.data_dir = \"\"\n\
                    [stores.main]\nbackend = \"memory\"\n\
                    [http.tls]\ncert = \"node.pem\"\nkey = \"node.key\"\n\
                    [peers.tls]\nca = \"ca.pem\"\ncert = \"node.pem\"\nkey = \"node.key\"\n";
        fs::write(&path, text).unwrap();
        let loaded = crate::config::load(crate::config::Sources {
            file: Some(&path),
            environment: [],
            flags: Vec::new(),
            backends: &registry.spellings(),
            host_name: "host".into(),
            expose_without_auth: false,
        });
        let stage = Self { config: loaded.unwrap().config, dir, authority };
        stage.write("ca.pem", &stage.authority.certificate());
        stage.certify("n1", 365, now());
        stage
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(0o600)).unwrap();
    }

    fn certify(&self, node: &str, days: u64, from: UnixMs) {
        let names = Names { cluster: "grid", node, hosts: &[] };
        let Made { certificate, key, .. } =
            self.authority.certify(&names, Days(days), from).unwrap();
        self.write("node.pem", &certificate);
        self.write("node.key", &key);
    }

    fn refused(&self) -> String {
        Tls::read(&self.config, now()).unwrap_err().to_string()
    }
}

fn contains(said: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| said.contains(part)), "{said:?} has not all of {parts:?}");
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn what_a_node_can_not_use_stops_its_start_and_names_file_and_setting() {
    let stage = Stage::set();
    let (cert, key) = (show(&stage.path("node.pem")), show(&stage.path("node.key")));
    let tls = Tls::read(&stage.config, now()).unwrap();
    assert!(tls.http.is_some() && matches!(tls.peers, PeerSecurity::Mutual(_)));

    fs::set_permissions(stage.path("node.key"), Permissions::from_mode(0o644)).unwrap();
    contains(&stage.refused(), &["http.tls.key", &format!("chmod 600 {key}")]);
    let ours = fs::read_to_string(stage.path("node.key")).unwrap();
    for (text, words) in [("", "holds no key"), ("-----BEGIN X\n", "no proper PEM")] {
        stage.write("node.key", text);
        contains(&stage.refused(), &["http.tls.key", &key, words]);
    }
    fs::remove_file(stage.path("node.key")).unwrap();
    contains(&stage.refused(), &["http.tls.key", &key, "can not be read"]);
    stage.write("node.key", &ours);

    let own = fs::read_to_string(stage.path("node.pem")).unwrap();
    stage.write("node.pem", "nothing\n");
    contains(&stage.refused(), &["http.tls.cert", &cert, "holds no certificate"]);
    fs::remove_file(stage.path("node.pem")).unwrap();
    contains(&stage.refused(), &["http.tls.cert", &cert, "can not be read"]);
    stage.write("node.pem", &own);
    stage.write("ca.pem", "");
    contains(&stage.refused(), &["peers.tls.ca", "ca.pem holds no certificate"]);
    stage.write("ca.pem", &Authority::make("grid", now()).unwrap().certificate());
    contains(&stage.refused(), &["peers.tls", "another authority than peers.tls.ca", &cert]);
    stage.write("ca.pem", &stage.authority.certificate());

    stage.certify("n2", 365, now());
    contains(&stage.refused(), &["peers.tls", "of another node", "n1.node.gridkv", "\"n2\""]);
    stage.write("node.key", &ours);
    contains(&stage.refused(), &["http.tls", "with its key", &cert, &key]);
    for from in [UnixMs(now().0 - 400 * 86_400_000), UnixMs(now().0 + 10 * 86_400_000)] {
        stage.certify("n1", 30, from);
        let made = rfc3339::format(UnixMs((from.0 + 30 * 86_400_000) / 1_000 * 1_000));
        contains(&stage.refused(), &["http.tls.cert", &cert, "and not now", &made]);
    }
}

#[test]
fn files_that_change_are_taken_and_bad_ones_leave_what_is_in_use() {
    let stage = Stage::set();
    let tls = Tls::read(&stage.config, now()).unwrap();
    assert_eq!(tls.look(now()).unwrap(), [], "nothing changed");
    let first = tls.certificates.end(Listener::Http);
    assert!(first.is_some() && first == tls.certificates.end(Listener::Peers));
    let old = fs::read_to_string(stage.path("node.key")).unwrap();
    stage.certify("n1", 700, now());
    let new = fs::read_to_string(stage.path("node.key")).unwrap();
    stage.write("node.key", &old);
    assert!(tls.look(now()).is_err(), "half of the change");
    assert_eq!(tls.certificates.end(Listener::Http), first);
    stage.write("node.key", &new);
    assert_eq!(tls.look(now()).unwrap(), Listener::ALL);
    assert!(tls.certificates.end(Listener::Http) > first);
    assert_eq!(tls.look(now()).unwrap(), []);
    let end = tls.certificates.end(Listener::Peers).unwrap();
    // One that ends while it is in use is still in use: nothing better is there.
    assert_eq!(tls.look(UnixMs(end.0 + 1)).unwrap(), []);
    stage.certify("n2", 365, now());
    // Clients do not care for the name of a node; peers do.
    assert!(tls.look(now()).is_err());
    assert_eq!(tls.certificates.end(Listener::Peers), Some(end));
}
