//! The way out of service, whether the process ends with it or not: no more writes, then peers get what is
//! left, then the disk.

use std::time::Duration;

use crate::node::NodeHandle;
use crate::node_state::Phase;
use crate::persist;
use crate::views::Check;

/// Between two looks at what peers have.
const LOOK: Duration = Duration::from_millis(5);

impl NodeHandle {
    /// Takes no more writes of clients until the node starts again; `/readyz` says so. Reads go on, and so
    /// does everything between nodes. Once peers have what was written here it is brought to the disk. A
    /// second call changes nothing.
    pub fn drain(&self) {
        if !self.inner().state.drain() {
            return;
        }
        tracing::info!("draining: no more writes are taken");
        let node = self.clone();
        actix_rt::spawn(async move {
            while node.stores().iter().any(|store| store.in_flight().0 > 0) {
                tokio::time::sleep(LOOK).await; // what was let in before
            }
            node.wait_for_peers().await;
            let unsaved = node.save().await;
            if unsaved.is_empty() {
                tracing::info!("drained: every peer that is up has all that was written here");
            } else {
                let unsaved = unsaved.join("; ");
                tracing::error!(unsaved, "drained, but not everything is on the disk");
            }
        });
    }

    /// Waits until the node is on its way out: what goes on without an end ends then.
    pub async fn stopping(&self) {
        self.inner().state.stopping().await;
    }

    /// Waits until every peer that is up has what was written here, or the node stops.
    pub(crate) async fn wait_for_peers(&self) {
        let stops_meanwhile = self.inner().state.phase() != Phase::Stopping;
        while !self.is_covered() {
            if stops_meanwhile && self.inner().state.phase() == Phase::Stopping {
                return; // who stops the node waits by itself
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Brings every store to the disk. Says what could not be saved.
    pub(crate) async fn save(&self) -> Vec<String> {
        let mut unsaved = Vec::new();
        for store in self.stores() {
            let flusher = store.inner().flusher.clone();
            if let Err(error) = persist::flush_now(flusher, &self.inner().clock).await {
                unsaved.push(format!("store {}: {error}", store.name()));
            }
        }
        unsaved
    }

    /// Not ready for being drained; `None`: it is not, which need not be said.
    pub(crate) fn check_drain(&self) -> Option<Check> {
        if !self.inner().state.is_draining() {
            return None;
        }
        let still = if self.is_covered() {
            "every peer that is up has all that was written here"
        } else {
            "peers are still given what was written here"
        };
        let detail = format!("draining: writes are refused until the node starts again; {still}");
        Some(Check { name: "drain".into(), ok: false, detail })
    }
}
