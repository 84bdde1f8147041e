//! `gridkv bench`: how much a node does and how long it takes, with the letters of redis-benchmark.
//!
//! It measures the node and this client together, from one machine, and says what failed instead of leaving it out.

mod keys;
mod kind;
mod outcome;
mod start;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::{Value as Json, json};

use self::keys::Keys;
pub(crate) use self::kind::Kind;
use self::outcome::Outcome;
use self::start::Start;
use self::worker::{Job, Worker};
use super::progress::Unit;
use super::write_terms::WriteTerms;
use super::{Context, Exit, Progress, Run, Usage, plain_settings};
use crate::cli::settings::{Format, Settings, duration};
use crate::client::Client;
use crate::output::{Cell, Paint, Report, left, right};

/// How often the live line looks.
const LOOK: Duration = Duration::from_millis(100);

const HELP: &str = "\
Examples:
  gridkv bench
      100,000 puts and as many gets by 50 clients, values of 64 bytes.
  gridkv bench -t put -n 10000 -c 8 -d 1024
      Puts of 1 KiB by 8 clients.
  gridkv bench -t get,mixed -r 1000000 --zipf
      A million keys, some of which are asked for much more often.
  gridkv bench -t put -P 100
      100 operations in each request.
  gridkv bench -t put --acks majority --csv
      What confirmed writes cost, as CSV.

Tests: put, get, del, mixed (9 gets and 1 put). Latencies are of whole requests, in milliseconds; the first requests
warm up and are not counted. Keys are bench:0 to bench:RANGE-1; they stay, unless --clean is given.
Exit codes: 0 all requests were answered as they should, 6 some were not.";

/// `gridkv bench`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv bench --help")]
pub(crate) struct BenchArgs {
    /// What to measure, one after the other
    #[arg(short, long, value_name = "TESTS", value_delimiter = ',', default_value = "put,get")]
    tests: Vec<Kind>,
    /// Operations of each test
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100_000)]
    requests: u64,
    /// End each test after this time, also before its operations are done
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Connections at once
    #[arg(short, long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    clients: u16,
    /// Bytes of a value
    #[arg(short = 'd', long, value_name = "BYTES", default_value_t = 64)]
    size: usize,
    /// How many keys
    #[arg(short = 'r', long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    range: u64,
    /// Operations in one request: a batch
    #[arg(short = 'P', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    batch: u64,
    /// Operations that warm up, before any is counted [default: a hundredth, at most 1,000]
    #[arg(long, value_name = "N")]
    warm_up: Option<u64>,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    printing: Printing,
    #[command(flatten)]
    terms: WriteTerms,
    #[command(flatten)]
    settings: Settings,
}

/// How keys are chosen, and what is left of them.
#[derive(Debug, Clone, Args)]
struct Shape {
    /// Some keys are asked for much more often than others
    #[arg(long)]
    zipf: bool,
    /// Delete the keys afterwards
    #[arg(long)]
    clean: bool,
}

/// How the results are printed, in the words of other benchmarks; -o has the rest.
#[derive(Debug, Clone, Args)]
struct Printing {
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Run for BenchArgs {
    plain_settings!();

    fn run(mut self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        if self.size > 64 << 20 {
            return Err(Usage("no node takes values of that size".to_owned()).into());
        }
        let (clients, most) = (u64::from(self.clients), self.requests.div_ceil(self.batch).max(1));
        if clients > most {
            context
                .output
                .note(&format!("{most} clients of {clients}: there are no more requests"));
            self.clients = u16::try_from(most).unwrap_or(self.clients);
        }
        context.standing.hold();
        let keys = Arc::new(Keys::new(self.range, self.shape.zipf));
        let reads = |kind: &Kind| matches!(kind, Kind::Get | Kind::Mixed);
        if self.tests.iter().any(reads) && self.tests.first() != Some(&Kind::Put) {
            // A get that finds nothing would measure something else.
            self.fill(context)?;
        }
        let mut outcomes = Vec::new();
        for kind in &self.tests {
            let outcome = self.measure(context, *kind, &keys)?;
            outcomes.push(outcome);
            if context.interrupt.is_set() {
                context.output.note("interrupted; what was done is shown");
                break;
            }
        }
        self.print(context, &outcomes)?;
        if self.shape.clean && !context.interrupt.is_set() {
            self.clean(context)?;
        }
        let failed = outcomes.iter().any(|outcome| outcome.errors > 0);
        Ok(match (context.interrupt.is_set(), failed) {
            (true, _) => Exit::Interrupted,
            (false, true) => Exit::Partial,
            (false, false) => Exit::Done,
        })
    }
}

impl BenchArgs {
    fn job(&self, context: &Context, kind: Kind, keys: &Arc<Keys>, requests: u64) -> Arc<Job> {
        Arc::new(Job {
            kind,
            keys: Arc::clone(keys),
            store: context.store.clone(),
            terms: self.terms.clone(),
            size: self.size,
            batch: self.batch,
            left: AtomicU64::new(requests),
            done: AtomicU64::new(0),
            is_over: Arc::default(),
        })
    }

    /// Every key, once.
    fn fill(&self, context: &Context) -> anyhow::Result<()> {
        let keys = Arc::new(Keys::in_order(self.range));
        let mut job = self.job(context, Kind::Put, &keys, self.range);
        if let Some(job) = Arc::get_mut(&mut job) {
            job.batch = 500;
            job.terms = WriteTerms::default();
        }
        let outcome = self.run_job(context, &job, "filling", self.range)?;
        match outcome.first_error {
            Some(why) => anyhow::bail!("the keys could not be written before the gets: {why}"),
            None => Ok(()),
        }
    }

    fn measure(&self, context: &Context, kind: Kind, keys: &Arc<Keys>) -> anyhow::Result<Outcome> {
        let warm_up = self.warm_up.unwrap_or((self.requests / 100).min(1_000));
        if warm_up > 0 {
            let job = self.job(context, kind, keys, warm_up);
            self.run_job(context, &job, "warming up", warm_up)?;
        }
        let job = self.job(context, kind, keys, self.requests);
        self.run_job(context, &job, kind.as_str(), self.requests)
    }

    /// Runs a job by all clients.
    fn run_job(
        &self,
        context: &Context,
        job: &Arc<Job>,
        what: &'static str,
        total: u64,
    ) -> anyhow::Result<Outcome> {
        let total_outcome = Arc::new(Mutex::new(Outcome::new(job.kind)?));
        let start = Arc::new(Start::of(self.clients));
        let (mut workers, mut threads) = (Vec::new(), Vec::new());
        for _ in 0..self.clients {
            // Each has a connection of its own.
            let client = Client::new(&context.settings)?;
            let job = Arc::clone(job);
            workers.push(Worker::new(client, job)?);
        }
        for worker in workers {
            let (total, start) = (Arc::clone(&total_outcome), Arc::clone(&start));
            threads.push(thread::spawn(move || {
                worker.connect();
                start.wait();
                let mut own = worker.run();
                own.seconds = start.elapsed().as_secs_f64();
                total.lock().unwrap_or_else(PoisonError::into_inner).add(&own);
            }));
        }
        let stopwatch = start.give();
        let mut progress =
            Progress::new(&context.output, what, Unit::Things("operations"), Some(total));
        while threads.iter().any(|thread| !thread.is_finished()) {
            let is_late = self.duration.is_some_and(|most| stopwatch.elapsed() >= most);
            if context.interrupt.is_set() || is_late {
                job.is_over.store(true, Ordering::Relaxed);
            }
            progress.set(job.done.load(Ordering::Relaxed));
            thread::sleep(LOOK.min(stopwatch.elapsed() / 8).max(Duration::from_millis(1)));
        }
        progress.end();
        for thread in threads {
            if thread.join().is_err() {
                anyhow::bail!("a client of the benchmark failed; this is a fault of gridkv");
            }
        }
        let outcome = total_outcome.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(outcome)
    }

    fn clean(&self, context: &Context) -> anyhow::Result<()> {
        let keys = Arc::new(Keys::in_order(self.range));
        let mut job = self.job(context, Kind::Del, &keys, self.range);
        if let Some(job) = Arc::get_mut(&mut job) {
            job.batch = 500;
            job.terms = WriteTerms::default();
        }
        self.run_job(context, &job, "cleaning", self.range)?;
        Ok(())
    }

    fn print(&self, context: &Context, outcomes: &[Outcome]) -> anyhow::Result<()> {
        if self.printing.csv {
            let mut text = Outcome::CSV_HEAD.to_owned() + "\n";
            for outcome in outcomes {
                text.push_str(&outcome.csv());
                text.push('\n');
            }
            return Ok(context.output.bytes(text.as_bytes())?);
        }
        let row = |outcome: &Outcome| {
            let paint = if outcome.errors > 0 { Paint::Bad } else { Paint::Plain };
            let mut row = vec![
                Cell::text(outcome.kind.as_str()),
                Cell::text(outcome.operations.to_string()),
                Cell::text(format!("{:.0}", outcome.per_second())),
            ];
            row.extend(outcome.latencies().map(|ms| Cell::text(format!("{ms:.3}"))));
            row.push(Cell::painted(outcome.errors.to_string(), paint));
            row
        };
        let lines: Vec<Json> = outcomes.iter().map(Outcome::json).collect();
        let report = Report {
            columns: vec![
                left("TEST"),
                right("OPERATIONS"),
                right("PER SECOND"),
                right("P50 MS"),
                right("P90 MS"),
                right("P99 MS"),
                right("P99.9 MS"),
                right("MAX MS"),
                right("ERRORS"),
            ],
            rows: outcomes.iter().map(row).collect(),
            document: json!({
                "clients": self.clients, "value_bytes": self.size, "keys": self.range, "batch": self.batch,
                "zipf": self.shape.zipf, "results": lines,
            }),
            lines,
        };
        if self.printing.json {
            context.output.document(&report.document)?;
        } else {
            context.output.report(&report, Format::Table)?;
        }
        for outcome in outcomes {
            if let Some(why) = &outcome.first_error {
                let (kind, errors) = (outcome.kind.as_str(), outcome.errors);
                crate::output::complain(&format!("{kind}: {errors} failed; the first: {why}"));
            }
        }
        Ok(())
    }
}
