//! A ledger of made stores that nobody keeps, and that knows one key.

use std::sync::Mutex;

use gridkv_actors::BackendError;
use gridkv_actors::runtime::StoreSetup;
use gridkv_actors::store_ledger::{DefinitionError, StoreLedger};
use gridkv_protocol::StoreName;
use serde_json::Value as Json;

use crate::node::store;

#[derive(Default)]
pub(crate) struct InMemory {
    leaving: Mutex<Vec<StoreName>>,
}

/// Nothing can be kept about a store of this name.
pub(crate) const CURSED: &str = "cursed";

impl StoreLedger for InMemory {
    fn plan(&self, name: &StoreName, definition: &str) -> Result<StoreSetup, DefinitionError> {
        let definition: Json = serde_json::from_str(definition).unwrap();
        let backend = definition["backend"].as_str();
        let backend = backend.ok_or_else(|| DefinitionError("no backend".to_owned()))?;
        Ok(StoreSetup { made: true, ..store(name.as_str(), backend, None, u64::MAX) })
    }

    fn keep(&self, name: &StoreName, _: &str) -> Result<(), BackendError> {
        if name.as_str() == CURSED {
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(BackendError::Io { doing: "can not write a secret".to_owned(), source });
        }
        Ok(())
    }

    fn begin_drop(&self, name: &StoreName) -> Result<(), BackendError> {
        self.leaving.lock().unwrap().push(name.clone());
        Ok(())
    }

    fn end_drop(&self, name: &StoreName) -> Result<(), BackendError> {
        self.leaving.lock().unwrap().retain(|leaving| leaving != name);
        Ok(())
    }

    fn unfinished(&self) -> Vec<StoreName> {
        self.leaving.lock().unwrap().clone()
    }
}
