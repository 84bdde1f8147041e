//! What happened, as clients and the nemesis saw it: every request with its outcome, every loss of a node's state, and
//! what all nodes served at the end. All that the judge knows. On the disk it is one JSON object a line.
//!
//! Times are microseconds since the run began, all by one clock.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use gridkv_soak::{Durability, RunError};
use serde::{Deserialize, Serialize};

use crate::stamp::Stamp;

/// Microseconds since the run began.
pub(crate) type Micros = u64;

/// All that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The stores, by name.
    pub stores: BTreeMap<String, StoreClass>,
    /// What clients asked and were told.
    pub ops: Vec<Op>,
    /// When nodes lost what they had.
    pub losses: Vec<Loss>,
    /// What was served when all was over.
    pub looks: Vec<Look>,
}

/// What a store promises, as its nodes describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreClass {
    /// The name of the backend.
    pub backend: String,
    /// What it has is there after its process ended.
    pub persistent: bool,
    /// It may forget.
    pub cache: bool,
}

/// One operation of a client on one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// Who asked.
    pub client: u16,
    /// Which node, counted from 1.
    pub node: u16,
    /// The store.
    pub store: String,
    /// The key.
    pub key: String,
    /// What was asked.
    pub asked: Asked,
    /// When it was sent.
    pub invoked: Micros,
    /// When the answer was there, or no longer waited for.
    pub returned: Micros,
    /// What came of it.
    pub outcome: Outcome,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// The value.
    Get,
    /// To write the value with this stamp.
    Put {
        /// What no other write has.
        stamp: Stamp,
        /// It expires so many milliseconds after it was written.
        ttl_ms: Option<u64>,
        /// Only if this holds.
        condition: Option<Condition>,
        /// How safe it must be.
        safety: Safety,
    },
    /// To delete it.
    Delete {
        /// Only if this holds.
        condition: Option<Condition>,
        /// How safe it must be.
        safety: Safety,
    },
}

/// What a write asks for beyond what the store does by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Safety {
    /// At least this durable on the node that answers.
    pub durability: Option<Durability>,
    /// By so many peers.
    pub acks: u16,
}

/// What must hold for a write to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// There is no value.
    Absent,
    /// The value has this version.
    Version(String),
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A value.
    Found {
        /// Its version.
        version: String,
        /// Its stamp.
        stamp: Stamp,
    },
    /// No value.
    Nothing,
    /// Written, or deleted.
    Written {
        /// The version.
        version: String,
        /// What it survives on the node that answered; `None`: the answer did not say.
        durability: Option<Durability>,
        /// Peers that had it by then.
        acks: u16,
    },
    /// Certainly not done.
    Refused(String),
    /// Nobody knows.
    Unknown(String),
}

/// A node's process ended, at some moment between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Which node.
    pub node: u16,
    /// Not before this.
    pub from: Micros,
    /// Not after this.
    pub to: Micros,
    /// Its disk is gone, too.
    pub disk: bool,
}

/// All that a node served of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The node.
    pub node: u16,
    /// The store.
    pub store: String,
    /// When.
    pub at: Micros,
    /// Every live key, with its version and the stamp of its value.
    pub records: BTreeMap<String, (String, Stamp)>,
    /// How many live keys the node says it has.
    pub key_count: u64,
    /// How many keys its list named.
    pub listed: u64,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Store(String, StoreClass),
    Op(Op),
    Loss(Loss),
    Look(Look),
}

impl History {
    /// Writes it to a file.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), RunError> {
        let cannot = || RunError::io("write", path);
        let mut file = BufWriter::new(File::create(path).map_err(cannot())?);
        let stores =
            self.stores.iter().map(|(name, class)| Line::Store(name.clone(), class.clone()));
        let ops = self.ops.iter().cloned().map(Line::Op);
        let losses = self.losses.iter().copied().map(Line::Loss);
        let looks = self.looks.iter().cloned().map(Line::Look);
        for line in stores.chain(losses).chain(ops).chain(looks) {
            let written = serde_json::to_writer(&mut file, &line).map_err(std::io::Error::from);
            written.and_then(|()| file.write_all(b"\n")).map_err(cannot())?;
        }
        file.flush().map_err(cannot())
    }

    /// Reads it from a file.
    ///
    /// # Errors
    /// [`RunError::Io`], also for a line that is none of a history.
    pub fn read(path: &Path) -> Result<Self, RunError> {
        let cannot = || RunError::io("read", path);
        let mut history = Self::default();
        for line in BufReader::new(File::open(path).map_err(cannot())?).lines() {
            let line = line.map_err(cannot())?;
            match serde_json::from_str(&line).map_err(|error| cannot()(error.into()))? {
                Line::Store(name, class) => drop(history.stores.insert(name, class)),
                Line::Op(op) => history.ops.push(op),
                Line::Loss(loss) => history.losses.push(loss),
                Line::Look(look) => history.looks.push(look),
            }
        }
        Ok(history)
    }
}

impl Op {
    /// Whether it would change the key.
    #[must_use]
    pub fn writes(&self) -> bool {
        !matches!(self.asked, Asked::Get)
    }

    /// The stamp of what it wrote, or tried to.
    #[must_use]
    pub fn stamp(&self) -> Option<&Stamp> {
        match &self.asked {
            Asked::Put { stamp, .. } => Some(stamp),
            Asked::Get | Asked::Delete { .. } => None,
        }
    }

    /// The version of which it told: the one it found, or the one it wrote.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Found { version, .. } | Outcome::Written { version, .. } => Some(version),
            Outcome::Nothing | Outcome::Refused(_) | Outcome::Unknown(_) => None,
        }
    }

    /// Its condition.
    #[must_use]
    pub fn condition(&self) -> Option<&Condition> {
        match &self.asked {
            Asked::Put { condition, .. } | Asked::Delete { condition, .. } => condition.as_ref(),
            Asked::Get => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_survives_the_disk() {
        let stamp = Stamp::new(3, 7);
        let op = |asked, outcome| Op {
            client: 3,
            node: 1,
            store: "main".to_owned(),
            key: "k".to_owned(),
            asked,
            invoked: 5,
            returned: 9,
            outcome,
        };
        let condition = Some(Condition::Version("1-2".to_owned()));
        let safety = Safety { durability: Some(Durability::Fsync), acks: 1 };
        let put = Asked::Put { stamp: stamp.clone(), ttl_ms: Some(5), condition, safety };
        let version = "2-2".to_owned();
        let written = Outcome::Written { version, durability: Some(Durability::Os), acks: 1 };
        let found = Outcome::Found { version: "2-2".to_owned(), stamp: stamp.clone() };
        let history = History {
            stores: [("main".to_owned(), StoreClass::default())].into(),
            ops: vec![op(put, written), op(Asked::Get, found), op(Asked::Get, Outcome::Nothing)],
            losses: vec![Loss { node: 2, from: 1, to: 2, disk: true }],
            looks: vec![Look {
                node: 1,
                store: "main".to_owned(),
                at: 10,
                records: [("k".to_owned(), ("2-2".to_owned(), stamp))].into(),
                key_count: 1,
                listed: 1,
            }],
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl");
        history.write(&path).unwrap();
        assert_eq!(History::read(&path).unwrap(), history);
        std::fs::write(&path, "{\"op\":1}\n").unwrap();
        assert!(History::read(&path).is_err());
    }
}
