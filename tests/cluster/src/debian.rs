//! The Debian package index of this machine as a larger set: some 60,000 records of real text, there without a download.
//!
//! `/var/lib/dpkg/status` has what is installed; the lists of apt have all that could be, when `apt-get update` has
//! run. Both are stanzas, `Package: name` and so on, with an empty line between. A record is one stanza, unchanged,
//! under `package/NAME:ARCH`. Lists that apt keeps compressed are read through apt's own helper.

use crate::dataset::Dataset;
use crate::record::Record;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the package manager has installed.
const STATUS: &str = "/var/lib/dpkg/status";
/// What apt knows from its sources.
const LISTS: &str = "/var/lib/apt/lists";
/// Writes a list to its standard output, whatever it was compressed with.
const APT_HELPER: &str = "/usr/lib/apt/apt-helper";
/// Endings under which apt keeps lists.
const LIST_ENDINGS: [&str; 5] =
    ["_Packages", "_Packages.lz4", "_Packages.gz", "_Packages.xz", "_Packages.zst"];
/// A set of fewer records comes from a machine without lists.
const EXPECTED_RECORDS: usize = 50_000;
/// A longer stanza is passed over: a node takes values up to this size.
const MAX_STANZA_BYTES: usize = 1024 * 1024;

/// The index, and where it came from.
#[derive(Clone, Debug)]
pub struct DebianIndex {
    /// One record per package and architecture.
    pub dataset: Dataset,
    /// The files that were read.
    pub sources: Vec<PathBuf>,
    /// Stanzas left out, because an earlier one has the same key or because they are no package.
    pub left_out: usize,
}

/// No index could be read.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// A file is there but cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// This is no Debian.
    #[error("no package index found: neither {STATUS} nor lists below {LISTS}")]
    NoIndex,
}

impl DebianIndex {
    /// Reads the index of this machine.
    ///
    /// # Errors
    /// [`DebianError`] when a part of it cannot be read, or when there is none.
    pub fn of_this_machine() -> Result<Self, DebianError> {
        Self::read(Path::new(STATUS), Path::new(LISTS))
    }

    fn read(status: &Path, lists: &Path) -> Result<Self, DebianError> {
        let cannot = |path: &Path, source| DebianError::Read { path: path.to_owned(), source };
        let mut sources = package_lists(lists).map_err(|source| cannot(lists, source))?;
        if status.try_exists().map_err(|source| cannot(status, source))? {
            sources.push(status.to_owned());
        }
        if sources.is_empty() {
            return Err(DebianError::NoIndex);
        }
        let (mut keys, mut records, mut left_out) = (HashSet::new(), Vec::new(), 0);
        for path in &sources {
            let text = read_list(path).map_err(|source| cannot(path, source))?;
            for stanza in stanzas(&text) {
                match package_key(stanza).filter(|key| keys.insert(key.clone())) {
                    Some(key) => records.push(Record {
                        key,
                        value: stanza.to_vec(),
                        content_type: "text/plain; charset=utf-8".to_owned(),
                    }),
                    None => left_out += 1,
                }
            }
        }
        Ok(Self { dataset: Dataset::new(records), sources, left_out })
    }

    /// What to do for a larger set, when this one is small.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let found = self.dataset.len();
        (found < EXPECTED_RECORDS).then(|| {
            format!(
                "only {found} packages found, where {EXPECTED_RECORDS} are usual: \
                 run `apt-get update` (as root) to fetch the lists of all packages"
            )
        })
    }
}

/// The lists below apt's directory, sorted, so that the same machine gives the same set; none without a directory.
fn package_lists(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut lists = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if name.is_some_and(|name| LIST_ENDINGS.iter().any(|ending| name.ends_with(ending))) {
            lists.push(path);
        }
    }
    lists.sort();
    Ok(lists)
}

fn read_list(path: &Path) -> io::Result<Vec<u8>> {
    if path.to_string_lossy().ends_with("_Packages") || path.extension().is_none() {
        return fs::read(path);
    }
    let helper = Command::new(APT_HELPER)
        .arg("cat-file")
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| io::Error::other(format!("{APT_HELPER}: {error}")))?;
    if helper.status.success() {
        Ok(helper.stdout)
    } else {
        let said = String::from_utf8_lossy(&helper.stderr).into_owned();
        Err(io::Error::other(format!("{APT_HELPER} cat-file: {said}")))
    }
}

/// The stanzas of an index, each with the newline of its last line and without the empty lines around it.
fn stanzas(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while let Some(rest) = text.strip_prefix(b"\n") {
            text = rest;
        }
        let end = text.windows(2).position(|pair| pair == b"\n\n").map_or(text.len(), |at| at + 1);
        let (stanza, rest) = text.split_at_checked(end)?;
        text = rest;
        (!stanza.is_empty()).then_some(stanza)
    })
}

/// `package/NAME:ARCH`, or `package/NAME` without an architecture; `None` for what is no package of a usable size.
fn package_key(stanza: &[u8]) -> Option<String> {
    if stanza.len() > MAX_STANZA_BYTES {
        return None;
    }
    let name = field(stanza, b"Package:")?;
    Some(match field(stanza, b"Architecture:") {
        Some(architecture) => format!("package/{name}:{architecture}"),
        None => format!("package/{name}"),
    })
}

/// The value of a field of one line. Lines that continue another begin with a space, so they cannot be taken for one.
fn field<'a>(stanza: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let line = stanza.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name))?;
    let value = std::str::from_utf8(line).ok()?.trim();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANZAS: &str = "\nPackage: bash\nArchitecture: amd64\nDescription: shell\n Package: not this\n\n\n\
                           Package: tzdata\nVersion: 1\n\nVersion: nameless\n";

    #[test]
    fn stanzas_are_cut_at_empty_lines_and_keep_their_bytes() {
        let all: Vec<_> = stanzas(STANZAS.as_bytes()).collect();
        assert_eq!(all.len(), 3);
        assert!(all[0].starts_with(b"Package: bash\n") && all[0].ends_with(b"not this\n"));
        assert_eq!(all[1], b"Package: tzdata\nVersion: 1\n");
        assert_eq!(stanzas(b"").count(), 0);
        assert_eq!(stanzas(b"\n\n\n").count(), 0);
        assert_eq!(stanzas(b"Package: x").collect::<Vec<_>>(), [b"Package: x"]);
    }

    #[test]
    fn keys_are_name_and_architecture() {
        let keys: Vec<_> = stanzas(STANZAS.as_bytes()).map(package_key).collect();
        assert_eq!(keys[0].as_deref(), Some("package/bash:amd64"));
        assert_eq!(keys[1].as_deref(), Some("package/tzdata"));
        assert_eq!(keys[2], None);
    }

    #[test]
    fn the_first_of_two_stanzas_with_a_key_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let lists = dir.path().join("lists");
        fs::create_dir(&lists).unwrap();
        fs::write(lists.join("mirror_main_Packages"), "Package: a\nVersion: 2\n\n").unwrap();
        fs::write(lists.join("mirror_InRelease"), "Package: no\n").unwrap();
        let status = dir.path().join("status");
        fs::write(&status, "Package: a\nVersion: 1\n\nPackage: b\n").unwrap();
        let index = DebianIndex::read(&status, &lists).unwrap();
        let values: Vec<_> = index.dataset.records().iter().map(|one| one.value.clone()).collect();
        assert_eq!(values, [b"Package: a\nVersion: 2\n".to_vec(), b"Package: b\n".to_vec()]);
        assert_eq!((index.sources.len(), index.left_out), (2, 1));
        assert!(index.advice().unwrap().contains("only 2 packages"));
    }

    #[test]
    fn a_machine_without_an_index_is_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("nothing");
        assert!(matches!(DebianIndex::read(&missing, &missing), Err(DebianError::NoIndex)));
    }
}
