//! How processes begin and end.

use std::sync::Arc;

use gridkv_protocol::welcome::Members;
use gridkv_protocol::{Epoch, Frontier, NodeId, Origin, StoreName};
use gridkv_storage::durability::Durability;
use gridkv_storage::registry::{OpenError, OpenRequest, Registry};
use gridkv_storage::settings::{CachePolicy, CacheSettings};
use gridkv_storage::store::{self, Store, StoreConfig};

use super::machine::{Asked, Machine, Past, Role};
use super::{Event, Turn, World};
use crate::disk::{Disk, DiskBackend, Platter};
use crate::network::At;
use crate::node::{FORGOTTEN, NodeFile, Process, Start, next_run};
use crate::oracle::durability;

/// The cluster of every machine but a stranger.
const CLUSTER: &str = "ours";

/// Bytes of a cache: so few that it evicts.
const CACHE_BYTES: u64 = 24 << 10;

/// How a process ends, by what it takes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// It is killed: what the system has stays.
    Process,
    /// The power fails: what is synced stays.
    Power,
}

impl World {
    /// Puts up the machines, and arranges what happens by itself.
    pub(super) fn settle_in(&mut self) {
        for (at, place) in self.scenario.places.clone().into_iter().enumerate() {
            let disk = Disk::holding(Platter::empty(place.mode));
            let (name, addr) = (format!("n{at}"), format!("n{at}:1"));
            self.machines.push(Machine::new(Role::Member, &name, &addr, place, disk));
            let after = self.dice.between(0, 400);
            self.starts(at, after);
        }
        if self.scenario.stranger
            && let Some(place) = self.scenario.places.first().copied()
        {
            let disk = Disk::holding(Platter::empty(place.mode));
            let at = self.machines.len();
            self.machines.push(Machine::new(Role::Stranger, "stranger", "stranger:1", place, disk));
            self.starts(at, 600);
        }
        self.arrange(500, Event::Client);
        self.arrange(1_000, Event::Fault);
        self.arrange(self.scenario.load, Event::Heal);
    }

    pub(super) fn starts(&mut self, at: At, after: u64) {
        // A copy of a disk is started once: nobody promises anything of one that comes back with its own past.
        let may = |m: &&mut Machine| !m.starts && (m.role != Role::Clone || m.run == 0);
        if let Some(machine) = self.machines.get_mut(at).filter(may) {
            machine.starts = true;
            self.arrange(self.now + after, Event::Start(at));
        }
    }

    pub(super) fn seeds(&self) -> Vec<String> {
        let members = self.machines.iter().filter(|machine| machine.role == Role::Member);
        members.map(|machine| machine.addr.clone()).collect()
    }

    /// A process begins on a machine.
    pub(super) fn start(&mut self, at: At) {
        let drawn = self.dice.between(1, u64::from(u32::MAX));
        let (seeds, fresh) = (self.seeds(), NodeId(u32::try_from(drawn).unwrap_or(u32::MAX)));
        let above_copies = self.above_copies(at);
        let Some(machine) = self.machines.get_mut(at) else { return };
        machine.starts = false;
        let goes_on = machine.role == Role::Member || self.healed_at.is_none();
        if machine.process.is_some() || !goes_on {
            return;
        }
        machine.run += 1;
        let moment = machine.clock.at(self.now);
        let known = machine.file.take();
        let epoch = known.as_ref().map_or_else(
            || Epoch(u32::try_from(moment.wall.0 / 1_000).unwrap_or(u32::MAX)),
            |file| next_run(file, moment.wall),
        );
        let file = known.unwrap_or_else(|| NodeFile {
            id: fresh,
            epoch,
            joined: false,
            members: Members::default(),
        });
        let epoch = epoch.max(above_copies);
        let file = NodeFile { epoch, ..file };
        if !machine.dataless {
            machine.file = Some(file.clone());
        }
        let origin = Origin::new(file.id, file.epoch);
        // Two copies of one disk that come to one run by chance can not be told apart while they do not meet.
        let runs = |m: &Machine| m.process.as_ref().is_some_and(|p| p.origin() == origin);
        if self.machines.iter().any(runs) {
            let after = self.dice.between(200, 3_000);
            return self.starts(at, after);
        }
        let Some(machine) = self.machines.get(at) else { return };
        let (cluster, seeds) = match machine.role {
            Role::Stranger => ("theirs".to_owned(), seeds),
            Role::Member | Role::Clone => (CLUSTER.to_owned(), seeds),
        };
        let (name, addr) = (machine.name.clone(), machine.addr.clone());
        let start = Start { cluster, name, addr, seeds, file };
        let opened = self.open(at, origin);
        let Ok(stores) = opened else {
            self.fails(durability::NAME, format!("n{at} can not open its stores"));
            return;
        };
        let settings = self.scenario.settings;
        let Some(machine) = self.machines.get_mut(at) else { return };
        machine.asked = vec![Asked::default(); stores.len()];
        machine.stopped_until = 0;
        machine.seen = u64::MAX;
        machine.process = Some(Process::new(start, stores, moment, settings));
        self.began(at, origin);
        self.note(|_| format!("n{at} starts as {origin}"));
        self.judge_opened(at);
        self.begin_turns(at);
        self.act(at);
    }

    fn begin_turns(&mut self, at: At) {
        let settings = self.scenario.settings;
        let phase = |world: &mut Self, most: u64| world.dice.below(most);
        let after = phase(self, settings.heartbeat);
        self.arrange_turn(at, after, Turn::Beat);
        for store in 0..self.stores() {
            let after = phase(self, settings.heartbeat);
            self.arrange_turn(at, after, Turn::Tick(store));
        }
        let after = phase(self, self.scenario.look_every);
        self.arrange_turn(at, after, Turn::Look);
        let after = phase(self, self.scenario.persist_every);
        self.arrange_turn(at, after, Turn::Persist);
    }

    pub(super) fn stores(&self) -> usize {
        1 + usize::from(self.scenario.cache)
    }

    fn open(&self, at: At, origin: Origin) -> Result<Vec<Store>, OpenError> {
        let Some(machine) = self.machines.get(at) else { return Ok(Vec::new()) };
        let (disk, records) = (machine.disk.clone(), self.scenario.page_records);
        let mut registry = Registry::with_built_in();
        registry.register("disk", Arc::new(move |_| Ok(DiskBackend::open(disk.clone(), records))));
        let backends = [("main", "disk"), ("cache", "moka")];
        backends
            .iter()
            .take(self.stores())
            .map(|(name, backend)| {
                let name = StoreName::new(name).map_err(|_| OpenError::UnknownBackend {
                    name: (*name).to_owned(),
                    known: String::new(),
                })?;
                let config = StoreConfig {
                    name: name.clone(),
                    backend: (*backend).to_owned(),
                    default_ttl_ms: None,
                    memory_limit_bytes: None,
                    refuse_over_limit: false,
                    ring_slots: self.scenario.ring_slots,
                };
                let mut request = OpenRequest::new(name, None);
                request.settings.cache = CacheSettings {
                    max_bytes: CACHE_BYTES,
                    policy: CachePolicy::Lru,
                    time_to_idle_ms: None,
                };
                store::open(&registry, config, origin, &request)
            })
            .collect()
    }

    /// What was opened honours what was promised and claimed.
    fn judge_opened(&mut self, at: At) {
        let Some(machine) = self.machines.get(at) else { return };
        let store = machine.process.as_ref().and_then(|process| process.store(0));
        let (Some(store), Some(history)) = (store, self.histories.store(0)) else { return };
        let known = self.memory.of(0, at);
        let claimed = std::mem::take(&mut known.claimed);
        let claimed = if machine.unpromised { Frontier::default() } else { claimed };
        let applied = store.reader().applied();
        let platter = machine.disk.platter();
        let verdict = durability::opened(history, at, platter.readable(), (&claimed, &applied));
        drop(platter);
        self.demand(durability::NAME, verdict);
        if let Some(machine) = self.machines.get_mut(at) {
            machine.unpromised = false;
        }
    }

    /// The process of a machine ends, and with it what the loss takes.
    pub(super) fn lose(&mut self, at: At, loss: Loss) {
        self.remember_claims(at);
        let Some(machine) = self.machines.get_mut(at) else { return };
        let Some(process) = machine.process.take() else { return };
        let (role, id) = (machine.role, process.origin().node());
        let durable = process.store(0).map(|store| store.reader().durable()).unwrap_or_default();
        let persists = machine.mode.persists();
        drop(process);
        match loss {
            Loss::Process => machine.disk.platter().lose_process(),
            Loss::Power => machine.disk.platter().lose_power(&mut self.dice),
        }
        let least = match loss {
            Loss::Process => Durability::Os,
            Loss::Power => Durability::Fsync,
        };
        if let Some(history) = self.histories.store_mut(0) {
            history.lose(at, Some(least), |version| persists && durable.covers(version));
        }
        self.memory.down(at);
        self.note(|_| format!("n{at} ends: {loss:?} lost"));
        let tells = loss == Loss::Process;
        for (conn, way, flight) in self.network.leave(at, self.now, tells, &mut self.dice) {
            self.arrange_flights(conn, way, vec![flight]);
        }
        if role == Role::Member {
            self.end_copies_of(id);
        }
    }

    /// What is on a machine's disk is not what it was.
    pub(super) fn lose_disk(&mut self, at: At) {
        if let Some(history) = self.histories.store_mut(0) {
            history.lose(at, None, |_| false);
        }
        if let Some(machine) = self.machines.get_mut(at) {
            machine.unpromised = true;
        }
    }

    /// A process ends by itself; somebody starts it again.
    pub(super) fn dies(&mut self, at: At, reason: &str) {
        self.note(|_| format!("n{at} dies: {reason}"));
        self.lose(at, Loss::Process);
        if reason == FORGOTTEN {
            if self.machines.get(at).is_some_and(|machine| machine.role != Role::Member) {
                return;
            }
            self.wipe(at);
        }
        let after = self.dice.between(200, 1_500);
        self.starts(at, after);
    }

    /// The machine gets an empty disk.
    pub(super) fn wipe(&mut self, at: At) {
        self.lose_disk(at);
        if let Some(machine) = self.machines.get_mut(at) {
            *machine.disk.platter() = Platter::empty(machine.mode);
            machine.file = None;
            machine.past = Past::Own;
            machine.backups.clear();
        }
        self.note(|_| format!("n{at} has an empty disk"));
    }
}
