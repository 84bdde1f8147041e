//! The disk alone: what one small write and its way to the disk take.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use gridkv_bench::distribution::Distribution;
use gridkv_bench::stopwatch::Stopwatch;

/// Bytes of a write: a record of 16 and 100 bytes, and what stands around it.
const WRITE_BYTES: usize = 160;

/// Appends to a new file and brings each write to the disk, for a while.
pub(crate) fn measure(dir: &Path, limit: Duration) -> Result<Distribution, Box<dyn Error>> {
    let mut file = File::create(dir.join("bare"))?;
    let mut times = Distribution::default();
    let begun = Stopwatch::start();
    while begun.elapsed() < limit {
        let one = Stopwatch::start();
        file.write_all(&[0; WRITE_BYTES])?;
        file.sync_data()?;
        times.note(one.elapsed());
    }
    Ok(times)
}
