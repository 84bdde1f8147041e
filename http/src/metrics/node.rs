//! The collector: at each scrape, snapshots of the node become samples.
//!
//! It counts nothing itself and keeps nothing between two scrapes, so it can not disagree with what
//! `/v1/stats` and `/v1/cluster` say.

use std::collections::HashMap;
use std::sync::Arc;

use gridkv_actors::node::NodeHandle;
use gridkv_actors::views::ClockView;
use gridkv_protocol::StoreName;
use gridkv_protocol::fence::Standing;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::bodies::Bodies;
use super::exposition::{Exposition, as_f64};
use super::operations::Timers;
use super::requests::Requests;
use super::{MetricsError, access, actors, certificates, mesh, names, stores};
use crate::operating::Operating;

/// Everything of a node but its process.
pub(super) struct NodeCollector {
    pub(super) node: NodeHandle,
    pub(super) operating: Operating,
    pub(super) requests: Arc<Requests>,
    pub(super) bodies: Arc<Bodies>,
    pub(super) timers: Arc<Timers>,
}

/// The table, for the registry to judge. It has no samples: those are written without it.
pub(super) struct Table(Vec<Desc>);

impl Table {
    /// All families.
    ///
    /// # Errors
    /// When a name or a label is not valid, which is a mistake in the table.
    pub(super) fn new() -> Result<Self, MetricsError> {
        let describe = |family: &names::Family| {
            let labels = family.labels.iter().map(|label| label.name.to_owned()).collect();
            Desc::new(family.name.to_owned(), family.help.to_owned(), labels, HashMap::new())
        };
        Ok(Self(names::ALL.iter().map(describe).collect::<Result<_, _>>()?))
    }
}

impl Collector for Table {
    fn desc(&self) -> Vec<&Desc> {
        self.0.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        Vec::new()
    }
}

impl NodeCollector {
    /// All samples of this moment, where they were of so many bytes the last time.
    pub(super) fn collect(&self, bytes: usize) -> Exposition {
        let Self { node, operating, .. } = self;
        let mut out = Exposition::with_capacity(bytes);
        let (build, cluster) = (operating.build, node.cluster());
        out.count(&names::BUILD_INFO, &[build.version, build.revision, build.rustc], 1);
        out.count(&names::NODE_INFO, &[node.name(), &cluster.cluster], 1);
        out.count(&names::READY, &[], u64::from(node.readiness().ready));
        collect_clock(node.clock(), &mut out);
        self.requests.collect(&mut out);
        self.bodies.collect(&mut out);
        access::collect(&operating.access, &mut out);
        certificates::collect(&operating.certificates, node.now(), &mut out);
        let handles = node.stores();
        let names: Vec<StoreName> = handles.iter().map(|store| store.name().clone()).collect();
        self.timers.collect(&names, &mut out);
        for store in &handles {
            let stats = store.stats();
            stores::collect(store, &stats, &mut out);
            mesh::collect_store(node, store, &stats, &mut out);
        }
        mesh::collect_peers(&cluster.peers, &mut out);
        actors::collect(node, &mut out);
        out
    }
}

fn collect_clock(clock: ClockView, out: &mut Exposition) {
    out.count(&names::CLOCK_FENCED, &[], u64::from(clock.standing == Standing::Fenced));
    for standing in Standing::ALL {
        let holds = u64::from(clock.standing == standing);
        out.count(&names::CLOCK_STANDING, &[standing.as_str()], holds);
    }
    out.sample(&names::CLOCK_WALL_OFFSET, &[], signed_seconds(clock.ahead_of_wall_ms));
    if let Some(ahead) = clock.ahead_of_peers_ms {
        out.sample(&names::CLOCK_PEERS_OFFSET, &[], signed_seconds(ahead));
    }
    out.sample(&names::CLOCK_CORRECTED, &[], signed_seconds(clock.corrected_ms));
    out.sample(&names::CLOCK_HYBRID_AHEAD, &[], as_f64(clock.hybrid_ahead_ms) / 1_000.0);
}

/// Milliseconds as seconds.
pub(super) fn signed_seconds(ms: i64) -> f64 {
    let size = as_f64(ms.unsigned_abs()) / 1_000.0;
    if ms < 0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(clock: ClockView) -> String {
        let mut out = Exposition::default();
        collect_clock(clock, &mut out);
        out.into_text()
    }

    #[test]
    fn the_clock_as_prometheus_sees_it() {
        let clock = ClockView {
            standing: Standing::Fenced,
            ahead_of_wall_ms: -1_500,
            ahead_of_peers_ms: Some(900),
            corrected_ms: -25,
            hybrid_ahead_ms: 400,
        };
        let text = shown(clock);
        for line in [
            "gridkv_clock_fenced 1",
            "gridkv_clock_standing{standing=\"fenced\"} 1",
            "gridkv_clock_standing{standing=\"sound\"} 0",
            "gridkv_clock_wall_offset_seconds -1.5",
            "gridkv_clock_peers_offset_seconds 0.9",
            "gridkv_clock_corrected_seconds -0.025",
            "gridkv_clock_hybrid_ahead_seconds 0.4",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
        let alone = shown(ClockView { ahead_of_peers_ms: None, ..clock });
        assert!(!alone.contains("gridkv_clock_peers_offset"), "nobody is heard");
    }
}
