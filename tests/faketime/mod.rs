//! A wall clock that a test sets, for one node: libfaketime, told by a file how far off it is. Monotonic time stays real,
//! as it does on a machine whose clock is set.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use gridkv_cluster::Builder;

/// Where distributions keep the library, below the directory of an architecture or not.
const DIRECTORIES: [&str; 2] = ["/usr/lib", "/usr/lib64"];
const LIBRARY: &str = "faketime/libfaketime.so.1";

/// The wall clock of one node.
pub(crate) struct WallClock {
    library: PathBuf,
    file: PathBuf,
}

impl WallClock {
    /// A clock that is right, kept below `directory`. Without the library it says so, past what keeps the output of tests
    /// that pass, and there is none: a test that did nothing must not look like one that did.
    pub(crate) fn new(directory: &Path, test: &str) -> Option<Self> {
        let Some(library) = library() else {
            let line =
                format!("{test}: SKIPPED: {LIBRARY} is missing (apt-get install faketime)\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        };
        let clock = Self { library, file: directory.join("wall-clock") };
        clock.set(0);
        Some(clock)
    }

    /// Sets it so many seconds ahead of true time, behind when negative.
    pub(crate) fn set(&self, ahead_seconds: i64) {
        // In one step: the node reads the file whenever it looks at its clock.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{ahead_seconds:+}\n")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    /// Gives it to one of the nodes.
    pub(crate) fn worn_by(&self, number: u16, builder: Builder) -> Builder {
        builder
            .node_env(number, "LD_PRELOAD", self.library.to_str().unwrap())
            .node_env(number, "FAKETIME_TIMESTAMP_FILE", self.file.to_str().unwrap())
            .node_env(number, "FAKETIME_NO_CACHE", "1")
            .node_env(number, "DONT_FAKE_MONOTONIC", "1")
    }
}

fn library() -> Option<PathBuf> {
    let below = |directory: &str| {
        let inner = fs::read_dir(directory).ok()?.filter_map(Result::ok).map(|one| one.path());
        let all = inner.chain([PathBuf::from(directory)]).map(|one| one.join(LIBRARY));
        all.into_iter().find(|library| library.try_exists().unwrap_or(false))
    };
    DIRECTORIES.into_iter().find_map(below)
}
