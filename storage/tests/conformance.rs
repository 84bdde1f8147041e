//! Every backend of this crate keeps every clause of the conformance suite.

use std::cell::Cell;
use std::error::Error;
use std::path::PathBuf;

use gridkv_protocol::StoreName;
use gridkv_storage::conformance::{self, Open};
use gridkv_storage::registry::{OpenRequest, Registry};

fn request(dir: PathBuf) -> Result<OpenRequest, Box<dyn Error>> {
    let mut request = OpenRequest::new(StoreName::new("main")?, Some(dir));
    // So small that what the suite writes goes through every part of an engine, and fits any disk.
    request.settings.lsm.memtable_bytes = 256 * 1_024;
    request.settings.lsm.table_bytes = 256 * 1_024;
    Ok(request)
}

/// Each call opens another, empty store.
fn conforms(backend: &str) -> Result<(), Box<dyn Error>> {
    let (registry, dir) = (Registry::with_built_in(), tempfile::tempdir()?);
    let (request, stores) = (request(dir.path().to_owned())?, Cell::new(0));
    let open: &Open<'_> = &|| {
        stores.set(stores.get() + 1);
        let dir = Some(dir.path().join(stores.get().to_string()));
        let (_, backend, recovered) =
            registry.open(backend, &OpenRequest { dir, ..request.clone() })?;
        Ok((backend, recovered))
    };
    Ok(conformance::run(open)?)
}

#[test]
fn memory_conforms() -> Result<(), Box<dyn Error>> {
    conforms("memory")
}

#[test]
fn file_conforms() -> Result<(), Box<dyn Error>> {
    conforms("file")
}

#[cfg(feature = "moka")]
#[test]
fn moka_conforms() -> Result<(), Box<dyn Error>> {
    conforms("moka")
}

#[test]
#[cfg(feature = "fjall")]
fn fjall_conforms() -> Result<(), Box<dyn Error>> {
    conforms("fjall")
}

#[test]
#[cfg(feature = "fjall")]
fn fjall_memory_conforms() -> Result<(), Box<dyn Error>> {
    conforms("fjall-memory")
}

fn survives_a_restart(backend: &str) -> Result<(), Box<dyn Error>> {
    let (registry, dir) = (Registry::with_built_in(), tempfile::tempdir()?);
    let request = request(dir.path().join("main"))?;
    let open: &Open<'_> = &|| {
        let (_, backend, recovered) = registry.open(backend, &request)?;
        Ok((backend, recovered))
    };
    Ok(conformance::run_persistent(open)?)
}

#[test]
fn file_survives_a_restart() -> Result<(), Box<dyn Error>> {
    survives_a_restart("file")
}

#[test]
#[cfg(feature = "fjall")]
fn fjall_survives_a_restart() -> Result<(), Box<dyn Error>> {
    survives_a_restart("fjall")
}

/// The suite itself is tried: a backend that forgets everything is told which clause it breaks.
#[test]
fn a_store_that_keeps_nothing_is_told_so() -> Result<(), Box<dyn Error>> {
    let registry = Registry::with_built_in();
    let request = OpenRequest::new(StoreName::new("main")?, None);
    let open: &Open<'_> = &|| {
        let (_, backend, recovered) = registry.open("memory", &request)?;
        Ok((backend, recovered))
    };
    let failure = conformance::run_persistent(open).expect_err("memory has no restart");
    assert_eq!((failure.number, failure.clause), (23, "a restart keeps what was flushed"));
    Ok(())
}
