//! Requests to one node at a fixed pace, whatever the answers do, from a thread of its own.
//!
//! Each request is due at a moment that was fixed before the first was sent. One that is due while its connection
//! still waits for an answer counts from when it was due, not from when it could be sent: a node that stands still
//! for a second is charged for every request of that second. What the generator's own timer is late (up to a
//! millisecond) is nobody's fault, and is not counted.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::connection::{Answer, Connection};
use crate::distribution::Distribution;
use crate::figure::float;
use crate::random::Random;
use crate::stopwatch::Stopwatch;
use crate::workload;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Where the node serves HTTP.
    pub addr: SocketAddr,
    /// What a request is.
    pub work: Work,
    /// Requests per second.
    pub rate: u32,
    /// Keep-alive connections: so many that each has a pause of milliseconds between two requests.
    pub connections: u32,
    /// The keys, numbered from 0.
    pub keys: usize,
    /// Of the random choice among them.
    pub seed: u64,
}

/// What is done with one key at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It is put.
    Put,
    /// It is read.
    Get,
}

/// Requests that go on until they are stopped.
#[derive(Debug)]
pub struct Load {
    state: Arc<State>,
    begun: Stopwatch,
    thread: JoinHandle<io::Result<()>>,
}

#[derive(Debug, Default)]
struct State {
    stopped: AtomicBool,
    tally: Mutex<Tally>,
}

/// What came of requests.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How long those took that were served, from when they were due.
    pub times: Distribution,
    /// Those that were refused.
    pub refused: usize,
    /// How long all this took.
    pub took: Duration,
    /// The version of the last write, empty without any: who covers it has all of them.
    pub last: String,
}

impl Load {
    /// Starts.
    #[must_use]
    pub fn start(order: Order) -> Self {
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let connections = (0..order.connections).map(|number| send(order, number, &shared));
            runtime.block_on(try_join_all(connections)).map(drop)
        });
        Self { state, begun: Stopwatch::start(), thread }
    }

    /// What was done since the start, or since this was asked for the last time.
    pub fn take(&mut self) -> Tally {
        let took = std::mem::replace(&mut self.begun, Stopwatch::start()).elapsed();
        let mut tally = self.state.tally();
        let last = tally.last.clone();
        Tally { took, ..std::mem::replace(&mut *tally, Tally { last, ..Tally::default() }) }
    }

    /// Stops. What was done since the start, or since [`Load::take`].
    ///
    /// # Errors
    /// When a connection broke.
    pub fn stop(self) -> Result<Tally, Box<dyn Error>> {
        let took = self.begun.elapsed();
        self.state.stopped.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the load panicked")??;
        let tally = std::mem::take(&mut *self.state.tally());
        Ok(Tally { took, ..tally })
    }
}

impl Tally {
    /// Requests that were served per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        float(self.times.count()) / self.took.as_secs_f64()
    }

    fn note(&mut self, answer: Answer<'_>, took: Duration) {
        // What is not there is served too.
        if answer.is_success() || answer.status == 404 {
            self.times.note(took);
        } else {
            self.refused += 1;
        }
        if answer.version > self.last.as_str() {
            answer.version.clone_into(&mut self.last);
        }
    }
}

impl State {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection. All of them are due in turns.
async fn send(order: Order, number: u32, state: &State) -> io::Result<()> {
    let Order { addr, work, rate, connections, keys, seed } = order;
    let mut connection = Connection::open(addr).await?;
    let mut random = Random::seeded(seed ^ (u64::from(number) << 32));
    let pace = Duration::from_secs(1) * connections / rate.max(1);
    let begun = Stopwatch::start();
    let mut due = pace * number / connections.max(1);
    loop {
        let early = due.saturating_sub(begun.elapsed());
        let counts_from = if early.is_zero() {
            due
        } else {
            tokio::time::sleep(early).await;
            begun.elapsed()
        };
        if state.stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        let key = random.below(keys);
        let path = format!("/v1/kv/main/{}", workload::key(key));
        let answer = match work {
            Work::Put => connection.put(&path, &workload::value(key)).await?,
            Work::Get => connection.get(&path).await?,
        };
        let took = begun.elapsed().saturating_sub(counts_from);
        state.tally().note(answer, took);
        due += pace;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// Answers one connection, and stands still once.
    fn serve(listener: &TcpListener, stands_still: Duration) {
        let (mut stream, _) = listener.accept().unwrap();
        for number in 0.. {
            let mut request = [0; 1_024];
            if stream.read(&mut request).unwrap_or(0) == 0 {
                return;
            }
            if number == 5 {
                thread::sleep(stands_still);
            }
            let answer = format!("HTTP/1.1 204 \r\nGridKV-Version: {number:04}\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    }

    #[test]
    fn who_stands_still_is_charged_for_every_request_that_was_due() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (late, a_second) = (Duration::from_millis(400), 100);
        let server = thread::spawn(move || serve(&listener, late));
        let order =
            Order { addr, work: Work::Put, rate: a_second, connections: 1, keys: 9, seed: 1 };
        let load = Load::start(order);
        let begun = Stopwatch::start();
        while load.state.tally().times.count() < 60 {
            assert!(begun.elapsed() < Duration::from_secs(30), "the load does not go on");
            thread::sleep(Duration::from_millis(5));
        }
        let tally = load.stop().unwrap();
        server.join().unwrap();
        // Of the 40 that were due meanwhile, those of the first three quarters waited for more than a quarter.
        let all = tally.times.count();
        let rank = 1_000 - 1_000 * 25 / all;
        assert!(tally.times.per_mille(rank) > late / 4, "{all}: {:?}", tally.times.per_mille(rank));
        assert!(tally.last.as_str() >= "0059" && tally.refused == 0);
    }
}
