//! Whom a node refuses and why, and whom a newcomer replaces; and the laws of uniting member sets.

use proptest::prelude::*;

use super::*;

fn named(node: NodeId, epoch: u32, name: &str) -> Member {
    Member { name: name.into(), ..member(node, epoch) }
}

fn with_store(member: Member, cache: bool) -> Member {
    let stores =
        vec![StoreInfo { name: StoreName::new("main").unwrap(), cache, backend: "memory".into() }];
    Member { stores, ..member }
}

fn refused(effects: &[Effect]) -> Option<RefusalReason> {
    match effects {
        [Effect::Refuse(Refusal { reason, detail })] => {
            assert!(!detail.is_empty() && detail.len() <= crate::limits::MAX_TEXT_BYTES);
            Some(*reason)
        }
        _ => None,
    }
}

#[test]
fn who_is_refused_and_why() {
    use RefusalReason::{CacheMismatch, Forgotten, IdentityInUse, NameInUse};
    const GONE: NodeId = NodeId(9);
    let peer = member(PEER, 3);
    let known = [peer.clone(), with_store(member(OTHER, 1), false)];
    let fourth = |name| named(NodeId(4), 1, name);
    // Who knocks; who is up; the verdict.
    let table = [
        ("a newcomer", fourth("x"), vec![], None),
        ("a member again", peer.clone(), vec![], None),
        ("a member on a second link", peer.clone(), vec![peer.clone()], None),
        ("a member's next run", member(PEER, 4), vec![], None),
        ("a forgotten one", member(GONE, 1), vec![], Some(Forgotten)),
        ("a copy of a node that is up", member(PEER, 4), vec![peer.clone()], Some(IdentityInUse)),
        ("a copy of this node", member(NODE, 8), vec![], Some(IdentityInUse)),
        ("an older copy of this node", member(NODE, 6), vec![], Some(IdentityInUse)),
        ("the name of a node that is up", fourth("n2"), vec![peer.clone()], Some(NameInUse)),
        ("the same, in a later run", fourth("n2"), vec![member(PEER, 4)], Some(NameInUse)),
        ("the name of a node that is down", fourth("n2"), vec![member(OTHER, 1)], None),
        ("the name of this node", fourth("n1"), vec![], Some(NameInUse)),
        ("the same store", with_store(fourth("x"), false), vec![], None),
        ("a cache where there is none", with_store(fourth("x"), true), vec![], Some(CacheMismatch)),
    ];
    for (name, who, up, verdict) in table {
        let mut members = set(&[&[with_store(me(), false)], &known[..]].concat());
        members.forget(GONE);
        let config = MembershipConfig { me: with_store(me(), false), ..config(&[]) };
        let mut node = Membership::new(config, Roster { joined: true, members });
        let before = node.members().clone();
        let effects = step(&mut node, hello(&who, &up));
        assert_eq!(refused(&effects), verdict, "{name}");
        if verdict.is_some() {
            assert_eq!(*node.members(), before, "{name}: refused before anything happened");
        } else {
            assert!(matches!(effects.last(), Some(Effect::Welcome(_))), "{name}");
            assert!(node.members().contains(who.origin.node()), "{name}");
        }
    }
}

#[test]
fn another_cluster_is_refused_before_anything_else() {
    let Event::HelloFrom { hello, ready, up, clock } = hello(&member(NODE, 9), &[]) else {
        unreachable!()
    };
    let hello = Hello { cluster: "d".into(), ..hello };
    let effects = step(&mut joined(&[]), Event::HelloFrom { hello, ready, up, clock });
    assert_eq!(refused(&effects), Some(RefusalReason::OtherCluster));
}

#[test]
fn a_node_that_never_joined_refuses_too() {
    let mut node = fresh(&["h2:1"]);
    let effects = step(&mut node, hello(&member(NODE, 8), &[]));
    assert_eq!(refused(&effects), Some(RefusalReason::IdentityInUse));
    let effects = step(&mut node, hello(&named(PEER, 1, "n1"), &[]));
    assert_eq!(refused(&effects), Some(RefusalReason::NameInUse));
}

#[test]
fn a_namesake_that_is_down_is_forgotten_for_the_newcomer() {
    let newcomer = named(OTHER, 1, "n2");
    let mut node = joined(&[member(PEER, 3)]);
    let effects = step(&mut node, hello(&newcomer, &[]));
    let mut members = set(&[me(), newcomer.clone()]);
    members.forget(PEER);
    let stored = Roster { joined: true, members: members.clone() };
    assert_eq!(effects, [Effect::Persist(stored), welcomes(true, members)], "in one step");
    let effects = step(&mut node, hello(&member(PEER, 4), &[newcomer]));
    assert_eq!(refused(&effects), Some(RefusalReason::Forgotten), "the old one is gone for good");
}

#[test]
fn every_namesake_counts() {
    // Two sides of a partition each took a newcomer under the name.
    let twins = [named(PEER, 1, "x"), named(OTHER, 1, "x")];
    let newcomer = named(NodeId(4), 1, "x");
    for up in &twins {
        let effects = step(&mut joined(&twins), hello(&newcomer, std::slice::from_ref(up)));
        assert_eq!(refused(&effects), Some(RefusalReason::NameInUse), "{} is up", up.origin);
    }
    let mut node = joined(&twins);
    step(&mut node, hello(&newcomer, &[]));
    assert!(node.members().is_forgotten(PEER) && node.members().is_forgotten(OTHER));
    // A twin that is known already: what it makes forgotten is stored before it is told.
    let mut node = joined(&twins);
    let effects = step(&mut node, hello(&twins[0], &[]));
    assert!(matches!(effects[..], [Effect::Persist(_), Effect::Welcome(_)]), "{effects:?}");
    assert!(node.members().is_forgotten(OTHER));
}

#[test]
fn a_refusal_fits_its_frame_whatever_the_peer_calls_itself() {
    // A longer text would not be decoded at the other end, and the reason would be lost with it.
    for letter in ["x", "é", "\u{1}", "\u{10348}"] {
        let long = letter.repeat(crate::limits::MAX_TEXT_BYTES / letter.len());
        let peer = named(PEER, 1, &long);
        let newcomer = named(OTHER, 1, &long);
        let effects = step(&mut joined(std::slice::from_ref(&peer)), hello(&newcomer, &[peer]));
        assert_eq!(refused(&effects), Some(RefusalReason::NameInUse), "{letter:?}");
    }
}

#[test]
fn a_full_cluster_says_so() {
    let others: Vec<Member> =
        (2..=u32::try_from(MAX_MEMBERS).unwrap()).map(|id| member(NodeId(id), 1)).collect();
    let mut node = joined(&others);
    assert_eq!(node.members().len(), MAX_MEMBERS);
    let effects = step(&mut node, hello(&member(NodeId(5_000), 1), &[]));
    assert_eq!(refused(&effects), Some(RefusalReason::TooMany));
    for who in [member(PEER, 2), named(NodeId(5_000), 1, "n3")] {
        let effects = step(&mut node, hello(&who, &[]));
        assert_eq!(refused(&effects), None, "{}: it takes no more room", who.origin);
        assert!(node.members().contains(who.origin.node()));
    }
}

/// Few identities, runs and addresses, so that sets overlap and differ about the same run.
fn any_members() -> impl Strategy<Value = Members> {
    let one = (0u32..5, 1u32..3, 0u8..2).prop_map(|(id, epoch, addr)| Member {
        addr: format!("{addr}"),
        ..member(NodeId(id), epoch)
    });
    (prop::collection::vec(one, 0..6), prop::collection::vec(0u32..5, 0..2)).prop_map(
        |(members, forgotten)| {
            let mut set = Members::default();
            for member in members {
                set.add(member);
            }
            for id in forgotten {
                set.forget(NodeId(id));
            }
            set
        },
    )
}

fn united(a: &Members, b: &Members) -> Members {
    let mut both = a.clone();
    let changed = both.unite(b);
    assert_eq!(changed, both != *a, "it says whether anything changed");
    both
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn uniting_is_commutative(a in any_members(), b in any_members()) {
        prop_assert_eq!(united(&a, &b), united(&b, &a));
    }

    #[test]
    fn uniting_is_associative(a in any_members(), b in any_members(), c in any_members()) {
        prop_assert_eq!(united(&united(&a, &b), &c), united(&a, &united(&b, &c)));
    }

    #[test]
    fn uniting_is_idempotent(a in any_members(), b in any_members()) {
        prop_assert_eq!(&united(&a, &a), &a);
        let both = united(&a, &b);
        prop_assert_eq!(&united(&both, &b), &both);
    }
}

#[test]
fn sets_have_an_end() {
    let limit = u32::try_from(MAX_MEMBERS).unwrap();
    let mut members = Members::default();
    for id in 0..limit {
        assert!(members.add(member(NodeId(id), 1)));
    }
    assert!(!members.add(member(NodeId(limit), 1)), "one too many");
    assert!(members.add(member(NodeId(0), 2)), "a member's next run takes no room");
    for id in 0..limit {
        assert!(members.forget(NodeId(limit + id)));
    }
    assert!(!members.forget(NodeId(0)), "nor is more remembered as forgotten");
    assert!(members.contains(NodeId(0)), "who is not remembered as forgotten stays");
}

#[test]
fn copies_of_one_directory_that_come_to_the_same_epoch_are_told_apart() {
    let peer = member(PEER, 3);
    let copy = |of: &Member| Member { addr: "elsewhere:1".into(), ..of.clone() };
    for (who, up, verdict) in [
        (peer.clone(), vec![peer.clone()], None),
        (copy(&peer), vec![], None),
        (copy(&peer), vec![peer.clone()], Some(RefusalReason::IdentityInUse)),
        (me(), vec![], None),
        (copy(&me()), vec![], Some(RefusalReason::IdentityInUse)),
    ] {
        let effects = step(&mut joined(slice::from_ref(&peer)), hello(&who, &up));
        assert_eq!(refused(&effects), verdict, "{who:?} while {up:?} are up");
    }
}

#[test]
fn who_could_not_have_been_started_like_this_is_refused() {
    let knock = |name: &str, addr: &str| {
        let who = Member { name: name.into(), addr: addr.into(), ..member(PEER, 3) };
        refused(&step(&mut joined(&[]), hello(&who, &[])))
    };
    let long = "n".repeat(129);
    for name in ["", " ", "-a", "a b", "a\n", "é", "a/b", &long] {
        assert_eq!(knock(name, "h:1"), Some(RefusalReason::UnexpectedMessage), "{name:?}");
    }
    for addr in ["", "h", ":1", "h:", "h:0", "h:65536", "h:+1", "a b:1", "a:1:2", "[h]:1", "::1:1"]
    {
        assert_eq!(knock("n", addr), Some(RefusalReason::UnexpectedMessage), "{addr:?}");
    }
    for (name, addr) in [("n", "h:1"), ("0.a_b-C", "10.0.0.7:65535"), (&long[1..], "[::1]:7500")] {
        assert_eq!(knock(name, addr), None, "{name:?} at {addr:?}");
    }
}
