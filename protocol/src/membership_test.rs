//! How a node that never joined becomes a member, as tables of what its seeds answer, and what a
//! member does with those who knock. Whom it refuses is in `membership_refusal_test.rs`.

use std::slice;

use super::*;
use crate::StoreName;
use crate::fixture::{NODE, OTHER, PEER, at, origin};
use crate::limits::MAX_MEMBERS;
use crate::welcome::RefusalReason;

#[path = "membership_change_test.rs"]
mod change;
#[path = "membership_refusal_test.rs"]
mod refusal;

fn member(node: NodeId, epoch: u32) -> Member {
    let (name, addr) = (format!("n{}", node.0), format!("h{}:1", node.0));
    Member { origin: origin(node, epoch), revision: 0, name, addr, stores: vec![] }
}

fn me() -> Member {
    member(NODE, 7)
}

fn set(members: &[Member]) -> Members {
    let mut set = Members::default();
    for member in members {
        assert!(set.add(member.clone()));
    }
    set
}

fn roster(members: &[Member]) -> Roster {
    Roster { joined: true, members: set(members) }
}

fn config(seeds: &[&str]) -> MembershipConfig {
    let seeds = seeds.iter().map(|addr| (*addr).to_owned()).collect();
    MembershipConfig { cluster: "c".into(), me: me(), seeds, bootstrap: false }
}

/// A node that never joined.
fn fresh(seeds: &[&str]) -> Membership {
    Membership::new(config(seeds), Roster::default())
}

/// A node that has joined with these others.
fn joined(others: &[Member]) -> Membership {
    Membership::new(config(&[]), roster(&[&[me()], others].concat()))
}

fn step(membership: &mut Membership, event: Event) -> Vec<Effect> {
    membership.step(UnixMs(1_000), event)
}

fn welcome(from: &Member, joined: bool, members: &[Member]) -> Event {
    let welcome = Welcome {
        protocol: ProtocolRange::OWN,
        member: from.clone(),
        joined,
        members: set(members),
        now: UnixMs(0),
        clock: at(9),
    };
    Event::WelcomeFrom { addr: from.addr.clone(), welcome }
}

fn hello(from: &Member, up: &[Member]) -> Event {
    let hello = Hello {
        protocol: ProtocolRange::OWN,
        cluster: "c".into(),
        member: from.clone(),
        joined: false,
        now: UnixMs(0),
    };
    let up = up.iter().map(|member| member.origin).collect();
    Event::HelloFrom { hello, ready: true, up, clock: at(5) }
}

fn silent(addr: &str) -> Event {
    Event::Silent { addr: addr.into(), reason: "refused".into() }
}

fn formed() -> Vec<Effect> {
    let joined = Effect::Joined { formed: true, clock: Hlc::ZERO };
    vec![Effect::Persist(roster(&[me()])), joined]
}

fn welcomes(joined: bool, members: Members) -> Effect {
    let welcome = Welcome {
        protocol: ProtocolRange::OWN,
        member: me(),
        joined,
        members,
        now: UnixMs(1_000),
        clock: at(5),
    };
    Effect::Welcome(Box::new(welcome))
}

/// A name, the seeds, what happens, and how many seeds are waited for then; `None` when it forms.
type Case<'a> = (&'a str, &'a [&'a str], Vec<Event>, Option<usize>);

#[test]
fn who_forms_a_cluster_and_who_waits() {
    let never = |node| welcome(&member(node, 1), false, &[]);
    let lower = member(NodeId(0), 1);
    let mut at_own_address = welcome(&me(), false, &[]);
    if let Event::WelcomeFrom { addr, .. } = &mut at_own_address {
        *addr = "alias:1".into();
    }
    let [two, three] = [["h2:1"].as_slice(), &["h2:1", "h3:1"]];
    let table: Vec<Case<'_>> = vec![
        ("no seeds", &[], vec![], None),
        ("a seed not reached yet", two, vec![], Some(1)),
        ("a silent seed", two, vec![silent("h2:1")], Some(1)),
        ("one silent seed of two", three, vec![never(PEER), silent("h3:1")], Some(2)),
        ("one seed not reached of two", three, vec![never(PEER)], Some(2)),
        ("the lowest of two", two, vec![never(PEER)], None),
        ("the lowest of three", three, vec![never(PEER), never(OTHER)], None),
        ("not the lowest", &["h0:1"], vec![welcome(&lower, false, &[])], Some(1)),
        (
            "not the lowest of three",
            &["h0:1", "h2:1"],
            vec![welcome(&lower, false, &[]), never(PEER)],
            Some(2),
        ),
        (
            "a seed that answered and fell silent",
            three,
            vec![never(PEER), silent("h2:1"), never(OTHER)],
            Some(2),
        ),
        ("a seed that was silent and answers", two, vec![silent("h2:1"), never(PEER)], None),
        ("its own address", &["h1:1"], vec![], None),
        ("its own address and a silent seed", &["h1:1", "h2:1"], vec![], Some(1)),
        ("another address of its own", &["alias:1"], vec![at_own_address], None),
        (
            "a seed that joined but has not added it",
            two,
            vec![welcome(&member(PEER, 1), true, &[member(PEER, 1)])],
            Some(1),
        ),
        ("the answer of nobody's seed", two, vec![never(OTHER)], Some(1)),
        ("a knock is no answer", two, vec![hello(&member(PEER, 1), &[])], Some(1)),
    ];
    for (name, seeds, events, waits) in table {
        let mut node = fresh(seeds);
        let mut effects = step(&mut node, Event::Started);
        for event in events {
            assert_eq!(effects, [], "{name}: too early");
            effects = step(&mut node, event);
            effects.retain(|effect| !matches!(effect, Effect::Welcome(_)));
        }
        let expected = if waits.is_some() { vec![] } else { formed() };
        assert_eq!(effects, expected, "{name}");
        assert_eq!(node.is_joined(), waits.is_none(), "{name}");
        assert_eq!(node.waits_for().len(), waits.unwrap_or(0), "{name}");
    }
}

#[test]
fn bootstrap_forms_although_seeds_are_silent() {
    let config = MembershipConfig { bootstrap: true, ..config(&["h2:1"]) };
    let mut node = Membership::new(config.clone(), Roster::default());
    assert_eq!(step(&mut node, Event::Started), formed());
    assert_eq!(step(&mut node, silent("h2:1")), [], "once");
    let mut node = Membership::new(config, roster(&[me(), member(PEER, 1)]));
    assert_eq!(step(&mut node, Event::Started), [], "who has joined does not form anew");
}

#[test]
fn what_it_waits_for_is_said() {
    let mut node = fresh(&["h0:1", "h1:1", "h2:1", "h3:1"]);
    step(&mut node, welcome(&member(NodeId(0), 1), false, &[]));
    step(&mut node, silent("h2:1"));
    step(&mut node, welcome(&member(OTHER, 1), true, &[member(OTHER, 1)]));
    let said = [
        "seed h0:1 (00000000) has not joined a cluster yet",
        "seed h2:1 is silent (refused)",
        "seed h3:1 (00000003) has not added this node yet; it adds nobody before it is ready itself",
    ];
    assert_eq!(node.waits_for(), said);
    assert_eq!(fresh(&["h2:1"]).waits_for(), ["seed h2:1 is silent (not reached yet)"]);
}

#[test]
fn a_welcome_with_this_node_in_it_joins_with_that_members_clock() {
    let seed = member(PEER, 1);
    let mut node = fresh(&["h2:1", "h3:1"]);
    let effects = step(&mut node, welcome(&seed, true, &[member(NODE, 7), seed.clone()]));
    let expected = [
        Effect::Persist(roster(&[me(), seed.clone()])),
        Effect::Joined { formed: false, clock: at(9) },
    ];
    assert_eq!(effects, expected, "durably first, then it may mint");
    assert!(node.is_joined() && node.waits_for().is_empty());
    let effects = step(&mut node, welcome(&seed, true, &[me(), seed.clone()]));
    assert_eq!(effects, [], "once");
}

#[test]
fn a_welcome_that_knows_an_earlier_run_of_this_node_joins_too() {
    let seed = member(PEER, 1);
    let mut node = fresh(&["h2:1"]);
    step(&mut node, welcome(&seed, true, &[member(NODE, 6), seed.clone()]));
    assert_eq!(node.members().get(NODE), Some(&me()), "and this run is recorded");
}

#[test]
fn a_node_that_never_joined_adds_nobody() {
    let peer = member(PEER, 1);
    let mut node = fresh(&["h2:1"]);
    let table = [
        ("a knock", hello(&peer, &[]), vec![welcomes(false, Members::default())]),
        ("a report", Event::Reported(set(slice::from_ref(&peer))), vec![]),
        ("a new epoch", Event::NewOrigin(origin(NODE, 8)), vec![]),
    ];
    for (name, event, expected) in table {
        assert_eq!(step(&mut node, event), expected, "{name}");
        assert!(node.members().is_empty(), "{name}");
    }
    assert_eq!(node.me().origin, origin(NODE, 8));
}

#[test]
fn who_knocks_is_added_durably_before_it_is_welcomed() {
    let peer = member(PEER, 1);
    let mut node = joined(&[]);
    let both = [me(), peer.clone()];
    let expected = [Effect::Persist(roster(&both)), welcomes(true, set(&both))];
    assert_eq!(step(&mut node, hello(&peer, &[])), expected);
    let again = step(&mut node, hello(&peer, slice::from_ref(&peer)));
    assert_eq!(again, [welcomes(true, set(&both))], "known: nothing to store");

    let later = [me(), member(PEER, 2)];
    let expected = [Effect::Persist(roster(&later)), welcomes(true, set(&later))];
    assert_eq!(step(&mut node, hello(&member(PEER, 2), &[])), expected, "its next run");
    let effects = step(&mut node, hello(&peer, &[]));
    assert_eq!(effects, [welcomes(true, set(&later))], "an earlier run changes nothing");
}

#[test]
fn a_node_that_dials_itself_is_welcomed_and_not_added() {
    let mut node = fresh(&["alias:1"]);
    let effects = step(&mut node, hello(&me(), &[]));
    assert_eq!(effects, [welcomes(false, Members::default())]);
}

#[test]
fn sets_that_meet_are_united() {
    let [peer, other] = [member(PEER, 1), member(OTHER, 1)];
    let all = roster(&[me(), peer.clone(), other.clone()]);
    let mut theirs = set(&[peer.clone(), other.clone()]);
    let table = [
        ("by a report", Event::Reported(theirs.clone())),
        ("by a welcome", welcome(&peer, true, &[peer.clone(), other.clone()])),
    ];
    for (name, event) in table {
        let mut node = joined(slice::from_ref(&peer));
        assert_eq!(step(&mut node, event), [Effect::Persist(all.clone())], "{name}");
        let again = step(&mut node, Event::Reported(theirs.clone()));
        assert_eq!(again, [], "{name}: nothing new is not stored again");
    }
    // Who was forgotten there is forgotten here.
    theirs.forget(OTHER);
    let mut node = joined(&[peer, other.clone()]);
    step(&mut node, Event::Reported(theirs));
    assert!(node.members().is_forgotten(OTHER) && !node.members().contains(OTHER));
    step(&mut node, Event::Reported(set(&[other])));
    assert!(!node.members().contains(OTHER), "and does not come back with an old set");

    let unjoined = welcome(&member(PEER, 1), false, &[member(PEER, 1)]);
    assert_eq!(step(&mut joined(&[]), unjoined), [], "the set of who never joined is none");
}

#[test]
fn each_run_of_this_node_is_recorded() {
    let before = roster(&[member(NODE, 6), member(PEER, 1)]);
    let mut node = Membership::new(config(&["h2:1"]), before);
    let expected = [Effect::Persist(roster(&[me(), member(PEER, 1)]))];
    assert_eq!(step(&mut node, Event::Started), expected, "at its start");
    assert_eq!(step(&mut node, Event::Started), [], "once");
    let expected = [Effect::Persist(roster(&[member(NODE, 8), member(PEER, 1)]))];
    assert_eq!(step(&mut node, Event::NewOrigin(origin(NODE, 8))), expected, "when it goes on");
    let hello = node.hello(UnixMs(3));
    assert_eq!((hello.member, hello.joined, hello.now), (member(NODE, 8), true, UnixMs(3)));
}

#[test]
fn whom_to_dial() {
    let mut node = fresh(&["h1:1", "h2:1", "alias:1", "other-name:1"]);
    assert_eq!(node.targets(), ["alias:1", "h2:1", "other-name:1"], "never its own address");
    let Event::WelcomeFrom { welcome: own, .. } = welcome(&me(), false, &[]) else {
        unreachable!()
    };
    step(&mut node, Event::WelcomeFrom { addr: "alias:1".into(), welcome: own });
    assert_eq!(node.targets(), ["h2:1", "other-name:1"], "nor another one that led to itself");
    let [peer, other] = [member(PEER, 1), member(OTHER, 1)];
    step(&mut node, welcome(&peer, true, &[me(), peer.clone(), other.clone()]));
    assert_eq!(node.targets(), ["h2:1", "h3:1", "other-name:1"], "members too, each once");
    let mut forgotten = Members::default();
    forgotten.forget(OTHER);
    step(&mut node, Event::Reported(forgotten));
    assert_eq!(node.targets(), ["h2:1", "other-name:1"], "but not who was forgotten");
}
