//! The scrape configuration: the one of the repository, and copies of it for other nodes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::Error;
use crate::yaml;

/// The configuration of the repository, from its root.
pub(crate) const CONFIG: &str = "grafana/prometheus/prometheus.yml";

/// How a copy differs.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    /// The nodes, as `(name, host and port)`.
    pub(crate) nodes: Vec<(String, String)>,
    /// The rule files, by absolute paths.
    pub(crate) rules: Vec<PathBuf>,
    /// The authority's certificate and the file with the token, where the nodes want TLS and a token.
    pub(crate) papers: Option<(PathBuf, PathBuf)>,
    /// Scrapes and evaluates each second, instead of as often as the file says.
    pub(crate) each_second: bool,
}

impl Scrape {
    /// Writes a copy of the repository's configuration.
    pub(crate) fn write(&self, root: &Path, to: &Path) -> Result<(), Error> {
        let mut config = yaml::read(&root.join(CONFIG))?;
        let rules = self.rules.iter().map(|path| Value::from(path.to_string_lossy()));
        set(Some(&mut config), "rule_files", rules.collect());
        if self.each_second {
            let times = json!({
                "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s",
            });
            set(Some(&mut config), "global", times);
        }
        let nodes = self.nodes.iter();
        let nodes =
            nodes.map(|(name, target)| json!({"targets": [target], "labels": {"instance": name}}));
        let mut job = config.pointer_mut("/scrape_configs/0");
        set(job.as_deref_mut(), "static_configs", nodes.collect());
        if let Some((authority, token)) = &self.papers {
            set(job.as_deref_mut(), "scheme", json!("https"));
            set(job.as_deref_mut(), "tls_config", json!({"ca_file": authority}));
            set(job, "authorization", json!({"credentials_file": token}));
        }
        // YAML has all of JSON in it.
        fs::write(to, config.to_string()).map_err(|source| Error::io("write", to, source))
    }
}

fn set(whole: Option<&mut Value>, field: &str, value: Value) {
    if let Some(fields) = whole.and_then(Value::as_object_mut) {
        fields.insert(field.to_owned(), value);
    }
}
