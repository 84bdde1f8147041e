//! The rules as tables: what each room may depend on and what it never does, where a vendor crate may be named, and who
//! may read a clock. Changing one is changing the design: say so in the same commit.

/// One room of the workspace.
#[derive(Debug)]
pub(crate) struct Room {
    /// Its directory.
    pub(crate) name: &'static str,
    /// Its dependencies, at most; `None`: any.
    pub(crate) may: Option<&'static [&'static str]>,
    /// Paths that its code never names, in `src` and outside of tests. A path stands for all below it.
    pub(crate) never_paths: &'static [&'static str],
    /// Phrases that its code never has, in `src` and outside of tests.
    pub(crate) never_phrases: &'static [&'static str],
}

/// The rooms, from what all agree on to what composes the node.
pub(crate) const ROOMS: [Room; 9] = [
    Room {
        name: "protocol",
        may: Some(&["bytes", "rmp-serde", "serde", "thiserror", "triomphe", "xxhash-rust"]),
        // Time, randomness, sockets, files and threads are arguments or somebody else's.
        never_paths: &[
            "std::env",
            "std::fs",
            "std::net",
            "std::os",
            "std::path",
            "std::process",
            "std::sync::mpsc",
            "std::thread",
            "std::time",
        ],
        never_phrases: &["async", ".await", "println!", "eprintln!"],
    },
    Room {
        name: "storage",
        may: Some(&[
            "arc-swap",
            "bytes",
            "crc32c",
            "crossbeam-queue",
            "fjall",
            "gridkv-protocol",
            "lz4_flex",
            "moka",
            "rustix",
            "scc",
            "serde",
            "thiserror",
            "xxhash-rust",
        ]),
        never_paths: &["std::env", "std::net", "std::os::unix::net", "std::process"],
        never_phrases: &["async", ".await", "println!", "eprintln!"],
    },
    Room {
        name: "actors",
        may: Some(&[
            "actix",
            "actix-rt",
            "arc-swap",
            "bytes",
            "fastrand",
            "getrandom",
            "gridkv-protocol",
            "gridkv-storage",
            "ring",
            "rustls",
            "rustls-webpki",
            "serde",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tracing",
        ]),
        never_paths: &["std::env", "std::process"],
        never_phrases: &["println!", "eprintln!"],
    },
    Room {
        name: "http",
        may: Some(&[
            "actix-http",
            "actix-rt",
            "actix-service",
            "actix-web",
            "arc-swap",
            "base64",
            "bytes",
            "futures-util",
            "gridkv-actors",
            "gridkv-protocol",
            "httpdate",
            "percent-encoding",
            "prometheus",
            "ring",
            "rustls",
            "serde",
            "serde_json",
            "socket2",
            "strsim",
            "subtle",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tracing",
        ]),
        never_paths: &["std::env", "std::fs", "std::process"],
        never_phrases: &["Mutex", "RwLock", "println!", "eprintln!"],
    },
    Room {
        name: "tests/soak",
        // What it proves is what a user gets: it knows the node's program, files and answers, and no code of it.
        may: Some(&[
            "anyhow",
            "clap",
            "fastrand",
            "gridkv-cluster",
            "gridkv-soak",
            "serde",
            "serde_json",
            "signal-hook",
            "tempfile",
            "thiserror",
        ]),
        never_paths: &["std::net"],
        never_phrases: &["println!"],
    },
    Room {
        name: "tests/dashboards",
        // It knows the node's program, its answers and its published page of metrics, and no code of it.
        may: Some(&[
            "anyhow",
            "clap",
            "gridkv-cluster",
            "gridkv-dashboards",
            "serde_json",
            "signal-hook",
            "tempfile",
            "thiserror",
            "yaml-rust2",
        ]),
        never_paths: &[],
        never_phrases: &["println!"],
    },
    Room {
        name: "tests/chaos",
        // As above, but for the wire: its proxies know where a frame ends.
        may: Some(&[
            "anyhow",
            "clap",
            "fastrand",
            "gridkv-chaos",
            "gridkv-cluster",
            "gridkv-protocol",
            "gridkv-soak",
            "serde",
            "serde_json",
            "signal-hook",
            "socket2",
            "tempfile",
            "thiserror",
        ]),
        never_paths: &[],
        never_phrases: &["println!"],
    },
    Room {
        name: "tests/sim",
        // One seed, one world: nothing that a machine could answer otherwise than another one.
        may: Some(&["gridkv-protocol", "gridkv-sim", "gridkv-storage"]),
        never_paths: &[
            "std::collections::HashMap",
            "std::collections::HashSet",
            "std::fs",
            "std::net",
            "std::time",
        ],
        never_phrases: &["println!", "eprintln!"],
    },
    Room { name: "src", may: None, never_paths: &[], never_phrases: &["println!", "eprintln!"] },
];

/// Where the manifest of a room is.
pub(crate) fn manifest(room: &Room) -> String {
    if room.name == "src" { "Cargo.toml".to_owned() } else { format!("{}/Cargo.toml", room.name) }
}

/// Where the code of a room is.
pub(crate) fn sources(room: &Room) -> String {
    if room.name == "src" { "src/".to_owned() } else { format!("{}/src/", room.name) }
}

/// A vendor crate, by the name that code has for it, and what the files that may name it begin with.
pub(crate) const VENDORS: [(&str, &[&str]); 11] = [
    (
        "anyhow",
        &[
            "src/main.rs",
            "src/command",
            "tests/soak/src/main.rs",
            "tests/chaos/src/main.rs",
            "tests/dashboards/src/main.rs",
        ],
    ),
    ("crossbeam_queue", &["storage/src/ring.rs"]),
    ("fjall", &["storage/src/fjall"]),
    ("getrandom", &["actors/src/identity.rs"]),
    ("moka", &["storage/src/moka", "storage/src/fjall"]),
    ("prometheus", &["http/src/metrics"]),
    ("rcgen", &["src/init", "src/tls", "actors/src/trial_authority.rs", "http/tests"]),
    ("rmp_serde", &["protocol/src/codec.rs"]),
    ("scc", &["storage/src/map.rs"]),
    ("toml", &["src/config", "src/init", "src/made_stores.rs", "src/operating.rs", "src/cli.rs"]),
    ("triomphe", &["protocol/src/buffer.rs"]),
];

/// The ways to read a clock.
pub(crate) const CLOCKS: [&str; 2] = ["SystemTime::now", "Instant::now"];

/// Who may: one file of the node, the stopwatch of requests and commands, the deadlines of sockets, and what tests
/// and measures.
pub(crate) const CLOCK_READERS: [&str; 6] = [
    "actors/src/clock.rs",
    "http/src/alarm.rs",
    "http/src/stopwatch.rs",
    "http/tests/",
    "tests/cluster/src/deadline.rs",
    "tests/bench/",
];

/// Lines of a file, at most: more is two nouns.
pub(crate) const MOST_LINES: usize = 420;

/// Names that say nothing of what is in a file or directory.
pub(crate) const NAMELESS: [&str; 7] =
    ["common", "helper", "helpers", "manager", "misc", "util", "utils"];

/// What is only there until something is finished.
pub(crate) const UNFINISHED: [&str; 2] = [concat!("to", "do!"), concat!("unimple", "mented!")];

/// Where paths of somebody's machine begin.
pub(crate) const MACHINE_PATHS: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];
