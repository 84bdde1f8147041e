//! The layers laid over each other: one value per path, and where it came from.
//!
//! Why it exists: defaults, file, environment and flags offer values for the same keys; the later
//! layer wins, every value is checked even when a later one covers it, and all problems are kept to
//! the end. It refuses to stop early, and to check anything that needs two values: that is `rules`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use toml::{Table, Value};

use super::fault::{ConfigError, Fault, Problem};
use super::keys::{self, Key};
use super::kind::{self, Spelling};
use super::rules::Violation;
use super::{Config, limits, secret};

/// Checked values by dotted path. A store's name holds no dot, so a path is unambiguous.
pub(super) type Settings = BTreeMap<String, Setting>;

/// A checked value and the layer that set it.
#[derive(Clone, PartialEq)]
pub(super) struct Setting {
    /// The value in canonical form; what is shown is [`Setting::shown`].
    pub(super) value: Value,
    /// Where it came from.
    pub(super) origin: Origin,
    /// Whether the value is never shown.
    secret: bool,
}

impl Setting {
    /// The value as it may be shown: secrets are masked.
    pub(super) fn shown(&self) -> Value {
        if self.secret { secret::mask(&self.value) } else { self.value.clone() }
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.shown(), self.origin)
    }
}

/// Where a value came from, lowest layer first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line, counted from 1; `None` when the whole file is meant.
        line: Option<usize>,
    },
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
    /// The definition of a store that is made while the node runs.
    Definition,
}

impl Origin {
    /// The layer in one word, as the printed configuration shows it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File { .. } => "file",
            Self::Environment(_) => "environment",
            Self::Flag(_) => "flag",
            Self::Definition => "definition",
        }
    }

    /// Layer and line, for sorting.
    pub(super) fn rank(&self) -> (u8, usize) {
        match self {
            Self::Default => (0, 0),
            Self::File { line, .. } => (1, line.unwrap_or(0)),
            Self::Environment(_) => (2, 0),
            Self::Flag(_) => (3, 0),
            Self::Definition => (4, 0),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Definition => f.write_str("the definition"),
        }
    }
}

/// The stores that have a backend, in order of name.
pub(super) fn stores_of(settings: &Settings) -> impl Iterator<Item = &str> {
    settings.keys().filter_map(|path| {
        let (name, leaf) = path.strip_prefix("stores.")?.split_once('.')?;
        (leaf == "backend").then_some(name)
    })
}

/// What one flag sets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Flag {
    /// A flag that sets one key.
    Key {
        /// The flag with its dashes, as in the table of keys.
        flag: &'static str,
        /// Text, a list of text, or a boolean.
        value: Value,
    },
    /// `--store NAME=BACKEND`.
    Store {
        /// The store's name.
        name: String,
        /// The backend's name.
        backend: String,
    },
}

/// The values offered so far, and the problems found so far.
pub(super) struct Overlay<'a> {
    /// Each spelling of a backend, and the name that it stands for.
    backends: &'a [(&'a str, &'a str)],
    settings: Settings,
    stores: BTreeSet<String>,
    refused: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl<'a> Overlay<'a> {
    /// The defaults of every key that is not a store's.
    pub(super) fn new(backends: &'a [(&'a str, &'a str)]) -> Self {
        let mut overlay = Self {
            backends,
            settings: Settings::new(),
            stores: BTreeSet::new(),
            refused: BTreeSet::new(),
            problems: Vec::new(),
        };
        for key in keys::SECTIONS.into_iter().flat_map(keys::section) {
            overlay.default(key.path, key);
        }
        overlay
    }

    /// What was settled before, for one more store to be laid over it.
    pub(super) fn over(settings: Settings, backends: &'a [(&'a str, &'a str)]) -> Self {
        let stores = stores_of(&settings).map(str::to_owned).collect();
        Self { backends, settings, stores, refused: BTreeSet::new(), problems: Vec::new() }
    }

    fn default(&mut self, path: &str, key: &'static Key) {
        if let Some(text) = key.default {
            self.offer(path, key, &Value::String(text.to_owned()), Origin::Default);
        }
    }

    /// Lays a raw value over what is there; a bad one becomes a problem and changes nothing.
    pub(super) fn offer(&mut self, path: &str, key: &Key, value: &Value, origin: Origin) {
        let spelling = match origin {
            Origin::File { .. } | Origin::Definition => Spelling::Typed,
            Origin::Default | Origin::Environment(_) | Origin::Flag(_) => Spelling::Text,
        };
        let same_layer = self.settings.get(path).filter(|old| old.origin.word() == origin.word());
        let checked = match same_layer {
            Some(old) => Err(Fault::Twice { other: old.shown() }),
            None => kind::check(key, value, spelling, self.backends),
        };
        match checked {
            Ok(value) => {
                let setting = Setting { value, origin, secret: key.is_secret() };
                self.settings.insert(path.to_owned(), setting);
            }
            Err(fault) => {
                self.refused.insert(path.to_owned());
                let shown = (!key.is_secret()).then(|| value.clone());
                self.refuse(origin, path, shown, fault);
            }
        }
    }

    /// Notes that a layer names a store; `false`, and a problem, when the name is none.
    pub(super) fn name_store(&mut self, name: &str, origin: Origin) -> bool {
        let fine = keys::is_store_name(name);
        // A badly named store still counts as named, so that no default store hides behind it.
        self.stores.insert(name.to_owned());
        if !fine {
            let fault = Fault::StoreName { name: name.to_owned() };
            self.refuse(origin, "stores", None, fault);
        }
        fine
    }

    /// Whether a text or a list was given that is not empty.
    pub(super) fn is_given(&self, path: &str) -> bool {
        let value = self.settings.get(path).map(|setting| &setting.value);
        let text = value.and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        text || value.and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    }

    /// The layer that set a path.
    pub(super) fn origin(&self, path: &str) -> Origin {
        self.settings.get(path).map_or(Origin::Default, |setting| setting.origin.clone())
    }

    /// Notes a problem.
    pub(super) fn refuse(&mut self, origin: Origin, key: &str, value: Option<Value>, fault: Fault) {
        self.problems.push(Problem { origin, key: key.to_owned(), value, fault });
    }

    /// Lays the flags over everything else.
    pub(super) fn flags(&mut self, flags: Vec<Flag>) {
        for flag in flags {
            match flag {
                Flag::Key { flag, value } => {
                    if let Some(key) = keys::by_flag(flag) {
                        self.offer(key.path, key, &value, Origin::Flag(flag));
                    }
                }
                Flag::Store { name, backend } => self.store_flag(&name, backend),
            }
        }
    }

    fn store_flag(&mut self, name: &str, backend: String) {
        let origin = Origin::Flag("--store");
        if let Some(key) = keys::by_flag("--store")
            && self.name_store(name, origin.clone())
        {
            self.offer(&format!("stores.{name}.backend"), key, &Value::String(backend), origin);
        }
    }

    /// Fills in what no layer gave: the node's name, the default set, each store's defaults.
    pub(super) fn complete(&mut self, host_name: &OsStr) {
        self.complete_name(host_name);
        if self.stores.is_empty() {
            self.stores.insert("main".to_owned());
            let value = Value::String("file".to_owned());
            for key in keys::of_store().filter(|key| key.leaf() == "backend") {
                self.offer("stores.main.backend", key, &value, Origin::Default);
            }
        }
        for store in self.stores.clone() {
            if keys::is_store_name(&store) {
                self.complete_store(&store);
            }
        }
    }

    fn complete_name(&mut self, host_name: &OsStr) {
        let Some(setting) = self.settings.get_mut("node.name") else { return };
        if setting.value.as_str() != Some("") {
            return;
        }
        let name = host_name.to_string_lossy().into_owned();
        let fine = kind::is_name(&name, limits::NODE_NAME);
        setting.value = Value::String(name);
        if !fine && !self.refused.contains("node.name") {
            let Setting { value, origin, .. } = setting.clone();
            self.refuse(origin, "node.name", Some(value), Fault::HostName);
        }
    }

    fn complete_store(&mut self, store: &str) {
        let path = format!("stores.{store}.backend");
        let Some(backend) = self.settings.get(&path).and_then(|found| found.value.as_str()) else {
            if !self.refused.contains(&path) {
                let known = kind::names(self.backends).join(", ");
                let origin = self.first_mention(store);
                self.refuse(origin, &path, None, Fault::NoBackend { known });
            }
            return;
        };
        let backend = backend.to_owned();
        for key in keys::of_store() {
            let path = format!("stores.{store}.{}", key.leaf());
            let given = self.settings.get(&path).cloned();
            match (given, key.only) {
                (Some(given), Some((only, why))) if !key.obeyed_by(&backend) => {
                    let only = only.join(", ");
                    let fault = Fault::NotForBackend { backend: backend.clone(), only, why };
                    self.refuse(given.origin, &path, Some(given.value), fault);
                    self.settings.remove(&path);
                }
                (None, _) if key.obeyed_by(&backend) => {
                    if let Some(text) = key.default_for(&backend) {
                        let value = Value::String(text.to_owned());
                        self.offer(&path, key, &value, Origin::Default);
                    }
                }
                _ => {}
            }
        }
    }

    /// The lowest layer that sets anything of the store; a bare `[stores.NAME]` sets nothing.
    fn first_mention(&self, store: &str) -> Origin {
        keys::paths_of_store(store)
            .filter_map(|(path, _)| self.settings.get(&path))
            .map(|setting| setting.origin.clone())
            .min_by_key(Origin::rank)
            .unwrap_or(Origin::Default)
    }

    /// The typed configuration of what was accepted; `None`, and a problem, when it does not fit.
    /// Stores without a backend are left out: they are a problem already.
    pub(super) fn typed(&mut self) -> Option<Config> {
        let mut root = Table::new();
        for section in keys::SECTIONS {
            let keys = Value::Table(self.section(section));
            match section.split_once('.') {
                Some((outer, inner)) => {
                    if let Some(Value::Table(outer)) = root.get_mut(outer) {
                        outer.insert(inner.to_owned(), keys);
                    }
                }
                None => drop(root.insert(section.to_owned(), keys)),
            }
        }
        let stores =
            self.stores.iter().filter_map(|store| Some((store.clone(), self.store(store)?)));
        let stores: Table = stores.collect();
        root.insert("stores".to_owned(), Value::Table(stores));
        match Config::deserialize(Value::Table(root)) {
            Ok(config) => Some(config),
            Err(wrong) => {
                self.refuse(Origin::Default, "", None, Fault::Mismatch(Box::new(wrong)));
                None
            }
        }
    }

    fn section(&self, name: &str) -> Table {
        let value =
            |key: &Key| Some((key.leaf().to_owned(), self.settings.get(key.path)?.value.clone()));
        keys::section(name).filter_map(value).collect()
    }

    fn store(&self, store: &str) -> Option<Value> {
        let prefix = format!("stores.{store}.");
        self.settings.get(&format!("{prefix}backend"))?;
        let value = |path: String| self.settings.get(&path).map(|setting| setting.value.clone());
        let own =
            |key: &Key| Some((key.leaf().to_owned(), value(format!("{prefix}{}", key.leaf()))?));
        let mut table: Table = keys::of_store().filter_map(own).collect();
        let mut sync = self.section("sync");
        for key in keys::section("sync") {
            if let Some(value) = value(format!("{prefix}{}", key.path)) {
                sync.insert(key.leaf().to_owned(), value);
            }
        }
        table.insert("sync".to_owned(), Value::Table(sync));
        Some(Value::Table(table))
    }

    /// Turns violated rules into problems, each at its first key that is no default. Rules about a
    /// refused value are dropped: they would judge another value than the one that was meant.
    pub(super) fn report(&mut self, violations: Vec<Violation>) {
        for Violation { keys, fault } in violations {
            if keys.iter().any(|key| self.refused.contains(key)) {
                continue;
            }
            let found = |key: &String| Some((key.clone(), self.settings.get(key)?.clone()));
            let mut involved = keys.iter().filter_map(found);
            let first = involved.next();
            let blamed = std::iter::once(first.clone())
                .flatten()
                .chain(involved)
                .find(|(_, setting)| setting.origin != Origin::Default)
                .or(first);
            let Some((key, setting)) = blamed else { continue };
            let shown = (!setting.secret).then_some(setting.value);
            self.refuse(setting.origin, &key, shown, fault);
        }
    }

    /// The configuration and its settings, if there was no problem. Without a configuration there is
    /// a problem: [`Self::typed`] has noted it.
    pub(super) fn finish(self, config: Option<Config>) -> Result<(Config, Settings), ConfigError> {
        match config {
            Some(config) if self.problems.is_empty() => Ok((config, self.settings)),
            _ => Err(ConfigError::new(self.problems)),
        }
    }
}
