//! The seal on a database: what never changes once it was made, and the version of its rows.
//!
//! The engine deletes the records if its list of keyspaces seems not to have them, and one flipped bit
//! can make it seem so. That list, and the options in it, are written once. Their checksums are taken
//! then, and compared before the engine sees the files again. What changes later, the engine's list of
//! tables, has a checksum beside it that the engine does not compare: this does.

use std::fs;
use std::io;
use std::path::Path;

use gridkv_protocol::codec::{decode, encode};
use gridkv_protocol::frame::{Format, FrameError, HEADER_BYTES};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::backend::BackendError;
use crate::files::{io_error, replace};

/// Seals, and with them rows, in their first version.
const FORMAT: Format = Format { magic: *b"GKVL", version: 1 };

const SEAL: &str = "gridkv";

/// The engine's list of keyspaces, and the keyspace of the rows.
const LISTED: &str = "keyspaces/0";
const ROWS: &str = "keyspaces/1";

/// Bytes of a seal, at most: a handful of file names.
const MAX_BYTES: usize = 64 * 1_024;

/// What a seal says: the options that the engine keeps with the database, and files with their sums.
type Content = (String, Vec<(String, u64)>);

/// What was found of a seal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seal {
    /// All is as it was made, with these options.
    Whole(String),
    /// Something is not.
    Broken(String),
    /// Another version of this program made it.
    Foreign(u8),
}

/// Seals a database that was just made.
///
/// # Errors
/// [`BackendError`] when its files can not be read, or the seal not written.
pub(super) fn seal(dir: &Path, options: &str) -> Result<(), BackendError> {
    let sums = sums(dir).map_err(io_error("read", dir))?;
    let content: Content = (options.to_owned(), sums);
    let payload = encode(&content).map_err(|error| BackendError::Encode(error.to_string()))?;
    let frame = FORMAT
        .wrap(0, &payload, MAX_BYTES)
        .map_err(|error| BackendError::Encode(error.to_string()))?;
    replace(dir, SEAL, &frame)
}

/// Compares a database with its seal.
///
/// # Errors
/// [`BackendError`] when its files can not be read.
pub(super) fn inspect(dir: &Path) -> Result<Seal, BackendError> {
    let path = dir.join(SEAL);
    let (options, sealed) = match fs::read(&path) {
        Ok(bytes) => match read(&bytes) {
            Ok(content) => content,
            Err(other) => return Ok(other),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Seal::Broken("it was never finished".to_owned()));
        }
        Err(error) => return Err(io_error("read", &path)(error)),
    };
    for (name, sum) in sealed {
        let path = dir.join(&name);
        match fs::read(&path) {
            Ok(bytes) if xxh3_64(&bytes) == sum => {}
            // The engine removes what it replaced while the database was made.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_needed(&name) => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("read", &path)(error));
            }
            _ => return Ok(Seal::Broken(format!("{name} is not what was written"))),
        }
    }
    Ok(match tables_fault(&dir.join(ROWS)).map_err(io_error("read", dir))? {
        Some(fault) => Seal::Broken(fault),
        None => Seal::Whole(options),
    })
}

fn is_needed(name: &str) -> bool {
    name.ends_with("current") || !name.contains('/')
}

fn read(bytes: &[u8]) -> Result<Content, Seal> {
    let broken = |error: &dyn std::fmt::Display| Seal::Broken(format!("its seal: {error}"));
    let Some((head, payload)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(broken(&"it is too short"));
    };
    let format = match FORMAT.parse(head, MAX_BYTES) {
        Err(FrameError::UnknownVersion(version)) => Format { version, ..FORMAT },
        _ => FORMAT,
    };
    let header = format.parse(head, MAX_BYTES).map_err(|error| broken(&error))?;
    header.verify(payload).map_err(|error| broken(&error))?;
    if format != FORMAT {
        return Err(Seal::Foreign(format.version));
    }
    decode(payload).map_err(|error| broken(&error))
}

/// The files that never change, by their names in `dir`, with their sums.
fn sums(dir: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut sums = vec![("version".to_owned(), xxh3_64(&fs::read(dir.join("version"))?))];
    for folder in [LISTED.to_owned(), format!("{LISTED}/tables")] {
        for found in fs::read_dir(dir.join(&folder))? {
            let found = found?;
            if found.file_type()?.is_file() {
                let name = format!("{folder}/{}", found.file_name().to_string_lossy());
                sums.push((name, xxh3_64(&fs::read(found.path())?)));
            }
        }
    }
    Ok(sums)
}

/// What is wrong with the list of tables: `current` has the number of the list, and its checksum.
fn tables_fault(keyspace: &Path) -> io::Result<Option<String>> {
    let found = |path: &Path| match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    };
    let current = found(&keyspace.join("current"))?;
    let parts = current.split_first_chunk::<8>().and_then(|(number, rest)| {
        let (sum, kind) = rest.split_first_chunk::<16>()?;
        Some((u64::from_le_bytes(*number), u128::from_le_bytes(*sum), kind))
    });
    let Some((number, sum, [0])) = parts else {
        return Ok(Some(format!("{ROWS}/current is not what was written")));
    };
    let name = format!("v{number}");
    let whole = xxh3_128(&found(&keyspace.join(&name))?) == sum;
    Ok((!whole).then(|| format!("{ROWS}/{name} is not what was written")))
}

// CAVEATS: `current` and the lists have the layout of lsm-tree 3.1; a test makes a database with the
// engine and inspects it, and fails when they disagree.
