//! The node file: identity, epoch and roster, one small file in the data directory.
//!
//! It is replaced whole, by a temporary file, fsync, rename and fsync of the directory, so a power cut
//! leaves the old one or the new one. A damaged one stops the start: an identity is never guessed. So does
//! one whose roster says that the identity was forgotten: no peer will ever take it in.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use gridkv_protocol::codec::{DecodeError, EncodeError, decode, encode_named};
use gridkv_protocol::frame::{Format, FrameError, HEADER_BYTES};
use gridkv_protocol::membership::Roster;
use gridkv_protocol::welcome::Members;
use gridkv_protocol::{Epoch, NodeId, Origin, UnixMs};
use serde::{Deserialize, Serialize};

const FORMAT: Format = Format { magic: *b"GKVN", version: 1 };
const KIND: u8 = 1;
const MAX_BYTES: usize = 4 * 1_024 * 1_024;
const NODE: &str = "node";
const UNFINISHED: &str = "node.tmp";
const LOCK: &str = "lock";

/// Why the node file can not be used. The node does not start, or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The system said no.
    #[error("can not {doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system has no random numbers: two nodes could take the same identity.
    #[error("can not make an identity: the system has no random numbers")]
    NoRandomness(#[source] getrandom::Error),
    /// Another process uses the data directory.
    #[error("another node uses the data directory {}", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The file is not what was written.
    #[error(
        "{} is damaged; restore it from a backup, or move the whole data directory away and let the node come back empty under a new identity",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        #[source]
        source: DamageError,
    },
    /// The cluster has forgotten the identity, and the node was told so.
    #[error(
        "this identity was forgotten by its cluster; move the data directory away and start again, to come back empty under a new one"
    )]
    Forgotten,
    /// The roster has no MessagePack form.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The roster is too large.
    #[error(transparent)]
    TooLarge(#[from] FrameError),
}

/// How a node file is damaged.
#[derive(Debug, thiserror::Error)]
pub enum DamageError {
    /// It ends too early or goes on too long.
    #[error("its length is wrong")]
    Length,
    /// Its frame is broken.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Its content is broken.
    #[error(transparent)]
    Content(#[from] DecodeError),
}

#[derive(Serialize, Deserialize)]
struct NodeFile {
    id: NodeId,
    epoch: Epoch,
    joined: bool,
    members: Members,
}

/// A node's identity in its present run, and where it is kept.
#[derive(Debug)]
pub(crate) struct Identity {
    origin: Origin,
    roster: Roster,
    home: Option<Home>,
}

#[derive(Debug)]
struct Home {
    dir: PathBuf,
    /// Held as long as the node runs.
    _lock: fs::File,
}

/// Looks, before anything is opened, whether the identity of `dir` may run. Takes and changes nothing.
///
/// # Errors
/// [`IdentityError`] when it may not, or can not be read.
pub fn look(dir: Option<&Path>) -> Result<(), IdentityError> {
    dir.map_or(Ok(()), |dir| load(dir).map(drop))
}

/// Whether a node has kept an identity in `dir`. What can not be looked at is none.
pub fn is_in(dir: &Path) -> bool {
    dir.join(NODE).try_exists().unwrap_or(false)
}

impl Identity {
    /// Takes the identity of `dir`, or makes one there, with a fresh epoch that is persisted before
    /// this returns. Without a directory the identity is fresh too, and nothing is kept.
    pub(crate) fn take(dir: Option<&Path>, now: UnixMs) -> Result<Self, IdentityError> {
        let home = dir.map(Home::open).transpose()?;
        let known = dir.map(load).transpose()?.flatten();
        let at_least = Epoch(u32::try_from(now.0 / 1_000).unwrap_or(u32::MAX));
        let (id, epoch, roster) = match known {
            Some(NodeFile { id, epoch, joined, members }) => {
                (id, epoch.next().max(at_least), Roster { joined, members })
            }
            None => (fresh_id()?, at_least, Roster::default()),
        };
        let identity = Self { origin: Origin::new(id, epoch), roster, home };
        identity.save()?;
        Ok(identity)
    }

    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Keeps the roster durably.
    pub(crate) fn keep_roster(&mut self, roster: Roster) -> Result<(), IdentityError> {
        self.roster = roster;
        self.save()
    }

    /// Goes on under the epoch after `seen`, kept durably before this returns.
    pub(crate) fn pass_epoch(&mut self, seen: Epoch) -> Result<Origin, IdentityError> {
        self.origin = Origin::new(self.origin.node(), self.origin.epoch().max(seen).next());
        self.save()?;
        Ok(self.origin)
    }

    fn save(&self) -> Result<(), IdentityError> {
        let Some(home) = &self.home else { return Ok(()) };
        home.save(&NodeFile {
            id: self.origin.node(),
            epoch: self.origin.epoch(),
            joined: self.roster.joined,
            members: self.roster.members.clone(),
        })
    }
}

impl Home {
    fn open(dir: &Path) -> Result<Self, IdentityError> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let path = dir.join(LOCK);
        let lock = fs::File::create(&path).map_err(io_error("create", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(IdentityError::InUse { path: dir.to_owned() }),
            Err(fs::TryLockError::Error(source)) => Err(io_error("lock", &path)(source)),
        }
    }

    fn save(&self, file: &NodeFile) -> Result<(), IdentityError> {
        let frame = FORMAT.wrap(KIND, &encode_named(file)?, MAX_BYTES)?;
        let (unfinished, path) = (self.dir.join(UNFINISHED), self.dir.join(NODE));
        let failed = io_error("write", &unfinished);
        let mut out = fs::File::create(&unfinished).map_err(&failed)?;
        out.write_all(&frame).and_then(|()| out.sync_all()).map_err(&failed)?;
        fs::rename(&unfinished, &path).map_err(io_error("rename to", &path))?;
        let dir = fs::File::open(&self.dir).map_err(io_error("open", &self.dir))?;
        dir.sync_all().map_err(io_error("sync", &self.dir))
    }
}

/// What the node file of a directory says, if there is one, and if its identity may run.
fn load(dir: &Path) -> Result<Option<NodeFile>, IdentityError> {
    let path = dir.join(NODE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", &path)(error)),
    };
    let file = parse(&bytes).map_err(|source| IdentityError::Damaged { path, source })?;
    if file.members.is_forgotten(file.id) {
        return Err(IdentityError::Forgotten);
    }
    Ok(Some(file))
}

fn parse(bytes: &[u8]) -> Result<NodeFile, DamageError> {
    let (head, payload) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(DamageError::Length)?;
    let header = FORMAT.parse(head, MAX_BYTES)?;
    header.verify(payload)?;
    Ok(decode(payload)?)
}

fn io_error<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> IdentityError + 'a {
    move |source| IdentityError::Io { doing, path: path.to_owned(), source }
}

/// A random identity, never 0.
fn fresh_id() -> Result<NodeId, IdentityError> {
    let random = getrandom::u32().map_err(IdentityError::NoRandomness)?;
    Ok(NodeId(random.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(5_000_000);

    #[test]
    fn identity_stays_and_the_epoch_grows_whatever_the_clock_says() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::take(Some(dir.path()), NOW).unwrap().origin();
        assert_eq!(first.epoch(), Epoch(5_000));
        let second = Identity::take(Some(dir.path()), UnixMs(0)).unwrap().origin();
        assert_eq!((second.node(), second.epoch()), (first.node(), Epoch(5_001)));
        let mut third = Identity::take(Some(dir.path()), NOW).unwrap();
        assert_eq!(third.pass_epoch(Epoch(9_000)).unwrap().epoch(), Epoch(9_001));
        drop(third);
        assert_eq!(Identity::take(Some(dir.path()), NOW).unwrap().origin().epoch(), Epoch(9_002));
    }

    #[test]
    fn without_a_directory_every_start_is_someone_new() {
        let one = Identity::take(None, NOW).unwrap().origin();
        let two = Identity::take(None, NOW).unwrap().origin();
        assert_ne!(one.node(), two.node());
    }

    #[test]
    fn one_directory_is_for_one_process() {
        let dir = tempfile::tempdir().unwrap();
        let _held = Identity::take(Some(dir.path()), NOW).unwrap();
        let refused = Identity::take(Some(dir.path()), NOW);
        assert!(matches!(refused, Err(IdentityError::InUse { .. })));
    }

    #[test]
    fn an_identity_that_was_told_that_it_is_forgotten_does_not_start_again() {
        let dir = tempfile::tempdir().unwrap();
        look(Some(dir.path())).unwrap();
        assert!(!is_in(dir.path()));
        let mut identity = Identity::take(Some(dir.path()), NOW).unwrap();
        look(Some(dir.path())).unwrap();
        assert!(is_in(dir.path()));
        let mut members = Members::default();
        members.forget(identity.origin().node());
        identity.keep_roster(Roster { joined: true, members }).unwrap();
        drop(identity);
        let kept = fs::read(dir.path().join(NODE)).unwrap();
        assert!(matches!(look(Some(dir.path())), Err(IdentityError::Forgotten)));
        let refused = Identity::take(Some(dir.path()), NOW);
        assert!(matches!(refused, Err(IdentityError::Forgotten)));
        assert_eq!(fs::read(dir.path().join(NODE)).unwrap(), kept, "no epoch was used");
    }

    #[test]
    fn damage_anywhere_stops_the_start_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(Identity::take(Some(dir.path()), NOW).unwrap());
        let path = dir.path().join(NODE);
        let good = fs::read(&path).unwrap();
        let flipped = (0..good.len()).map(|at| {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            bad
        });
        let cut = (0..good.len()).map(|length| good[..length].to_vec());
        for bad in flipped.chain(cut) {
            fs::write(&path, &bad).unwrap();
            let refused = Identity::take(Some(dir.path()), NOW);
            assert!(matches!(refused, Err(IdentityError::Damaged { .. })));
            assert_eq!(fs::read(&path).unwrap(), bad);
        }
    }
}
