//! The only file that names fjall: one database with one keyspace, opened with our settings, written
//! by batches, and asked before it would wait for ever.
//!
//! One keyspace, not three: a commit is then in one memtable, and in one table afterwards, so that a
//! frontier can never be on the disk without the records that it covers. fjall keeps a keyspace's
//! options with the database and does not take others later; what can be done from outside (when a
//! memtable is sealed, how many may wait) is done here, so that it can be changed.
//!
//! It refuses everything that fjall answers badly: single writes (their failures poison more than
//! those of batches), empty keys (they make a database that can not be opened), and waiting in fjall
//! itself (its wait for memtables never ends when the thread that writes them has died).

use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::fjall::compaction::Leveled;
use ::fjall::config::CompressionPolicy;
use ::fjall::{
    AbstractTree as _, CompressionType, Database, Error, Keyspace, KeyspaceCreateOptions, LsmError,
    OwnedWriteBatch, PersistMode, Slice,
};

use crate::backend::{BackendError, LsmShape};
use crate::durability::Durability;
use crate::settings::{Compression, LsmSettings, Settings};

/// The keyspace's name.
const KEYSPACE: &str = "rows";

/// Threads that write and compact tables: one of each, for each store.
const WORKERS: usize = 2;

/// Table files that are kept open, at most: a node of 64 stores stays within usual limits.
const OPEN_FILES: usize = 128;

/// Runs of level 0 at which writes wait here; fjall itself would wait at 30, in the same blind way.
const MOST_RUNS: usize = 24;

/// Memtables whose commits are in journals at once, about: one being filled, one being written, and those
/// that share a file with them. fjall's own limit can not seal the only keyspace's memtable.
const JOURNAL_MEMTABLES: u64 = 4;

/// The wait between two looks at what holds writes back.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// An open database.
pub(super) struct Engine {
    rows: Keyspace,
    db: Database,
    dir: PathBuf,
    /// Bytes of a memtable at which it is sealed.
    sealed_at: u64,
    most_sealed: usize,
    /// Compactions of everything that were asked for, and ended.
    rewrites: AtomicU64,
}

/// Why a database can not be opened.
#[derive(Debug)]
pub(super) enum OpenFailure {
    /// It is not what was written.
    Damaged(String),
    /// It may be whole, but can not be opened now.
    Refused(BackendError),
}

/// What one commit changes: each key at most once.
pub(super) struct Changes {
    batch: OwnedWriteBatch,
    bytes: usize,
}

impl Changes {
    pub(super) fn put(&mut self, rows: &Engine, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.batch.insert(&rows.rows, key, value);
    }

    pub(super) fn remove(&mut self, rows: &Engine, key: Vec<u8>) {
        self.bytes += key.len();
        self.batch.remove(&rows.rows, key);
    }

    /// Bytes of its keys and values.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A row: its key and its value.
pub(super) type Row = (Slice, Slice);

impl Engine {
    /// Opens the database of `dir`; `is_new` says that it must be made. A volatile one does not write
    /// to the system what it can keep in its own buffers.
    ///
    /// # Errors
    /// [`OpenFailure`].
    ///
    /// # Panics
    /// As fjall does, on some damage.
    pub(super) fn open(
        dir: &Path,
        settings: &Settings,
        is_new: bool,
        volatile: bool,
    ) -> Result<Self, OpenFailure> {
        let lsm = &settings.lsm;
        let db = Database::builder(dir)
            .cache_size(lsm.block_cache_bytes)
            .worker_threads(WORKERS)
            .max_cached_files(Some(OPEN_FILES))
            .journal_compression(compression(settings.compression))
            .manual_journal_persist(volatile)
            .open()
            .map_err(open_failure)?;
        if !is_new && !db.keyspace_exists(KEYSPACE) {
            return Err(OpenFailure::Damaged("the records are missing".to_owned()));
        }
        let rows = db.keyspace(KEYSPACE, || options(settings)).map_err(open_failure)?;
        Ok(Self {
            rows,
            db,
            dir: dir.to_owned(),
            sealed_at: lsm.memtable_bytes.min(lsm.journal_bytes / JOURNAL_MEMTABLES),
            most_sealed: usize::try_from(lsm.num_memtables).unwrap_or(usize::MAX),
            rewrites: AtomicU64::new(0),
        })
    }

    /// An empty commit.
    pub(super) fn changes(&self) -> Changes {
        Changes { batch: self.db.batch(), bytes: 0 }
    }

    /// Commits all of it or nothing. Waits while memtables are sealed faster than they are written.
    ///
    /// # Errors
    /// [`BackendError`]: whether it is there is not known, and the engine takes nothing more.
    pub(super) fn commit(
        &self,
        changes: Changes,
        durability: Durability,
    ) -> Result<(), BackendError> {
        self.wait_for_room()?;
        let mode = match durability {
            Durability::Memory => None,
            Durability::Os => Some(PersistMode::Buffer),
            Durability::Fsync => Some(PersistMode::SyncData),
        };
        changes.batch.durability(mode).commit().map_err(failed("commit"))?;
        if self.rows.tree.active_memtable().size() >= self.sealed_at {
            self.rows.rotate_memtable().map_err(failed("seal a memtable"))?;
        }
        Ok(())
    }

    fn wait_for_room(&self) -> Result<(), BackendError> {
        while self.rows.sealed_memtable_count() >= self.most_sealed
            || self.rows.tree.l0_run_count() >= MOST_RUNS
        {
            // Fails once a thread of the engine has died: it would be waited for in vain.
            self.check()?;
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Makes tables of everything committed, and of all tables as few as there can be. Commits go on, until
    /// there are so many tables of theirs that they have to wait.
    ///
    /// # Errors
    /// [`BackendError`] when it can not: the tables are as they were.
    pub(super) fn rewrite(&self) -> Result<(), BackendError> {
        self.rows.rotate_memtable().map_err(failed("seal a memtable"))?;
        while self.rows.sealed_memtable_count() > 0 {
            self.check()?;
            std::thread::sleep(LOOK_AGAIN);
        }
        self.rows.major_compact().map_err(failed("compact"))?;
        self.rewrites.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Demands that it still works.
    ///
    /// # Errors
    /// [`BackendError`]: it takes nothing more.
    pub(super) fn check(&self) -> Result<(), BackendError> {
        self.db.persist(PersistMode::Buffer).map_err(failed("write in the background"))
    }

    /// Brings everything committed to the disk.
    ///
    /// # Errors
    /// [`BackendError`]: the engine takes nothing more.
    pub(super) fn sync(&self) -> Result<(), BackendError> {
        self.db.persist(PersistMode::SyncAll).map_err(failed("sync the journal"))
    }

    /// The value under a key.
    ///
    /// # Errors
    /// [`BackendError`] when it can not be read.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Slice>, BackendError> {
        self.rows.get(key).map_err(failed("read a row"))
    }

    /// Rows in byte order of their keys, from a bound, of those that start with `kind`. They are read as
    /// they are when the walk comes by, no older than what [`Engine::get`] has given.
    pub(super) fn range(
        &self,
        kind: u8,
        from: Bound<Vec<u8>>,
    ) -> impl Iterator<Item = Result<Row, BackendError>> + use<> {
        let from = if from == Bound::Unbounded { Bound::Included(vec![kind]) } else { from };
        let to = Bound::Excluded(vec![kind.saturating_add(1)]);
        let rows = self.rows.range::<Vec<u8>, _>((from, to));
        rows.map(|row| row.into_inner().map_err(failed("read rows")))
    }

    /// Bytes of its files: tables, and what journals occupy of the room that they were given.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.rows.disk_space().saturating_add(journal_bytes(&self.dir).unwrap_or(0))
    }

    /// Its tables.
    pub(super) fn shape(&self) -> LsmShape {
        let whole = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let levels = (0..).map_while(|level| self.rows.tree.level_table_count(level));
        LsmShape {
            tables: levels.map(whole).collect(),
            sealed_memtables: whole(self.rows.sealed_memtable_count()),
            // Those that are asked for do not pass its count.
            compactions: whole(self.db.compactions_completed())
                .saturating_add(self.rewrites.load(Ordering::Relaxed)),
        }
    }

    /// Bytes of its block cache and its memtables.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.db.cache_size().saturating_add(self.db.write_buffer_size())
    }

    /// Waits until memtables that were sealed are tables, and nothing is compacted.
    #[cfg(test)]
    pub(super) fn settle(&self) {
        while self.rows.sealed_memtable_count() > 0 || self.db.active_compactions() > 0 {
            std::thread::yield_now();
        }
    }

    /// Bytes in its block cache.
    #[cfg(test)]
    pub(super) fn cached_bytes(&self) -> u64 {
        self.db.cache_size()
    }
}

/// Journals are made longer than they are: what counts is the blocks that they have.
fn journal_bytes(dir: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for found in std::fs::read_dir(dir)? {
        let found = found?;
        if found.path().extension().is_some_and(|extension| extension == "jnl") {
            bytes += found.metadata().map_or(0, |journal| journal.blocks() * 512);
        }
    }
    Ok(bytes)
}

fn compression(compression: Compression) -> CompressionType {
    match compression {
        Compression::None => CompressionType::None,
        Compression::Lz4 => CompressionType::Lz4,
    }
}

fn options(settings: &Settings) -> KeyspaceCreateOptions {
    let LsmSettings { table_bytes, level_zero_tables, .. } = settings.lsm;
    let level_zero = u8::try_from(level_zero_tables).unwrap_or(u8::MAX);
    let strategy =
        Leveled::default().with_table_target_size(table_bytes).with_l0_threshold(level_zero);
    KeyspaceCreateOptions::default()
        .max_memtable_size(u64::MAX) // sealed by [`Engine::commit`]
        .data_block_compression_policy(CompressionPolicy::all(compression(settings.compression)))
        .compaction_strategy(std::sync::Arc::new(strategy))
}

fn failed(doing: &'static str) -> impl Fn(Error) -> BackendError {
    move |error| {
        if matches!(error, Error::Poisoned) {
            return BackendError::Poisoned;
        }
        match system_error(error) {
            Ok(source) => BackendError::Io { doing: format!("can not {doing}"), source },
            Err(other) => BackendError::Engine { doing, source: Box::new(other) },
        }
    }
}

/// What the operating system said, if it was the one that said no.
fn system_error(error: Error) -> Result<io::Error, Error> {
    if let Error::Io(source) | Error::Storage(LsmError::Io(source)) = error {
        Ok(source)
    } else {
        Err(error)
    }
}

fn open_failure(error: Error) -> OpenFailure {
    let told = error.to_string();
    // The seal is whole, so that another version is another fjall's, and no flipped bit.
    let is_refused = matches!(
        error,
        Error::Locked | Error::InvalidVersion(_) | Error::Storage(LsmError::InvalidVersion(_))
    );
    match system_error(error) {
        Ok(source) if !is_damage(&source) => {
            OpenFailure::Refused(failed("open the database")(source.into()))
        }
        Err(error) if is_refused => OpenFailure::Refused(failed("open the database")(error)),
        _ => OpenFailure::Damaged(told),
    }
}

/// Whether the files are wrong, and not the system that reads them: there is less than there must be,
/// or something else. A disk that can not be read, or no permission, is no damage to put aside.
fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let is_wrong = matches!(
        error.kind(),
        Kind::NotFound
            | Kind::IsADirectory
            | Kind::NotADirectory
            | Kind::AlreadyExists
            | Kind::InvalidInput // an offset before the start of a file that was cut
    );
    is_wrong || error.raw_os_error().is_none()
}
