//! Resident memory of this process.

use std::error::Error;

/// Bytes in a page on every platform this benchmark is run on.
const PAGE_BYTES: f64 = 4096.0;

/// Bytes resident now, from `/proc/self/statm`.
///
/// # Errors
/// Where there is no such file, or it has another form.
pub fn bytes() -> Result<f64, Box<dyn Error>> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split_whitespace().nth(1).ok_or("statm has no resident column")?;
    Ok(pages.parse::<f64>()? * PAGE_BYTES)
}
