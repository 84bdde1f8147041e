//! Requests of clients, with scrapes beside them and without.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::{join, try_join_all};
use gridkv_bench::connection::Connection;
use gridkv_bench::figure::{float, median, median_ratio, per_second};
use gridkv_bench::random::Random;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::table::Table;
use gridkv_bench::workload;
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

/// What they ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Get,
    Put,
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
        let (begun, done) = (Stopwatch::start(), Cell::new(0));
        let connections =
            (0..self.connections).map(|number| self.ask(work, number, (&begun, &done)));
        let beside = async { if is_scraped { self.scrape(&begun).await } else { Ok(()) } };
        let (clients, scrapes) = join(try_join_all(connections), beside).await;
        clients.and(scrapes)?;
        // Requests are no longer sent once the turn is over; a scrape that is due later is not waited for.
        Ok(float(done.get()) / self.lasts.as_secs_f64())
    }

    /// One connection, which asks until the turn is over.
    async fn ask(
        &self,
        work: Work,
        number: usize,
        (begun, done): (&Stopwatch, &Cell<usize>),
    ) -> io::Result<()> {
        let mut random = Random::seeded(u64::try_from(number).unwrap_or(0));
        let mut connection = Connection::open(self.addr).await?;
        while begun.elapsed() < self.lasts {
            let key = random.below(self.keys);
            let path = format!("/v1/kv/main/{}", workload::key(key));
            let answer = match work {
                Work::Put => connection.put(&path, &workload::value(key)).await?,
                Work::Get => connection.get(&path).await?,
            };
            if !answer.is_success() {
                return Err(io::Error::other(format!("a request was answered {}", answer.status)));
            }
            done.set(done.get() + 1);
        }
        Ok(())
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
