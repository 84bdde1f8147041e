//! Following a store: reads its changes as they come, from a place that outlives the connection.

use gridkv_protocol::{Key, Record};

use crate::error::ReadError;
use crate::handle::StoreHandle;
use crate::watches::{Watch, Watched};

pub use crate::watches::WatchError;
pub use gridkv_storage::change_log::{
    ChangeKind, ChangePlace, LoggedChange, ReadChanges, Truncated,
};

/// The changes of one store under one prefix. Whoever holds it is woken for those only.
pub struct Feed {
    handle: StoreHandle,
    prefix: String,
    watch: Watch,
}

/// A wait for one key.
pub struct KeyWatch(Watch);

impl StoreHandle {
    /// Follows the changes of all keys that begin with `prefix`.
    ///
    /// # Errors
    /// [`WatchError`] when it can not.
    pub fn follow(&self, prefix: &str) -> Result<Feed, WatchError> {
        let watch = self.watch(Watched::Prefix(prefix.to_owned()))?;
        Ok(Feed { handle: self.clone(), prefix: prefix.to_owned(), watch })
    }

    /// Waits for the changes of one key.
    ///
    /// # Errors
    /// [`WatchError`] when it can not.
    pub fn watch_key(&self, key: &Key) -> Result<KeyWatch, WatchError> {
        self.watch(Watched::Key(key.clone())).map(KeyWatch)
    }
}

impl Feed {
    /// The place before the store's first change in this run of the node.
    pub fn start(&self) -> ChangePlace {
        self.handle.log().start()
    }

    /// The place after its last change until now.
    pub fn end(&self) -> ChangePlace {
        self.handle.log().end()
    }

    /// Changes that follow a place, a bounded number of them; maybe none, and more to come.
    ///
    /// # Errors
    /// [`Truncated`] when some that follow it are not known any more.
    pub fn read(&self, place: ChangePlace) -> Result<ReadChanges, Truncated> {
        self.handle.log().read(place, |key| key.as_str().starts_with(&self.prefix))
    }

    /// The same for who has read up to `place` here: what it did not come to read in time is counted.
    ///
    /// # Errors
    /// [`Truncated`] likewise.
    pub fn read_on(&self, place: ChangePlace) -> Result<ReadChanges, Truncated> {
        self.read(place).inspect_err(|Truncated { oldest }| {
            self.handle.inner().watches.miss(oldest.number.saturating_sub(place.number));
        })
    }

    /// The live record under a key now: a change tells its version, and a later one may stand there already.
    ///
    /// # Errors
    /// [`ReadError`] when it can not be read.
    pub async fn value(&self, key: &Key) -> Result<Option<Record>, ReadError> {
        self.handle.look(key).await
    }

    /// Waits until there may be more to read than at the last read, or the node stops.
    pub async fn changed(&self) {
        self.watch.changed().await;
    }

    /// Whether the node stops: nothing more will come.
    pub fn is_over(&self) -> bool {
        self.watch.is_over()
    }
}

impl KeyWatch {
    /// Waits until the key may have changed since this was last called, or the watch began; or the node stops.
    pub async fn changed(&self) {
        self.0.changed().await;
    }

    /// Whether the node stops.
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }
}
