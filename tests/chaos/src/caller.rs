//! One caller: reads, writes, deletions, conditions, deadlines and batches, over a few keys that all fight over and many
//! that are met now and then. It stays with a node as long as that answers, and notes everything.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use gridkv_cluster::Client;
use gridkv_soak::{Durability, dice};

use crate::answer;
use crate::history::{Asked, Condition, Op, Outcome, Safety, StoreClass};
use crate::load::{HOT_KEYS, LARGE, LONGEST_TTL, Load, WIDE_KEYS};
use crate::request::{self, Ask};
use crate::stamp::Stamp;

/// No answer is waited for longer: less than a node is stopped for, so that some outcomes stay unknown.
const TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long a caller leaves a node alone that refused or did not answer.
const REBUFFED: Duration = Duration::from_millis(40);
/// Operations of a batch, at most.
const BATCH: usize = 8;
/// Bytes of an ordinary value, at most.
const SMALL: usize = 200;
/// Of so many requests to one node, one is to another.
const WANDERS: u32 = 40;

#[derive(Debug)]
pub(crate) struct Caller<'a> {
    load: &'a Load,
    number: u16,
    clients: Vec<Client>,
    /// The node that is called, counted from 1.
    node: u16,
    dice: Rng,
    serial: u64,
    /// The version of a key of which this caller heard last, to make conditions of.
    heard: HashMap<(usize, String), String>,
    known: Vec<Op>,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(load: &'a Load, number: u16) -> Self {
        let client = |url: &String| Client::with_timeout(url, TIMEOUT);
        let mut dice = dice(load.seed, "caller", number.into());
        Self {
            load,
            number,
            clients: load.nodes.iter().map(client).collect(),
            node: dice.u16(1..=nodes(load)),
            dice,
            serial: 0,
            heard: HashMap::new(),
            known: Vec::new(),
        }
    }

    pub(crate) fn call(mut self) -> Vec<Op> {
        while !self.load.over.load(Ordering::Relaxed) {
            let store = self.dice.usize(0..self.load.stores.len().max(1));
            let Some((name, class)) = self.load.stores.get(store) else { break };
            let is_batch = self.dice.u8(0..12) == 0;
            let asks = self.asks(store, class, is_batch);
            let went_well = self.send(store, name, &asks, is_batch);
            if !went_well || self.dice.u32(0..WANDERS) == 0 {
                self.node = self.dice.u16(1..=nodes(self.load));
            }
            // The pace of a client; nothing is waited for.
            let rest = self.load.rest.mul_f64(self.dice.f64());
            thread::sleep(if went_well { rest } else { rest + REBUFFED });
        }
        self.known
    }

    fn asks(&mut self, store: usize, class: &StoreClass, is_batch: bool) -> Vec<Ask> {
        let safety = self.safety(class);
        let count = if is_batch { self.dice.usize(2..=BATCH) } else { 1 };
        let mut asks: Vec<Ask> = Vec::new();
        for _ in 0..count {
            let key = self.key();
            if asks.iter().all(|other| other.key != key) {
                let (asked, bytes) = self.ask(store, &key, safety);
                asks.push(Ask { key, asked, bytes });
            }
        }
        asks
    }

    /// What a request asks for beyond what the store does by itself; the same for all of a batch.
    fn safety(&mut self, class: &StoreClass) -> Safety {
        let durable = class.persistent && self.dice.u8(0..10) == 0;
        let acks = u16::from(self.load.acks && self.dice.u8(0..6) == 0);
        Safety { durability: durable.then_some(Durability::Fsync), acks }
    }

    fn key(&mut self) -> String {
        if self.dice.bool() {
            format!("hot/{:02}", self.dice.u64(0..HOT_KEYS))
        } else {
            format!("wide/{:04}", self.dice.u64(0..WIDE_KEYS))
        }
    }

    fn ask(&mut self, store: usize, key: &str, safety: Safety) -> (Asked, usize) {
        let last = self.heard.get(&(store, key.to_owned())).cloned().map(Condition::Version);
        let mut put = |ttl_ms, condition| {
            self.serial += 1;
            let stamp = Stamp::new(self.number, self.serial);
            Asked::Put { stamp, ttl_ms, condition, safety }
        };
        let longest = u64::try_from(LONGEST_TTL.as_millis()).unwrap_or(u64::MAX);
        let asked = match self.dice.u8(0..100) {
            0..35 => Asked::Get,
            35..70 => put(None, None),
            70..78 => put(None, last.or(Some(Condition::Absent))),
            78..80 => put(None, Some(Condition::Absent)),
            80..86 => put(Some(self.dice.u64(500..=longest)), None),
            86..97 => Asked::Delete { condition: None, safety },
            _ => Asked::Delete { condition: last, safety },
        };
        let large = self.dice.u8(0..40) == 0;
        (asked, self.dice.usize(if large { SMALL..LARGE } else { 0..SMALL }))
    }

    /// Sends it, and notes what comes back; whether the node answered and did it, or had a good reason.
    fn send(&mut self, store: usize, name: &str, asks: &[Ask], is_batch: bool) -> bool {
        let Some(client) = self.clients.get(usize::from(self.node) - 1) else { return false };
        let invoked = self.load.now();
        let reply = request::send(client, name, asks, is_batch);
        let returned = self.load.now();
        let outcomes = answer::outcomes(asks, is_batch, &reply);
        self.load.done.fetch_add(u64::try_from(asks.len()).unwrap_or_default(), Ordering::Relaxed);
        let mut went_well = true;
        for (ask, outcome) in asks.iter().zip(outcomes) {
            match &outcome {
                Outcome::Found { version, .. } | Outcome::Written { version, .. } => {
                    self.heard.insert((store, ask.key.clone()), version.clone());
                }
                Outcome::Refused(code) if code == "precondition_failed" => {
                    self.heard.remove(&(store, ask.key.clone()));
                }
                Outcome::Nothing => {}
                Outcome::Refused(_) | Outcome::Unknown(_) => went_well = false,
            }
            self.known.push(Op {
                client: self.number,
                node: self.node,
                store: name.to_owned(),
                key: ask.key.clone(),
                asked: ask.asked.clone(),
                invoked,
                returned,
                outcome,
            });
        }
        went_well
    }
}

fn nodes(load: &Load) -> u16 {
    u16::try_from(load.nodes.len()).unwrap_or(u16::MAX).max(1)
}
