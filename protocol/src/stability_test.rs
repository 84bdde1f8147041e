//! Three members of one store: when the stable point moves, who holds it, and when origins are closed.

use super::*;
use crate::fixture::{NODE, OTHER, PEER, at, main_store, origin};
use crate::welcome::{Member, StoreInfo};
use crate::{Epoch, UnixMs};

type Points<'a> = &'a [(Origin, u64)];

fn member(id: NodeId, epoch: u32) -> Member {
    let info = StoreInfo { name: main_store(), cache: false, backend: "memory".into() };
    let (name, addr) = (format!("n{}", id.0), format!("n{}:1", id.0));
    Member { origin: origin(id, epoch), revision: 0, name, addr, stores: vec![info] }
}

fn members(of: &[Member]) -> Members {
    let mut members = Members::default();
    for member in of {
        members.add(member.clone());
    }
    members
}

fn points(of: Points<'_>) -> Frontier {
    of.iter().map(|(origin, ms)| (*origin, at(*ms))).collect()
}

/// The world as the tests tell it: what each node reports.
struct World {
    reports: BTreeMap<NodeId, Report>,
    stability: Stability,
    knows_all_seeds: bool,
    held: BTreeSet<StoreName>,
}

impl World {
    /// Nodes 1 to 3 in their first epoch, each of which has everything up to `ms`.
    fn at(ms: u64) -> Self {
        let all = members(&[member(NODE, 1), member(PEER, 1), member(OTHER, 1)]);
        let each = [(origin(NODE, 1), ms), (origin(PEER, 1), ms), (origin(OTHER, 1), ms)];
        let report = |id| Report {
            origin: origin(id, 1),
            now: UnixMs(ms),
            clock: at(ms),
            ready: true,
            members: all.clone(),
            stores: vec![store(&each)],
        };
        let reports = [NODE, PEER, OTHER].map(|id| (id, report(id))).into();
        let held = BTreeSet::new();
        Self { reports, stability: Stability::default(), knows_all_seeds: true, held }
    }

    fn store(&mut self, id: NodeId) -> &mut StoreReport {
        self.reports.get_mut(&id).unwrap().stores.first_mut().unwrap()
    }

    fn has(&mut self, id: NodeId, of: Points<'_>) {
        let more = points(of);
        let store = self.store(id);
        store.applied.merge_except(&more, origin(NodeId(99), 1));
        store.durable = store.applied.clone();
    }

    fn everybody_has(&mut self, of: Points<'_>) {
        for id in [NODE, PEER, OTHER] {
            self.has(id, of);
        }
    }

    fn hear(&mut self, from: NodeId) {
        let report = self.reports[&from].clone();
        assert!(self.stability.step(Event::Reported(report)).is_empty());
    }

    fn hear_all(&mut self) -> Vec<Effect> {
        self.hear(PEER);
        self.hear(OTHER);
        self.tick()
    }

    fn tick(&mut self) -> Vec<Effect> {
        let own = &self.reports[&NODE];
        let (knows_all_seeds, held) = (self.knows_all_seeds, &self.held);
        self.stability.step(Event::Tick { own, knows_all_seeds, held })
    }

    fn stable(&self) -> (Hlc, Option<NodeId>) {
        let Stable { upto, held_back_by } = self.stability.of(&main_store());
        (upto, held_back_by)
    }

    /// Node 2 restarts, and everybody knows.
    fn peer_restarts(&mut self, epoch: u32, ms: u64) {
        for report in self.reports.values_mut() {
            report.members.add(member(PEER, epoch));
        }
        self.reports.get_mut(&PEER).unwrap().origin = origin(PEER, epoch);
        self.everybody_has(&[(origin(PEER, epoch), ms)]);
    }
}

fn store(of: Points<'_>) -> StoreReport {
    StoreReport {
        store: main_store(),
        applied: points(of),
        durable: points(of),
        floor: Hlc::ZERO,
        loose: BTreeMap::new(),
        durable_loose: BTreeMap::new(),
        proof: None,
        keys: 0,
    }
}

fn purge(ms: u64) -> Effect {
    Effect::Purge { store: main_store(), upto: at(ms) }
}

fn close(origin: Origin, ms: u64, loose: bool) -> Effect {
    Effect::Close { store: main_store(), origin, closing: Closing { at: at(ms), loose } }
}

#[test]
fn the_stable_point_is_the_least_that_any_member_holds_durably() {
    let mut world = World::at(10);
    assert_eq!(world.hear_all(), [purge(10)]);
    assert_eq!(world.tick(), [], "once");
    world.everybody_has(&[(origin(NODE, 1), 20), (origin(PEER, 1), 21), (origin(OTHER, 1), 22)]);
    world.store(OTHER).durable =
        points(&[(origin(NODE, 1), 20), (origin(PEER, 1), 15), (origin(OTHER, 1), 22)]);
    assert_eq!(world.hear_all(), [purge(15)], "applied is not enough");
    assert_eq!(world.stable(), (at(15), Some(OTHER)));
}

#[test]
fn a_silent_a_strange_and_an_unborn_member_hold_it_back() {
    let mut world = World::at(10);
    world.hear(PEER);
    assert_eq!(world.tick(), []);
    assert_eq!(world.stable(), (Hlc::ZERO, Some(OTHER)), "down members count");
    world.hear(OTHER);
    assert_eq!(world.tick(), [purge(10)]);

    world.everybody_has(&[(origin(NODE, 1), 30), (origin(PEER, 1), 30), (origin(OTHER, 1), 30)]);
    world.reports.get_mut(&PEER).unwrap().members.add(member(NodeId(9), 1));
    assert_eq!(world.hear_all(), [], "it counts one more as a member");
    assert_eq!(world.stable(), (at(10), Some(PEER)));
    world.reports.get_mut(&PEER).unwrap().members = world.reports[&NODE].members.clone();
    world.knows_all_seeds = false;
    assert_eq!(world.hear_all(), [], "a configured address that nobody knows");
    world.knows_all_seeds = true;
    world.held.insert(main_store());
    assert_eq!(world.hear_all(), [], "while it is filled");
    world.held.clear();
    assert_eq!(world.hear_all(), [purge(30)]);
}

#[test]
fn an_origin_that_a_member_has_nothing_of_holds_it_at_zero() {
    let mut world = World::at(10);
    world.has(PEER, &[(origin(NodeId(7), 1), 5)]);
    assert_eq!(world.hear_all(), []);
    assert_eq!(world.stable().0, Hlc::ZERO);
    let mut world = World::at(10);
    world.store(PEER).loose.insert(origin(NodeId(7), 1), 5); // and the run that wrote it was lost
    assert_eq!(world.hear_all(), []);
    assert_eq!(world.stable().0, Hlc::ZERO);
}

#[test]
fn who_is_no_member_any_more_has_no_part_in_what_members_agree_on() {
    let mut world = World::at(50);
    for report in world.reports.values_mut() {
        report.members.forget(NODE);
    }
    *world.store(NODE) = store(&[]);
    assert_eq!(world.hear_all(), [], "it holds nothing of what the others have closed and purged");
}

#[test]
fn reports_of_a_run_that_is_over_say_nothing() {
    let mut world = World::at(10);
    world.hear_all();
    world.peer_restarts(2, 40);
    world.everybody_has(&[(origin(NODE, 1), 50), (origin(OTHER, 1), 50)]);
    world.hear(OTHER);
    assert_eq!(world.tick(), [], "the peer's report is of its first run");
    assert_eq!(world.stable(), (at(10), Some(PEER)));
    world.hear(PEER);
    assert_eq!(world.tick(), [close(origin(PEER, 1), 10, false), purge(40)]);
    // A late report of the first run does not replace that of the second.
    let mut late = world.reports[&PEER].clone();
    late.origin = origin(PEER, 1);
    world.stability.step(Event::Reported(late));
    world.has(NODE, &[(origin(NODE, 1), 60), (origin(OTHER, 1), 60)]);
    assert_eq!(world.tick().len(), 1, "its second is known still: {:?}", world.stable());
}

#[test]
fn an_origin_is_closed_when_all_know_that_it_is_over_and_hold_the_same() {
    let over = origin(PEER, 1);
    let restarted = || {
        let mut world = World::at(10);
        world.peer_restarts(2, 40);
        world
    };
    let mut world = restarted();
    assert!(world.hear_all().contains(&close(over, 10, false)));

    let mut world = restarted();
    world.has(OTHER, &[(over, 12)]);
    assert_eq!(world.hear_all(), [purge(10)], "one has more");
    world.everybody_has(&[(over, 12)]);
    assert!(world.hear_all().contains(&close(over, 12, false)));

    let mut world = restarted();
    world.store(OTHER).durable =
        points(&[(origin(NODE, 1), 10), (over, 9), (origin(OTHER, 1), 10), (origin(PEER, 2), 40)]);
    assert!(!world.hear_all().contains(&close(over, 10, false)), "one would lose some");

    let mut world = restarted();
    world.store(OTHER).applied =
        points(&[(origin(NODE, 1), 10), (over, 10), (origin(OTHER, 1), 10)]);
    assert!(!world.hear_all().contains(&close(over, 10, false)), "one does not know");

    let mut world = restarted();
    world.store(PEER).loose = [(over, 77)].into();
    assert!(!world.hear_all().contains(&close(over, 10, false)), "one holds something beyond");
    for id in [NODE, PEER, OTHER] {
        world.store(id).loose = [(over, 77)].into();
        world.store(id).durable_loose = [(over, 77)].into();
    }
    assert!(world.hear_all().contains(&close(over, 10, true)), "all hold it");
}

#[test]
fn a_forgotten_node_is_over_in_its_last_epoch() {
    let mut world = World::at(10);
    for report in world.reports.values_mut() {
        report.members.forget(OTHER);
    }
    world.reports.remove(&OTHER);
    world.hear(PEER);
    world.has(NODE, &[(origin(NODE, 1), 30), (origin(PEER, 1), 30)]);
    world.has(PEER, &[(origin(NODE, 1), 30), (origin(PEER, 1), 30)]);
    world.hear(PEER);
    assert_eq!(world.tick(), [close(origin(OTHER, 1), 10, false), purge(30)]);
}

#[test]
fn earlier_origins_of_a_node_are_closed_first() {
    let mut world = World::at(10);
    world.peer_restarts(2, 40);
    world.peer_restarts(3, 50);
    world.everybody_has(&[(origin(NODE, 1), 50), (origin(OTHER, 1), 50)]);
    world.has(OTHER, &[(origin(PEER, 1), 12)]);
    assert_eq!(world.hear_all(), [purge(10)], "the second is settled, the first is not");
    world.everybody_has(&[(origin(PEER, 1), 12)]);
    let effects = world.hear_all();
    assert_eq!(
        effects,
        [close(origin(PEER, 1), 12, false), close(origin(PEER, 2), 40, false), purge(50)]
    );
}

#[test]
fn who_stands_where_a_peer_has_closed_closes_too_and_later_forgets_how() {
    let first = origin(PEER, 1);
    let mut world = World::at(10);
    world.peer_restarts(2, 40);
    world.peer_restarts(3, 50);
    let close_at = |world: &mut World, id, origin, ms| {
        let closing = Closing { at: at(ms), loose: false };
        for frontier in [&mut world.store(id).applied.clone(), &mut world.store(id).durable.clone()]
        {
            frontier.close(origin, closing);
        }
        let store = world.store(id);
        store.applied.close(origin, closing);
        store.durable.close(origin, closing);
    };
    close_at(&mut world, OTHER, first, 10);
    world.hear(OTHER);
    assert_eq!(world.tick(), [close(first, 10, false)], "though the peer itself is not heard");
    let epochs = 1..=u32::try_from(KEPT_CLOSINGS).unwrap() + 1;
    for epoch in epochs {
        for id in [NODE, PEER, OTHER] {
            close_at(&mut world, id, origin(PEER, epoch), 10 * u64::from(epoch));
        }
    }
    world.peer_restarts(20, 500);
    let forgotten = |effect: &Effect| match effect {
        Effect::ForgetClosing { origin, .. } => Some(*origin),
        Effect::Close { .. } | Effect::Purge { .. } => None,
    };
    let effects = world.hear_all();
    assert_eq!(
        effects.iter().filter_map(forgotten).collect::<Vec<_>>(),
        [first],
        "the oldest only"
    );

    let mut behind = World::at(10);
    behind.peer_restarts(2, 40);
    close_at(&mut behind, OTHER, first, 11);
    behind.hear(OTHER);
    assert_eq!(behind.tick(), [], "it stands elsewhere: that is for catch-up");
}

#[test]
fn who_does_not_hold_the_store_bounds_it_by_its_clock() {
    let mut world = World::at(10);
    let bare = Member { stores: Vec::new(), ..member(NodeId(8), 1) };
    for report in world.reports.values_mut() {
        report.members.add(bare.clone());
    }
    assert_eq!(world.hear_all(), [], "it was not heard");
    let members = world.reports[&NODE].members.clone();
    let report = Report {
        origin: bare.origin,
        clock: at(7),
        members,
        stores: Vec::new(),
        ..world.reports[&PEER].clone()
    };
    world.stability.step(Event::Reported(report));
    assert_eq!(world.tick(), [purge(7)]);
    assert_eq!(Epoch(1), bare.origin.epoch());
}

/// Node 3 says at `ms` that it does not hold the store (any more), and these nodes know it.
fn lets_go(world: &mut World, (epoch, revision): (u32, u32), ms: u64, known_to: &[NodeId]) {
    let bare = Member { stores: Vec::new(), revision, ..member(OTHER, epoch) };
    for id in known_to {
        world.reports.get_mut(id).unwrap().members.add(bare.clone());
    }
    let report = world.reports.get_mut(&OTHER).unwrap();
    (report.origin, report.clock, report.stores) = (bare.origin, at(ms), Vec::new());
}

#[test]
fn what_a_member_minted_in_a_store_that_it_let_go_of_is_closed() {
    for run in [(1, 1), (2, 0)] {
        let mut world = World::at(10);
        lets_go(&mut world, run, 50, &[NODE, PEER, OTHER]);
        for id in [NODE, PEER] {
            world.has(id, &[(origin(NODE, 1), 40), (origin(PEER, 1), 40)]);
        }
        let closed = [close(origin(OTHER, 1), 10, false), purge(40)];
        assert_eq!(world.hear_all(), closed, "{run:?}: nobody who is dead holds it back");
    }
}

#[test]
fn nothing_is_closed_while_one_may_still_get_more_of_it() {
    let mut world = World::at(10);
    lets_go(&mut world, (1, 1), 50, &[NODE, OTHER]);
    world.has(NODE, &[(origin(PEER, 1), 40)]);
    assert_eq!(world.hear_all(), [purge(10)], "a holder does not know it");

    let mut world = World::at(10);
    lets_go(&mut world, (1, 1), 50, &[NODE, PEER, OTHER]);
    world.has(NODE, &[(origin(OTHER, 1), 12)]);
    assert_eq!(world.hear_all(), [purge(10)], "a holder lacks some of it");

    let mut world = World::at(60);
    lets_go(&mut world, (1, 1), 50, &[NODE, PEER, OTHER]);
    let effects = world.hear_all();
    assert_eq!(effects, [purge(50)], "it made the store again after it said so");
}
