//! One client of a benchmark: a connection, and one request after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value as Json, json};

use super::outcome::Outcome;
use super::{Keys, Kind};
use crate::client::{Answer, Call, Client, ClientError, Payload, Query, encoded, key_path};
use crate::command::record::in_base64;
use crate::command::write_terms::WriteTerms;
use gridkv_http::stopwatch::Stopwatch;

/// Of so many operations of a mixed test, one is a write.
const MIX: u64 = 10;

/// What all clients of a test do together.
pub(super) struct Job {
    pub(super) kind: Kind,
    pub(super) keys: Arc<Keys>,
    pub(super) store: String,
    pub(super) terms: WriteTerms,
    pub(super) size: usize,
    pub(super) batch: u64,
    /// Operations that nobody has taken on yet.
    pub(super) left: AtomicU64,
    /// Operations that are done.
    pub(super) done: AtomicU64,
    /// It shall end before they are.
    pub(super) is_over: Arc<AtomicBool>,
}

impl Job {
    /// Takes on the next operations: how many.
    fn take(&self) -> u64 {
        let take = |left: u64| Some(left.saturating_sub(self.batch));
        let before = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        before.unwrap_or_default().min(self.batch)
    }
}

/// One client.
pub(super) struct Worker {
    client: Client,
    job: Arc<Job>,
    outcome: Outcome,
    random: fastrand::Rng,
    value: Vec<u8>,
}

impl Worker {
    pub(super) fn new(client: Client, job: Arc<Job>) -> anyhow::Result<Self> {
        let mut random = fastrand::Rng::new();
        let value = std::iter::repeat_with(|| random.alphanumeric() as u8).take(job.size).collect();
        let outcome = Outcome::new(job.kind)?;
        Ok(Self { client, job, outcome, random, value })
    }

    /// Connects, so that no request that is measured has to; who can not be reached will not be then either.
    pub(super) fn connect(&self) {
        drop(self.client.call(Call::get("/livez")).and_then(Answer::bytes));
    }

    /// Works until there is nothing left.
    pub(super) fn run(mut self) -> Outcome {
        let job = Arc::clone(&self.job);
        while !job.is_over.load(Ordering::Relaxed) {
            let count = job.take();
            if count == 0 {
                break;
            }
            let is_reached = if job.batch == 1 { self.single() } else { self.batch(count) };
            job.done.fetch_add(count, Ordering::Relaxed);
            if !is_reached {
                // Who can not be reached will not be for the next request either.
                break;
            }
        }
        self.outcome
    }

    fn is_write(&mut self) -> bool {
        match self.job.kind {
            Kind::Put | Kind::Del => true,
            Kind::Get => false,
            Kind::Mixed => self.random.u64(..MIX) == 0,
        }
    }

    /// One operation as a request of its own; whether there is somebody to ask again.
    fn single(&mut self) -> bool {
        let job = Arc::clone(&self.job);
        let path = key_path(&job.store, &job.keys.next(&mut self.random));
        let is_write = self.is_write();
        let call = match (is_write, job.kind) {
            (false, _) => Call::get(path),
            (true, Kind::Del) => {
                Call::delete(job.terms.on(Query::of(path))).patience(job.terms.patience())
            }
            (true, _) => Call::put(job.terms.on(Query::of(path)))
                .patience(job.terms.patience())
                .payload(Payload::Bytes(self.value.clone())),
        };
        let stopwatch = Stopwatch::start();
        let answered = self.client.call(call).and_then(|answer| answer.bytes().map(drop));
        let took = stopwatch.elapsed();
        match answered {
            Ok(()) => self.outcome.request(took, 1),
            // It was answered, and as it should be: the key is not there.
            Err(ClientError::Refused(problem)) if problem.code == "key_not_found" => {
                self.outcome.request(took, 1);
            }
            Err(error) => {
                self.outcome.failed(1, || error.to_string());
                return matches!(error, ClientError::Refused(_));
            }
        }
        true
    }

    /// Several in one request.
    fn batch(&mut self, count: u64) -> bool {
        let job = Arc::clone(&self.job);
        let value = in_base64(&self.value);
        let ops: Vec<Json> = (0..count)
            .map(|_| {
                let (key, is_write) = (job.keys.next(&mut self.random), self.is_write());
                match (is_write, job.kind) {
                    (false, _) => json!({"op": "get", "key": key}),
                    (true, Kind::Del) => json!({"op": "delete", "key": key}),
                    (true, _) => {
                        json!({"op": "put", "key": key, "encoding": "base64", "value": value})
                    }
                }
            })
            .collect();
        let path = format!("/v1/stores/{}/batch", encoded(&job.store));
        let call = if job.kind == Kind::Get {
            Call::post(path)
        } else {
            Call::post(job.terms.on(Query::of(path)))
        };
        let call = call.json(&json!({ "ops": ops })).patience(job.terms.patience());
        let stopwatch = Stopwatch::start();
        let answered = self.client.call(call).and_then(Answer::json);
        let took = stopwatch.elapsed();
        match answered {
            Ok(reply) => {
                let results = reply.get("results").and_then(Json::as_array);
                let is_bad = |result: &&Json| {
                    let status = result.get("status").and_then(Json::as_u64).unwrap_or(500);
                    status >= 400 && status != 404
                };
                let bad: Vec<&Json> = results.into_iter().flatten().filter(is_bad).collect();
                let failed = u64::try_from(bad.len()).unwrap_or(u64::MAX);
                self.outcome.request(took, count.saturating_sub(failed));
                if let Some(first) = bad.first() {
                    self.outcome.failed(failed, || first.to_string());
                }
                true
            }
            Err(error) => {
                self.outcome.failed(count, || error.to_string());
                matches!(error, ClientError::Refused(_))
            }
        }
    }
}
