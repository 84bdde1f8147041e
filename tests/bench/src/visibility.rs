//! How soon a write on one node is visible on others: one write at a time, and a read on each of the others that
//! waits for it.
//!
//! The readers do not poll: `min_version` holds the read until the node has the write, so that measuring costs a
//! request for each write, and what is noted is too long by one answer's way at most.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::connection::Connection;
use crate::distribution::Distribution;
use crate::figure::float;
use crate::random::Random;
use crate::stopwatch::Stopwatch;
use crate::workload;

/// The number of the key that is written over and over: none of those that loads write.
const KEY: usize = 99_999_999_999;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Visibility {
    /// Where it is written.
    pub writer: SocketAddr,
    /// Where it is read.
    pub readers: Vec<SocketAddr>,
    /// Writes.
    pub samples: usize,
    /// Between two of them, on average.
    pub spacing: Duration,
}

impl Visibility {
    /// For each reader, the times from when a write's acknowledgement was read until its value was.
    ///
    /// # Errors
    /// When a connection breaks, a write is refused, or a value is not seen.
    pub async fn measure(&self) -> io::Result<Vec<Distribution>> {
        let mut writer = Connection::open(self.writer).await?;
        let readers = self.readers.iter().map(|addr| Reader::open(*addr));
        let mut readers = try_join_all(readers).await?;
        let mut random = Random::seeded(1);
        let path = format!("/v1/kv/main/{}", workload::key(KEY));
        for sample in 0..self.samples {
            let value = format!("{sample:0100}");
            let answer = writer.put(&path, value.as_bytes()).await?;
            let acknowledged = Stopwatch::start();
            if !answer.is_success() {
                let refusal = format!("a write was answered {}", answer.status);
                return Err(io::Error::other(refusal));
            }
            let read = format!("{path}?min_version={}&timeout=20s", answer.version);
            let waits =
                readers.iter_mut().map(|one| one.wait(&read, value.as_bytes(), acknowledged));
            try_join_all(waits).await?;
            // At random, so that samples do not fall into step with the nodes' own rhythms.
            let share = random.below(1_000);
            tokio::time::sleep(self.spacing.mul_f64(0.5 + float(share) / 1_000.0)).await;
        }
        Ok(readers.into_iter().map(|reader| reader.times).collect())
    }
}

struct Reader {
    connection: Connection,
    times: Distribution,
}

impl Reader {
    async fn open(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self { connection: Connection::open(addr).await?, times: Distribution::default() })
    }

    async fn wait(&mut self, path: &str, value: &[u8], since: Stopwatch) -> io::Result<()> {
        let answer = self.connection.get(path).await?;
        if answer.body != value {
            let refusal = format!("a write that was acknowledged is answered {}", answer.status);
            return Err(io::Error::other(refusal));
        }
        self.times.note(since.elapsed());
        Ok(())
    }
}
