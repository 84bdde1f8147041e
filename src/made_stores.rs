//! The stores that were made over HTTP: a small TOML file beside them, so that they are there after a restart.
//!
//! A node without a data directory keeps none. A definition is read as a section of the configuration would be, by
//! the same table of keys, at the moment when it is given and at each start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gridkv_actors::runtime::StoreSetup;
use gridkv_actors::store_ledger::{DefinitionError, StoreLedger};
use gridkv_actors::{BackendError, Registry, replace_file};
use gridkv_protocol::StoreName;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::config::{ConfigError, Loaded};
use crate::store_setup;

/// The file's name in the data directory.
const FILE: &str = "made-stores.toml";

const HEAD: &str = "\
# The stores that were made over HTTP, and under `leaving` those that were dropped and whose files are still to go.
# The node writes this file; edit it only while the node is stopped.
";

/// Why the stores that were made can not be opened again. The node does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MadeStoresError {
    /// The file can not be read.
    #[error("can not read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not what the node wrote.
    #[error("{} is damaged; mend it, or move it away and make the stores again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        #[source]
        source: toml::de::Error,
    },
    /// A store can not be defined like this any more.
    #[error("store {store} in {} can not be opened any more; mend its section there", path.display())]
    Refused {
        /// The store.
        store: StoreName,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ConfigError,
    },
}

/// What the file holds.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(default)]
    leaving: BTreeSet<StoreName>,
    #[serde(default)]
    stores: BTreeMap<StoreName, Table>,
}

/// Which stores were made, and where that is kept.
pub(crate) struct MadeStores {
    loaded: Loaded,
    backends: Vec<(&'static str, &'static str)>,
    dir: Option<PathBuf>,
    kept: Mutex<Kept>,
}

impl MadeStores {
    /// Those that earlier runs kept.
    pub(crate) fn read(loaded: &Loaded, registry: &Registry) -> Result<Self, MadeStoresError> {
        let dir = loaded.config.node.data_dir.clone();
        let kept = dir.as_deref().map(read).transpose()?.unwrap_or_default();
        let (loaded, backends) = (loaded.clone(), registry.spellings());
        Ok(Self { loaded, backends, dir, kept: Mutex::new(kept) })
    }

    /// How those are to run that no configuration names, and the names of the others: of them the configuration
    /// says how.
    pub(crate) fn setups(&self) -> Result<(Vec<StoreSetup>, Vec<StoreName>), MadeStoresError> {
        let (mut setups, mut configured) = (Vec::new(), Vec::new());
        for (name, definition) in &self.kept().stores {
            if self.loaded.config.stores.contains_key(name.as_str()) {
                configured.push(name.clone());
                continue;
            }
            let store = self.loaded.one_more(name.as_str(), definition, &self.backends);
            let store = store.map_err(|source| {
                let path = self.dir.as_deref().unwrap_or(Path::new("")).join(FILE);
                MadeStoresError::Refused { store: name.clone(), path, source }
            })?;
            setups.push(store_setup::setup(name.clone(), &store, true));
        }
        Ok((setups, configured))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while it holds the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is kept, on the disk first.
    fn change(&self, change: impl FnOnce(&mut Kept)) -> Result<(), BackendError> {
        let mut kept = self.kept();
        let mut next = kept.clone();
        change(&mut next);
        if let Some(dir) = &self.dir {
            let text = toml::to_string(&next);
            let text = text.map_err(|error| BackendError::Encode(error.to_string()))?;
            replace_file(dir, FILE, format!("{HEAD}{text}").as_bytes())?;
        }
        *kept = next;
        Ok(())
    }
}

fn read(dir: &Path) -> Result<Kept, MadeStoresError> {
    let path = dir.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => {
            toml::from_str(&text).map_err(|source| MadeStoresError::Damaged { path, source })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(source) => Err(MadeStoresError::Unreadable { path, source }),
    }
}

fn table(definition: &str) -> Result<Table, DefinitionError> {
    serde_json::from_str(definition).map_err(|error| DefinitionError(error.to_string()))
}

impl StoreLedger for MadeStores {
    fn plan(&self, name: &StoreName, definition: &str) -> Result<StoreSetup, DefinitionError> {
        let store = self.loaded.one_more(name.as_str(), &table(definition)?, &self.backends);
        let store = store.map_err(|error| DefinitionError(error.in_one_line()))?;
        Ok(store_setup::setup(name.clone(), &store, true))
    }

    fn keep(&self, name: &StoreName, definition: &str) -> Result<(), BackendError> {
        let table = table(definition).map_err(|error| BackendError::Encode(error.to_string()))?;
        self.change(|kept| kept.stores.extend([(name.clone(), table)]))
    }

    fn begin_drop(&self, name: &StoreName) -> Result<(), BackendError> {
        self.change(|kept| {
            kept.stores.remove(name);
            kept.leaving.insert(name.clone());
        })
    }

    fn end_drop(&self, name: &StoreName) -> Result<(), BackendError> {
        self.change(|kept| kept.leaving.retain(|leaving| leaving != name))
    }

    fn unfinished(&self) -> Vec<StoreName> {
        self.kept().leaving.iter().cloned().collect()
    }
}
