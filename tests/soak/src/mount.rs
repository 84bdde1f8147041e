//! File systems of a run: an ext4 on a file, and a small one in memory. Both need a machine on which this process may
//! mount; where it may not, it is asked first and says why.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gridkv_cluster::wait_for;

use crate::power_cut::{Journal, PowerCut};
use crate::run_error::RunError;
use crate::workplace::Workplace;

/// Processes that were killed let go of their files soon; nobody waits for this to pass.
const PATIENCE: Duration = Duration::from_secs(20);
/// Enough for an ext4 with a journal, to see whether it can be mounted.
const TRIAL_BYTES: u64 = 16 * 1024 * 1024;

/// A mounted file system. Dropping it unmounts, also while panicking.
#[derive(Debug)]
pub(crate) struct Mount {
    at: PathBuf,
    mounted: bool,
}

impl Mount {
    /// Mounts the ext4 in a file made by [`format_ext4`].
    ///
    /// # Errors
    /// [`RunError::Io`] when it can not be mounted.
    pub(crate) fn ext4(image: &Path, at: &Path, options: &str) -> Result<Self, RunError> {
        let options = format!("loop,{options}");
        Self::new(at, &["-t".as_ref(), "ext4".as_ref(), "-o".as_ref(), options.as_ref(), image])
    }

    /// Mounts an empty file system of this size that lives in memory.
    ///
    /// # Errors
    /// [`RunError::Io`] when it can not be mounted.
    pub(crate) fn tmpfs(at: &Path, bytes: u64) -> Result<Self, RunError> {
        let size = format!("size={bytes}");
        let words = ["-t", "tmpfs", "-o", &size, "gridkv-soak"];
        Self::new(at, &words.map(AsRef::as_ref))
    }

    fn new(at: &Path, words: &[&Path]) -> Result<Self, RunError> {
        fs::create_dir_all(at).map_err(RunError::io("create", at))?;
        run(Command::new("mount").args(words).arg(at))?;
        Ok(Self { at: at.to_owned(), mounted: true })
    }

    /// Gives a file system in memory another size.
    ///
    /// # Errors
    /// [`RunError::Io`] when it is not taken.
    pub(crate) fn resize(&self, bytes: u64) -> Result<(), RunError> {
        run(Command::new("mount").args(["-o", &format!("remount,size={bytes}")]).arg(&self.at))
    }

    /// Where it is mounted.
    pub(crate) fn at(&self) -> &Path {
        &self.at
    }

    /// Unmounts it, as soon as nobody uses it.
    ///
    /// # Errors
    /// [`RunError::Wait`] when somebody goes on using it.
    pub(crate) fn unmount(mut self) -> Result<(), RunError> {
        let what = format!("{} to be unmounted", self.at.display());
        wait_for(PATIENCE, what, || run(Command::new("umount").arg(&self.at)).ok())?;
        self.mounted = false;
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted {
            drop(run(Command::new("umount").arg("--lazy").arg(&self.at)));
        }
    }
}

/// Makes an ext4 of this size in a file with holes.
///
/// # Errors
/// [`RunError::Io`] when it can not be made.
pub(crate) fn format_ext4(image: &Path, bytes: u64) -> Result<(), RunError> {
    let file = fs::File::create(image).map_err(RunError::io("create", image))?;
    file.set_len(bytes).map_err(RunError::io("size", image))?;
    run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image))
}

/// Why no file system can be mounted here, or none whose power can be cut; `None` when both can.
pub(crate) fn why_not() -> Option<String> {
    let trial = || {
        let place = Workplace::new()?;
        let (image, at) = (place.path().join("image"), place.path().join("at"));
        Mount::tmpfs(&at, TRIAL_BYTES)?.unmount()?;
        format_ext4(&image, TRIAL_BYTES)?;
        let mounted = Mount::ext4(&image, &at, "defaults")?;
        PowerCut::arm(&mounted, Journal::Dropped)?.fire()?;
        mounted.unmount()
    };
    let error = trial().err()?.chain();
    // One line, whatever the programs said.
    Some(error.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Unmounts everything below a directory.
pub(crate) fn unmount_below(directory: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new);
    let mut points: Vec<&Path> = points.filter(|point| point.starts_with(directory)).collect();
    points.reverse();
    for point in points {
        drop(run(Command::new("umount").arg("--lazy").arg(point)));
    }
}

fn run(command: &mut Command) -> Result<(), RunError> {
    let action = format!("{} failed", command.get_program().display());
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| RunError::Io { action: action.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(RunError::Io { action, source: io::Error::other(said) })
}
