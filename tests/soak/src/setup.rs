//! What a run is given: the program to run, the targets, how often, how large, and the seed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gridkv_cluster::{Builder, Cluster};

use crate::dice::dice;
use crate::durability::Durability;
use crate::load::Load;
use crate::run_error::RunError;
use crate::summary::Summary;
use crate::target::Target;

/// How large a run is.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Keys that are there before the first fault, and stay.
    pub preloaded: u64,
    /// Keys of each writer.
    pub keys: u64,
    /// How long a load goes on before the fault, at least and at most.
    pub load: (Duration, Duration),
    /// A node is ready again within this time.
    pub ready_within: Duration,
    /// The disk that is filled: small, but more than an empty store of any backend takes.
    pub disk_bytes: u64,
}

const MIB: u64 = 1024 * 1024;

impl Scale {
    /// What `make soak` runs.
    #[must_use]
    pub fn full() -> Self {
        Self {
            preloaded: 100_000,
            keys: 400,
            load: (Duration::from_millis(200), Duration::from_secs(1)),
            ready_within: Duration::from_secs(5),
            disk_bytes: 96 * MIB,
        }
    }

    /// What is run with all other tests, beside them and unoptimised.
    #[must_use]
    pub fn small() -> Self {
        Self {
            preloaded: 1_500,
            keys: 100,
            load: (Duration::from_millis(50), Duration::from_millis(250)),
            ready_within: Duration::from_secs(30),
            disk_bytes: 24 * MIB,
        }
    }
}

/// A run to be.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The program `gridkv`.
    pub gridkv: PathBuf,
    /// What is run.
    pub targets: Vec<Target>,
    /// How often, for each target.
    pub cycles: u64,
    /// The seed of all choices.
    pub seed: u64,
    /// How large.
    pub scale: Scale,
    /// Keep the data of a failed run.
    pub keep: bool,
    /// Set from outside: end as soon as possible.
    pub interrupted: Arc<AtomicBool>,
    /// Takes a line from time to time.
    pub progress: fn(&str),
    /// Takes what a target came to.
    pub done: fn(&Summary),
}

impl Setup {
    /// The chance of a part of this run, for one target.
    pub(crate) fn dice(&self, target: &Target, part: &str, number: u64) -> fastrand::Rng {
        dice(self.seed, &format!("{} {part}", target.name), number)
    }

    /// How long the load goes on before the fault.
    pub(crate) fn load_time(&self, dice: &mut fastrand::Rng) -> Duration {
        let (least, most) = self.scale.load;
        least + most.saturating_sub(least).mul_f64(dice.f64())
    }

    /// The usual load of a cycle: it goes on until it is stopped.
    pub(crate) fn load(&self, target: &Target, cycle: u64) -> Load {
        Load {
            writers: 4,
            keys: self.scale.keys,
            large: 20_000,
            large_of_ten: 1,
            deletes_of_ten: 2,
            requests: u64::MAX,
            promise: target.promise,
            seed: dice(self.seed, target.name, 0).u64(..),
            cycle,
        }
    }

    /// Nodes of this target below a directory: few threads, so that they are quick to start.
    pub(crate) fn cluster(&self, target: &Target, directory: &Path) -> Builder {
        let variable = |name: &str| format!("GRIDKV_STORES__MAIN__{name}");
        let cluster = Cluster::builder(&self.gridkv, directory)
            .env("GRIDKV_HTTP__WORKERS", "1")
            .env(&variable("BACKEND"), target.backend);
        target
            .settings
            .iter()
            .fold(cluster, |cluster, (name, value)| cluster.env(&variable(name), value))
    }

    /// # Errors
    /// [`RunError::Interrupted`] once the run is to end.
    pub(crate) fn go_on(&self) -> Result<(), RunError> {
        if self.interrupted.load(Ordering::Relaxed) { Err(RunError::Interrupted) } else { Ok(()) }
    }
}

/// What `--promise` does: judges as if every acknowledgement promised this, whatever the table says.
#[must_use]
pub fn promising(target: Target, promise: Durability) -> Target {
    Target { promise, ..target }
}
