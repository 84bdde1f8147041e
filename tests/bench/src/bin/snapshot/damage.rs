//! A snapshot with one bit flipped, and what a node says of it.

use std::error::Error;
use std::time::Duration;

use serde_json::Value;

use crate::case::{Case, Desk};
use crate::contents::Contents;
use crate::target;
use crate::upload::{Mode, Upload};

/// Bytes of a frame, at most, when records are small: what is wrong is found within the frame that it is in.
const FRAME_BYTES: u64 = 544 * 1_024;
/// Bytes before the end that are in the checksum of the whole.
const IN_FOOTER: u64 = 4;
/// Bytes after the start that are in what the snapshot says of itself.
const IN_HEAD: u64 = 24;

/// What the node has to say.
const CORRUPT: (u16, Option<&str>) = (400, Some("snapshot_corrupt"));

/// An upload that was refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// Where the bit was.
    pub(crate) name: &'static str,
    /// Its byte.
    pub(crate) flipped: u64,
    /// The byte that the node named.
    pub(crate) named: u64,
    pub(crate) took: Duration,
}

/// Tries several, on a node that has other keys, and keeps them. The contents of those come back too.
pub(crate) fn measure(
    case: &Case,
    desk: &Desk,
) -> Result<(Contents, Vec<Refusal>), Box<dyn Error>> {
    case.tell("flipped bits");
    let mesh = case.mesh(1)?;
    let addr = mesh.address(1);
    case.put_others(addr, desk)?;
    let others = desk.runtime.block_on(Contents::on(addr, &desk.lines()))?;
    let from = desk.frames();
    let size = from.metadata()?.len();
    let places = [
        ("magic", 0),
        ("head", IN_HEAD),
        ("a quarter", size / 4),
        ("middle", size / 2),
        ("three quarters", size / 4 * 3),
        ("footer", size - IN_FOOTER),
    ];
    let mut refusals = Vec::new();
    for (name, byte) in places {
        for mode in [Mode::Merge, Mode::Replace] {
            let upload = Upload { addr, mode, from: &from, flipped: Some(byte) };
            let answer = desk.runtime.block_on(upload.run())?;
            let code = answer.said.get("code").and_then(Value::as_str);
            let named = answer
                .said
                .get("offset")
                .and_then(Value::as_u64)
                .filter(|named| (*named..named.saturating_add(FRAME_BYTES)).contains(&byte));
            let Some(named) = named.filter(|_| (answer.status, code) == CORRUPT) else {
                return Err(format!("byte {byte} was flipped, and the node said {answer:?}").into());
            };
            target::must_hold(&mesh, desk, others)?;
            if mode == Mode::Replace {
                refusals.push(Refusal { name, flipped: byte, named, took: answer.took });
            }
        }
    }
    mesh.stop()?;
    Ok((others, refusals))
}
