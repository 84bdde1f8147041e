//! Nodes that a snapshot is put into, and whether it is there afterwards.

use std::error::Error;
use std::time::Duration;

use gridkv_bench::bulk;
use gridkv_bench::equality;
use gridkv_bench::mesh::{self, Mesh};
use gridkv_bench::stopwatch::Stopwatch;

use crate::case::{Case, Desk, Memory, Turn, rest};
use crate::contents::Contents;
use crate::source::{Source, stopped};
use crate::upload::{Answer, Mode, Upload};

/// Nodes are equal within this time, or the measurement has failed.
const PATIENCE: Duration = Duration::from_mins(3);

/// Into a node without data.
pub(crate) fn into_empty(
    case: &Case,
    desk: &Desk,
    source: &Source,
) -> Result<Turn, Box<dyn Error>> {
    case.tell("into an empty node");
    let mesh = case.mesh(1)?;
    let process = mesh.process(1)?;
    let peak = process.watch();
    let answer = upload(desk, &mesh, Mode::Merge)?;
    let most = peak.bytes()?;
    rest();
    let at_rest = process.resident()?.min(source.at_rest);
    let applied = answer.said.get("applied").and_then(serde_json::Value::as_u64);
    if applied != Some(source.contents.keys) {
        return Err(format!("an upload into an empty node was answered {answer:?}").into());
    }
    must_hold(&mesh, desk, source.contents)?;
    mesh.stop()?;
    turn("an empty node", desk, &answer, Memory { at_rest, most })
}

/// Into one of two nodes that have other keys, and are written to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live {
    pub(crate) mode: Mode,
    /// What is there afterwards.
    pub(crate) then: Contents,
}

impl Live {
    pub(crate) fn turn(
        self,
        case: &Case,
        desk: &Desk,
        source: &Source,
    ) -> Result<Turn, Box<dyn Error>> {
        let name = match self.mode {
            Mode::Merge => "a live node, merge",
            Mode::Replace => "a live node, replace",
        };
        case.tell(&format!("into {name}"));
        let mesh = case.mesh(2)?;
        let (addr, process) = (mesh.address(1), mesh.process(1)?);
        case.put_others(addr, desk)?;
        let load = case.writes(addr);
        let peak = process.watch();
        let answer = upload(desk, &mesh, self.mode)?;
        let most = peak.bytes()?;
        let writes = stopped(load)?;
        let begun = Stopwatch::start();
        let last = desk.runtime.block_on(bulk::seal(addr))?;
        desk.runtime.block_on(mesh::arrival(&mesh.addresses(), &[&last], PATIENCE))?;
        equality::wait(&mesh, PATIENCE)?;
        let equal = Some(begun.elapsed());
        rest();
        let at_rest = process.resident()?.min(source.at_rest);
        equality::compare(&mesh)?;
        must_hold(&mesh, desk, self.then)?;
        mesh.stop()?;
        let turn = turn(name, desk, &answer, Memory { at_rest, most })?;
        Ok(Turn { writes: Some(writes), equal, ..turn })
    }
}

fn upload(desk: &Desk, mesh: &Mesh, mode: Mode) -> Result<Answer, Box<dyn Error>> {
    let (addr, from) = (mesh.address(1), desk.frames());
    let upload = Upload { addr, mode, from: &from, flipped: None };
    let answer = desk.runtime.block_on(upload.run())?;
    if answer.status != 200 {
        return Err(format!("an upload was answered {answer:?}").into());
    }
    Ok(answer)
}

fn turn(
    name: &'static str,
    desk: &Desk,
    answer: &Answer,
    memory: Memory,
) -> Result<Turn, Box<dyn Error>> {
    let size = desk.frames().metadata()?.len();
    Ok(Turn { name, took: answer.took, size, memory, writes: None, equal: None })
}

/// Whether all nodes count these keys, and the first one has these contents.
pub(crate) fn must_hold(
    mesh: &Mesh,
    desk: &Desk,
    expected: Contents,
) -> Result<(), Box<dyn Error>> {
    for client in mesh.clients() {
        let found = client.key_count("main")?;
        if found != Some(expected.keys) {
            let url = client.base_url();
            return Err(format!("{url} has {found:?} keys, not {}", expected.keys).into());
        }
    }
    let found = desk.runtime.block_on(Contents::on(mesh.address(1), &desk.lines()))?;
    if found != expected {
        return Err(format!("a node holds {found:?}, not {expected:?}").into());
    }
    Ok(())
}
