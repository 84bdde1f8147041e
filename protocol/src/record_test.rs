//! The three laws of the merge as properties, and the funnel's verdicts as a table.

use proptest::prelude::*;

use super::*;
use crate::{Epoch, Hlc, NodeId, Origin};

fn version(hlc: u64, node: u32) -> Version {
    Version { hlc: Hlc::from_bits(hlc), origin: Origin::new(NodeId(node), Epoch(1)) }
}

fn live(value: &[u8], expires_at: Option<u64>) -> State {
    State::Live(Live {
        value: Value::copied(value),
        content_type: None,
        expires_at: expires_at.map(UnixMs),
    })
}

fn any_state() -> impl Strategy<Value = State> {
    prop_oneof![
        (prop::collection::vec(any::<u8>(), 0..3), prop::option::of(0u64..3), any::<bool>())
            .prop_map(|(value, deadline, typed)| State::Live(Live {
                value: Value::copied(&value),
                content_type: typed.then(|| ContentType::new("text/plain").unwrap()),
                expires_at: deadline.map(UnixMs),
            })),
        (0u64..3).prop_map(|at| State::Expired { expires_at: UnixMs(at) }),
        Just(State::Deleted),
    ]
}

/// Few versions, so that equal ones (and with them collisions) come up all the time.
fn any_record() -> impl Strategy<Value = Record> {
    (0u64..4, 0u32..2, any_state())
        .prop_map(|(hlc, node, state)| Record { version: version(hlc, node), state })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merge_is_commutative(a in any_record(), b in any_record()) {
        prop_assert_eq!(a.clone().merge(b.clone()), b.merge(a));
    }

    #[test]
    fn merge_is_associative(a in any_record(), b in any_record(), c in any_record()) {
        prop_assert_eq!(a.clone().merge(b.clone()).merge(c.clone()), a.merge(b.merge(c)));
    }

    #[test]
    fn merge_is_idempotent(a in any_record()) {
        prop_assert_eq!(a.clone().merge(a.clone()), a);
    }

    #[test]
    fn merge_never_goes_back(a in any_record(), b in any_record()) {
        let merged = a.clone().merge(b.clone());
        prop_assert_eq!(merged.version, a.version.max(b.version));
    }
}

#[test]
fn the_verdicts() {
    let one = |state: State| Record { version: version(1, 1), state };
    let live_x = one(live(b"x", Some(9)));
    let expired = one(State::Expired { expires_at: UnixMs(9) });
    let table = [
        ("nothing stands", None, one(State::Deleted), Admission::Applied),
        (
            "newer time",
            Some(one(live(b"x", None))),
            Record { version: version(2, 0), state: State::Deleted },
            Admission::Applied,
        ),
        (
            "same time, greater origin",
            Some(one(live(b"x", None))),
            Record { version: version(1, 2), state: live(b"y", None) },
            Admission::Applied,
        ),
        (
            "older",
            Some(one(State::Deleted)),
            Record { version: version(0, 9), state: live(b"y", None) },
            Admission::Stale,
        ),
        ("the same again", Some(live_x.clone()), live_x.clone(), Admission::Duplicate),
        ("its deadline passed", Some(live_x.clone()), expired.clone(), Admission::Applied),
        ("it had passed here before", Some(expired), live_x, Admission::Duplicate),
        (
            "corruption, greater comes",
            Some(one(live(b"x", None))),
            one(live(b"y", None)),
            Admission::Collision { replaces: true },
        ),
        (
            "corruption, greater stands",
            Some(one(live(b"y", None))),
            one(live(b"x", None)),
            Admission::Collision { replaces: false },
        ),
    ];
    for (name, standing, incoming, verdict) in table {
        assert_eq!(Record::judge(standing.as_ref(), &incoming), verdict, "{name}");
    }
}

#[test]
fn expiry_is_a_function_of_the_record_and_time() {
    let record = Record { version: version(1, 1), state: live(b"x", Some(10)) };
    assert!(record.live_at(UnixMs(9)).is_some());
    assert!(record.live_at(UnixMs(10)).is_none(), "a deadline belongs to what it ends");
    assert_eq!(record.expired_at(UnixMs(9)), None);
    let expired = record.expired_at(UnixMs(10)).unwrap();
    assert_eq!(
        expired,
        Record { version: record.version, state: State::Expired { expires_at: UnixMs(10) } }
    );
    assert_eq!(expired.expired_at(UnixMs(11)), None);
}
