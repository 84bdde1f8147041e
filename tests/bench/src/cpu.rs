//! How much processor time this process has used: what work costs, whatever else the machine does.

use std::fs;
use std::io;
use std::time::Duration;

/// Processor time of all threads that run now, as Linux counts it (`/proc/self/task/*/schedstat`).
///
/// # Errors
/// Where there is no such file, or it has another form.
pub fn used() -> io::Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        // A thread that ended since the directory was read counts no more.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let first = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        nanos += first.ok_or_else(|| io::Error::other("schedstat has another form"))?;
    }
    Ok(Duration::from_nanos(nanos))
}
