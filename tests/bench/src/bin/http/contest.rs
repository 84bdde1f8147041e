//! The rounds, and the tables that they make.

use std::error::Error;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use gridkv_actors::handle::StoreHandle;
use gridkv_bench::figure::{float, median, median_ratio, per_second};
use gridkv_bench::table::Table;
use gridkv_bench::{cpu, screen};

use crate::batches::{self, PUTS};
use crate::generator::Work;
use crate::node::Served;
use crate::tally::Tally;
use crate::{Settings, constant, straight};

/// What one contender did in all rounds.
#[derive(Default)]
struct Series {
    tallies: Vec<Tally>,
    cpu_us: Vec<f64>,
}

impl Series {
    fn push(&mut self, tally: Tally, cpu: Duration) {
        let requests = float((tally.requests + tally.warming).max(1));
        self.cpu_us.push(cpu.as_secs_f64() * 1e6 / requests);
        self.tallies.push(tally);
    }

    fn of(&self, figure: impl Fn(&Tally) -> f64) -> Vec<f64> {
        self.tallies.iter().map(figure).collect()
    }
}

/// The servers, in this process.
struct Servers {
    store: StoreHandle,
    node: SocketAddr,
    constant: SocketAddr,
}

/// Starts both servers, lets them take turns, and prints the tables.
pub(crate) async fn run(settings: Settings) -> Result<(), Box<dyn Error>> {
    let served = Served::start(settings.workers).await?;
    let servers = Servers {
        store: served.store()?,
        node: served.addr,
        constant: constant::serve(settings.workers)?,
    };
    // Every key is there before the first read.
    let all = (0..settings.keys).collect::<Vec<_>>();
    for numbers in all.chunks(PUTS) {
        servers.store.batch(batches::straight(&batches::of(numbers))?).await?;
    }
    // The servers' own threads go on; this one belongs to the system that they run on.
    let tables = tokio::task::spawn_blocking(move || {
        tables(&servers, settings).map_err(|error| error.to_string())
    });
    tables.await??;
    drop(served);
    Ok(())
}

fn tables(servers: &Servers, settings: Settings) -> Result<(), Box<dyn Error>> {
    let Settings { workers, connections, rounds, .. } = settings;
    let mut single =
        [Work::Get, Work::Put].map(|work| (work, Series::default(), Series::default()));
    let mut batches = [Work::Json, Work::Msgpack].map(|work| (work, Series::default()));
    let mut direct = Series::default();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (work, node, constant) in &mut single {
            let mut turns = [(servers.node, node), (servers.constant, constant)];
            turns.rotate_left(round % 2);
            for (addr, series) in turns {
                let (tally, cpu) = generate(addr, *work, settings, round)?;
                series.push(tally, cpu);
            }
        }
        for (work, series) in &mut batches {
            let (tally, cpu) = generate(servers.node, *work, settings, round)?;
            series.push(tally, cpu);
        }
        let before = cpu::used()?;
        let tally = straight::run(&servers.store, settings, u64::try_from(round)?)
            .map_err(|error| error.to_string())?;
        direct.push(tally, cpu::used()?.saturating_sub(before));
    }
    screen::line(format_args!(
        "\n### HTTP: {workers} workers, {connections} connections, against a constant handler\n"
    ))?;
    let mut table = table();
    for (work, node, constant) in &single {
        let name = format!("{work:?}").to_uppercase();
        table.row(row(&name, constant, constant, 1));
        table.row(row(&format!("{name}, node"), node, constant, 1));
    }
    screen::line(table)?;
    screen::line(format_args!("### Batches of {PUTS} puts, against the store's handle\n"))?;
    let mut table = self::table();
    table.row(row("straight", &direct, &direct, PUTS));
    for (work, series) in &batches {
        table.row(row(&format!("HTTP, {work:?}"), series, &direct, PUTS));
    }
    screen::line(table)?;
    Ok(())
}

fn table() -> Table {
    Table::new(&["contender", "ops/s", "ratio", "p50 us", "p99 us", "CPU us", "CPU ratio"])
}

/// A contender beside what it is held against.
fn row(name: &str, series: &Series, against: &Series, ops: usize) -> [String; 7] {
    let (rates, others) = (series.of(Tally::rate), against.of(Tally::rate));
    [
        name.to_owned(),
        per_second(median(&rates) * float(ops)),
        format!("{:.2}", median_ratio(&rates, &others)),
        format!("{:.0}", median(&series.of(|tally| tally.p50_us))),
        format!("{:.0}", median(&series.of(|tally| tally.p99_us))),
        format!("{:.1}", median(&series.cpu_us)),
        format!("{:.2}", median_ratio(&against.cpu_us, &series.cpu_us)),
    ]
}

/// Runs the generator against a server. Returns with its tally what the servers' process used meanwhile.
fn generate(
    addr: SocketAddr,
    work: Work,
    settings: Settings,
    round: usize,
) -> Result<(Tally, Duration), Box<dyn Error>> {
    let Settings { connections, keys, seconds, .. } = settings;
    let before = cpu::used()?;
    let output = Command::new(std::env::current_exe()?)
        .args(["generate", "--addr", &addr.to_string(), "--seed", &round.to_string()])
        .args(["--work", &format!("{work:?}").to_lowercase(), "--keys", &keys.to_string()])
        .args(["--connections", &connections.to_string(), "--seconds", &seconds.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let cpu = cpu::used()?.saturating_sub(before);
    if !output.status.success() {
        return Err(format!("the load generator ended with {}", output.status).into());
    }
    Ok((String::from_utf8(output.stdout)?.parse()?, cpu))
}
