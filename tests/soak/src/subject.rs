//! The node that is done something to, and the ledger of what it was given.

use std::time::Duration;

use gridkv_cluster::{Client, Cluster, Node, Stopwatch};
use serde_json::{Value, json};

use crate::course::Course;
use crate::durability::Durability;
use crate::ledger::{Ledger, Note, Outcome};
use crate::load::Loaded;
use crate::run_error::RunError;
use crate::served::Served;
use crate::target::STORE;
use crate::value::{Print, text};

/// Operations of a batch, as many as a node takes.
const BATCH: u64 = 1_000;
/// Bytes of a value that is there from the start.
const PRELOADED_BYTES: usize = 80;

/// A single node of a target.
#[derive(Debug)]
pub(crate) struct Subject {
    cluster: Cluster,
    pub(crate) ledger: Ledger,
}

impl Subject {
    /// A node below the directory of the course, not started.
    ///
    /// # Errors
    /// [`RunError::Cluster`] when it can not be made.
    pub(crate) fn new(course: &Course<'_>) -> Result<Self, RunError> {
        let cluster = course.setup.cluster(course.target, course.directory).nodes(1).build()?;
        Ok(Self { cluster, ledger: Ledger::default() })
    }

    pub(crate) fn node(&self) -> &Node {
        self.cluster.node(1)
    }

    pub(crate) fn client(&self) -> Client {
        self.node().client()
    }

    /// Starts it, and waits until it is ready; how long that took.
    ///
    /// # Errors
    /// [`RunError::Cluster`] when it is not ready in time.
    pub(crate) fn start(&self, within: Duration) -> Result<Duration, RunError> {
        let stopwatch = Stopwatch::start();
        self.node().start()?;
        self.node().wait_ready(within)?;
        Ok(stopwatch.elapsed())
    }

    /// Writes this many keys that no load touches.
    ///
    /// # Errors
    /// [`RunError::Answer`] when one is not taken.
    pub(crate) fn preload(&mut self, course: &Course<'_>, keys: u64) -> Result<(), RunError> {
        let mut dice = course.setup.dice(course.target, "preload", 0);
        let client = self.client();
        for first in (0..keys).step_by(usize::try_from(BATCH).unwrap_or(1)) {
            let last = keys.min(first + BATCH);
            let records: Vec<(String, String)> = (first..last)
                .map(|number| {
                    let key = format!("preloaded/{number:06}");
                    let value = text(&mut dice, &key, PRELOADED_BYTES);
                    (key, value)
                })
                .collect();
            self.ledger.extend(put_all(&client, &records)?);
        }
        Ok(())
    }

    /// Takes what writers know into the ledger and the summary.
    ///
    /// # Errors
    /// [`RunError::Findings`] when an acknowledgement promises too little; [`RunError::Broken`] when a write was
    /// refused for another reason than the given ones.
    pub(crate) fn take(
        &mut self,
        course: &mut Course<'_>,
        loaded: Loaded,
        may_refuse: &[&str],
    ) -> Result<(), RunError> {
        course.summary.acked.merge(&loaded.acked);
        self.ledger.extend(loaded.notes);
        for (code, count) in loaded.refused {
            if !may_refuse.contains(&code.as_str()) {
                return Err(RunError::Broken(format!("{count} writes were refused: {code}")));
            }
            course.summary.count(format!("refused with {code}"), count);
        }
        if loaded.findings.is_empty() { Ok(()) } else { Err(RunError::Findings(loaded.findings)) }
    }

    /// Looks at all that it serves after a fault that acknowledgements of this durability survive. What is served now
    /// must be served from now on.
    ///
    /// # Errors
    /// [`RunError::Findings`] when that is not what it must be.
    pub(crate) fn look(
        &mut self,
        course: &mut Course<'_>,
        survives: Durability,
    ) -> Result<(), RunError> {
        let served = Served::read(&self.client(), STORE, self.ledger.keys())?;
        let judgement = self.ledger.judge(&served, survives);
        course.summary.lost.merge(&judgement.lost);
        course.summary.keys = served.len();
        if judgement.findings.is_empty() {
            self.ledger.settle(&served);
            Ok(())
        } else {
            Err(RunError::Findings(judgement.findings))
        }
    }
}

/// Writes records by a batch; all must be taken.
///
/// # Errors
/// [`RunError::Answer`] when one is not.
fn put_all(client: &Client, records: &[(String, String)]) -> Result<Vec<Note>, RunError> {
    let ops: Vec<Value> = records
        .iter()
        .map(|(key, value)| json!({"op": "put", "key": key, "value": value}))
        .collect();
    let reply = client.batch(STORE, &json!({ "ops": ops }))?;
    let bad = || RunError::answer("a batch of puts", &reply);
    let durability = reply.header("gridkv-durability").and_then(|word| word.parse().ok());
    let durability = durability.ok_or_else(bad)?;
    let answer = reply.json()?;
    let results = answer.get("results").and_then(Value::as_array).ok_or_else(bad)?;
    let versions = results.iter().filter_map(|result| result.get("version")?.as_str());
    let notes: Vec<Note> = records
        .iter()
        .zip(versions)
        .map(|((key, value), version)| Note {
            key: key.clone(),
            wrote: Some(Print::of(value.as_bytes())),
            outcome: Outcome::Acked { version: version.to_owned(), durability },
        })
        .collect();
    if notes.len() == records.len() { Ok(notes) } else { Err(bad()) }
}
