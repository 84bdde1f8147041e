//! What one round does on one backend.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use gridkv_bench::bulk;
use gridkv_bench::load::{Load, Order, Tally, Work};
use gridkv_bench::mesh::{Mesh, Plan};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::contents::Contents;
use crate::damage::{self, Refusal};
use crate::source::{self, Source};
use crate::target;
use crate::upload::Mode;

/// Connections of the load.
const CONNECTIONS: u32 = 64;
/// What is under way in a node is over after this time, as far as its memory shows.
const REST: Duration = Duration::from_secs(2);

/// A backend, and how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) gridkv: &'a Path,
    pub(crate) backend: &'a str,
    /// Keys of the snapshot.
    pub(crate) keys: usize,
    /// Other keys, of a node that has some when the snapshot comes.
    pub(crate) others: usize,
    /// Writes per second beside.
    pub(crate) rate: u32,
    /// How long they go on before.
    pub(crate) before: Duration,
    /// Bytes per second that a slow reader takes.
    pub(crate) slow: f64,
}

/// What a case needs: where files are made, and who waits for sockets.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) runtime: Runtime,
    directory: TempDir,
}

/// A snapshot that went out or came in.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// Which it was.
    pub(crate) name: &'static str,
    pub(crate) took: Duration,
    /// Bytes that were sent.
    pub(crate) size: u64,
    pub(crate) memory: Memory,
    /// Of a steady writer, if there was one.
    pub(crate) writes: Option<Writes>,
    /// From its end until all nodes were equal, if there are several.
    pub(crate) equal: Option<Duration>,
}

/// Resident bytes of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// With its data, and nothing under way.
    pub(crate) at_rest: u64,
    /// At most, meanwhile.
    pub(crate) most: u64,
}

/// Writes before and meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Writes {
    pub(crate) before: Tally,
    pub(crate) during: Tally,
}

/// All that was seen.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) downloads: Vec<Turn>,
    pub(crate) uploads: Vec<Turn>,
    pub(crate) refusals: Vec<Refusal>,
}

impl Case<'_> {
    pub(crate) fn run(&self) -> Result<Outcome, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let desk = Desk { runtime, directory: TempDir::new()? };
        let (source, downloads) = source::measure(self, &desk)?;
        let (others, refusals) = damage::measure(self, &desk)?;
        let uploads = self.uploads(&desk, &source, others)?;
        Ok(Outcome { downloads, uploads, refusals })
    }

    fn uploads(
        &self,
        desk: &Desk,
        source: &Source,
        others: Contents,
    ) -> Result<Vec<Turn>, Box<dyn Error>> {
        let both = source.contents.beside(others);
        let live = [(Mode::Merge, both), (Mode::Replace, source.contents)];
        let mut turns = vec![target::into_empty(self, desk, source)?];
        for (mode, then) in live {
            turns.push(target::Live { mode, then }.turn(self, desk, source)?);
        }
        Ok(turns)
    }

    /// Says on standard error what is done now.
    pub(crate) fn tell(&self, what: &str) {
        eprintln!("`{}`: {what}", self.backend);
    }

    /// Nodes without data, ready.
    pub(crate) fn mesh(&self, nodes: u16) -> Result<Mesh, Box<dyn Error>> {
        let Self { gridkv, backend, .. } = *self;
        Plan { gridkv, nodes, backend, proxies: false, settings: &[] }.start()
    }

    /// Puts the keys that the snapshot does not have.
    pub(crate) fn put_others(&self, addr: SocketAddr, desk: &Desk) -> Result<(), Box<dyn Error>> {
        desk.runtime.block_on(bulk::fill(addr, self.keys..self.keys + self.others))
    }

    /// Begins to write keys of the snapshot at a steady pace, whose values stay. What was done before this returns
    /// stands in the tally.
    pub(crate) fn writes(&self, addr: SocketAddr) -> (Load, Tally) {
        let Self { rate, keys, .. } = *self;
        let order = Order { addr, work: Work::Put, rate, connections: CONNECTIONS, keys, seed: 1 };
        let mut load = Load::start(order);
        thread::sleep(self.before); // the time that is measured
        let before = load.take();
        (load, before)
    }
}

impl Desk {
    /// The snapshot in frames.
    pub(crate) fn frames(&self) -> PathBuf {
        self.directory.path().join("frames")
    }

    /// A snapshot in lines: of the source first, then whatever is compared with it.
    pub(crate) fn lines(&self) -> PathBuf {
        self.directory.path().join("lines")
    }
}

/// Lets a node come to rest, so that its memory is what it keeps.
pub(crate) fn rest() {
    thread::sleep(REST);
}
