//! `compose.yaml`: its nodes start with what its `init` makes, and everybody asks where they answer.

use std::collections::BTreeSet;

use yaml_rust2::Yaml;

use crate::document::{document, get, path, texts};
use crate::program::{answers, checked, init, knows, moved};

const COMPOSE: &str = "packaging/compose/compose.yaml";
const NODES: [&str; 3] = ["n1", "n2", "n3"];

fn services() -> Yaml {
    document(COMPOSE)["services"].clone()
}

/// The variables of the image.
fn image_environment() -> Vec<(String, String)> {
    let file = std::fs::read_to_string(path("packaging/Dockerfile")).unwrap();
    let line = file.lines().find_map(|line| line.strip_prefix("ENV ")).unwrap();
    let pairs = line.split(' ').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn its_nodes_take_what_its_init_makes() {
    let (services, dir) = (services(), tempfile::tempdir().unwrap());
    let arguments = texts(get(&services["init"], "command"));
    let arguments: Vec<String> =
        arguments.iter().map(|text| moved(text, "/data", dir.path())).collect();
    init(&arguments);
    let mut dialled = BTreeSet::new();
    for name in NODES {
        let node = &services[name];
        let mounts = get(node, "volumes").as_vec().unwrap();
        let mount =
            mounts.iter().find(|mount| mount["target"].as_str() == Some("/etc/gridkv")).unwrap();
        assert_eq!(mount["read_only"].as_bool(), Some(true), "{name}");
        let own = dir.path().join(mount["volume"]["subpath"].as_str().unwrap());
        assert!(own.ends_with(name), "{name} has what is {}", own.display());
        let command = texts(get(node, "command"));
        let command: Vec<String> =
            command.iter().map(|text| moved(text, "/etc/gridkv", &own)).collect();
        let shown = checked(&command, &image_environment());
        assert_eq!(shown["node"]["name"].as_str(), Some(name));
        assert_eq!(shown["node"]["data_dir"].as_str(), Some("/data"));
        assert_eq!(shown["http"]["listen"].as_str(), Some("0.0.0.0:7400"));
        dialled.insert(shown["peers"]["advertise"].as_str().unwrap().to_owned());
        let published = texts(get(node, "ports"));
        assert!(published.iter().all(|port| port.starts_with("127.0.0.1:")), "{published:?}");
        assert!(published.iter().all(|port| port.ends_with(":7400")), "{published:?}");
    }
    let expected = NODES.map(|name| format!("{name}:7500"));
    assert_eq!(dialled, expected.into(), "a service is found by its name");
}

#[test]
fn its_health_check_is_a_command_that_the_program_has() {
    let services = services();
    let check = texts(&get(&services["n1"], "healthcheck")["test"]);
    assert_eq!(check[..3], ["CMD", "/gridkv", "health"]);
    for option in check.iter().filter(|word| word.starts_with("--")) {
        assert!(knows("health", option), "{option}");
    }
}

#[test]
fn prometheus_asks_every_node_with_files_that_are_mounted() {
    let services = services();
    let config = document("packaging/compose/prometheus.yml");
    let job = &config["scrape_configs"][0];
    let targets = texts(&job["static_configs"][0]["targets"]);
    assert_eq!(targets, NODES.map(|name| format!("{name}:7400")));
    assert_eq!(job["scheme"].as_str(), Some("https"));
    let metrics = job["metrics_path"].as_str().unwrap_or("/metrics");
    assert!(answers(metrics), "{metrics}");
    let mounts = services["prometheus"]["volumes"].as_vec().unwrap();
    for (file, source) in [
        (&job["tls_config"]["ca_file"], "demo/ca.pem"),
        (&job["authorization"]["credentials_file"], "demo/tokens/metrics.token"),
    ] {
        let mount = mounts.iter().find(|mount| mount["target"] == *file);
        let mount = mount.unwrap_or_else(|| panic!("{file:?} is not mounted"));
        assert_eq!(mount["volume"]["subpath"].as_str(), Some(source));
    }
}

#[test]
fn what_is_mounted_from_the_repository_is_there() {
    let services = services();
    let mut seen = 0;
    for (name, service) in services.as_hash().unwrap() {
        for mount in service["volumes"].as_vec().into_iter().flatten() {
            let Some(source) = mount.as_str().and_then(|text| text.split(':').next()) else {
                continue;
            };
            if source.starts_with('.') {
                let there = path("packaging/compose").join(source);
                assert!(there.try_exists().unwrap(), "{name:?}: {source}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 4);
}
