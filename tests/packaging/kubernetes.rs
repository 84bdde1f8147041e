//! The Kubernetes manifests: a pod's command, variables and files are ones that the program takes, and its ports, probes
//! and selectors meet.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use yaml_rust2::Yaml;

use crate::document::{document, documents, path, texts};
use crate::program::{answers, checked, init, moved};

fn manifest(name: &str) -> String {
    format!("packaging/kubernetes/{name}")
}

fn stateful_set() -> Yaml {
    document(&manifest("statefulset.yaml"))
}

fn container(set: &Yaml) -> &Yaml {
    &set["spec"]["template"]["spec"]["containers"][0]
}

/// The names of the pods.
fn pods(set: &Yaml) -> Vec<String> {
    let (name, replicas) =
        (set["metadata"]["name"].as_str().unwrap(), set["spec"]["replicas"].as_i64().unwrap());
    (0..replicas).map(|n| format!("{name}-{n}")).collect()
}

/// The commands of the README that begin with this word, their lines joined.
fn commands(word: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path(&manifest("README.md"))).unwrap();
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().filter_map(|line| line.strip_prefix("    "));
    let words = lines.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    words.filter(|words| words[0] == word).collect()
}

/// Makes the files that the README says, and the Secret of them as a directory.
fn secret(dir: &Path) {
    let mut made = commands("gridkv");
    made.retain(|words| words[1] == "init");
    assert_eq!(made.len(), 1, "{made:?}");
    let arguments: Vec<String> = made[0][1..]
        .iter()
        .map(|word| {
            if word == "cluster" {
                dir.join("cluster").to_str().unwrap().to_owned()
            } else {
                word.clone()
            }
        })
        .collect();
    let services = documents(&manifest("services.yaml"));
    for node in arguments.iter().filter_map(|word| word.split_once('=')) {
        for service in services.iter().filter(|one| one["spec"]["clusterIP"].as_str().is_none()) {
            let name = service["metadata"]["name"].as_str().unwrap();
            let outside = format!("{name}.gridkv.svc");
            let hosts: Vec<&str> = node.1.split(',').collect();
            assert!(hosts.contains(&name) && hosts.contains(&outside.as_str()), "{node:?}");
        }
    }
    init(&arguments);
    fs::DirBuilder::new().mode(0o700).create(dir.join("secret")).unwrap();
    let created = commands("kubectl");
    let mut named = created.iter().filter_map(|words| {
        let at = words.iter().position(|word| word == "generic")?;
        Some((words[at + 1].as_str(), &words[at + 2..]))
    });
    let (_, of_nodes) = named.find(|(name, _)| *name == "gridkv").unwrap();
    for file in of_nodes.iter().filter_map(|word| word.strip_prefix("--from-file=")) {
        let (key, source) = file.split_once('=').unwrap();
        let content = fs::read(dir.join(source)).unwrap();
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(dir.join("secret").join(key))
            .unwrap();
        std::io::Write::write_all(&mut file, &content).unwrap();
    }
}

#[test]
fn a_pod_starts_with_what_the_readme_makes() {
    let (set, dir) = (stateful_set(), tempfile::tempdir().unwrap());
    secret(dir.path());
    let config = document(&manifest("configmap.yaml"));
    let config = config["data"]["gridkv.toml"].as_str().unwrap();
    fs::create_dir(dir.path().join("config")).unwrap();
    let config = moved(config, "/etc/gridkv", dir.path());
    fs::write(dir.path().join("config/gridkv.toml"), &config).unwrap();
    let container = container(&set);
    let mut advertised = Vec::new();
    for pod in pods(&set) {
        let environment = container["env"].as_vec().unwrap().iter().map(|variable| {
            let name = variable["name"].as_str().unwrap().to_owned();
            let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                Some(field) => {
                    assert_eq!(field, "metadata.name");
                    pod.clone()
                }
                None => variable["value"].as_str().unwrap().replace("$(POD_NAME)", &pod),
            };
            (name, moved(&value, "/etc/gridkv", dir.path()))
        });
        let environment: Vec<(String, String)> = environment.collect();
        let arguments: Vec<String> = texts(&container["args"])
            .iter()
            .map(|text| moved(text, "/etc/gridkv", dir.path()))
            .collect();
        let shown = checked(&arguments, &environment);
        assert_eq!(shown["node"]["name"].as_str(), Some(pod.as_str()));
        advertised.push(shown["peers"]["advertise"].clone());
        assert_eq!(shown["peers"]["seeds"].as_array().unwrap().len(), 3);
        for (port, key) in [("https", "http"), ("peers", "peers")] {
            let ports = container["ports"].as_vec().unwrap();
            let named = ports.iter().find(|entry| entry["name"].as_str() == Some(port)).unwrap();
            let listen = shown[key]["listen"].as_str().unwrap();
            assert_eq!(listen, format!("0.0.0.0:{}", named["containerPort"].as_i64().unwrap()));
        }
    }
    let seeds: toml::Table = config.parse().unwrap();
    assert_eq!(
        *seeds["peers"]["seeds"].as_array().unwrap(),
        advertised,
        "each is dialled by its name"
    );
}

#[test]
fn probes_ask_what_a_node_answers() {
    let set = stateful_set();
    let container = container(&set);
    for (probe, asked) in
        [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]
    {
        let get = &container[probe]["httpGet"];
        assert_eq!(get["path"].as_str(), Some(asked), "{probe}");
        assert!(answers(asked));
        assert_eq!((get["port"].as_str(), get["scheme"].as_str()), (Some("https"), Some("HTTPS")));
    }
}

#[test]
fn a_pod_has_time_to_end() {
    let set = stateful_set();
    let pod = &set["spec"]["template"]["spec"];
    let grace = pod["terminationGracePeriodSeconds"].as_i64().unwrap();
    let pause = container(&set)["lifecycle"]["preStop"]["sleep"]["seconds"].as_i64().unwrap();
    let shown = checked(&["serve".to_owned()], &[]);
    let patience = shown["http"]["shutdown_timeout"].as_str().unwrap();
    let patience: i64 = patience.strip_suffix('s').unwrap().parse().unwrap();
    assert!(pause + patience + 5 <= grace, "{pause} {patience} {grace}");
}

#[test]
fn services_budget_and_monitor_choose_the_pods() {
    let set = stateful_set();
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&set["spec"]["selector"]["matchLabels"], labels);
    let budget = document(&manifest("disruption-budget.yaml"));
    assert_eq!(&budget["spec"]["selector"]["matchLabels"], labels);
    let services = documents(&manifest("services.yaml"));
    for service in &services {
        assert_eq!(&service["spec"]["selector"], labels);
        for port in service["spec"]["ports"].as_vec().unwrap() {
            let mut named = container(&set)["ports"].as_vec().unwrap().iter();
            assert!(named.any(|entry| entry["name"] == port["targetPort"]), "{port:?}");
        }
    }
    let governing = set["spec"]["serviceName"].as_str();
    let headless =
        services.iter().find(|service| service["metadata"]["name"].as_str() == governing);
    let headless = headless.unwrap();
    assert_eq!(headless["spec"]["clusterIP"].as_str(), Some("None"));
    assert_eq!(headless["spec"]["publishNotReadyAddresses"].as_bool(), Some(true));
    let monitor = document(&manifest("service-monitor.yaml"));
    let chosen = monitor["spec"]["selector"]["matchLabels"].as_hash().unwrap();
    for (label, value) in chosen {
        assert_eq!(&headless["metadata"]["labels"][label.as_str().unwrap()], value);
    }
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert!(answers(endpoint["path"].as_str().unwrap()));
    let mut ports = headless["spec"]["ports"].as_vec().unwrap().iter();
    assert!(ports.any(|port| port["name"] == endpoint["port"]));
}

/// The fields that a group and a rule of the operator's `PrometheusRule` v1 have, as far as any is used here.
const GROUP: [&str; 3] = ["name", "interval", "rules"];
const RULE: [&str; 6] = ["alert", "record", "expr", "for", "labels", "annotations"];

/// The fields of a mapping, which are all among these.
fn fields<'a>(of: &'a Yaml, known: &[&str]) -> Vec<(&'a str, &'a Yaml)> {
    let all = of.as_hash().unwrap_or_else(|| panic!("{of:?} is no mapping"));
    let all: Vec<(&str, &Yaml)> =
        all.iter().map(|(name, value)| (name.as_str().unwrap(), value)).collect();
    for (name, _) in &all {
        assert!(known.contains(name), "{name} is none of {known:?}");
    }
    all
}

#[test]
fn the_operator_is_given_the_rules_that_prometheus_is_given() {
    let rule = document(&manifest("prometheus-rule.yaml"));
    fields(&rule, &["apiVersion", "kind", "metadata", "spec"]);
    assert_eq!(rule["apiVersion"].as_str(), Some("monitoring.coreos.com/v1"));
    assert_eq!(rule["kind"].as_str(), Some("PrometheusRule"));
    fields(&rule["spec"], &["groups"]);
    let files = ["gridkv.recording.yml", "gridkv.alerts.yml"];
    let files = files.map(|name| document(&format!("grafana/prometheus/rules/{name}")));
    let given: Vec<&Yaml> =
        files.iter().flat_map(|file| file["groups"].as_vec().unwrap()).collect();
    let groups = rule["spec"]["groups"].as_vec().unwrap();
    assert_eq!(groups.iter().collect::<Vec<_>>(), given);
    let mut names: Vec<&str> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
    names.dedup();
    assert_eq!(names.len(), groups.len(), "a list map by name");
    for group in groups {
        fields(group, &GROUP);
        for rule in group["rules"].as_vec().unwrap() {
            let (alert, record) = (rule["alert"].as_str(), rule["record"].as_str());
            assert!(alert.is_some() != record.is_some() && rule["expr"].as_str().is_some());
            for (name, value) in fields(rule, &RULE) {
                let of_texts = |value: &Yaml| {
                    value
                        .as_hash()
                        .is_some_and(|all| all.values().all(|one| one.as_str().is_some()))
                };
                let is_right = match name {
                    "labels" | "annotations" => of_texts(value),
                    _ => value.as_str().is_some(),
                };
                assert!(is_right, "{alert:?}: {name} is {value:?}");
            }
        }
    }
}

#[test]
fn the_monitor_scrapes_as_the_job_that_alerts_ask_for() {
    let monitor = document(&manifest("service-monitor.yaml"));
    let label = monitor["spec"]["jobLabel"].as_str().unwrap();
    let services = documents(&manifest("services.yaml"));
    let chosen = &monitor["spec"]["selector"]["matchLabels"]["gridkv/service"];
    let service =
        services.iter().find(|one| one["metadata"]["labels"]["gridkv/service"] == *chosen).unwrap();
    let job = service["metadata"]["labels"][label].as_str().unwrap();
    let rules = fs::read_to_string(path(&manifest("prometheus-rule.yaml"))).unwrap();
    assert!(rules.contains(&format!("up{{job=\"{job}\"}}")), "{job}");
    assert_eq!(rules.matches("job=\"").count(), 1, "another job is asked for");
}

#[test]
fn what_is_applied_is_there_and_needs_no_operator() {
    let kustomization = document(&manifest("kustomization.yaml"));
    for name in texts(&kustomization["resources"]) {
        for object in documents(&manifest(&name)) {
            let version = object["apiVersion"].as_str().unwrap();
            assert!(!version.starts_with("monitoring.coreos.com"), "{name}");
        }
    }
    let text = fs::read_to_string(path(&manifest("kustomization.yaml"))).unwrap();
    let offered: Vec<&str> =
        text.lines().filter_map(|line| line.trim_start().strip_prefix("# - ")).collect();
    assert_eq!(offered, ["service-monitor.yaml", "prometheus-rule.yaml"]);
    for name in offered {
        assert!(path(&manifest(name)).try_exists().unwrap(), "{name}");
    }
}
