//! The five backends, as the benchmarks open them.

use std::error::Error;
use std::path::Path;

use gridkv_protocol::{Origin, StoreName};
use gridkv_storage::registry::{OpenRequest, Registry};
use gridkv_storage::store::{self, Store, StoreConfig};

use crate::bare;
use crate::contender::Contender;
use crate::driven::Driven;

/// Bytes that a store of maps may hold: more than any size here needs.
const MEMORY_LIMIT_BYTES: u64 = 64 << 30;

/// Slots of the op ring. Nobody empties it, so that each op also drops the oldest one: the dearest case.
const RING_SLOTS: usize = 8_192;

/// A backend. The order is that of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// `memory`.
    Memory,
    /// `file`.
    File,
    /// `moka`.
    Moka,
    /// `fjall`.
    Fjall,
    /// `fjall-memory`.
    FjallMemory,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Memory, Self::File, Self::Moka, Self::Fjall, Self::FjallMemory];

    /// The name under which it is registered.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::File => "file",
            Self::Moka => "moka",
            Self::Fjall => "fjall",
            Self::FjallMemory => "fjall-memory",
        }
    }

    /// How a store on it is configured: as a node does by default, except that nothing is ever full.
    ///
    /// # Errors
    /// None in fact: the name is one.
    pub fn config(self) -> Result<StoreConfig, Box<dyn Error>> {
        let is_map = matches!(self, Self::Memory | Self::File);
        Ok(StoreConfig {
            name: StoreName::new("main")?,
            backend: self.name().to_owned(),
            default_ttl_ms: None,
            memory_limit_bytes: is_map.then_some(MEMORY_LIMIT_BYTES),
            refuse_over_limit: is_map,
            ring_slots: RING_SLOTS,
        })
    }

    /// Opens a store with what is in the directory. Durability is `os` where there is a choice.
    ///
    /// # Errors
    /// When it can not be opened.
    pub fn open(self, dir: &Path) -> Result<Store, Box<dyn Error>> {
        open_as(self.config()?, dir)
    }

    /// A store of this backend in a new directory, driven as its actor drives it.
    ///
    /// # Errors
    /// When it can not be opened.
    pub fn driven(self, dir: &Path) -> Result<Driven, Box<dyn Error>> {
        Ok(Driven::new(self.open(dir)?))
    }

    /// The bare library, doing the same in a new directory.
    ///
    /// # Errors
    /// When it can not be opened.
    pub fn bare(self, dir: &Path) -> Result<Box<dyn Contender>, Box<dyn Error>> {
        Ok(match self {
            Self::Memory => Box::new(bare::Table::in_memory()),
            Self::File => Box::new(bare::Table::with_file(dir)?),
            Self::Moka => Box::new(bare::Cache::new()),
            Self::Fjall => Box::new(bare::Tree::on_disk(dir)?),
            Self::FjallMemory => Box::new(bare::Tree::in_memory()?),
        })
    }
}

/// Opens a store as it is configured, with what is in the directory.
///
/// # Errors
/// When it can not be opened.
pub fn open_as(config: StoreConfig, dir: &Path) -> Result<Store, Box<dyn Error>> {
    let request = OpenRequest::new(config.name.clone(), Some(dir.to_owned()));
    let origin = Origin::from_bits(1);
    Ok(store::open(&Registry::with_built_in(), config, origin, &request)?)
}
