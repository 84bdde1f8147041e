//! The power of a file system, cut: the ioctl `FS_IOC_SHUTDOWN`, from which on nothing reaches the disk.
//!
//! It is made by perl, because the whole workspace is safe Rust and every Debian has perl. The process is there before
//! the moment comes, so that cutting takes no time.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use crate::mount::Mount;
use crate::run_error::RunError;

/// Opens the directory given first, says so, waits for a line, and makes the ioctl with the flag given second.
const SCRIPT: &str = "open(my $dir, '<', $ARGV[0]) or die qq(open: $!\\n); \
    my $flag = pack('L', $ARGV[1]); $| = 1; print qq(armed\\n); <STDIN>; \
    defined(ioctl($dir, 0x8004587d, $flag)) or die qq(ioctl: $!\\n);";

/// What becomes of the file system's own journal. The two uncover different faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Journal {
    /// It is written first: names and sizes are new, contents that nobody synced are not there.
    Written = 1,
    /// It is dropped: everything is as at the last commit.
    Dropped = 2,
}

/// A cut that only waits for its moment. Dropping it calls it off.
#[derive(Debug)]
pub(crate) struct PowerCut {
    perl: Child,
}

impl PowerCut {
    /// Makes everything ready.
    ///
    /// # Errors
    /// [`RunError::Io`] when there is no perl, or the file system can not be opened.
    pub(crate) fn arm(mount: &Mount, journal: Journal) -> Result<Self, RunError> {
        let mut command = Command::new("perl");
        command.args(["-e", SCRIPT]).arg(mount.at()).arg((journal as u8).to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut cut = Self { perl: command.spawn().map_err(failed)? };
        let mut said = String::new();
        if let Some(stdout) = cut.perl.stdout.take() {
            BufReader::new(stdout).read_line(&mut said).map_err(failed)?;
        }
        if said == "armed\n" { Ok(cut) } else { Err(cut.complaint()) }
    }

    /// Cuts: nothing that is not on the disk now will ever be.
    ///
    /// # Errors
    /// [`RunError::Io`] when the ioctl is refused.
    pub(crate) fn fire(mut self) -> Result<(), RunError> {
        if let Some(mut stdin) = self.perl.stdin.take() {
            stdin.write_all(b"\n").map_err(failed)?;
        }
        if self.perl.wait().map_err(failed)?.success() { Ok(()) } else { Err(self.complaint()) }
    }

    fn complaint(&mut self) -> RunError {
        let mut said = String::new();
        if let Some(mut stderr) = self.perl.stderr.take() {
            drop(stderr.read_to_string(&mut said));
        }
        failed(io::Error::other(said.trim().to_owned()))
    }
}

impl Drop for PowerCut {
    fn drop(&mut self) {
        drop(self.perl.kill().and_then(|()| self.perl.wait()));
    }
}

fn failed(source: io::Error) -> RunError {
    RunError::Io { action: "cannot cut the power with perl".to_owned(), source }
}
