//! The actors of each node, what watches them, its clock, and its listeners.

use serde_json::{Value, json};

use crate::page::Page;
use crate::panel::{Panel, graph, states};
use crate::rules::Rules;

pub(crate) fn page(rules: &Rules) -> Value {
    Page::new("gridkv-actors", "GridKV / Actors", rules)
        .row("Mailboxes", mailboxes())
        .row("Watchdog", watchdog())
        .row("Clock", clock())
        .row("Listeners", listeners())
        .into_json()
}

fn mailboxes() -> Vec<Panel> {
    vec![
        graph("Mailbox fill", "percentunit", "Operations in flight to a storage actor, of those it takes; at 100% clients get 503 overloaded.")
            .ask("gridkv_actor_mailbox_messages{@node} / gridkv_actor_mailbox_capacity{@node}", "{{instance}} {{actor}} {{store}}")
            .with("min", json!(0))
            .with("max", json!(1))
            .alert("GridKVMailboxSaturated"),
        graph("Waiting messages", "short", "What is in flight to each kind of actor.")
            .ask("sum by (instance, actor) (gridkv_actor_mailbox_messages{@node})", "{{instance}} {{actor}}"),
        graph("Wait p99", "s", "How long messages were in a mailbox.")
            .ask("histogram_quantile(0.99, sum by (le, actor) (rate(gridkv_actor_mailbox_wait_seconds_bucket{@node}@rate)))", "{{actor}}"),
        graph("Messages", "ops", "Messages taken from mailboxes; a group of writes is one.")
            .ask("sum by (actor, store) (rate(gridkv_actor_messages_total{@node}@rate))", "{{actor}} {{store}}"),
        graph("Refused", "ops", "Requests that were refused because a mailbox was full.")
            .ask("sum by (instance, store) (rate(gridkv_actor_mailbox_full_total{@node}@rate))", "{{instance}} {{store}}"),
        graph("Restarts", "short", "Peer appliers begin anew with each connection of their peer. Any other actor that dies ends its node.")
            .ask("sum by (instance, actor) (increase(gridkv_actor_restarts_total{@node}@rate))", "{{instance}} {{actor}}"),
    ]
}

fn watchdog() -> Vec<Panel> {
    vec![
        graph(
            "Stuck actors",
            "none",
            "Actors that died, or showed no sign of life for ten seconds.",
        )
        .ask("gridkv_watchdog_stuck_actors{@node}", "{{instance}}")
        .alert("GridKVActorStuck"),
        graph(
            "Since the last sign of life",
            "s",
            "Each actor shows one several times a second, or at each heartbeat.",
        )
        .ask(
            "max by (instance, actor) (time() - gridkv_actor_last_turn_timestamp_seconds{@node})",
            "{{instance}} {{actor}}",
        ),
        graph("Since the watchdog looked", "s", "It looks several times a second.")
            .ask("time() - gridkv_watchdog_last_look_timestamp_seconds{@node}", "{{instance}}"),
    ]
}

fn clock() -> Vec<Panel> {
    vec![
        graph("Standing", "none", "What each clock is worth beside its peers': sound and unjudged are well, fenced takes no writes.")
            .ask("sum by (instance, standing) (gridkv_clock_standing{@node}) == 1", "{{instance}}: {{standing}}"),
        states("Writes by clock", "taken", "fenced", "Whether the clock lets the node take writes.")
            .ask("1 - gridkv_clock_fenced{@node}", "{{instance}}"),
        graph("Skew of peers", "s", "The peer's clock minus that of the node.")
            .ask("gridkv_peer_clock_skew_seconds{@node}", "{{instance}}: {{peer}}")
            .alert("GridKVClockSkew"),
        graph("Offset", "s", "The node's time minus the machine's wall clock, and minus the middle of its peers'.")
            .ask("gridkv_clock_wall_offset_seconds{@node}", "{{instance}} from the wall")
            .ask("gridkv_clock_peers_offset_seconds{@node}", "{{instance}} from its peers"),
        graph("Corrections", "s", "What the node has added to its time since it started, to come back to the wall clock.")
            .ask("gridkv_clock_corrected_seconds{@node}", "{{instance}}"),
        graph("Hybrid time ahead", "s", "How far versions are ahead of the clock: what a peer's faster clock, or a burst of writes, has pulled them.")
            .ask("gridkv_clock_hybrid_ahead_seconds{@node}", "{{instance}}"),
    ]
}

fn listeners() -> Vec<Panel> {
    vec![
        graph("Certificates", "s", "How long they are still valid; empty without TLS.")
            .wide(12)
            .ask("gridkv_certificate_expires_in_seconds{@node}", "{{instance}} {{listener}}")
            .alert("GridKVCertificateExpires")
            .alert("GridKVCertificateEnds"),
        states(
            "Protected",
            "protected",
            "exposed",
            "Whether a listener is out of others' reach, or asks who they are.",
        )
        .wide(12)
        .ask("1 - gridkv_exposed_without_auth{@node}", "{{instance}} {{listener}}"),
    ]
}
