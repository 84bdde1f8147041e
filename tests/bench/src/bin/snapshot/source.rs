//! A node that has the data, and its store on the way out.

use std::error::Error;
use std::net::SocketAddr;

use gridkv_bench::bulk;
use gridkv_bench::load::{Load, Tally};
use gridkv_bench::process::Process;

use crate::case::{Case, Desk, Memory, Turn, Writes, rest};
use crate::contents::Contents;
use crate::download::{Download, Downloaded};

/// What a store that is filled from its snapshot is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) contents: Contents,
    /// Resident bytes with these data, which came in batches, at rest.
    pub(crate) at_rest: u64,
}

/// How a snapshot is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Frames,
    Lines,
    Slowly,
    BesideWrites,
}

impl Way {
    const ALL: [Self; 4] = [Self::Frames, Self::Lines, Self::Slowly, Self::BesideWrites];

    fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Lines => "lines",
            Self::Slowly => "frames, slowly",
            Self::BesideWrites => "frames, beside writes",
        }
    }
}

/// Fills a node, and downloads its store in all ways. The files stay on the desk.
pub(crate) fn measure(case: &Case, desk: &Desk) -> Result<(Source, Vec<Turn>), Box<dyn Error>> {
    case.tell("filling");
    let mesh = case.mesh(1)?;
    let (addr, process) = (mesh.address(1), mesh.process(1)?);
    desk.runtime.block_on(bulk::fill(addr, 0..case.keys))?;
    rest();
    let at_rest = process.resident()?;
    // Engines fill their caches, which are bounded, once: those of records by reads, those of blocks by a walk.
    desk.runtime.block_on(bulk::read(addr, 0..case.keys))?;
    let walk = Download { addr, query: "", into: &desk.frames(), pace: None };
    desk.runtime.block_on(walk.run())?;
    rest();
    let read_once = process.resident()?;
    let node = Downloading { case, desk, addr, process, read_once };
    let downloads = Way::ALL.into_iter().map(|way| node.turn(way)).collect::<Result<_, _>>()?;
    let contents = Contents::of(&desk.lines())?;
    if usize::try_from(contents.keys) != Ok(case.keys) {
        let Contents { keys, .. } = contents;
        return Err(format!("a snapshot of {} keys has {keys}", case.keys).into());
    }
    mesh.stop()?;
    Ok((Source { contents, at_rest }, downloads))
}

/// A node that is at rest.
struct Downloading<'a> {
    case: &'a Case<'a>,
    desk: &'a Desk,
    addr: SocketAddr,
    process: Process,
    /// Resident bytes when all was read and walked once.
    read_once: u64,
}

impl Downloading<'_> {
    fn turn(&self, way: Way) -> Result<Turn, Box<dyn Error>> {
        let Self { case, desk, addr, .. } = *self;
        case.tell(way.name());
        let load = (way == Way::BesideWrites).then(|| case.writes(addr));
        let (query, into) = match way {
            Way::Frames | Way::Slowly | Way::BesideWrites => ("", desk.frames()),
            Way::Lines => ("?format=ndjson", desk.lines()),
        };
        let pace = (way == Way::Slowly).then_some(case.slow);
        let peak = self.process.watch();
        let download = Download { addr, query, into: &into, pace };
        let Downloaded { took, size } = desk.runtime.block_on(download.run())?;
        let memory = Memory { at_rest: self.read_once, most: peak.bytes()? };
        let writes = load.map(stopped).transpose()?;
        Ok(Turn { name: way.name(), took, size, memory, writes, equal: None })
    }
}

/// Ends writes that were begun.
pub(crate) fn stopped((load, before): (Load, Tally)) -> Result<Writes, Box<dyn Error>> {
    Ok(Writes { before, during: load.stop()? })
}
