//! What another process takes: processor time and memory, as Linux counts them under `/proc`.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What one tick of `/proc/PID/stat` is: the kernel's `USER_HZ` is 100 on every platform this is run on.
const TICK: Duration = Duration::from_millis(10);
/// What makes the kernel forget how much a process had at most (`proc(5)`, `clear_refs`).
const FORGET_PEAK: &str = "5";
/// Between two looks at a process whose peak the kernel does not let us forget.
const LOOK: Duration = Duration::from_millis(5);

/// A process that runs.
#[derive(Clone, Debug)]
pub struct Process {
    directory: PathBuf,
}

impl Process {
    /// The process with this id.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        Self { directory: PathBuf::from(format!("/proc/{pid}")) }
    }

    /// Processor time of all its threads, those that ended included.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(self.directory.join("stat"))?;
        // The command's name may have blanks and brackets; behind it, state is the first column.
        let columns = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        let ticks = columns.skip(11).take(2).map(str::parse::<u32>);
        let ticks = ticks.sum::<Result<u32, _>>().map_err(io::Error::other)?;
        Ok(TICK * ticks)
    }

    /// Bytes that are resident.
    ///
    /// # Errors
    /// When it is gone.
    pub fn resident(&self) -> io::Result<u64> {
        self.status("VmRSS:")
    }

    /// Begins to watch how many bytes are resident at most.
    #[must_use]
    pub fn watch(&self) -> Peak {
        let process = self.clone();
        if fs::write(self.directory.join("clear_refs"), FORGET_PEAK).is_ok() {
            return Peak { process, sampler: None };
        }
        let (most, over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (seen, ended) = (Arc::clone(&most), Arc::clone(&over));
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                seen.fetch_max(process.resident().unwrap_or(0), Ordering::Relaxed);
                thread::sleep(LOOK);
            }
        });
        Peak { process: self.clone(), sampler: Some(Sampler { most, over, thread: Some(thread) }) }
    }

    fn status(&self, field: &str) -> io::Result<u64> {
        let status = fs::read_to_string(self.directory.join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        let kib = kib.ok_or_else(|| io::Error::other(format!("status has no {field}")))?;
        Ok(kib * 1_024)
    }
}

/// The most that a process has had since a moment: as the kernel noted it, else as it was seen now and then.
#[derive(Debug)]
pub struct Peak {
    process: Process,
    sampler: Option<Sampler>,
}

#[derive(Debug)]
struct Sampler {
    most: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peak {
    /// Bytes that were resident at most so far.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn bytes(&self) -> io::Result<u64> {
        match &self.sampler {
            None => self.process.status("VmHWM:"),
            Some(sampler) => Ok(sampler.most.load(Ordering::Relaxed)),
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stopwatch::Stopwatch;

    #[test]
    fn a_process_has_its_time_and_memory_counted() {
        let this = Process::new(std::process::id());
        let before = this.cpu().unwrap();
        let begun = Stopwatch::start();
        while this.cpu().unwrap() <= before {
            assert!(begun.elapsed() < Duration::from_secs(10), "its time stands still");
        }
        let peak = this.watch();
        let resident = this.resident().unwrap();
        let most = vec![1_u8; 32 << 20];
        assert_eq!(most.iter().map(|byte| usize::from(*byte)).sum::<usize>(), most.len());
        drop(most);
        let begun = Stopwatch::start();
        while peak.bytes().unwrap() < resident + (24 << 20) {
            assert!(begun.elapsed() < Duration::from_secs(10), "the peak was not noticed");
        }
        assert!(Process::new(0).cpu().is_err());
    }
}
