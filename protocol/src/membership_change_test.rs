//! Members that come and go while the node runs: seeds that are added, nodes that are forgotten or whose
//! address another one has taken; and which seeds are known.

use super::*;

/// What a machine is expected to keep.
fn kept(members: &[Member], forgotten: &[NodeId]) -> Roster {
    let mut roster = roster(members);
    for id in forgotten {
        roster.members.forget(*id);
    }
    roster
}

#[test]
fn who_is_forgotten_is_kept_once_and_spreads() {
    let [peer, other] = [member(PEER, 1), member(OTHER, 1)];
    let mut node = joined(&[peer.clone(), other.clone()]);
    let after = kept(&[me(), peer.clone()], &[OTHER]);
    assert_eq!(step(&mut node, Event::Forget(OTHER)), [Effect::Persist(after.clone())]);
    assert_eq!(step(&mut node, Event::Forget(OTHER)), [], "twice changes nothing");
    assert_eq!(node.targets(), ["h2:1"], "it is not dialled any more");

    let mut elsewhere = joined(&[peer, other.clone()]);
    let effects = step(&mut elsewhere, Event::Reported(node.members().clone()));
    assert_eq!(effects, [Effect::Persist(after)], "the report tells the others");
    let effects = step(&mut elsewhere, hello(&other, &[]));
    let [Effect::Refuse(Refusal { reason, detail })] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(*reason, RefusalReason::Forgotten);
    assert!(detail.contains("empty data directory"), "{detail}");
}

#[test]
fn nobody_forgets_itself_and_who_never_joined_forgets_nobody() {
    let mut node = joined(&[member(PEER, 1)]);
    assert_eq!(step(&mut node, Event::Forget(NODE)), []);
    assert!(node.members().contains(NODE));
    let mut node = fresh(&["h2:1"]);
    assert_eq!(step(&mut node, Event::Forget(PEER)), []);
    assert!(!node.members().is_forgotten(PEER));
}

#[test]
fn the_address_of_a_node_that_is_down_goes_to_who_never_joined() {
    let old = member(PEER, 3);
    let newcomer = Member { name: "x".into(), addr: old.addr.clone(), ..member(OTHER, 1) };
    let knock = |joined_before, up: &[Member]| {
        let mut node = joined(slice::from_ref(&old));
        let Event::HelloFrom { hello, ready, up, clock } = hello(&newcomer, up) else {
            unreachable!()
        };
        let hello = Hello { joined: joined_before, ..hello };
        let effects = step(&mut node, Event::HelloFrom { hello, ready, up, clock });
        (node.members().clone(), effects)
    };
    let after = kept(&[me(), newcomer.clone()], &[PEER]);
    let (members, effects) = knock(false, &[]);
    assert_eq!(effects[0], Effect::Persist(after.clone()), "in one step");
    assert_eq!(members, after.members);

    let (members, effects) = knock(false, slice::from_ref(&old));
    let [Effect::Refuse(refusal)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(refusal.reason, RefusalReason::NameInUse);
    assert!(refusal.detail.contains("h2:1"), "{}", refusal.detail);
    assert!(members.contains(PEER) && !members.contains(OTHER), "while it is up nothing happens");

    let (members, _) = knock(true, &[]);
    assert!(
        members.contains(PEER) && members.contains(OTHER),
        "a member that moved replaces nobody"
    );
}

#[test]
fn a_member_that_is_not_ready_takes_in_nobody_new() {
    let old = member(PEER, 3);
    let newcomer = Member { addr: old.addr.clone(), ..member(OTHER, 1) };
    let knock = |node: &mut Membership, who: &Member, joined_before, ready| {
        let Event::HelloFrom { hello, up, clock, .. } = hello(who, &[]) else { unreachable!() };
        let hello = Hello { joined: joined_before, ..hello };
        let mut effects = step(node, Event::HelloFrom { hello, ready, up, clock });
        let Some(Effect::Welcome(welcome)) = effects.pop() else { panic!("no welcome") };
        (welcome.takes_in(who.origin.node()), effects)
    };
    let mut node = joined(slice::from_ref(&old));
    for joined_before in [false, true] {
        let answer = knock(&mut node, &newcomer, joined_before, false);
        assert_eq!(answer, (false, vec![]), "it may have been forgotten meanwhile");
        assert!(node.members().contains(PEER), "nor does the newcomer replace anybody");
    }
    let later = member(PEER, 4);
    let (taken_in, effects) = knock(&mut node, &later, true, false);
    assert!(taken_in && effects == [Effect::Persist(kept(&[me(), later], &[]))], "a member's run");
    let (taken_in, effects) = knock(&mut node, &newcomer, false, true);
    assert!(taken_in && effects == [Effect::Persist(kept(&[me(), newcomer], &[PEER]))]);

    let mut lonely = fresh(&["h2:1"]);
    assert_eq!(step(&mut lonely, welcome(&old, true, slice::from_ref(&old))), []);
    assert!(!lonely.is_joined(), "who was not taken in waits, and forms no cluster");
    assert!(lonely.waits_for()[0].contains("is ready itself"), "{:?}", lonely.waits_for());
}

#[test]
fn seeds_come_and_go() {
    let mut node = joined(&[member(PEER, 1)]);
    assert_eq!(step(&mut node, Event::Seed("h3:1".into())), []);
    assert_eq!(node.targets(), ["h2:1", "h3:1"]);
    for addr in ["h2:1", "h3:1"] {
        step(&mut node, Event::NoSeed(addr.into()));
    }
    assert_eq!(node.targets(), ["h2:1"], "a member stays");
    let mut lonely = fresh(&["h2:1"]);
    step(&mut lonely, Event::Seed("h3:1".into()));
    assert_eq!(lonely.waits_for().len(), 2);
    let seed = member(OTHER, 1);
    let effects = step(&mut lonely, welcome(&seed, true, &[me(), seed.clone()]));
    assert!(matches!(effects.last(), Some(Effect::Joined { formed: false, .. })), "through it");
}

#[test]
fn seeds_are_known_by_who_answers_there() {
    let config = config(&["h1:1", "h2:1", "alias:1"]);
    let mut node = Membership::new(config, roster(&[me(), member(PEER, 1), member(OTHER, 1)]));
    assert!(!node.knows_all_seeds(), "nobody answered at the alias");
    let Event::WelcomeFrom { welcome: answer, .. } = welcome(&member(OTHER, 1), true, &[]) else {
        unreachable!()
    };
    step(&mut node, Event::WelcomeFrom { addr: "alias:1".into(), welcome: answer });
    assert!(node.knows_all_seeds());
    step(&mut node, silent("alias:1"));
    assert!(node.knows_all_seeds(), "who is silent now is still known");
    step(&mut node, Event::Forget(OTHER));
    assert!(node.knows_all_seeds(), "it is known who that was");
    step(&mut node, Event::Forget(PEER));
    assert!(!node.knows_all_seeds(), "nobody is known to be at h2:1");
}

#[test]
fn a_node_that_speaks_another_protocol_is_refused() {
    let own = ProtocolRange::OWN;
    for (least, most, refused) in [
        (own.most + 1, own.most + 1, true),
        (0, own.least - 1, true),
        (own.most, own.most + 1, false),
        (0, own.least, false),
    ] {
        let mut node = joined(&[]);
        let Event::HelloFrom { hello, ready, up, clock } = hello(&member(PEER, 1), &[]) else {
            unreachable!()
        };
        let hello = Hello { protocol: ProtocolRange { least, most }, ..hello };
        let effects = step(&mut node, Event::HelloFrom { hello, ready, up, clock });
        let reason = match &effects[..] {
            [Effect::Refuse(refusal)] => Some(refusal.reason),
            _ => None,
        };
        let expected = refused.then_some(RefusalReason::OtherProtocol);
        assert_eq!(reason, expected, "versions {least} to {most}");
        assert_eq!(node.members().contains(PEER), !refused);
    }
}

#[test]
fn of_one_run_the_stores_count_that_a_node_named_last() {
    let info = |name| StoreInfo {
        name: StoreName::new(name).unwrap(),
        cache: false,
        backend: "memory".into(),
    };
    let mut node = joined(&[member(PEER, 1)]);
    let with = |revision, stores| Member { revision, stores, ..me() };
    let one = with(1, vec![info("a"), info("b")]);
    let expected = [Effect::Persist(roster(&[one.clone(), member(PEER, 1)]))];
    assert_eq!(step(&mut node, Event::NewStores(one.stores.clone())), expected);
    assert_eq!((node.me(), node.hello(UnixMs(3)).member), (&one, one.clone()));
    let two = with(2, vec![info("a")]);
    step(&mut node, Event::NewStores(two.stores.clone()));
    assert!(node.me().holds(&info("a").name) && !node.me().holds(&info("b").name));

    let mut peer = set(&[me(), member(PEER, 1)]);
    assert!(peer.add(two.clone()) && !peer.add(one), "whatever comes first");
    assert_eq!(peer.get(NODE), Some(&two));
    let next = member(NODE, 8);
    assert!(peer.add(next.clone()) && !peer.add(two), "a later run begins anew");
    assert_eq!(peer.get(NODE), Some(&next));
}

#[test]
fn a_store_that_became_a_cache_on_one_side_is_noticed_without_a_knock() {
    let info =
        |cache| StoreInfo { name: StoreName::new("b").unwrap(), cache, backend: "moka".into() };
    let mut node = joined(&[]);
    let peer = |cache| Member { stores: vec![info(cache)], ..member(PEER, 1) };
    assert_eq!(node.cache_mismatch(&peer(true)), None, "it is not held here");
    step(&mut node, Event::NewStores(vec![info(false)]));
    assert_eq!(node.cache_mismatch(&peer(true)), Some(&info(true).name));
    assert_eq!(node.cache_mismatch(&peer(false)), None);
}
