//! Batches that go from one node to two others, over plain links and over links inside TLS.

use std::error::Error;
use std::time::Duration;

use gridkv_bench::bulk;
use gridkv_bench::figure::{float, median, median_ratio, per_second};
use gridkv_bench::mesh::{self, Mesh, Plan};
use gridkv_bench::papers::{Inside, Papers};
use gridkv_bench::report::Report;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::subject::Subject;
use gridkv_bench::table::Table;
use tokio::runtime::Runtime;

/// Connections, each with one batch under way.
const CONNECTIONS: usize = 4;
/// All is where it should be within this time.
const PATIENCE: Duration = Duration::from_mins(2);

/// How batches are put, and what stands behind the path for that.
const WAYS: [(&str, &str); 2] =
    [("until all have all", ""), ("`acks=2` on each batch", "?acks=2&ack_timeout=60s")];

/// A cluster, and the figures of each way in each round.
struct Contender {
    mesh: Mesh,
    rates: [Vec<f64>; 2],
    /// Of all three nodes, per put.
    cpu_us: [Vec<f64>; 2],
}

impl Contender {
    fn start(subject: &Subject, papers: Option<&Papers>) -> Result<Self, Box<dyn Error>> {
        let gridkv = &subject.gridkv;
        let plan = Plan { gridkv, nodes: 3, backend: "memory", proxies: false, settings: &[] };
        let mesh = plan.start_with(papers.map(|papers| (papers, Inside::Peers)))?;
        Ok(Self { mesh, rates: Default::default(), cpu_us: Default::default() })
    }

    fn turn(
        &mut self,
        runtime: &Runtime,
        bodies: &[Vec<u8>],
        (way, puts): (usize, usize),
    ) -> Result<(), Box<dyn Error>> {
        let (writer, addresses) = (self.mesh.address(1), self.mesh.addresses());
        let query = WAYS.get(way).map_or("", |(_, query)| query);
        let cpu = self.mesh.cpu()?;
        let begun = Stopwatch::start();
        runtime.block_on(bulk::send(writer, bodies, CONNECTIONS, query))?;
        let seal = runtime.block_on(bulk::seal(writer))?;
        runtime.block_on(mesh::arrival(&addresses, &[&seal], PATIENCE))?;
        let took = begun.elapsed().as_secs_f64();
        let spent = self.mesh.cpu()?.saturating_sub(cpu).as_secs_f64();
        if let (Some(rates), Some(cpu_us)) = (self.rates.get_mut(way), self.cpu_us.get_mut(way)) {
            rates.push(float(puts) / took);
            cpu_us.push(spent * 1e6 / float(puts));
        }
        Ok(())
    }
}

/// Measures both, in turns.
pub(crate) fn measure(
    subject: &Subject,
    runtime: &Runtime,
    (rounds, puts): (usize, usize),
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let papers = Papers::make(&subject.gridkv, 3)?;
    let mut both = [Contender::start(subject, None)?, Contender::start(subject, Some(&papers))?];
    let bodies = bulk::bodies(0..puts)?;
    for round in 0..rounds {
        eprintln!("links, round {}", round + 1);
        for way in 0..WAYS.len() {
            for turn in 0..both.len() {
                let at = (turn + round) % both.len();
                if let Some(contender) = both.get_mut(at) {
                    contender.turn(runtime, &bodies, (way, puts))?;
                }
            }
        }
    }
    let [plain, safe] = &both;
    let mut table =
        Table::new(&["", "plain puts/s", "TLS puts/s", "ratio", "plain CPU us", "TLS CPU us"]);
    for (way, (name, _)) in WAYS.into_iter().enumerate() {
        let of = |figures: &[Vec<f64>; 2]| figures.get(way).cloned().unwrap_or_default();
        let (plain_rates, safe_rates) = (of(&plain.rates), of(&safe.rates));
        table.row([
            name.to_owned(),
            per_second(median(&plain_rates)),
            per_second(median(&safe_rates)),
            format!("{:.2}", median_ratio(&safe_rates, &plain_rates)),
            format!("{:.1}", median(&of(&plain.cpu_us))),
            format!("{:.1}", median(&of(&safe.cpu_us))),
        ]);
    }
    plain.mesh.stop()?;
    safe.mesh.stop()?;
    let title = "Links: TLS with certificates on both sides beside plain ones";
    Ok(report.section(title, &table, "`CPU us` is that of all three nodes, per put.")?)
}
