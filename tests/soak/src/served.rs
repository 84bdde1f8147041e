//! What a node serves: every key, its version and its value, read in every way that there is and compared.

use std::collections::{BTreeMap, BTreeSet};

use gridkv_cluster::Client;
use serde_json::{Value, json};

use crate::finding::{Finding, Kind};
use crate::run_error::RunError;
use crate::value::Print;

/// Keys of a page and operations of a batch, as many as a node takes.
const PAGE: usize = 1_000;
/// Keys that are read one by one as well, at most.
const SINGLE_READS: usize = 25;

/// One live record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its version.
    pub(crate) version: String,
    /// Its value.
    pub(crate) print: Print,
}

/// All live records of a store on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    records: BTreeMap<String, Seen>,
    disagreements: Vec<Finding>,
}

impl Served {
    /// These records.
    #[cfg(test)]
    pub(crate) fn of<'a>(records: impl IntoIterator<Item = (&'a str, Seen)>) -> Self {
        let records = records.into_iter().map(|(key, seen)| (key.to_owned(), seen));
        Self { records: records.collect(), disagreements: Vec::new() }
    }

    /// Reads all that is listed, and all that is known to have been written.
    ///
    /// # Errors
    /// [`RunError::Answer`] when something can not be read, [`RunError::Client`] when no answer came.
    pub(crate) fn read<'a>(
        client: &Client,
        store: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Result<Self, RunError> {
        let listed = list(client, store)?;
        let mut keys: BTreeSet<&str> = listed.keys().map(String::as_str).collect();
        for key in known {
            keys.insert(key);
        }
        let keys: Vec<&str> = keys.into_iter().collect();
        let mut records = BTreeMap::new();
        for page in keys.chunks(PAGE) {
            get(client, store, page, &mut records)?;
        }
        let mut disagreements = Vec::new();
        let mut disagree = |key: String| {
            disagreements.push(Finding { key, kind: Kind::Disagreement });
        };
        for key in &keys {
            let read = records.get(*key).map(|seen: &Seen| &seen.version);
            if read != listed.get(*key) {
                disagree((*key).to_owned());
            }
        }
        let stride = keys.len() / SINGLE_READS + 1;
        for key in keys.iter().step_by(stride) {
            if get_one(client, store, key)?.as_ref() != records.get(*key) {
                disagree((*key).to_owned());
            }
        }
        let count = client.key_count(store)?;
        if count != u64::try_from(listed.len()).ok() {
            disagree(format!("key_count {count:?}, {} listed", listed.len()));
        }
        Ok(Self { records, disagreements })
    }

    /// The record under a key.
    #[must_use]
    pub(crate) fn get(&self, key: &str) -> Option<&Seen> {
        self.records.get(key)
    }

    /// All keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// All records.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&str, &Seen)> {
        self.records.iter().map(|(key, seen)| (key.as_str(), seen))
    }

    /// Where the ways to read did not say the same.
    #[must_use]
    pub(crate) fn disagreements(&self) -> &[Finding] {
        &self.disagreements
    }

    /// How many records.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }
}

/// Every listed key with its version.
fn list(client: &Client, store: &str) -> Result<BTreeMap<String, String>, RunError> {
    let mut listed = BTreeMap::new();
    let mut cursor: Option<String> = None;
    loop {
        let reply = client.list_page(store, "", PAGE, cursor.as_deref())?;
        if reply.status != 200 {
            return Err(RunError::answer("a list", &reply));
        }
        let page = reply.json()?;
        for row in page.get("keys").and_then(Value::as_array).into_iter().flatten() {
            let text = |field| row.get(field).and_then(Value::as_str).unwrap_or_default();
            listed.insert(text("key").to_owned(), text("version").to_owned());
        }
        cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(listed);
        }
    }
}

/// Reads these keys in one batch.
fn get(
    client: &Client,
    store: &str,
    keys: &[&str],
    records: &mut BTreeMap<String, Seen>,
) -> Result<(), RunError> {
    let ops: Vec<Value> = keys.iter().map(|key| json!({"op": "get", "key": key})).collect();
    let reply = client.batch(store, &json!({ "ops": ops }))?;
    if reply.status != 200 {
        return Err(RunError::answer("a batch of reads", &reply));
    }
    let answer = reply.json()?;
    let results = answer.get("results").and_then(Value::as_array);
    let results = results.filter(|results| results.len() == keys.len());
    for (key, result) in keys.iter().zip(results.ok_or_else(|| RunError::answer("reads", &reply))?)
    {
        let text = |field| result.get(field).and_then(Value::as_str);
        match (result.get("status").and_then(Value::as_u64), text("version"), text("value")) {
            (Some(200), Some(version), Some(value)) => {
                let print = Print::of(value.as_bytes());
                records.insert((*key).to_owned(), Seen { version: version.to_owned(), print });
            }
            (Some(404), ..) => {}
            (status, ..) => {
                let status = status.and_then(|status| u16::try_from(status).ok());
                let (what, body) = (format!("a read of {key}"), result.to_string());
                return Err(RunError::Answer { what, status: status.unwrap_or(500), body });
            }
        }
    }
    Ok(())
}

/// Reads one key by itself.
///
/// # Errors
/// As for [`Served::read`].
pub(crate) fn get_one(client: &Client, store: &str, key: &str) -> Result<Option<Seen>, RunError> {
    let reply = client.get(store, key)?;
    match (reply.status, reply.version()) {
        (200, Some(version)) => {
            Ok(Some(Seen { version: version.to_owned(), print: Print::of(&reply.body) }))
        }
        (404, _) => Ok(None),
        _ => Err(RunError::answer(&format!("GET {key}"), &reply)),
    }
}
