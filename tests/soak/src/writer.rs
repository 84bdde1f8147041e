//! One writer: puts, overwrites, deletions and batches over its own keys, some asking for more durability than the store
//! gives by itself. It notes what it wrote and what the node answered, and ends when there is no answer.

use std::iter;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use gridkv_cluster::{Client, ClientError, Reply};
use serde_json::{Value, json};

use crate::dice::dice;
use crate::durability::Durability;
use crate::finding::{Finding, Kind};
use crate::ledger::{Note, Outcome};
use crate::load::{Load, Loaded, Signals};
use crate::target::STORE;
use crate::value::{Print, text};

/// After so many refusals in a row a writer is convinced.
const CONVINCED: u32 = 20;
/// Writes of a batch, at most.
const BATCH: usize = 12;
/// Values are smaller, unless they are large ones.
const SMALL: usize = 300;
/// A node whose disk is gone may not answer at all; its writers must end all the same.
const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Writer<'a> {
    load: &'a Load,
    client: Client,
    number: u64,
    dice: Rng,
    known: Loaded,
    refused_in_a_row: u32,
}

/// One write: a value, or a deletion.
struct Write {
    key: String,
    value: Option<String>,
}

/// What travels together.
struct Request {
    writes: Vec<Write>,
    is_batch: bool,
    asks: Option<Durability>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(load: &'a Load, base_url: &str, number: u64) -> Self {
        Self {
            load,
            client: Client::with_timeout(base_url, TIMEOUT),
            number,
            dice: dice(load.seed, "writer", load.cycle * load.writers + number),
            known: Loaded::default(),
            refused_in_a_row: 0,
        }
    }

    pub(crate) fn run(mut self, signals: &Signals) -> Loaded {
        for serial in 0..self.load.requests {
            if signals.stop.load(Ordering::Relaxed) || self.refused_in_a_row >= CONVINCED {
                break;
            }
            let request = self.next(serial);
            let Ok(reply) = self.send(&request) else {
                self.unanswered(request.writes);
                break;
            };
            if !signals.answers.load(Ordering::SeqCst) {
                self.unanswered(request.writes);
            } else if (200..300).contains(&reply.status) {
                self.refused_in_a_row = 0;
                self.taken(request, &reply);
            } else {
                self.refused_in_a_row += 1;
                self.refused(request.writes, &reply);
            }
        }
        self.known
    }

    fn next(&mut self, serial: u64) -> Request {
        // A store that promises nothing is not asked for anything.
        let may_ask = self.load.promise > Durability::Memory;
        let asks = (self.dice.u8(0..8) == 0 && may_ask).then_some(Durability::Fsync);
        let is_batch = self.dice.u8(0..6) == 0;
        let count = if is_batch { self.dice.usize(2..=BATCH) } else { 1 };
        let mut writes: Vec<Write> = Vec::new();
        for _ in 0..count {
            let write = self.write(serial);
            if writes.iter().all(|other| other.key != write.key) {
                writes.push(write);
            }
        }
        Request { writes, is_batch, asks }
    }

    fn write(&mut self, serial: u64) -> Write {
        let Load { keys, large, large_of_ten, deletes_of_ten, cycle, .. } = *self.load;
        let key = format!("w{}/{:05}", self.number, self.dice.u64(0..keys));
        let is_delete = self.dice.u8(0..10) < deletes_of_ten;
        let is_large = self.dice.u8(0..10) < large_of_ten;
        let bytes = self.dice.usize(if is_large { SMALL..large } else { 0..SMALL });
        let value =
            (!is_delete).then(|| text(&mut self.dice, &format!("{key} {cycle}.{serial}"), bytes));
        Write { key, value }
    }

    fn send(&self, request: &Request) -> Result<Reply, ClientError> {
        let sent = match request.writes.as_slice() {
            [Write { key, value }] if !request.is_batch => match value {
                Some(value) => self.client.at_key("PUT", STORE, key).body(value.as_bytes()),
                None => self.client.at_key("DELETE", STORE, key),
            },
            writes => {
                let ops: Vec<Value> = writes.iter().map(Write::as_op).collect();
                self.client
                    .request("POST", &format!("/v1/stores/{STORE}/batch"))
                    .header("Content-Type", "application/json")
                    .body(json!({ "ops": ops }).to_string().as_bytes())
            }
        };
        match request.asks {
            Some(asks) => sent.query("durability", &asks.to_string()).send(),
            None => sent.send(),
        }
    }

    fn unanswered(&mut self, writes: Vec<Write>) {
        let unknown = |write| note(write, Outcome::Unknown);
        self.known.notes.extend(writes.into_iter().map(unknown));
    }

    /// The answer is a success: of a single write its own, of a batch that of each operation.
    fn taken(&mut self, request: Request, reply: &Reply) {
        let durability = reply.header("gridkv-durability").and_then(|word| word.parse().ok());
        let promised = self.load.promise.max(request.asks.unwrap_or(Durability::Memory));
        if !request.is_batch {
            let version = reply.version().map(str::to_owned);
            for write in request.writes {
                self.acked(write, version.clone(), durability, promised);
            }
            return;
        }
        let answer = reply.json().unwrap_or_default();
        let results = answer.get("results").and_then(Value::as_array).into_iter().flatten();
        let results = results.map(Some).chain(iter::repeat(None));
        for (write, result) in request.writes.into_iter().zip(results) {
            let field = |name| result.and_then(|result| result.get(name));
            match field("status").and_then(Value::as_u64) {
                Some(200..300) => {
                    let version = field("version").and_then(Value::as_str).map(str::to_owned);
                    self.acked(write, version, durability, promised);
                }
                Some(_) => {
                    let code = field("code").and_then(Value::as_str).unwrap_or("no code");
                    *self.known.refused.entry(code.to_owned()).or_default() += 1;
                    if leaves_open(code) {
                        self.unanswered(vec![write]);
                    }
                }
                None => self.unanswered(vec![write]),
            }
        }
    }

    fn acked(
        &mut self,
        write: Write,
        version: Option<String>,
        durability: Option<Durability>,
        promised: Durability,
    ) {
        let said = durability.filter(|_| version.is_some());
        if said.is_none_or(|said| said < promised) {
            let kind = Kind::WeakAck { said, promised };
            self.known.findings.push(Finding { key: write.key.clone(), kind });
        }
        let (Some(version), Some(durability)) = (version, durability) else {
            return self.unanswered(vec![write]);
        };
        self.known.acked.add(durability);
        self.known.notes.push(note(write, Outcome::Acked { version, durability }));
    }

    fn refused(&mut self, writes: Vec<Write>, reply: &Reply) {
        let code = reply.code().unwrap_or_else(|| format!("status {}", reply.status));
        if leaves_open(&code) {
            self.unanswered(writes);
        }
        *self.known.refused.entry(code).or_default() += 1;
    }
}

/// Whether a problem of this code says that nobody knows what became of the write.
fn leaves_open(code: &str) -> bool {
    matches!(code, "store_failed" | "outcome_unknown" | "ack_timeout" | "internal" | "no code")
        || code.starts_with("status")
}

fn note(Write { key, value }: Write, outcome: Outcome) -> Note {
    Note { key, wrote: value.map(|value| Print::of(value.as_bytes())), outcome }
}

impl Write {
    fn as_op(&self) -> Value {
        match &self.value {
            Some(value) => json!({"op": "put", "key": self.key, "value": value}),
            None => json!({"op": "delete", "key": self.key}),
        }
    }
}
