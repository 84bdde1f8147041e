//! What a node shows of its inside: its actors and their mailboxes, the watchdog, the op logs and the frontiers.

use std::sync::Arc;

use gridkv_protocol::frontier::Closing;
use gridkv_protocol::{Hlc, Origin, UnixMs};
use gridkv_storage::histogram::Measured;

use crate::handle::StoreHandle;
use crate::mailbox::{ActorRole, Mailbox};
use crate::node::NodeHandle;
use crate::views::{ActorView, FrontierView, OpLogView, WatchdogView};

impl NodeHandle {
    /// Every actor that the watchdog knows, those of stores first, and the peer appliers as one.
    pub fn actors(&self) -> Vec<ActorView> {
        let mut views = Vec::new();
        for store in self.stores() {
            let Some(end) = self.inner().ends.get(store.name().as_str()) else { continue };
            views.extend(end.mailboxes().map(|mailbox| {
                let view =
                    ActorView { store: Some(store.name().clone()), ..ActorView::of(mailbox) };
                if mailbox.role() == ActorRole::Storage { bounded(view, &store) } else { view }
            }));
        }
        let appliers = &self.inner().maker.wiring.appliers;
        views.push(ActorView::of(self.inner().actor.mailbox()));
        views.push(ActorView {
            restarts: Some(appliers.restarts()),
            silent_ms: None, // they only answer
            ..ActorView::of(&appliers.mailbox)
        });
        views
    }

    /// How long messages were in mailboxes, by the role of who took them, over all stores of this run.
    pub fn mailbox_waits(&self) -> Vec<(ActorRole, Measured)> {
        self.inner().maker.wiring.waits.all().collect()
    }

    /// What the watchdog sees.
    pub fn watchdog(&self) -> WatchdogView {
        let since_ms = self.inner().watchdog.since_ms();
        WatchdogView {
            stuck: u64::try_from(self.stuck_actors().len()).unwrap_or(u64::MAX),
            last_look: UnixMs(self.now().0.saturating_sub(since_ms)),
        }
    }

    /// The op log of a store; `None` when it was dropped.
    pub fn op_log(&self, store: &StoreHandle) -> Option<OpLogView> {
        self.inner().ends.get(store.name().as_str()).map(|end| end.publishing.log())
    }

    /// How far a store has what each member wrote in its present run, those of which it has nothing left out.
    pub fn frontiers(&self, store: &StoreHandle) -> Vec<FrontierView> {
        let board = self.inner().board.read();
        let others = board.neighbours.iter().map(|neighbour| &neighbour.member);
        let others = others.filter(|member| member.holds(store.name()));
        let others = others.map(|member| (member.name.clone(), member.origin));
        let all = others.chain([(self.inner().name.clone(), self.origin())]);
        all.filter_map(|(member, origin)| frontier(store, member, origin)).collect()
    }
}

fn frontier(store: &StoreHandle, member: String, origin: Origin) -> Option<FrontierView> {
    let reader = &store.inner().reader;
    let applied = moment(reader.upto(origin))?;
    let durable = reader.promises().persistent.then(|| moment(reader.durable_upto(origin)));
    Some(FrontierView { member, applied, durable: durable.flatten() })
}

/// The moment of a point; `None` for the one before all.
fn moment(point: Hlc) -> Option<UnixMs> {
    let point = Closing::of(point).map_or(point, |closing| closing.at);
    (point > Hlc::ZERO).then(|| point.physical())
}

/// What the gate before a storage actor says of it.
fn bounded(view: ActorView, store: &StoreHandle) -> ActorView {
    let (messages, capacity) = store.in_flight();
    let refused = Some(store.refused());
    ActorView { messages, capacity: Some(capacity), refused, ..view }
}

impl ActorView {
    /// As its mailbox shows it.
    fn of(mailbox: &Arc<Mailbox>) -> Self {
        Self {
            role: mailbox.role(),
            store: None,
            messages: mailbox.messages(),
            capacity: None,
            handled: mailbox.taken(),
            refused: None,
            waited_us: mailbox.waited_us(),
            restarts: None,
            silent_ms: Some(mailbox.silent_ms()),
        }
    }
}
