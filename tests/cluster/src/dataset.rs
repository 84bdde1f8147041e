//! Records that are loaded through one node and then read back from any, byte by byte.
//!
//! Real data instead of counters: names with letters outside ASCII, values of all lengths, keys with slashes. Loading
//! goes through batches as an importer would; comparing reads each record by itself as an application would, so that
//! the two roads check each other.

use crate::client::{Client, ClientError};
use crate::deadline::{Deadline, POLL_INTERVAL, Stopwatch, WaitError};
use crate::record::Record;
use crate::reply::Reply;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// Records per batch: half of what a node takes ...
const BATCH_RECORDS: usize = 500;
/// ... and no more bytes of values than this, so that the JSON stays well below a node's 16 MiB.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Differences that are told; the rest are counted.
const SHOWN_DIFFERENCES: usize = 5;

/// ISO 3166-1, as kept beside this package; see `data/README.md`.
const COUNTRIES: &str = include_str!("../data/countries.json");

/// Records with distinct keys, in the order in which they are loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    records: Vec<Record>,
}

/// What [`Dataset::load_through`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Records written.
    pub records: usize,
    /// Bytes of their values.
    pub bytes: usize,
    /// How long it took.
    pub took: Duration,
}

/// What [`Dataset::compare`] found equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Records read, all equal.
    pub records: usize,
    /// Bytes of their values, all equal.
    pub bytes: usize,
    /// How long it took.
    pub took: Duration,
}

/// The records are not all where they should be.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The text is not a list of countries. Nothing was sent.
    #[error("the list of countries cannot be read")]
    Countries(#[source] serde_json::Error),
    /// No answer came. Records of earlier batches are written, those of this one perhaps.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A batch or a record of it was refused. Records of earlier batches are written.
    #[error("{url} refused {what}: {answer}")]
    Refused {
        /// The node.
        url: String,
        /// What it refused.
        what: String,
        /// What it said.
        answer: String,
    },
    /// The node kept saying that it is overloaded. Records of earlier batches are written.
    #[error("the node takes no more")]
    Overloaded(#[source] WaitError),
    /// The node does not have what was loaded.
    #[error("{count} of {total} records differ in store {store} of {url}:\n{}", shown.join("\n"))]
    Different {
        /// The node.
        url: String,
        /// The store.
        store: String,
        /// How many records differ.
        count: usize,
        /// How many were compared.
        total: usize,
        /// The first differences.
        shown: Vec<String>,
    },
}

/// One line of the list of countries.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Country {
    alpha_2: String,
    alpha_3: String,
    name: String,
    numeric: String,
}

impl Dataset {
    /// The countries of ISO 3166-1: `country/FR` -> compact JSON.
    ///
    /// # Errors
    /// [`DatasetError::Countries`] when the list in the source tree was damaged.
    pub fn countries() -> Result<Self, DatasetError> {
        let countries: Vec<Country> =
            serde_json::from_str(COUNTRIES).map_err(DatasetError::Countries)?;
        let records = countries.iter().map(|country| {
            Ok::<_, DatasetError>(Record {
                key: format!("country/{}", country.alpha_2),
                value: serde_json::to_vec(country).map_err(DatasetError::Countries)?,
                content_type: "application/json".to_owned(),
            })
        });
        Ok(Self { records: records.collect::<Result<_, _>>()? })
    }

    /// A set of these records, whose keys must be distinct.
    #[must_use]
    pub fn new(records: Vec<Record>) -> Self {
        Self { records }
    }

    /// Its records.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// How many records it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Writes all records through this node, in batches; whatever a busy node puts off is sent again.
    ///
    /// # Errors
    /// [`DatasetError`] at the first batch that cannot be written before the deadline; earlier ones stay.
    pub fn load_through(
        &self,
        client: &Client,
        store: &str,
        deadline: impl Into<Deadline>,
    ) -> Result<Loaded, DatasetError> {
        let deadline = deadline.into();
        let watch = Stopwatch::start();
        for batch in self.batches() {
            load_batch(client, store, batch, deadline)?;
        }
        let (records, bytes) = (self.len(), self.bytes());
        Ok(Loaded { records, bytes, took: watch.elapsed() })
    }

    /// Reads every record from this node and compares each byte of it, and its content type.
    ///
    /// # Errors
    /// [`DatasetError::Different`] with the first differences, or [`DatasetError::Client`].
    pub fn compare(&self, client: &Client, store: &str) -> Result<Compared, DatasetError> {
        let watch = Stopwatch::start();
        let (mut count, mut shown) = (0, Vec::new());
        for record in &self.records {
            let reply = client.get(store, &record.key)?;
            if let Some(difference) = record.difference(&reply) {
                count += 1;
                if shown.len() < SHOWN_DIFFERENCES {
                    shown.push(difference);
                }
            }
        }
        if count > 0 {
            let (url, store) = (client.base_url().to_owned(), store.to_owned());
            return Err(DatasetError::Different { url, store, count, total: self.len(), shown });
        }
        Ok(Compared { records: self.len(), bytes: self.bytes(), took: watch.elapsed() })
    }

    fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.value.len()).sum()
    }

    /// Consecutive records, cut where either limit of a batch would be passed.
    fn batches(&self) -> impl Iterator<Item = &[Record]> {
        let mut rest = self.records.as_slice();
        std::iter::from_fn(move || {
            let mut bytes = 0;
            let fits = rest.iter().take(BATCH_RECORDS).take_while(|record| {
                bytes += record.value.len();
                bytes <= BATCH_BYTES
            });
            // A record over the limit still goes, alone.
            let count = fits.count().max(1);
            let (batch, after) = rest.split_at_checked(count)?;
            rest = after;
            Some(batch)
        })
    }
}

/// Writes one batch, again and again while the node is too busy: a put that is repeated writes the same bytes.
fn load_batch(
    client: &Client,
    store: &str,
    batch: &[Record],
    deadline: Deadline,
) -> Result<(), DatasetError> {
    let ops: Vec<Value> = batch.iter().map(Record::as_put).collect();
    let body = json!({ "atomic": false, "ops": ops });
    loop {
        let reply = client.batch(store, &body)?;
        match verdict(&reply, batch) {
            Verdict::Written => return Ok(()),
            Verdict::Later if deadline.has_passed() => {
                let what = format!("{} to take a batch", client.base_url());
                return Err(DatasetError::Overloaded(deadline.missed(what)));
            }
            Verdict::Later => thread::sleep(POLL_INTERVAL),
            Verdict::Refused { what, answer } => {
                let url = client.base_url().to_owned();
                return Err(DatasetError::Refused { url, what, answer });
            }
        }
    }
}

enum Verdict {
    Written,
    Later,
    Refused { what: String, answer: String },
}

fn verdict(reply: &Reply, batch: &[Record]) -> Verdict {
    let refused = |what: &str, answer: String| Verdict::Refused { what: what.to_owned(), answer };
    if reply.status == 503 && reply.code().as_deref() == Some("overloaded") {
        return Verdict::Later;
    }
    let json = reply.json().unwrap_or_default();
    let results = json.get("results").and_then(Value::as_array).map(Vec::as_slice);
    let Some(results) = results.filter(|all| reply.status == 200 && all.len() == batch.len())
    else {
        return refused("a batch", format!("{} {}", reply.status, reply.quoted()));
    };
    let status = |result: &Value| result.get("status").and_then(Value::as_u64);
    let mut failed = results
        .iter()
        .zip(batch)
        .filter(|(result, _)| !matches!(status(result), Some(200 | 201 | 204)));
    match failed.next() {
        None => Verdict::Written,
        Some((result, _)) if status(result) == Some(503) => Verdict::Later,
        Some((result, record)) => refused(&record.key, result.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use ureq::http::HeaderMap;

    fn record(key: &str, value: &[u8]) -> Record {
        Record { key: key.to_owned(), value: value.to_vec(), content_type: "a/b".to_owned() }
    }

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn the_list_of_countries_is_complete_and_sound() {
        let countries = Dataset::countries().unwrap();
        let keys: HashSet<_> = countries.records().iter().map(|record| &record.key).collect();
        assert!(keys.len() >= 249);
        assert_eq!(keys.len(), countries.len());
        let (mut alpha_3, mut numeric) = (HashSet::new(), HashSet::new());
        for record in countries.records() {
            let country: Country = serde_json::from_slice(&record.value).unwrap();
            assert_eq!(record.key, format!("country/{}", country.alpha_2));
            let letters = |code: &str| code.bytes().all(|byte| byte.is_ascii_uppercase());
            assert!(country.alpha_2.len() == 2 && letters(&country.alpha_2));
            assert!(country.alpha_3.len() == 3 && letters(&country.alpha_3));
            assert!(country.numeric.len() == 3 && country.numeric.parse::<u16>().is_ok());
            assert!(!country.name.is_empty());
            assert!(alpha_3.insert(country.alpha_3) && numeric.insert(country.numeric));
        }
    }

    #[test]
    fn names_outside_ascii_are_kept_as_they_are() {
        let countries = Dataset::countries().unwrap();
        let value = |key: &str| {
            let found = countries.records().iter().find(|record| record.key == key).unwrap();
            String::from_utf8(found.value.clone()).unwrap()
        };
        assert_eq!(
            value("country/CW"),
            r#"{"alpha_2":"CW","alpha_3":"CUW","name":"Curaçao","numeric":"531"}"#
        );
        assert!(value("country/AX").contains("Åland"));
        assert!(value("country/TR").contains("Türkiye"));
    }

    #[test]
    fn batches_keep_both_limits_and_all_records() {
        let large = vec![b'x'; BATCH_BYTES / 2 + 1];
        let mut records: Vec<_> = (0..1_200).map(|i| record(&i.to_string(), b"v")).collect();
        records.extend([record("l1", &large), record("l2", &large)]);
        records.push(record("over", &vec![b'y'; BATCH_BYTES + 1]));
        let dataset = Dataset::new(records);
        let sizes: Vec<_> = dataset.batches().map(<[Record]>::len).collect();
        assert_eq!(sizes, [500, 500, 201, 1, 1]);
        assert_eq!(Dataset::default().batches().count(), 0);
    }

    #[test]
    fn a_batch_is_written_put_off_or_refused() {
        let batch = [record("a", b""), record("b", b"")];
        let of = |status, body| verdict(&reply(status, body), &batch);
        let both = r#"{"errors":0,"results":[{"status":201},{"status":204}]}"#;
        assert!(matches!(of(200, both), Verdict::Written));
        let busy = r#"{"errors":1,"results":[{"status":201},{"status":503}]}"#;
        assert!(matches!(of(200, busy), Verdict::Later));
        assert!(matches!(of(503, r#"{"code":"overloaded"}"#), Verdict::Later));
        assert!(matches!(of(503, r#"{"code":"not_ready"}"#), Verdict::Refused { .. }));
        let bad = r#"{"errors":1,"results":[{"status":201},{"status":400}]}"#;
        assert!(matches!(of(200, bad), Verdict::Refused { what, .. } if what == "b"));
        let short = r#"{"errors":0,"results":[{"status":201}]}"#;
        assert!(matches!(of(200, short), Verdict::Refused { .. }));
    }
}
