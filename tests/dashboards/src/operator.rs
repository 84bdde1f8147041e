//! The rules as the Prometheus operator takes them: one object of Kubernetes with the groups of both files.
//!
//! It is made of their text and not of what they mean, so that comments stay and what is different shows in a diff.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::rules::{ALERTS, RECORDING};

/// Where it is, from the root of the repository.
pub const FILE: &str = "packaging/kubernetes/prometheus-rule.yaml";

/// What stands before the groups.
const HEAD: &str = "\
# For the Prometheus operator: the recording rules and alerts of grafana/prometheus/rules. `make dashboards` writes this file.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: gridkv
  labels: {app.kubernetes.io/name: gridkv}
spec:
  groups:
";

/// The text of the file.
///
/// # Errors
/// When the rules can not be read.
pub fn text(root: &Path) -> Result<String, Error> {
    let mut text = HEAD.to_owned();
    for file in [RECORDING, ALERTS] {
        let path = root.join(file);
        let rules = fs::read_to_string(&path).map_err(|source| Error::io("read", &path, source))?;
        let groups = rules.lines().skip_while(|line| *line != "groups:").skip(1);
        text.extend(
            groups.map(|line| if line.is_empty() { "\n".into() } else { format!("  {line}\n") }),
        );
    }
    Ok(text)
}

/// Writes it below the root of the repository, and says where.
///
/// # Errors
/// As [`text`], and when it can not be written.
pub fn write(root: &Path) -> Result<PathBuf, Error> {
    let path = root.join(FILE);
    let done = fs::write(&path, text(root)?);
    done.map_err(|source| Error::io("write", &path, source)).map(|()| path)
}
