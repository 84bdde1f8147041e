//! The proof that nodes replicate: what is loaded through the first is on the last, byte for byte.

use crate::command::CommandError;
use crate::command::figure;
use crate::command::screen::Screen;
use crate::command::session::{Session, answered};
use gridkv_cluster::{Dataset, Stopwatch};
use std::time::Duration;

/// Loading a small set through a node of this machine takes a fraction of a second.
const LOAD_LIMIT: Duration = Duration::from_secs(30);
/// So does replicating it.
const REPLICATE_LIMIT: Duration = Duration::from_secs(30);

/// Loads the countries into the store through the first node, waits for them on the last, and compares every byte.
pub(crate) fn prove(session: &Session, store: &str, screen: &Screen) -> Result<(), CommandError> {
    let (Some(first), Some(last)) = (session.nodes().first(), session.nodes().last()) else {
        return Ok(());
    };
    let countries = Dataset::countries()?;
    let loaded = countries.load_through(&first.client(), store, LOAD_LIMIT)?;
    let reader = last.client();
    let wanted = u64::try_from(countries.len()).unwrap_or(u64::MAX);
    let watch = Stopwatch::start();
    let what = format!("{} to have {wanted} keys in store {store}", last.name());
    session.wait(REPLICATE_LIMIT, &what, || {
        answered(reader.key_count(store), |keys| keys.is_some_and(|keys| keys >= wanted))
    })?;
    let arrived = watch.elapsed();
    let compared = countries.compare(&reader, store)?;
    let records = figure::length(compared.records);
    screen.line(format!(
        "  {store}: {records} countries written through {} in {}, on {} {} later, {} equal",
        first.name(),
        figure::duration(loaded.took),
        last.name(),
        figure::duration(arrived),
        figure::bytes(compared.bytes),
    ))?;
    Ok(())
}
