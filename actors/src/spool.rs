//! Where an upload waits until all of it has come and was found whole: a file without a name.
//!
//! It is unlinked as soon as it is open, so it goes with its last user, whatever becomes of the process. What
//! was cut off between these two calls is swept away at the next start. An upload never takes the room that
//! stores need.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::snapshot::{SnapshotHead, SnapshotReader, SnapshotWriter};
use gridkv_protocol::{StoreName, UnixMs};
use gridkv_storage::free_space::Space;

/// What the names of such files begin with, as long as they have one.
const PREFIX: &str = "gridkv-spool-";

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 1_024 * 1_024;

/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1_024;

/// Bytes of the disk that an upload leaves free: what engines have under way there. On a small disk it is
/// [`RESERVE_SHARE`] of it.
const RESERVE_BYTES: u64 = 2 << 30;

/// See [`RESERVE_BYTES`].
const RESERVE_SHARE: u64 = 4;

/// Tells files of one process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Why an upload can not be kept, or not be read again. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// There is too little room.
    #[error("{free_bytes} bytes are free on the disk, and {wanted_bytes} must be")]
    Full { free_bytes: u64, wanted_bytes: u64 },
    /// The system said no, or what is read is not what was written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Records on their way into a file.
pub(crate) struct Spool {
    dir: PathBuf,
    file: File,
    writer: SnapshotWriter,
    unwritten: Vec<u8>,
    count: usize,
}

/// Records on their way out of it.
pub(crate) struct Spooled {
    file: File,
    /// How many there are in all.
    pub(crate) count: usize,
    reader: SnapshotReader,
    buffer: Vec<u8>,
    is_over: bool,
}

impl Spool {
    /// Makes an empty one in `dir`, for records of `store`.
    pub(crate) fn create(dir: &Path, store: &StoreName) -> Result<Self, SpoolError> {
        fs::create_dir_all(dir)?;
        let head = SnapshotHead { store: store.clone(), node: String::new(), made_at: UnixMs(0) };
        let (writer, unwritten) = SnapshotWriter::start(&head).map_err(io::Error::other)?;
        Ok(Self { dir: dir.to_owned(), file: nameless(dir, store)?, writer, unwritten, count: 0 })
    }

    /// Adds records, whose keys ascend.
    pub(crate) fn add(&mut self, records: &[KeyedRecord]) -> Result<(), SpoolError> {
        let bytes = self.writer.records(records).map_err(io::Error::other)?;
        self.count += records.len();
        self.unwritten.extend_from_slice(&bytes);
        if self.unwritten.len() < WRITE_BYTES {
            return Ok(());
        }
        write(&self.dir, &mut self.file, &self.unwritten)?;
        self.unwritten.clear();
        Ok(())
    }

    /// All has come: reads it from the start.
    pub(crate) fn read(self) -> Result<Spooled, SpoolError> {
        let Self { dir, mut file, writer, mut unwritten, count } = self;
        unwritten.extend(writer.finish().map_err(io::Error::other)?);
        write(&dir, &mut file, &unwritten)?;
        file.rewind()?;
        let (reader, buffer) = (SnapshotReader::default(), vec![0; READ_BYTES]);
        Ok(Spooled { file, count, reader, buffer, is_over: false })
    }
}

impl Spooled {
    /// The next records; `None` after the last ones.
    pub(crate) fn next_records(&mut self) -> Result<Option<Vec<KeyedRecord>>, SpoolError> {
        while !self.is_over {
            if let Some(records) = self.reader.next_records().map_err(io::Error::other)? {
                return Ok(Some(records));
            }
            let length = self.file.read(&mut self.buffer)?;
            if length == 0 {
                let reader = std::mem::take(&mut self.reader);
                reader.finish().map_err(io::Error::other)?;
                self.is_over = true;
            }
            self.reader.push(self.buffer.get(..length).unwrap_or_default());
        }
        Ok(None)
    }
}

fn write(dir: &Path, file: &mut File, bytes: &[u8]) -> Result<(), SpoolError> {
    // A file system that does not say how full it is fills up.
    if let Ok(Space { free, total }) = Space::of(dir) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let wanted = RESERVE_BYTES.min(total / RESERVE_SHARE).saturating_add(length);
        if free < wanted {
            return Err(SpoolError::Full { free_bytes: free, wanted_bytes: wanted });
        }
    }
    Ok(file.write_all(bytes)?)
}

/// A new file in `dir` that only the caller has.
fn nameless(dir: &Path, store: &StoreName) -> io::Result<File> {
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("{PREFIX}{store}-{number}"));
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                return match fs::remove_file(&path) {
                    // Another node that starts may have swept it away just now.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(file),
                };
            }
            // Of another process, which is about to take the name away again.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Removes what a process left that was cut off before its file was nameless.
pub(crate) fn sweep(dir: &Path) {
    let Ok(found) = fs::read_dir(dir) else { return }; // usually it is not there
    for found in found.flatten() {
        let is_ours = found.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && let Err(error) = fs::remove_file(found.path()) {
            tracing::warn!(path = %found.path().display(), %error, "a left-over file stays");
        }
    }
}

impl SpoolError {
    /// Whether there was no room.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Io(error) => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gridkv_protocol::{Hlc, Key, Live, Origin, Record, State, Value, Version};

    use super::*;

    fn keyed(n: usize) -> KeyedRecord {
        let live = Live { value: Value::copied(&[7; 3_000]), content_type: None, expires_at: None };
        let version = Version { hlc: Hlc::from_bits(1), origin: Origin::from_bits(1) };
        KeyedRecord {
            key: Key::new(&format!("k{n:06}")).unwrap(),
            record: Record { version, state: State::Live(live) },
        }
    }

    #[test]
    fn what_was_spooled_is_read_and_the_file_has_no_name() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("spool");
        let store = StoreName::new("main").unwrap();
        sweep(&dir);
        let mut spool = Spool::create(&dir, &store).unwrap();
        let records: Vec<_> = (0..1_000).map(keyed).collect();
        for chunk in records.chunks(70) {
            spool.add(chunk).unwrap();
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        let (mut spooled, mut read) = (spool.read().unwrap(), Vec::new());
        while let Some(records) = spooled.next_records().unwrap() {
            read.extend(records);
        }
        assert_eq!(read, records);
        assert!(spooled.next_records().unwrap().is_none(), "it stays at its end");
    }

    fn into(dir: &Path, file: File) -> Spool {
        let head = SnapshotHead {
            store: StoreName::new("main").unwrap(),
            node: String::new(),
            made_at: UnixMs(0),
        };
        let (writer, unwritten) = SnapshotWriter::start(&head).unwrap();
        Spool { dir: dir.to_owned(), file, writer, unwritten, count: 0 }
    }

    fn fill(mut spool: Spool) -> Result<Spooled, SpoolError> {
        let records: Vec<_> = (0..1_000).map(keyed).collect();
        records.chunks(70).try_for_each(|chunk| spool.add(chunk))?;
        spool.read()
    }

    #[test]
    fn a_disk_that_fills_up_is_told_from_one_that_fails() {
        // Where the system does not say how much is free, it says when nothing is.
        let nowhere = Path::new("/dev/full/none");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let error = fill(into(nowhere, full)).err().unwrap();
        assert!(error.is_full() && matches!(error, SpoolError::Io(_)), "{error:?}");
        let closed = File::open("/dev/null").unwrap(); // not for writing
        let error = fill(into(nowhere, closed)).err().unwrap();
        assert!(!error.is_full(), "{error:?}");
    }

    #[test]
    fn what_a_process_left_is_swept_away_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in [format!("{PREFIX}main-7"), "other".to_owned()] {
            fs::write(dir.path().join(name), b"x").unwrap();
        }
        sweep(dir.path());
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().collect();
        assert!(left.len() == 1 && left[0].file_name() == "other", "{left:?}");
    }
}
