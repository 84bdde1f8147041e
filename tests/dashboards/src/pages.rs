//! The dashboards: which there are, and the files that they are written to.

mod actors;
mod overview;
mod replication;
mod storage;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Error;
use crate::rules::Rules;

/// Where they are, from the root of the repository.
pub const DIRECTORY: &str = "grafana/dashboards";

/// Every dashboard, as `(file name, content)`.
#[must_use]
pub fn all(rules: &Rules) -> Vec<(&'static str, Value)> {
    vec![
        ("gridkv-overview.json", overview::page(rules)),
        ("gridkv-replication.json", replication::page(rules)),
        ("gridkv-storage.json", storage::page(rules)),
        ("gridkv-actors.json", actors::page(rules)),
    ]
}

/// The text of a file.
#[must_use]
pub fn text(dashboard: &Value) -> String {
    format!("{dashboard:#}\n")
}

/// Writes all files below the root of the repository, and says which.
///
/// # Errors
/// When the rules can not be read or a file not be written.
pub fn write(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let written = all(&Rules::read(root)?).into_iter().map(|(name, dashboard)| {
        let path = root.join(DIRECTORY).join(name);
        let done = fs::write(&path, text(&dashboard));
        done.map_err(|source| Error::io("write", &path, source)).map(|()| path)
    });
    written.collect()
}

/// The dashboards as the files have them.
///
/// # Errors
/// When one can not be read, or is no JSON.
pub fn read(root: &Path) -> Result<Vec<(&'static str, Value)>, Error> {
    let names = all(&Rules::read(root)?).into_iter().map(|(name, _)| name);
    let read = names.map(|name| {
        let path = root.join(DIRECTORY).join(name);
        let text = fs::read_to_string(&path).map_err(|source| Error::io("read", &path, source))?;
        let json = serde_json::from_str(&text).map_err(|source| Error::Json { path, source })?;
        Ok((name, json))
    });
    read.collect()
}
