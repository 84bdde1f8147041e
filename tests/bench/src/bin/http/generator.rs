//! The load generator: a process of its own, one thread, many connections.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::future::try_join_all;
use gridkv_bench::connection::Connection;
use gridkv_bench::distribution::Distribution;
use gridkv_bench::random::Random;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::{screen, workload};

use crate::batches;
use crate::tally::Tally;

/// How long connections work before they are measured.
const WARM_UP: Duration = Duration::from_millis(200);

/// What one generator does.
#[derive(Clone, Debug, Args)]
pub(crate) struct Order {
    /// Where the server is.
    #[arg(long)]
    pub(crate) addr: SocketAddr,
    /// What is sent.
    #[arg(long, value_enum)]
    pub(crate) work: Work,
    /// Connections.
    #[arg(long)]
    pub(crate) connections: usize,
    /// Keys.
    #[arg(long)]
    pub(crate) keys: usize,
    /// Seconds.
    #[arg(long)]
    pub(crate) seconds: f64,
    /// Of the random numbers.
    #[arg(long)]
    pub(crate) seed: u64,
}

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// One key is read.
    Get,
    /// One key is written.
    Put,
    /// A batch of puts in JSON.
    Json,
    /// A batch of puts in MessagePack.
    Msgpack,
}

/// Does as it is told and prints the tally.
pub(crate) fn run(order: &Order) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tally = runtime.block_on(generate(order))?;
    Ok(screen::line(tally)?)
}

/// What all connections send and when they stop.
struct Plan {
    work: Work,
    keys: usize,
    bodies: Vec<Vec<u8>>,
    end: Duration,
    begun: Stopwatch,
    /// Requests sent before the measurement began.
    warming: Cell<usize>,
    /// When the last request was answered.
    last: Cell<Duration>,
}

async fn generate(order: &Order) -> Result<Tally, Box<dyn Error>> {
    let puts = || batches::random(order.keys, order.seed);
    let bodies = match order.work {
        Work::Get | Work::Put => Vec::new(),
        Work::Json => puts().iter().map(batches::json).collect::<Result<_, _>>()?,
        Work::Msgpack => puts().iter().map(batches::msgpack).collect::<Result<_, _>>()?,
    };
    let connections =
        try_join_all((0..order.connections).map(|_| Connection::open(order.addr))).await?;
    let plan = Plan {
        work: order.work,
        keys: order.keys,
        bodies,
        end: WARM_UP + Duration::from_secs_f64(order.seconds),
        begun: Stopwatch::start(),
        warming: Cell::new(0),
        last: Cell::new(WARM_UP),
    };
    let workers = connections.into_iter().zip(order.seed..).map(|(connection, seed)| {
        let random = Random::seeded(seed.wrapping_mul(0x5851_F42D));
        work(connection, random, &plan)
    });
    let times = try_join_all(workers).await?;
    let took = plan.last.get().saturating_sub(WARM_UP);
    Ok(Tally::new(&Distribution::joined(times), plan.warming.get(), took))
}

/// One connection: sends, waits for the answer, sends the next.
async fn work(
    mut connection: Connection,
    mut random: Random,
    plan: &Plan,
) -> io::Result<Distribution> {
    let mut times = Distribution::default();
    loop {
        let started = plan.begun.elapsed();
        if started >= plan.end {
            return Ok(times);
        }
        let status = request(&mut connection, &mut random, plan).await?;
        if !(200..300).contains(&status) {
            return Err(io::Error::other(format!("the server answered {status}")));
        }
        let answered = plan.begun.elapsed();
        if started < WARM_UP {
            plan.warming.set(plan.warming.get() + 1);
        } else {
            times.note(answered.saturating_sub(started));
            plan.last.set(answered);
        }
    }
}

async fn request(connection: &mut Connection, random: &mut Random, plan: &Plan) -> io::Result<u16> {
    const BATCH: &str = "/v1/stores/main/batch";
    let number = random.below(plan.keys);
    let body = || plan.bodies.get(number % plan.bodies.len().max(1)).map_or(&[][..], Vec::as_slice);
    let answer = match plan.work {
        Work::Get => connection.get(&path(number)).await?,
        Work::Put => connection.put(&path(number), &workload::value(number)).await?,
        Work::Json => connection.post(BATCH, body(), "application/json").await?,
        Work::Msgpack => connection.post(BATCH, body(), "application/x-msgpack").await?,
    };
    Ok(answer.status)
}

fn path(number: usize) -> String {
    format!("/v1/kv/main/{}", workload::key(number))
}
