//! What the rows of the database say: keys and values as bytes, in their first version.
//!
//! All rows are in one keyspace, told apart by their first byte, so that one memtable and one table
//! hold a commit whole. Bytes from the disk are not trusted: what is not a row of ours is an error,
//! never a panic and never another record.
//!
//! ```text
//! d <deadline, u64> <key>    nothing                          a deadline of a live record
//! f <origin, u64>            <sum> <hlc, u64>                 how far the frontier is
//! r <key>                    <sum> <kind> <hlc> <origin> ...  a record
//! s                          <sum> <floor> <indexed> <counts> the floor, and the counts if they are kept
//! ```
//! Numbers are big-endian. The sum is the lower half of XXH3-64 over key and value: it ties a value to
//! its key, which the engine's checksums of blocks and journals do not.

use gridkv_protocol::{ContentType, Hlc, Key, Live, Origin, Record, State, UnixMs, Value, Version};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::backend::{BackendError, Counts};

pub(super) const DEADLINES: u8 = b'd';
pub(super) const FRONTIER: u8 = b'f';
pub(super) const RECORDS: u8 = b'r';
const STATE: u8 = b's';

const LIVE: u8 = 0;
const LIVE_WITH_EXTRAS: u8 = 1;
const DELETED: u8 = 2;
const EXPIRED: u8 = 3;

/// Bytes of a row that are not those that were written.
#[derive(Debug, thiserror::Error)]
#[error("a row is damaged: {0}")]
struct DamagedRow(&'static str);

pub(super) fn damaged(what: &'static str) -> BackendError {
    BackendError::Engine { doing: "read a row", source: Box::new(DamagedRow(what)) }
}

/// The floor and, unless a rebuild is due, the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StateRow {
    pub(super) floor: Hlc,
    pub(super) counts: Option<Counts>,
}

pub(super) const STATE_KEY: [u8; 1] = [STATE];

pub(super) fn record_key(key: &str) -> Vec<u8> {
    [&[RECORDS], key.as_bytes()].concat()
}

pub(super) fn frontier_key(origin: Origin) -> Vec<u8> {
    [&[FRONTIER][..], &origin.bits().to_be_bytes()].concat()
}

pub(super) fn deadline_key(at: UnixMs, key: &Key) -> Vec<u8> {
    [&[DEADLINES][..], &at.0.to_be_bytes(), key.as_str().as_bytes()].concat()
}

pub(super) fn read_record_key(row: &[u8]) -> Result<Key, BackendError> {
    let key = row.strip_prefix(&[RECORDS]).ok_or_else(|| damaged("it is no record"))?;
    Key::from_bytes(key).map_err(|_| damaged("its key is none"))
}

pub(super) fn read_deadline_key(row: &[u8]) -> Result<(UnixMs, Key), BackendError> {
    let mut rest = Rest(row);
    rest.kind(DEADLINES)?;
    let at = UnixMs(rest.u64()?);
    Ok((at, Key::from_bytes(rest.0).map_err(|_| damaged("its key is none"))?))
}

pub(super) fn write_record(row_key: &[u8], record: &Record) -> Vec<u8> {
    const FIXED: usize = 4 + 1 + 16 + 10;
    let mut row = Vec::with_capacity(FIXED + record.content_bytes());
    row.extend([0; 4]);
    let kind = match &record.state {
        State::Live(Live { content_type: None, expires_at: None, .. }) => LIVE,
        State::Live(_) => LIVE_WITH_EXTRAS,
        State::Deleted => DELETED,
        State::Expired { .. } => EXPIRED,
    };
    row.push(kind);
    row.extend(record.version.hlc.bits().to_be_bytes());
    row.extend(record.version.origin.bits().to_be_bytes());
    match &record.state {
        State::Live(live) => {
            if kind == LIVE_WITH_EXTRAS {
                write_extras(&mut row, live);
            }
            row.extend_from_slice(&live.value);
        }
        State::Expired { expires_at } => row.extend(expires_at.0.to_be_bytes()),
        State::Deleted => {}
    }
    seal(row_key, row)
}

/// The deadline, after a byte that says whether there is one, and the content type after its length.
fn write_extras(row: &mut Vec<u8>, live: &Live) {
    row.push(u8::from(live.expires_at.is_some()));
    row.extend(live.expires_at.map_or([0; 8], |at| at.0.to_be_bytes()));
    let content_type = live.content_type.as_ref().map_or("", ContentType::as_str);
    // A content type is no longer than 255 bytes; it is none if it has no bytes.
    row.push(u8::try_from(content_type.len()).unwrap_or(u8::MAX));
    row.extend_from_slice(content_type.as_bytes());
}

pub(super) fn read_record(row_key: &[u8], row: &[u8]) -> Result<Record, BackendError> {
    let mut rest = open(row_key, row)?;
    let kind = rest.u8()?;
    let version =
        Version { hlc: Hlc::from_bits(rest.u64()?), origin: Origin::from_bits(rest.u64()?) };
    let state = match kind {
        LIVE => {
            let value = Value::copied(rest.all());
            State::Live(Live { value, content_type: None, expires_at: None })
        }
        LIVE_WITH_EXTRAS => {
            let is_due = rest.u8()? != 0;
            let at = rest.u64()?;
            let length = usize::from(rest.u8()?);
            let content_type = match rest.take(length)? {
                [] => None,
                text => Some(read_content_type(text)?),
            };
            let (expires_at, value) = (is_due.then_some(UnixMs(at)), Value::copied(rest.all()));
            State::Live(Live { value, content_type, expires_at })
        }
        DELETED => State::Deleted,
        EXPIRED => State::Expired { expires_at: UnixMs(rest.u64()?) },
        _ => return Err(damaged("its kind is unknown")),
    };
    rest.end()?;
    Ok(Record { version, state })
}

fn read_content_type(text: &[u8]) -> Result<ContentType, BackendError> {
    let text = std::str::from_utf8(text).map_err(|_| damaged("its content type is no text"))?;
    ContentType::new(text).map_err(|_| damaged("its content type is none"))
}

pub(super) fn write_frontier(row_key: &[u8], upto: Hlc) -> Vec<u8> {
    let mut row = vec![0; 4];
    row.extend(upto.bits().to_be_bytes());
    seal(row_key, row)
}

pub(super) fn read_frontier(row_key: &[u8], row: &[u8]) -> Result<(Origin, Hlc), BackendError> {
    let (mut key, mut rest) = (Rest(row_key), open(row_key, row)?);
    key.kind(FRONTIER)?;
    let found = (Origin::from_bits(key.u64()?), Hlc::from_bits(rest.u64()?));
    key.end()?;
    rest.end()?;
    Ok(found)
}

pub(super) fn write_state(state: &StateRow) -> Vec<u8> {
    let mut row = vec![0; 4];
    row.extend(state.floor.bits().to_be_bytes());
    row.push(u8::from(state.counts.is_some()));
    if let Some(Counts { keys, tombstones, bytes, greatest, loose }) = state.counts {
        for number in [keys, tombstones, bytes, greatest.bits()] {
            row.extend(number.to_be_bytes());
        }
        row.push(u8::from(loose));
    }
    seal(&STATE_KEY, row)
}

pub(super) fn read_state(row: &[u8]) -> Result<StateRow, BackendError> {
    let mut rest = open(&STATE_KEY, row)?;
    let floor = Hlc::from_bits(rest.u64()?);
    let counts = match rest.u8()? {
        0 => None,
        _ => Some(Counts {
            keys: rest.u64()?,
            tombstones: rest.u64()?,
            bytes: rest.u64()?,
            greatest: Hlc::from_bits(rest.u64()?),
            loose: rest.u8()? != 0,
        }),
    };
    rest.end()?;
    Ok(StateRow { floor, counts })
}

/// Writes the sum into the four bytes that `row` starts with.
fn seal(row_key: &[u8], mut row: Vec<u8>) -> Vec<u8> {
    if let Some((room, content)) = row.split_first_chunk_mut::<4>() {
        *room = sum(row_key, content);
    }
    row
}

fn open<'a>(row_key: &[u8], row: &'a [u8]) -> Result<Rest<'a>, BackendError> {
    let (found, content) =
        row.split_first_chunk::<4>().ok_or_else(|| damaged("it is too short"))?;
    let matches = *found == sum(row_key, content);
    if matches { Ok(Rest(content)) } else { Err(damaged("its checksum does not match")) }
}

fn sum(row_key: &[u8], content: &[u8]) -> [u8; 4] {
    let [_, _, _, _, sum @ ..] = xxh3_64_with_seed(content, xxh3_64(row_key)).to_be_bytes();
    sum
}

/// What of a row is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], BackendError> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or_else(|| damaged("it is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn u8(&mut self) -> Result<u8, BackendError> {
        let (first, rest) = self.0.split_first().ok_or_else(|| damaged("it is too short"))?;
        self.0 = rest;
        Ok(*first)
    }

    fn u64(&mut self) -> Result<u64, BackendError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(|| damaged("it is too short"))?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*bytes))
    }

    fn kind(&mut self, wanted: u8) -> Result<(), BackendError> {
        if self.u8()? == wanted { Ok(()) } else { Err(damaged("it is of another kind")) }
    }

    fn end(self) -> Result<(), BackendError> {
        if self.0.is_empty() { Ok(()) } else { Err(damaged("bytes follow it")) }
    }
}

#[cfg(test)]
#[path = "rows_test.rs"]
mod tests;
