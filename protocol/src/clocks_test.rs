//! A mesh of clocks, of which one jumps: at the start of its node and while it runs, an hour forward and back,
//! with reports that are late and nodes that pause. Seeded, so that a failure names the seed that shows it.
//!
//! After every mint it is checked that versions only grow, over restarts too, and that nobody minted in a
//! future that the others have not seen.

use std::collections::{BTreeSet, VecDeque};

use crate::fence::{Event, Fence, Standing};
use crate::fixture::origin;
use crate::limits::BOOT_WAIT_MS;
use crate::random_test::Random;
use crate::wall::Course;
use crate::{Hlc, HlcClock, NodeId, Origin, UnixMs};

const LIMIT_MS: u64 = 500;
const FRESH_MS: u64 = 2_000;
const BEAT_MS: u64 = 200;
const HOUR_MS: i64 = 3_600_000;
/// The fence is there, and gone again, within this time.
const SOON_MS: u64 = 10_000;
/// A clock that is right is off by less than this.
const RIGHT_MS: u64 = 60;

struct Report {
    from: Origin,
    now: UnixMs,
    clock: Hlc,
    arrives: u64,
}

struct Node {
    origin: Origin,
    /// How far its machine's wall clock is off.
    wall_off_ms: i64,
    /// Physical time minus true time.
    off_ms: i64,
    started: u64,
    looked: u64,
    paused_until: u64,
    fence: Fence,
    heard: BTreeSet<NodeId>,
    clock: HlcClock,
    minted: Hlc,
    inbox: VecDeque<Report>,
}

impl Node {
    fn start(origin: Origin, wall_off_ms: i64, kept: Hlc, at: u64) -> Self {
        Self {
            origin,
            wall_off_ms,
            off_ms: wall_off_ms,
            started: at,
            looked: at,
            paused_until: 0,
            fence: Fence::new(LIMIT_MS, FRESH_MS),
            heard: BTreeSet::new(),
            clock: HlcClock::starting_at(kept),
            minted: kept,
            inbox: VecDeque::new(),
        }
    }

    fn now(&self, at: u64) -> UnixMs {
        UnixMs(at).moved(self.off_ms)
    }

    /// As the clock source does: slews by at most 0.5%, steps forward only.
    fn follow_the_wall(&mut self, at: u64) {
        let wall_ahead = self.wall_off_ms - self.off_ms;
        let most = i64::try_from((at - self.looked) / 200).unwrap();
        let moved = match self.fence.course(self.now(at), wall_ahead) {
            Course::Hold => 0,
            Course::Slew => wall_ahead.clamp(-most, most),
            Course::Step => wall_ahead.max(0),
        };
        self.looked = at;
        self.off_ms += moved;
        self.fence.step(self.now(at), Event::Moved(moved));
    }

    fn judge(&mut self, at: u64, others: &BTreeSet<NodeId>) {
        let listened = self.heard == *others || at - self.started >= BOOT_WAIT_MS;
        self.fence.step(self.now(at), Event::Tick { others, listened });
    }

    fn take(&mut self, report: &Report, at: u64, others: &BTreeSet<NodeId>) {
        let now = self.now(at);
        self.heard.insert(report.from.node());
        self.fence.step(now, Event::Reported { from: report.from, now: report.now });
        if report.clock <= Hlc::end_of(now.plus(LIMIT_MS)) {
            self.clock.observe(report.clock);
        }
        self.judge(at, others);
    }
}

struct Mesh {
    seed: u64,
    at: u64,
    random: Random,
    nodes: Vec<Node>,
}

impl Mesh {
    fn start(seed: u64, size: u32) -> Self {
        let (at, mut random) = (100 * HOUR_MS.unsigned_abs(), Random::from_seed(seed));
        let mut off = || i64::try_from(random.below(2 * RIGHT_MS)).unwrap() - 60;
        let node = |id| Node::start(origin(NodeId(id), 1), off(), Hlc::ZERO, at);
        let nodes = (0..size).map(node).collect();
        Self { seed, at, random, nodes }
    }

    fn others(&self, of: usize) -> BTreeSet<NodeId> {
        let all = self.nodes.iter().enumerate().filter(|(id, _)| *id != of);
        all.map(|(_, node)| node.origin.node()).collect()
    }

    /// The first node starts again with what it kept, and a wall clock that is off.
    fn restart_first(&mut self, wall_off_ms: i64) {
        let Node { origin: was, minted, .. } = self.nodes[0];
        let now = origin(was.node(), was.epoch().next().0);
        self.nodes[0] = Node::start(now, wall_off_ms, minted, self.at);
    }

    /// A heartbeat of every node that does not pause, and what arrived until then.
    fn beat(&mut self) {
        self.at += BEAT_MS;
        for id in 0..self.nodes.len() {
            let (at, others) = (self.at, self.others(id));
            let node = &mut self.nodes[id];
            if node.paused_until > at {
                continue;
            }
            while node.inbox.front().is_some_and(|report| report.arrives <= at) {
                let report = node.inbox.pop_front().unwrap();
                node.take(&report, at, &others);
            }
            node.follow_the_wall(at);
            node.judge(at, &others);
            if node.fence.standing().may_mint() {
                self.mint(id);
            }
            self.report(id);
            if self.random.one_in(100) {
                self.nodes[id].paused_until = at + self.random.below(1_500);
            }
        }
    }

    fn mint(&mut self, id: usize) {
        let at = self.at;
        let node = &mut self.nodes[id];
        let minted = node.clock.mint(node.now(at));
        assert!(minted > node.minted, "seed {}: node {id} mints {minted} again", self.seed);
        node.minted = minted;
        let ahead = minted.physical().since(UnixMs(at));
        assert!(ahead <= LIMIT_MS, "seed {}: node {id} mints {ahead} ms ahead", self.seed);
    }

    /// In order, each report a little later or much later than the one before.
    fn report(&mut self, from: usize) {
        let Node { origin, ref clock, .. } = self.nodes[from];
        let (now, clock) = (self.nodes[from].now(self.at), clock.last());
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            let delay = if self.random.one_in(60) { 1_200 } else { 30 };
            let inbox = &self.nodes[to].inbox;
            let before = inbox.iter().filter(|report| report.from == origin).map(|r| r.arrives);
            let soon = self.at + self.random.below(delay);
            let arrives = before.fold(soon, u64::max);
            self.nodes[to].inbox.push_back(Report { from: origin, now, clock, arrives });
        }
    }

    fn beats(&mut self, ms: u64) {
        for _ in 0..ms / BEAT_MS {
            self.beat();
            self.nobody_else_is_harmed();
        }
    }

    /// Whatever one clock does, the others mint on.
    fn nobody_else_is_harmed(&self) {
        for (id, node) in self.nodes.iter().enumerate().skip(1) {
            let standing = node.fence.standing();
            let starts = self.at - node.started < 2_000;
            assert!(starts || standing == Standing::Sound, "seed {}: {id} {standing:?}", self.seed);
            assert!(node.off_ms.unsigned_abs() <= RIGHT_MS, "seed {}: {id} moved", self.seed);
        }
    }

    fn first(&self) -> Standing {
        self.nodes[0].fence.standing()
    }

    fn set_wall(&mut self, off_ms: i64) {
        self.nodes[0].wall_off_ms = off_ms;
    }

    fn all_is_well(&self) {
        assert_eq!(self.first(), Standing::Sound, "seed {}", self.seed);
        let node = &self.nodes[0];
        assert!(node.off_ms.unsigned_abs() <= RIGHT_MS, "seed {}: {}", self.seed, node.off_ms);
        let late = node.minted.physical();
        assert!(UnixMs(self.at).since(late) < 3_000, "seed {}: it mints no more", self.seed);
    }
}

/// One mesh for each seed, in turn of three nodes and of five, settled.
fn meshes(seeds: u64) -> impl Iterator<Item = Mesh> {
    (0..seeds).map(|seed| {
        let mut mesh = Mesh::start(seed, if seed % 2 == 0 { 3 } else { 5 });
        mesh.beats(SOON_MS);
        mesh.all_is_well();
        mesh
    })
}

#[test]
fn a_clock_that_jumps_while_its_node_runs_is_not_followed() {
    for mut mesh in meshes(40) {
        for off in [HOUR_MS, -HOUR_MS, 1_500, -1_500, 0] {
            mesh.set_wall(off);
            mesh.beats(3 * SOON_MS);
            mesh.all_is_well();
        }
    }
}

#[test]
fn a_clock_that_is_followed_never_leads_to_the_fence() {
    for mut mesh in meshes(10) {
        for off in [350, 400, 450, 500] {
            mesh.set_wall(off);
            for _ in 0..100_000 / BEAT_MS {
                mesh.beat();
                assert_eq!(mesh.first(), Standing::Sound, "seed {}, {off} ms", mesh.seed);
            }
        }
    }
}

#[test]
fn a_node_that_starts_ahead_is_fenced_and_mints_nothing_there() {
    for mut mesh in meshes(40) {
        let minted = mesh.nodes[0].minted;
        mesh.restart_first(HOUR_MS);
        mesh.beats(SOON_MS);
        assert_eq!(mesh.first(), Standing::Fenced, "seed {}", mesh.seed);
        mesh.set_wall(0);
        mesh.beats(SOON_MS);
        assert_eq!(mesh.first(), Standing::Fenced, "it never steps back");
        assert_eq!(mesh.nodes[0].minted, minted, "seed {}", mesh.seed);
        mesh.restart_first(0);
        mesh.beats(SOON_MS);
        mesh.all_is_well();
    }
}

#[test]
fn a_node_that_starts_behind_says_so_and_follows_once_its_wall_is_right() {
    for mut mesh in meshes(40) {
        mesh.restart_first(-HOUR_MS);
        mesh.beats(SOON_MS);
        assert_eq!(mesh.first(), Standing::Behind, "seed {}", mesh.seed);
        mesh.set_wall(0);
        mesh.beats(SOON_MS);
        mesh.all_is_well();
    }
}

#[test]
fn a_node_that_starts_a_little_ahead_comes_back_by_itself() {
    for mut mesh in meshes(20) {
        mesh.restart_first(520);
        mesh.beats(SOON_MS);
        assert_eq!(mesh.first(), Standing::Fenced, "seed {}", mesh.seed);
        mesh.set_wall(0);
        // 5 ms in a second, down to where the fence is lifted, and on.
        mesh.beats(120_000);
        mesh.all_is_well();
    }
}
