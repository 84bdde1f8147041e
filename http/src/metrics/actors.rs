//! The families of actors, their mailboxes, and the watchdog.

use gridkv_actors::node::NodeHandle;
use gridkv_actors::views::ActorView;
use gridkv_protocol::UnixMs;

use super::exposition::Exposition;
use super::names;

/// What belongs to no store.
const NODE: &str = "_node";

/// Writes what is known of the actors.
pub(super) fn collect(node: &NodeHandle, out: &mut Exposition) {
    let now = node.now();
    for actor in node.actors() {
        collect_actor(&actor, now, out);
    }
    for (role, waits) in node.mailbox_waits() {
        out.histogram(&names::ACTOR_WAIT, &[role.as_str()], &waits);
    }
    let watchdog = node.watchdog();
    out.count(&names::STUCK_ACTORS, &[], watchdog.stuck);
    out.moment(&names::WATCHDOG_LOOK, &[], watchdog.last_look);
}

fn collect_actor(actor: &ActorView, now: UnixMs, out: &mut Exposition) {
    let store = actor.store.as_ref().map_or(NODE, |store| store.as_str());
    let labels = [actor.role.as_str(), store];
    out.count(&names::ACTOR_MAILBOX, &labels, actor.messages);
    out.count(&names::ACTOR_MESSAGES, &labels, actor.handled);
    if let Some(capacity) = actor.capacity {
        out.count(&names::ACTOR_CAPACITY, &labels, capacity);
    }
    if let Some(refused) = actor.refused {
        out.count(&names::ACTOR_FULL, &labels, refused);
    }
    if let Some(restarts) = actor.restarts {
        out.count(&names::ACTOR_RESTARTS, &labels, restarts);
    }
    if let Some(silent_ms) = actor.silent_ms {
        let turned = UnixMs(now.0.saturating_sub(silent_ms));
        out.moment(&names::ACTOR_LAST_TURN, &labels, turned);
    }
}

#[cfg(test)]
mod tests {
    use gridkv_actors::views::ActorRole;
    use gridkv_protocol::StoreName;

    use super::*;

    fn shown(actor: &ActorView) -> Vec<String> {
        let mut out = Exposition::default();
        collect_actor(actor, UnixMs(9_500), &mut out);
        let text = out.into_text();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn what_an_actor_can_not_have_is_absent() {
        let storage = ActorView {
            role: ActorRole::Storage,
            store: Some(StoreName::new("main").unwrap()),
            messages: 3,
            capacity: Some(10),
            handled: 7,
            refused: Some(2),
            waited_us: 5,
            restarts: None,
            silent_ms: Some(500),
        };
        assert_eq!(
            shown(&storage),
            [
                "gridkv_actor_last_turn_timestamp_seconds{actor=\"storage\",store=\"main\"} 9",
                "gridkv_actor_mailbox_capacity{actor=\"storage\",store=\"main\"} 10",
                "gridkv_actor_mailbox_full_total{actor=\"storage\",store=\"main\"} 2",
                "gridkv_actor_mailbox_messages{actor=\"storage\",store=\"main\"} 3",
                "gridkv_actor_messages_total{actor=\"storage\",store=\"main\"} 7",
            ]
        );
        let applier = ActorView {
            role: ActorRole::PeerApplier,
            store: None,
            capacity: None,
            refused: None,
            restarts: Some(1),
            silent_ms: None,
            ..storage
        };
        assert_eq!(
            shown(&applier),
            [
                "gridkv_actor_mailbox_messages{actor=\"peer-applier\",store=\"_node\"} 3",
                "gridkv_actor_messages_total{actor=\"peer-applier\",store=\"_node\"} 7",
                "gridkv_actor_restarts_total{actor=\"peer-applier\",store=\"_node\"} 1",
            ]
        );
    }
}
