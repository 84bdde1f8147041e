//! Backends by name. A program that embeds these crates can register its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use gridkv_protocol::StoreName;

use crate::backend::{Backend, BackendError, Recovered};
use crate::{file, memory};

/// Makes a backend for a store.
pub type Factory =
    Arc<dyn Fn(&OpenRequest) -> Result<(Arc<dyn Backend>, Recovered), OpenError> + Send + Sync>;

/// What a factory gets.
#[derive(Clone, Debug)]
pub struct OpenRequest {
    /// The store.
    pub store: StoreName,
    /// A directory of the store's own, for backends that keep files; `None` on a node without one.
    pub dir: Option<PathBuf>,
}

/// Why a store can not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No backend of this name is registered.
    #[error("there is no backend {name:?}; there are {known}")]
    UnknownBackend {
        /// The name asked for.
        name: String,
        /// The names registered.
        known: String,
    },
    /// The backend keeps files and the node has no data directory.
    #[error("store {store} keeps files, and the node has no data directory")]
    NeedsDirectory {
        /// The store.
        store: StoreName,
    },
    /// The backend failed.
    #[error("can not open store {store}")]
    Backend {
        /// The store.
        store: StoreName,
        /// Why.
        #[source]
        source: BackendError,
    },
}

/// The backends that stores can be made of.
#[derive(Clone)]
pub struct Registry {
    factories: BTreeMap<&'static str, Factory>,
}

impl Registry {
    /// A registry without any.
    pub fn empty() -> Self {
        Self { factories: BTreeMap::new() }
    }

    /// The backends of this crate.
    pub fn with_built_in() -> Self {
        let mut registry = Self::empty();
        registry.register("memory", Arc::new(|request| Ok(memory::open(request))));
        registry.register("file", Arc::new(file::open));
        registry
    }

    /// Registers a backend under a name; a later one of the same name replaces it.
    pub fn register(&mut self, name: &'static str, factory: Factory) {
        self.factories.insert(name, factory);
    }

    /// The names, in order.
    pub fn names(&self) -> Vec<&'static str> {
        self.factories.keys().copied().collect()
    }

    /// Opens a backend; the name is returned as it is registered.
    ///
    /// # Errors
    /// [`OpenError`] when there is no such backend, or it can not be opened.
    pub fn open(
        &self,
        name: &str,
        request: &OpenRequest,
    ) -> Result<(&'static str, Arc<dyn Backend>, Recovered), OpenError> {
        let Some((name, factory)) = self.factories.get_key_value(name) else {
            let known = self.names().join(", ");
            return Err(OpenError::UnknownBackend { name: name.to_owned(), known });
        };
        let (backend, recovered) = factory(request)?;
        Ok((name, backend, recovered))
    }
}
