//! A world: machines, the network between them, and everything that happens, in one order that the seed
//! alone decides.
//!
//! Nothing here reads a clock, starts a thread or asks for the order of a hash table. First comes a phase
//! of load and faults, with oracles that look after every event; then everything is healed, and all nodes
//! have a bounded time to converge.

mod acting;
mod clients;
mod copies;
mod healing;
mod living;
mod machine;
mod nemesis;
mod watching;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use gridkv_protocol::message::Message;
use gridkv_protocol::{Epoch, Hlc, NodeId, Origin};

use self::machine::Machine;
use crate::dice::Dice;
use crate::history::Histories;
use crate::network::{At, Flight, Frame, Network, Way, opened};
use crate::node::{ConnId, Process, StoreAt, Ticket};
use crate::oracle::digest::Roots;
use crate::oracle::{Memory, Violation};
use crate::scenario::Scenario;
use crate::trace::Trace;

/// What a seed came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that happened.
    pub events: u64,
    /// Client operations.
    pub operations: u64,
    /// Milliseconds of the world.
    pub simulated_ms: u64,
}

/// Something that happens to the process that ran on a machine when it was arranged.
#[derive(Debug)]
enum Turn {
    Beat,
    Tick(StoreAt),
    Look,
    Persist,
    Flush(StoreAt),
    Drain(StoreAt),
    Dial(String),
    Frame { conn: ConnId, way: Way, frame: Frame },
}

impl Turn {
    /// What it is, in the trace; a frame is told when it was opened.
    fn shown(&self) -> Option<String> {
        Some(match self {
            Self::Beat => "beats".into(),
            Self::Tick(store) => format!("ticks store {store}"),
            Self::Look => "looks at deadlines".into(),
            Self::Persist => "persists".into(),
            Self::Flush(store) => format!("commits store {store}"),
            Self::Drain(store) => format!("drains the ring of store {store}"),
            Self::Dial(addr) => format!("dials {addr}"),
            Self::Frame { .. } => return None,
        })
    }
}

/// Something that happens.
#[derive(Debug)]
enum Event {
    Turn { at: At, run: u64, turn: Turn },
    Arrives { conn: ConnId, way: Way, frame: Frame },
    Start(At),
    Client,
    Fault,
    Undo(nemesis::Undo),
    Heal,
    Look,
}

#[derive(Debug)]
struct Due {
    at: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// One seed's world.
pub struct World {
    now: u64,
    dice: Dice,
    scenario: Scenario,
    machines: Vec<Machine>,
    network: Network,
    queue: BinaryHeap<Reverse<Due>>,
    arranged: u64,
    trace: Trace,
    memory: Memory,
    roots: Roots,
    histories: Histories,
    failure: Option<Violation>,
    healed_at: Option<u64>,
    over: bool,
    tickets: Ticket,
    /// The latest run that ever began of each identity.
    runs: BTreeMap<NodeId, Epoch>,
    /// The identity of which a disk was copied.
    copied: Option<NodeId>,
    /// Where closed runs ended, as far as somebody said.
    ends: BTreeMap<Origin, Hlc>,
    /// On which machine each run began.
    begun: BTreeMap<Origin, At>,
    /// Somebody holds what all others have closed without it.
    contested: bool,
    counts: Counts,
}

impl World {
    /// The world of a seed.
    #[must_use]
    pub fn new(seed: u64, trace: Trace) -> Self {
        let mut dice = Dice::new(seed);
        let scenario = Scenario::drawn(&mut dice);
        let mut network = Network::new();
        (network.latency, network.faults) = (scenario.latency, scenario.frames);
        network.encodes = scenario.encodes;
        let stores = 1 + usize::from(scenario.cache);
        let mut world = Self {
            now: 0,
            dice,
            machines: Vec::new(),
            network,
            queue: BinaryHeap::new(),
            arranged: 0,
            trace,
            memory: Memory::default(),
            roots: Roots::default(),
            histories: Histories::of(stores),
            failure: None,
            healed_at: None,
            over: false,
            tickets: 0,
            runs: BTreeMap::new(),
            copied: None,
            ends: BTreeMap::new(),
            begun: BTreeMap::new(),
            contested: false,
            counts: Counts::default(),
            scenario,
        };
        world.note(|world| format!("{:?}", world.scenario));
        world.settle_in();
        world
    }

    /// Everything that a seed brings.
    ///
    /// # Errors
    /// The first property that does not hold.
    pub fn run(&mut self) -> Result<Counts, Violation> {
        while !self.over && self.failure.is_none() {
            let Some(Reverse(due)) = self.queue.pop() else { break };
            self.now = due.at;
            self.counts.events += 1;
            self.happens(due.event);
        }
        self.counts.simulated_ms = self.now;
        match self.failure.take() {
            Some(violation) => {
                self.note(|_| format!("FAILS: {}: {}", violation.oracle, violation.says));
                Err(violation)
            }
            None => Ok(self.counts),
        }
    }

    /// What happened, line by line.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What it came to so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn note(&mut self, what: impl FnOnce(&Self) -> String) {
        let mut trace = std::mem::take(&mut self.trace);
        trace.note(self.now, || what(self));
        self.trace = trace;
    }

    fn fails(&mut self, oracle: &'static str, says: String) {
        self.failure.get_or_insert(Violation { oracle, says });
    }

    fn demand(&mut self, oracle: &'static str, verdict: Result<(), String>) {
        if let Err(says) = verdict {
            self.fails(oracle, says);
        }
    }

    fn arrange(&mut self, at: u64, event: Event) {
        self.arranged += 1;
        self.queue.push(Reverse(Due { at, number: self.arranged, event }));
    }

    fn arrange_turn(&mut self, at: At, after: u64, turn: Turn) {
        let Some(run) = self.machines.get(at).map(|machine| machine.run) else { return };
        self.arrange(self.now + after, Event::Turn { at, run, turn });
    }

    fn arrange_flights(&mut self, conn: ConnId, way: Way, flights: Vec<Flight>) {
        for Flight { at, frame } in flights {
            self.arrange(at, Event::Arrives { conn, way, frame });
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Turn { at, run, turn } => self.turn(at, run, turn),
            Event::Arrives { conn, way, frame } => {
                if let Some((at, run, frame)) = self.network.arrive(conn, way, frame) {
                    self.turn(at, run, Turn::Frame { conn, way, frame });
                }
            }
            Event::Start(at) => self.start(at),
            Event::Client => self.client(),
            Event::Fault => self.fault(),
            Event::Undo(undo) => self.undo(undo),
            Event::Heal => self.heal(),
            Event::Look => self.look_if_converged(),
        }
    }

    /// A turn of a process: later, if it is stopped; never, if it is gone.
    fn turn(&mut self, at: At, run: u64, turn: Turn) {
        let Some(machine) = self.machines.get_mut(at).filter(|machine| machine.run == run) else {
            return;
        };
        let resumes = machine.stopped_until;
        if self.now < resumes {
            self.arrange(resumes, Event::Turn { at, run, turn });
            return;
        }
        let moment = machine.clock.at(self.now);
        let Some(process) = machine.process.as_mut() else { return };
        process.pass(moment);
        self.does(at, turn);
        self.act(at);
    }

    /// The clocks of a machine moved on.
    fn pass(&mut self, at: At) {
        let Some(machine) = self.machines.get_mut(at) else { return };
        let moment = machine.clock.at(self.now);
        if let Some(process) = machine.process.as_mut() {
            process.pass(moment);
        }
    }

    fn with(&mut self, at: At, what: impl FnOnce(&mut Process)) {
        if let Some(process) = self.machines.get_mut(at).and_then(|m| m.process.as_mut()) {
            what(process);
        }
    }

    fn does(&mut self, at: At, turn: Turn) {
        let settings = self.scenario.settings;
        if self.trace.is_kept()
            && let Some(words) = turn.shown()
        {
            self.note(|_| format!("n{at} {words}"));
        }
        match turn {
            Turn::Beat => {
                self.close_silent(at);
                self.with(at, Process::beat);
                self.arrange_turn(at, settings.heartbeat, Turn::Beat);
            }
            Turn::Tick(store) => {
                let between = self.dice.chance(300);
                self.with(at, |process| process.tick(store, between));
                self.arrange_turn(at, settings.heartbeat, Turn::Tick(store));
            }
            Turn::Look => {
                self.with(at, Process::look_at_deadlines);
                self.arrange_turn(at, self.scenario.look_every, Turn::Look);
            }
            Turn::Persist => {
                self.with(at, |process| process.persist(0));
                self.arrange_turn(at, self.scenario.persist_every, Turn::Persist);
            }
            Turn::Flush(store) => {
                self.machine_asked(at, store, |asked| asked.flush = false);
                self.with(at, |process| process.flush(store));
            }
            Turn::Drain(store) => {
                self.machine_asked(at, store, |asked| asked.drain = false);
                self.with(at, |process| process.drain(store));
            }
            Turn::Dial(addr) => self.dial(at, &addr),
            Turn::Frame { conn, way, frame } => self.frame(at, conn, way, frame),
        }
    }

    /// A frame is read by the process that it was sent to.
    fn frame(&mut self, at: At, conn: ConnId, way: Way, frame: Frame) {
        if !self.network.is_open(conn, way) {
            return; // it was closed while the process was stopped
        }
        self.network.heard(conn, way, self.now);
        if matches!(frame, Frame::Ended) {
            self.note(|_| format!("n{at} connection {conn} ended"));
            self.hang_up(conn, way.turned());
            self.with(at, |process| process.closed(conn));
            return;
        }
        let Some(message) = opened(frame) else {
            self.note(|_| format!("n{at} connection {conn} brings damage"));
            self.hang_up(conn, way.turned());
            self.with(at, |process| process.closed(conn));
            return;
        };
        self.note(|_| format!("n{at} <- {conn} {}", acting::shown(&message)));
        self.hand_over(at, conn, way, message);
    }

    fn hand_over(&mut self, at: At, conn: ConnId, way: Way, message: Message) {
        self.with(at, |process| match way {
            Way::Forth => process.serve(conn, message),
            Way::Back => process.answered(conn, message),
        });
    }

    /// An end is closed: what tells the other one is on its way.
    fn hang_up(&mut self, conn: ConnId, way: Way) {
        let flights = self.network.close((conn, way), self.now, &mut self.dice);
        self.arrange_flights(conn, way, flights);
    }
}
