//! The way a database on disk is opened: locked, marked, inspected, opened, read, and put aside if it is
//! damaged. In this order: nothing reads files that another process may be writing, and the engine,
//! which deletes what it does not know, sees nothing that was not inspected.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::contents::{self, Contents};
use super::engine::{Engine, OpenFailure};
use super::marker::{self, OpeningMarker, quarantine};
use super::seal::{self, Seal};
use super::{Home, journal, space};
use crate::backend::{BackendError, Recovered};
use crate::files::{create_dir, io_error, sync_dir};
use crate::registry::OpenRequest;
use crate::settings::{LsmSettings, Settings};
use crate::store_lock;

/// The database's directory in the store's.
const DATABASE: &str = "lsm";

/// An open database, and what it says.
pub(super) struct Opened {
    pub(super) engine: Engine,
    pub(super) contents: Contents,
    pub(super) recovered: Recovered,
    /// The settings that it runs with.
    pub(super) lsm: LsmSettings,
}

/// Opens the database in `dir`, makes it if there is none, and puts it aside if it is damaged.
///
/// # Errors
/// [`BackendError`] when it can not be opened and is not known to be damaged: it is left as it is.
pub(super) fn open(dir: &Path, request: &OpenRequest) -> Result<(Home, Opened), BackendError> {
    create_dir(dir)?;
    let home = Home::Disk { _lock: store_lock::take(dir)? };
    let fitted = space::fitted(&request.settings, dir);
    let damage = match OpeningMarker::start(dir)? {
        None => "the node ended again and again while it opened it".to_owned(),
        Some(marker) => {
            let outcome = attempt(&dir.join(DATABASE), request, &fitted);
            marker.end()?;
            match outcome {
                Ok(opened) => return Ok((home, opened)),
                Err(OpenFailure::Refused(error)) => return Err(error),
                Err(OpenFailure::Damaged(damage)) => damage,
            }
        }
    };
    let warning = quarantine(dir, DATABASE, &damage)?;
    marker::forget(dir)?;
    let mut opened = make(&dir.join(DATABASE), &request.settings, &fitted).map_err(refused)?;
    opened.recovered.warnings.push(warning);
    Ok((home, opened))
}

/// Makes a database that nothing needs to survive.
///
/// # Errors
/// [`BackendError`] when it can not be made.
pub(super) fn make_in_memory(dir: &Path, settings: &Settings) -> Result<Engine, BackendError> {
    Engine::open(&dir.join(DATABASE), settings, true, true).map_err(refused)
}

/// Opens what is there; a panic on the way is damage.
fn attempt(
    database: &Path,
    request: &OpenRequest,
    fitted: &Settings,
) -> Result<Opened, OpenFailure> {
    let there = database.try_exists().map_err(io_error("look for", database));
    catch_unwind(AssertUnwindSafe(|| {
        if there.map_err(OpenFailure::Refused)? {
            open_existing(database, request, fitted)
        } else {
            make(database, &request.settings, fitted)
        }
    }))
    .unwrap_or_else(|_| Err(OpenFailure::Damaged("the engine panicked on it".to_owned())))
}

/// Makes one; its seal says what was configured, whatever fits today.
fn make(database: &Path, configured: &Settings, fitted: &Settings) -> Result<Opened, OpenFailure> {
    let engine = Engine::open(database, fitted, true, false)?;
    seal::seal(database, &kept_options(configured)).map_err(OpenFailure::Refused)?;
    if let Some(parent) = database.parent() {
        sync_dir(parent).map_err(OpenFailure::Refused)?;
    }
    let (contents, recovered) = (Contents::default(), Recovered::default());
    Ok(Opened { engine, contents, recovered, lsm: fitted.lsm })
}

fn open_existing(
    database: &Path,
    request: &OpenRequest,
    fitted: &Settings,
) -> Result<Opened, OpenFailure> {
    let made_with = match seal::inspect(database).map_err(OpenFailure::Refused)? {
        Seal::Whole(options) => options,
        Seal::Broken(why) => return Err(OpenFailure::Damaged(why)),
        Seal::Foreign(version) => {
            let path = database.display().to_string();
            return Err(OpenFailure::Refused(BackendError::Foreign { path, version }));
        }
    };
    let gap = journal::gap(database, &request.progress)
        .map_err(|error| OpenFailure::Refused(io_error("read", database)(error)))?;
    let engine = Engine::open(database, fitted, false, false)?;
    let (contents, mut recovered) = contents::read(&engine, gap.as_deref()).map_err(|error| {
        // What the system can not read now may be whole.
        let is_refused = if let BackendError::Io { source, .. } = &error {
            source.raw_os_error().is_some()
        } else {
            matches!(error, BackendError::Poisoned)
        };
        if is_refused { OpenFailure::Refused(error) } else { OpenFailure::Damaged(told(&error)) }
    })?;
    let wanted = kept_options(&request.settings);
    if made_with != wanted {
        recovered.warnings.push(format!(
            "{} keeps the settings that it was made with ({made_with}); those configured now \
             ({wanted}) need a new one: rename it while the node is stopped, and peers fill the store",
            database.display()
        ));
    }
    Ok(Opened { engine, contents, recovered, lsm: fitted.lsm })
}

/// The settings that the engine keeps with the database, and does not change later.
fn kept_options(settings: &Settings) -> String {
    let LsmSettings { table_bytes, level_zero_tables, .. } = settings.lsm;
    let compression = settings.compression;
    format!(
        "tables of {table_bytes} bytes, {level_zero_tables} tables of level 0, compression {compression:?}"
    )
}

fn refused(failure: OpenFailure) -> BackendError {
    match failure {
        OpenFailure::Refused(error) => error,
        OpenFailure::Damaged(damage) => {
            BackendError::Engine { doing: "make a database", source: damage.into() }
        }
    }
}

/// An error with its causes, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}
