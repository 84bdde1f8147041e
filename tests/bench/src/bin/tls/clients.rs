//! Requests of clients: plain and without a token, and inside TLS with one.

use std::error::Error;
use std::time::Duration;

use gridkv_bench::bulk;
use gridkv_bench::clients as asking;
use gridkv_bench::connection::{Connection, Target};
use gridkv_bench::figure::{float, median, median_ratio, per_second};
use gridkv_bench::load::Work;
use gridkv_bench::mesh::{Mesh, Plan};
use gridkv_bench::papers::{Inside, Papers};
use gridkv_bench::report::Report;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::subject::Subject;
use gridkv_bench::table::Table;
use tokio::runtime::Runtime;

/// How clients ask.
pub(crate) struct Clients {
    pub(crate) connections: usize,
    pub(crate) keys: usize,
    pub(crate) lasts: Duration,
}

/// What they ask, and whether each time on a connection of its own.
const WORKS: [(&str, Work, bool); 3] =
    [("get", Work::Get, false), ("put", Work::Put, false), ("connect, get", Work::Get, true)];

/// A node, and the figures of each kind of work in each round.
struct Contender {
    mesh: Mesh,
    target: Target,
    rates: [Vec<f64>; 3],
    cpu_us: [Vec<f64>; 3],
}

impl Contender {
    fn start(subject: &Subject, papers: Option<&Papers>) -> Result<Self, Box<dyn Error>> {
        let gridkv = &subject.gridkv;
        let plan = Plan { gridkv, nodes: 1, backend: "memory", proxies: false, settings: &[] };
        let mesh = plan.start_with(papers.map(|papers| (papers, Inside::Http)))?;
        let addr = mesh.address(1);
        let target = match papers {
            None => Target { addr, tls: None, token: None },
            Some(papers) => {
                Target { addr, tls: Some(papers.client()?), token: Some(papers.token()?) }
            }
        };
        Ok(Self { mesh, target, rates: Default::default(), cpu_us: Default::default() })
    }
}

impl Clients {
    /// Measures both, in turns.
    pub(crate) fn measure(
        &self,
        subject: &Subject,
        runtime: &Runtime,
        rounds: usize,
        report: &mut Report,
    ) -> Result<(), Box<dyn Error>> {
        let papers = Papers::make(&subject.gridkv, 1)?;
        let mut both =
            [Contender::start(subject, None)?, Contender::start(subject, Some(&papers))?];
        for contender in &both {
            runtime.block_on(self.fill(&contender.target))?;
        }
        for round in 0..rounds {
            eprintln!("clients, round {}", round + 1);
            for place in 0..WORKS.len() {
                for turn in 0..both.len() {
                    let at = (turn + round) % both.len();
                    if let Some(contender) = both.get_mut(at) {
                        self.turn(contender, runtime, place)?;
                    }
                }
            }
        }
        let [plain, safe] = &both;
        let mut table =
            Table::new(&["", "plain/s", "TLS, token/s", "ratio", "plain CPU us", "TLS CPU us"]);
        for (place, (name, ..)) in WORKS.into_iter().enumerate() {
            let of = |figures: &[Vec<f64>; 3]| figures.get(place).cloned().unwrap_or_default();
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
        let title = "Clients: HTTPS with a token beside plain HTTP without one";
        Ok(report.section(title, &table, "")?)
    }

    async fn fill(&self, target: &Target) -> Result<(), Box<dyn Error>> {
        let mut connection = Connection::open_to(target).await?;
        for body in bulk::bodies(0..self.keys)? {
            let path = "/v1/stores/main/batch";
            let answer = connection.post(path, &body, "application/json").await?;
            if answer.status != 200 {
                return Err(format!("a batch was answered {}", answer.status).into());
            }
        }
        Ok(())
    }

    fn turn(
        &self,
        contender: &mut Contender,
        runtime: &Runtime,
        place: usize,
    ) -> Result<(), Box<dyn Error>> {
        let Some((_, work, anew)) = WORKS.get(place).copied() else { return Ok(()) };
        let Self { connections, keys, lasts } = *self;
        let asking = asking::Clients { target: &contender.target, connections, keys, lasts, anew };
        let process = contender.mesh.process(1)?;
        let cpu = process.cpu()?;
        let begun = Stopwatch::start();
        let count = float(runtime.block_on(asking.turn(work))?);
        let took = begun.elapsed().as_secs_f64();
        let spent = process.cpu()?.saturating_sub(cpu).as_secs_f64();
        if let (Some(rates), Some(cpu_us)) =
            (contender.rates.get_mut(place), contender.cpu_us.get_mut(place))
        {
            rates.push(count / took);
            cpu_us.push(spent * 1e6 / count);
        }
        Ok(())
    }
}
