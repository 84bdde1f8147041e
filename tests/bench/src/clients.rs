//! Clients of one node, each with one request under way, for as long as a turn lasts: how fast they go is how fast it
//! answers.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::connection::{Connection, Target};
use crate::load::Work;
use crate::random::Random;
use crate::stopwatch::Stopwatch;
use crate::workload;

/// Clients of a node.
#[derive(Clone, Copy, Debug)]
pub struct Clients<'a> {
    /// Where they ask.
    pub target: &'a Target,
    /// How many there are.
    pub connections: usize,
    /// The keys, numbered from 0.
    pub keys: usize,
    /// How long a turn lasts: nothing is sent after it.
    pub lasts: Duration,
    /// Whether each request has a connection of its own; else each client keeps one.
    pub anew: bool,
}

impl Clients<'_> {
    /// One turn. Says how many requests were answered.
    ///
    /// # Errors
    /// When a connection breaks, or what is asked for is not done.
    pub async fn turn(&self, work: Work) -> io::Result<usize> {
        let (begun, done) = (Stopwatch::start(), Cell::new(0));
        let all = (0..self.connections).map(|number| self.ask(work, number, (&begun, &done)));
        try_join_all(all).await?;
        Ok(done.get())
    }

    async fn ask(
        &self,
        work: Work,
        number: usize,
        (begun, done): (&Stopwatch, &Cell<usize>),
    ) -> io::Result<()> {
        let mut random = Random::seeded(u64::try_from(number).unwrap_or(0));
        let mut connection = Connection::open_to(self.target).await?;
        while begun.elapsed() < self.lasts {
            if self.anew {
                connection = Connection::open_to(self.target).await?;
            }
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
}
