//! What is run: every persistent backend in every durability that it promises. The only table of them.

use crate::durability::Durability;

/// A backend with settings, and what it promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is called in reports and on the command line.
    pub name: &'static str,
    /// The name of the backend.
    pub backend: &'static str,
    /// Settings of the store: the end of a `GRIDKV_STORES__MAIN__*` variable, and its value.
    pub settings: &'static [(&'static str, &'static str)],
    /// What every acknowledgement promises at least.
    pub promise: Durability,
    /// Takes writes again in the same process once a full disk has space; otherwise after a restart.
    pub recovers: bool,
    /// One of the targets that damage is tried on: what lies on the disk does not depend on the durability.
    pub flipped: bool,
}

/// The store of all runs.
pub(crate) const STORE: &str = "main";

/// A short interval, so that faults also meet what happens at its end.
const OFTEN: (&str, &str) = ("PERSIST_INTERVAL", "100ms");

/// All targets.
pub const TARGETS: [Target; 4] = [
    Target {
        name: "file-os",
        backend: "file",
        settings: &[("DURABILITY", "interval"), OFTEN],
        promise: Durability::Os,
        recovers: true,
        flipped: true,
    },
    Target {
        name: "file-fsync",
        backend: "file",
        settings: &[("DURABILITY", "fsync"), OFTEN],
        promise: Durability::Fsync,
        recovers: true,
        flipped: false,
    },
    Target {
        name: "fjall-os",
        backend: "fjall",
        settings: &[("DURABILITY", "interval"), OFTEN],
        promise: Durability::Os,
        recovers: false,
        flipped: false,
    },
    Target {
        name: "fjall-fsync",
        backend: "fjall",
        settings: &[("DURABILITY", "fsync"), OFTEN],
        promise: Durability::Fsync,
        recovers: false,
        flipped: true,
    },
];
