//! Requests of clients, with scrapes beside them and without.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join;
use gridkv_bench::clients::Clients;
use gridkv_bench::connection::{Connection, Target};
use gridkv_bench::figure::{float, median, median_ratio, per_second};
use gridkv_bench::load::Work;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::table::Table;
use tokio::runtime::Runtime;

/// Between two scrapes.
const PAUSE: Duration = Duration::from_secs(1);

/// How clients ask a node.
pub(crate) struct Contest {
    pub(crate) addr: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) keys: usize,
    pub(crate) lasts: Duration,
}

/// Requests per second of each round, without scrapes and with.
#[derive(Default)]
struct Rates([Vec<f64>; 2]);

impl Contest {
    /// Measures both kinds of turns in each round, in changing order.
    pub(crate) fn measure(
        &self,
        runtime: &Runtime,
        rounds: usize,
    ) -> Result<Table, Box<dyn Error>> {
        let mut table = Table::new(&["", "without/s", "scraped/s", "ratio"]);
        let works = [(Work::Get, "get"), (Work::Put, "put")];
        let mut rates = works.map(|_| Rates::default());
        runtime.block_on(self.turn(Work::Put, false))?; // to warm up
        for round in 0..rounds {
            eprintln!("clients, round {}", round + 1);
            for ((work, _), Rates(figures)) in works.into_iter().zip(&mut rates) {
                for turn in 0..figures.len() {
                    let at = (turn + round) % figures.len();
                    let rate = runtime.block_on(self.turn(work, at == 1))?;
                    if let Some(figures) = figures.get_mut(at) {
                        figures.push(rate);
                    }
                }
            }
        }
        for ((_, name), Rates([without, scraped])) in works.into_iter().zip(&rates) {
            table.row([
                name.to_owned(),
                per_second(median(without)),
                per_second(median(scraped)),
                format!("{:.3}", median_ratio(scraped, without)),
            ]);
        }
        Ok(table)
    }

    /// Requests per second of one turn.
    async fn turn(&self, work: Work, is_scraped: bool) -> io::Result<f64> {
        let target = Target { addr: self.addr, tls: None, token: None };
        let Self { connections, keys, lasts, .. } = *self;
        let clients = Clients { target: &target, connections, keys, lasts, anew: false };
        let begun = Stopwatch::start();
        let beside = async { if is_scraped { self.scrape(&begun).await } else { Ok(()) } };
        let (done, scrapes) = join(clients.turn(work), beside).await;
        // Requests are no longer sent once the turn is over; a scrape that is due later is not waited for.
        scrapes.and(done).map(|done| float(done) / self.lasts.as_secs_f64())
    }

    /// Scrapes each second until the turn is over.
    async fn scrape(&self, begun: &Stopwatch) -> io::Result<()> {
        let mut connection = Connection::open(self.addr).await?;
        while begun.elapsed() < self.lasts {
            let answer = connection.get("/metrics").await?;
            if !answer.is_success() {
                return Err(io::Error::other(format!("a scrape was answered {}", answer.status)));
            }
            let left = self.lasts.saturating_sub(begun.elapsed());
            tokio::time::sleep(PAUSE.min(left)).await;
        }
        Ok(())
    }
}
