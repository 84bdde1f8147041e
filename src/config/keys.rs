//! The table of known keys: the one place that knows each key's name, type, range, default and flag.
//!
//! Why it exists: file, environment, flags, checks, messages and the printed configuration all ask
//! this table, so a key is added in one row (and its field in `Config`). It refuses keys that could
//! do nothing: a row exists only for a setting that some room obeys.

use super::kind::Kind;
use super::limits;
use super::security_keys::SECURITY_KEYS;
use super::store_keys::STORE_KEYS;

/// What every variable of the environment starts with.
pub(super) const ENV_PREFIX: &str = "GRIDKV_";
/// What a variable ends with that names a file with a secret.
const FILE_SUFFIX: &str = "_FILE";
/// Stands for a store's name in [`Key::path`].
const NAME: &str = "NAME";
/// The sections that are not stores, in the order in which they are printed.
pub(super) const SECTIONS: [&str; 8] =
    ["node", "http", "http.tls", "peers", "peers.tls", "auth", "sync", "log"];

/// One known key.
#[derive(Debug)]
pub(super) struct Key {
    /// Dotted path; a key of a store starts with `stores.NAME.`.
    pub(super) path: &'static str,
    /// Type and range.
    pub(super) kind: Kind,
    /// The default, as the environment would spell it; `None`: the key must be given.
    pub(super) default: Option<&'static str>,
    /// The flag that sets it, if any.
    pub(super) flag: Option<&'static str>,
    /// What it is, in a phrase; ends the message about a bad value.
    pub(super) help: &'static str,
    /// The only backends that obey it, and why others do not; `None`: all obey it.
    pub(super) only: Option<(&'static [&'static str], &'static str)>,
    /// Backends on which its default is another one, and which.
    pub(super) default_on: &'static [(&'static str, &'static str)],
}

impl Key {
    pub(super) const fn new(
        path: &'static str,
        kind: Kind,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self { path, kind, default: Some(default), flag: None, help, only: None, default_on: &[] }
    }

    pub(super) const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    /// Only these backends obey it; `why` others do not.
    pub(super) const fn only(
        mut self,
        backends: &'static [&'static str],
        why: &'static str,
    ) -> Self {
        self.only = Some((backends, why));
        self
    }

    /// On some backends the default is another one.
    pub(super) const fn default_on(
        mut self,
        defaults: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.default_on = defaults;
        self
    }

    pub(super) const fn required(mut self) -> Self {
        self.default = None;
        self
    }

    /// The default for a store on `backend`.
    pub(super) fn default_for(&self, backend: &str) -> Option<&'static str> {
        let other = self.default_on.iter().find(|(name, _)| *name == backend);
        other.map(|(_, default)| *default).or(self.default)
    }

    /// The key's name within its section: `listen` of `http.listen`.
    pub(super) fn leaf(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// Whether its value is never shown.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::Tokens)
    }

    /// Whether a store on `backend` obeys this key.
    pub(super) fn obeyed_by(&self, backend: &str) -> bool {
        self.only.is_none_or(|(backends, _)| backends.contains(&backend))
    }
}

/// All known keys, section by section.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    NODE_KEYS.iter().chain(SECURITY_KEYS).chain(STORE_KEYS)
}

/// The keys of the sections that are not stores, but for those that say who may do what.
static NODE_KEYS: &[Key] = &[
    Key::new(
        "node.name",
        Kind::Name { most: limits::NODE_NAME, empty: true },
        "",
        "the name for people; empty = host name",
    )
    .flag("--name"),
    Key::new(
        "node.cluster",
        Kind::Name { most: limits::CLUSTER_NAME, empty: false },
        "gridkv",
        "peers of another cluster are refused",
    )
    .flag("--cluster"),
    Key::new(
        "node.data_dir",
        Kind::Path,
        "./data",
        "where identity and stores are kept; empty = nothing is kept",
    )
    .flag("--data-dir"),
    Key::new("http.listen", Kind::Listen, "127.0.0.1:7400", "where clients connect")
        .flag("--listen"),
    Key::new(
        "http.host_names",
        Kind::HostNames,
        "",
        "names by which clients may call a node without tokens; addresses and localhost always do",
    ),
    Key::new("http.workers", Kind::Whole(limits::WORKERS), "0", "worker threads; 0 = cores"),
    Key::new(
        "http.max_value_bytes",
        Kind::Whole(limits::VALUE_BYTES),
        "1048576",
        "bytes of the longest value; it crosses the network in one frame",
    ),
    Key::new(
        "http.max_key_bytes",
        Kind::Whole(limits::KEY_BYTES),
        "1024",
        "bytes of the longest key; keys stay in memory",
    ),
    Key::new(
        "http.max_batch_ops",
        Kind::Whole(limits::BATCH_OPS),
        "1000",
        "operations in one batch; it delays all requests behind it",
    ),
    Key::new(
        "http.max_body_bytes",
        Kind::Whole(limits::BODY_BYTES),
        "16777216",
        "bytes of the longest request body; it is held in memory",
    ),
    Key::new(
        "http.max_connections",
        Kind::Whole(limits::CONNECTIONS),
        "2048",
        "connections at once; each holds a file descriptor",
    ),
    Key::new(
        "http.max_in_flight",
        Kind::Whole(limits::IN_FLIGHT),
        "1024",
        "requests at once; beyond it they are refused",
    ),
    Key::new(
        "http.max_watchers",
        Kind::Whole(limits::WATCHERS),
        "1024",
        "streams of changes and long polls at once; each holds a connection",
    ),
    Key::new(
        "http.head_timeout",
        Kind::Span { range: limits::REQUEST_TIMEOUT, zero: false },
        "5s",
        "longest wait for a request's head",
    ),
    Key::new(
        "http.body_timeout",
        Kind::Span { range: limits::REQUEST_TIMEOUT, zero: false },
        "30s",
        "longest wait for a request's body",
    ),
    Key::new(
        "http.keep_alive",
        Kind::Span { range: limits::KEEP_ALIVE, zero: false },
        "75s",
        "longest rest of a connection",
    ),
    Key::new(
        "http.shutdown_timeout",
        Kind::Span { range: limits::SHUTDOWN_TIMEOUT, zero: false },
        "25s",
        "longest wait for requests when stopping",
    ),
    Key::new("peers.listen", Kind::Listen, "127.0.0.1:7500", "where peers connect")
        .flag("--peer-listen"),
    Key::new(
        "peers.advertise",
        Kind::Advertise,
        "",
        "the address that peers dial; empty = peers.listen",
    )
    .flag("--advertise"),
    Key::new("peers.seeds", Kind::Seeds, "", "peers to ask first").flag("--join"),
    Key::new(
        "peers.bootstrap",
        Kind::Boolean,
        "false",
        "form a new cluster although seeds are silent",
    )
    .flag("--bootstrap"),
    Key::new(
        "peers.heartbeat_interval",
        Kind::Span { range: limits::HEARTBEAT, zero: false },
        "200ms",
        "time between two heartbeats",
    ),
    Key::new(
        "peers.suspect_after",
        Kind::Span { range: limits::SILENCE, zero: false },
        "2s",
        "silence after which a peer is suspect",
    ),
    Key::new(
        "peers.down_after",
        Kind::Span { range: limits::SILENCE, zero: false },
        "10s",
        "silence after which a peer is down",
    ),
    Key::new(
        "peers.max_clock_skew",
        Kind::Span { range: limits::CLOCK_SKEW, zero: false },
        "500ms",
        "how far in the future an operation may be",
    ),
    Key::new(
        "peers.max_frame_bytes",
        Kind::Whole(limits::FRAME_BYTES),
        "4194304",
        "bytes of the longest frame; it is held in memory",
    ),
    Key::new(
        "peers.max_queue_bytes",
        Kind::Whole(limits::QUEUE_BYTES),
        "16777216",
        "bytes that wait for one peer; they are held in memory",
    ),
    Key::new(
        "sync.buffer_size",
        Kind::Whole(limits::RING_SLOTS),
        "8192",
        "slots of the op ring; allocated at once",
    ),
    Key::new(
        "sync.log_bytes",
        Kind::Whole(limits::LOG_BYTES),
        "67108864",
        "bytes of operations kept for peers that lag",
    ),
    Key::new(
        "sync.batch_max_ops",
        Kind::Whole(limits::SYNC_BATCH_OPS),
        "512",
        "operations in one batch to a peer",
    ),
    Key::new(
        "sync.batch_max_bytes",
        Kind::Whole(limits::SYNC_BATCH_BYTES),
        "1048576",
        "bytes in one batch to a peer",
    ),
    Key::new(
        "sync.flush_interval",
        Kind::Span { range: limits::FLUSH_INTERVAL, zero: false },
        "10ms",
        "longest wait of an operation for its batch",
    ),
    Key::new("log.level", Kind::Directive, "info", "what is logged").flag("--log-level"),
    Key::new("log.format", Kind::Choice(&["auto", "text", "json"]), "auto", "how it is written")
        .flag("--log-format"),
];

/// What a path in the file leads to.
#[derive(Debug)]
pub(super) enum Place {
    /// A key that takes a value.
    Key(&'static Key),
    /// A section that holds keys or sections.
    Section,
    /// `stores.NAME`, whatever the name.
    Store,
    /// Nothing known.
    Unknown,
}

/// What the path leads to. Segments, not dotted text: a quoted name in a file may hold dots.
pub(super) fn place(path: &[&str]) -> Place {
    match path {
        // A quoted name is one segment, whatever is in it.
        [.., leaf] if leaf.contains('.') && path.first() != Some(&"stores") => Place::Unknown,
        ["stores"] | ["stores", _, "sync"] => Place::Section,
        ["stores", _] => Place::Store,
        ["stores", _, "sync", leaf] => lookup(&format!("sync.{leaf}")),
        ["stores", _, leaf] => lookup(&format!("stores.{NAME}.{leaf}")),
        _ if SECTIONS.contains(&path.join(".").as_str()) => Place::Section,
        _ => lookup(&path.join(".")),
    }
}

fn lookup(path: &str) -> Place {
    all().find(|key| key.path == path).map_or(Place::Unknown, Place::Key)
}

/// The key that a flag sets.
pub(super) fn by_flag(flag: &str) -> Option<&'static Key> {
    all().find(|key| key.flag == Some(flag))
}

/// The keys of one section, such as `http`, without those of the sections within it.
pub(super) fn section(name: &str) -> impl Iterator<Item = &'static Key> {
    all().filter(move |key| key.path.rsplit_once('.').is_some_and(|(head, _)| head == name))
}

/// The keys of a store, without those of its `sync` section.
pub(super) fn of_store() -> impl Iterator<Item = &'static Key> {
    all().filter(|key| key.path.starts_with("stores."))
}

/// The secrets, each of which a variable may name a file for: `GRIDKV_PEERS__SECRET_FILE` for `peers.secret`.
fn secrets() -> impl Iterator<Item = (String, &'static Key)> {
    let secrets = all().filter(|key| matches!(key.kind, Kind::Secret));
    secrets.map(|key| (format!("{}{FILE_SUFFIX}", variable(key.path)), key))
}

/// The variables that name a file with a secret.
pub(super) fn file_variables() -> impl Iterator<Item = String> {
    secrets().map(|(variable, _)| variable)
}

/// The secret that a variable names a file for.
pub(super) fn by_file_variable(name: &str) -> Option<&'static Key> {
    secrets().find(|(variable, _)| variable == name).map(|(_, key)| key)
}

/// Every path that the store may have, its `sync` section included, and its key.
pub(super) fn paths_of_store(store: &str) -> impl Iterator<Item = (String, &'static Key)> {
    let own = of_store().map(move |key| (format!("stores.{store}.{}", key.leaf()), key));
    own.chain(section("sync").map(move |key| (format!("stores.{store}.{}", key.path), key)))
}

/// The variable that sets the key at a path.
pub(super) fn variable(path: &str) -> String {
    format!("{ENV_PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

/// Whether a store may have this name: `[a-z0-9][a-z0-9_-]{0,62}`.
pub(super) fn is_store_name(name: &str) -> bool {
    let first = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= limits::STORE_NAME
        && name.bytes().next().is_some_and(first)
        && name.bytes().all(|b| first(b) || matches!(b, b'_' | b'-'))
}
