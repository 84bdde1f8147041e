//! What a store holds, brought down to two numbers: how many keys, and a sum of hashes of what is under them.
//!
//! Versions are left out: what comes back is minted anew.

use std::error::Error;
use std::fs::File;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

use crate::download::Download;

/// Records, in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) keys: u64,
    hashes: u64,
}

/// A line of a snapshot: a record, or the footer.
#[derive(Deserialize)]
struct Line {
    key: Option<String>,
    value: Option<String>,
    content_type: Option<String>,
    expires_at: Option<String>,
    count: Option<u64>,
}

impl Contents {
    /// Of a snapshot in lines, which must be whole.
    pub(crate) fn of(lines: &Path) -> Result<Self, Box<dyn Error>> {
        let mut contents = Self::default();
        for line in BufReader::new(File::open(lines)?).lines() {
            let Line { key, value, content_type, expires_at, count } =
                serde_json::from_str(&line?)?;
            match key {
                Some(key) => contents.add(&(key, value, content_type, expires_at)),
                None if count == Some(contents.keys) => return Ok(contents),
                None => return Err("a footer that does not fit its snapshot".into()),
            }
        }
        Err("a snapshot without a footer".into())
    }

    /// Of the store `main` of a node, by way of a file that is made anew.
    pub(crate) async fn on(addr: SocketAddr, file: &Path) -> Result<Self, Box<dyn Error>> {
        Download { addr, query: "?format=ndjson", into: file, pace: None }.run().await?;
        Self::of(file)
    }

    /// Of two stores that have no key in common.
    pub(crate) fn beside(self, other: Self) -> Self {
        Self { keys: self.keys + other.keys, hashes: self.hashes.wrapping_add(other.hashes) }
    }

    fn add(&mut self, record: &(String, Option<String>, Option<String>, Option<String>)) {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(record);
        *self = self.beside(Self { keys: 1, hashes: hash });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(records: &str, count: u64) -> Result<Contents, Box<dyn Error>> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), format!("{records}{{\"count\":{count}}}\n"))?;
        Contents::of(file.path())
    }

    #[test]
    fn contents_are_the_same_whatever_the_versions() {
        let (a, b) = (
            "{\"key\":\"a\",\"version\":\"1\",\"value\":\"x\"}\n",
            "{\"key\":\"b\",\"value\":\"x\"}\n",
        );
        let both = of(&format!("{a}{b}"), 2).unwrap();
        assert_eq!(of(a, 1).unwrap().beside(of(b, 1).unwrap()), both);
        assert_eq!(of(&a.replace("\"1\"", "\"2\""), 1).unwrap(), of(a, 1).unwrap());
        assert_ne!(of(&a.replace('x', "y"), 1).unwrap(), of(a, 1).unwrap());
        assert!(of(a, 2).is_err(), "it was cut");
    }
}
