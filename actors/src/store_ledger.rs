//! Which stores were made while a node ran: kept by the program, which knows what a definition means.

use gridkv_protocol::StoreName;
use gridkv_storage::backend::BackendError;

use crate::node_config::StoreSetup;

/// Keeps which stores are made and dropped while the node runs. All calls may wait for a disk.
pub trait StoreLedger: Send + Sync {
    /// How a store is to run that is defined like this, in JSON: an object with the keys that its section in a
    /// configuration would have.
    ///
    /// # Errors
    /// [`DefinitionError`], for people.
    fn plan(&self, name: &StoreName, definition: &str) -> Result<StoreSetup, DefinitionError>;

    /// Keeps a definition for the next start.
    ///
    /// # Errors
    /// [`BackendError`]: nothing was kept.
    fn keep(&self, name: &StoreName, definition: &str) -> Result<(), BackendError>;

    /// Drops a definition, and notes that the files of the store are to go.
    ///
    /// # Errors
    /// [`BackendError`]: it is still kept.
    fn begin_drop(&self, name: &StoreName) -> Result<(), BackendError>;

    /// The files are gone.
    ///
    /// # Errors
    /// [`BackendError`]: they are looked for again at the next start.
    fn end_drop(&self, name: &StoreName) -> Result<(), BackendError>;

    /// Stores whose files are still to go.
    fn unfinished(&self) -> Vec<StoreName>;
}

/// What is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DefinitionError(pub String);
