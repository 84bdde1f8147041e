//! Backends by name. A program that embeds these crates can register its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use gridkv_protocol::StoreName;

use crate::backend::{Backend, BackendError, Recovered};
use crate::settings::Settings;
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
    /// What the store's configuration asks of its backend.
    pub settings: Settings,
    /// Who is told how far the opening is.
    pub progress: Progress,
}

impl OpenRequest {
    /// A request with default settings that nobody watches.
    pub fn new(store: StoreName, dir: Option<PathBuf>) -> Self {
        Self { store, dir, settings: Settings::default(), progress: Progress::default() }
    }
}

/// Who is told how far the opening of a store is: bytes read so far, and bytes to read.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(u64, u64) + Send + Sync>);

impl Progress {
    /// Tells `told`, often, from the thread that opens the store.
    pub fn to(told: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    /// Says that `done` of `total` bytes have been read.
    pub fn at(&self, done: u64, total: u64) {
        (self.0)(done, total);
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::to(|_, _| {})
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
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
    /// The store's directory was made by another backend, which this one could not read.
    #[error(
        "store {store} is configured on {wanted}, but {} was made by {owner}: configure {owner} again, or move the directory away and let peers fill the store", dir.display()
    )]
    OtherBackend {
        /// The store.
        store: StoreName,
        /// The backend that made the directory.
        owner: String,
        /// The backend that is configured.
        wanted: String,
        /// The directory.
        dir: PathBuf,
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
    /// Other names of backends, for configurations of the original design.
    aliases: BTreeMap<&'static str, &'static str>,
}

impl Registry {
    /// A registry without any.
    pub fn empty() -> Self {
        Self { factories: BTreeMap::new(), aliases: BTreeMap::new() }
    }

    /// The backends of this crate.
    pub fn with_built_in() -> Self {
        let mut registry = Self::empty();
        registry.register("memory", Arc::new(|request| Ok(memory::open(request))));
        registry.register("file", Arc::new(file::open));
        #[cfg(feature = "fjall")]
        {
            registry.register("fjall", Arc::new(crate::fjall::open));
            registry.alias("badger", "fjall");
            registry.register("fjall-memory", Arc::new(crate::fjall::open_memory));
            registry.alias("badger-memory", "fjall-memory");
        }
        #[cfg(feature = "moka")]
        {
            registry.register("moka", Arc::new(|request| Ok(crate::moka::open(request))));
            registry.alias("ristretto", "moka");
        }
        registry
    }

    /// Registers a backend under a name; a later one of the same name replaces it.
    pub fn register(&mut self, name: &'static str, factory: Factory) {
        self.factories.insert(name, factory);
    }

    /// Lets a backend be asked for by another name too.
    pub fn alias(&mut self, alias: &'static str, name: &'static str) {
        self.aliases.insert(alias, name);
    }

    /// The name under which the backend that `name` asks for is registered.
    pub fn resolve(&self, name: &str) -> Option<&'static str> {
        let name = self.aliases.get(name).copied().unwrap_or(name);
        self.factories.get_key_value(name).map(|(name, _)| *name)
    }

    /// The names, in order, aliases not among them.
    pub fn names(&self) -> Vec<&'static str> {
        self.factories.keys().copied().collect()
    }

    /// Every spelling by which a backend can be asked for, and the name that it stands for.
    pub fn spellings(&self) -> Vec<(&'static str, &'static str)> {
        let names = self.factories.keys().map(|name| (*name, *name));
        let aliases = self.aliases.iter().map(|(alias, name)| (*alias, *name));
        names.chain(aliases.filter(|(_, name)| self.factories.contains_key(name))).collect()
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
        let registered = self.resolve(name).and_then(|name| self.factories.get_key_value(name));
        let Some((name, factory)) = registered else {
            let known = self.names().join(", ");
            return Err(OpenError::UnknownBackend { name: name.to_owned(), known });
        };
        let (backend, recovered) = factory(request)?;
        Ok((name, backend, recovered))
    }
}
