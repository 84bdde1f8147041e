//! One operation per store and kind, what is remembered, and what is said of it.

use super::*;

const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

fn asked(store: &str, rebuild: bool) -> Asked {
    let store = StoreName::new(store).unwrap();
    let task = Task::FullSync { peer: N2, peer_name: "n2".into(), rebuild };
    Asked { store, task, keys: 100, at: UnixMs(7) }
}

#[test]
fn one_runs_per_store_and_the_oldest_that_ended_makes_room() {
    let operations = Operations::default();
    let first = operations.begin(asked("a", false)).unwrap();
    let second = operations.begin(asked("a", true)).unwrap_err();
    assert_eq!(FullSyncError::from(second), FullSyncRefusal::Running.into());
    let compaction = || Asked { task: Task::Compaction, ..asked("a", false) };
    let beside = operations.begin(compaction()).unwrap();
    assert_eq!(operations.begin(compaction()).unwrap_err(), BeginError::Running);
    assert_eq!(beside.view().kind, OperationKind::Compaction);
    operations.withdraw(beside.id());
    first.end(Ok(()));
    for n in 1..MAX_OPERATIONS {
        operations.begin(asked(&format!("s{n}"), false)).unwrap();
    }
    let last = operations.begin(asked("b", false)).unwrap();
    assert!(operations.get(first.id()).is_none() && operations.all().len() == MAX_OPERATIONS);
    assert_eq!(operations.begin(asked("c", false)).unwrap_err(), BeginError::TooMany);
    operations.withdraw(last.id());
    assert!(operations.begin(asked("c", false)).is_ok());
}

#[test]
fn a_merge_ends_with_the_session_that_was_asked_for() {
    let (operations, mut tracked) = (Operations::default(), Tracked::default());
    let operation = operations.begin(asked("a", false)).unwrap();
    tracked.follow(Arc::clone(&operation));
    tracked.ended(true); // one that ran before
    tracked.began(N3);
    tracked.brought(9);
    tracked.ended(true);
    assert_eq!(operation.view().end, None, "others are none of its business");
    tracked.began(N2);
    tracked.brought(40);
    assert_eq!((operation.view().done, operation.view().total), (40, 100));
    tracked.ended(true);
    let view = operations.get(operation.id()).unwrap();
    assert_eq!((view.end, view.done, view.total), (Some(Ok(())), 40, 40));

    for gone in [true, false] {
        let operation = operations.begin(asked("a", false)).unwrap();
        tracked.follow(Arc::clone(&operation));
        if gone {
            tracked.lost(N3);
            tracked.lost(N2);
        } else {
            tracked.began(N2);
            tracked.lost(N2);
            assert!(operation.is_running(), "its session says when it is over");
            tracked.ended(false);
        }
        assert!(matches!(operation.view().end, Some(Err(_))));
    }
}

#[test]
fn a_rebuild_goes_on_until_a_session_is_complete() {
    let (operations, mut tracked) = (Operations::default(), Tracked::default());
    let operation = operations.begin(asked("a", true)).unwrap();
    tracked.follow(Arc::clone(&operation));
    tracked.began(N2);
    tracked.ended(false);
    tracked.lost(N2);
    assert_eq!(operation.view().end, None);
    tracked.began(N3);
    tracked.ended(true);
    assert_eq!(operation.view().end, Some(Ok(())));
    let operation = operations.begin(asked("a", true)).unwrap();
    tracked.follow(Arc::clone(&operation));
    tracked.fail("the store could not be emptied");
    assert!(matches!(operation.view().end, Some(Err(_))));
}
