//! What the tests of the configuration share: loading from literals, without touching the process.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;

/// The backends that the tests pretend to have.
pub(crate) const BACKENDS: [(&str, &str); 6] = [
    ("memory", "memory"),
    ("file", "file"),
    ("moka", "moka"),
    ("fjall", "fjall"),
    ("fjall-memory", "fjall-memory"),
    ("badger", "fjall"),
];

/// One run of the loader; every part may be left empty.
#[derive(Default)]
pub(crate) struct Trial {
    file: Option<String>,
    variables: Vec<(String, String)>,
    flags: Vec<Flag>,
    host: Option<&'static str>,
    expose: bool,
    open: bool,
}

impl Trial {
    pub(crate) fn file(mut self, text: &str) -> Self {
        self.file = Some(text.to_owned());
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Others than the owner may read the file.
    pub(crate) fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Flags as they are typed after `gridkv serve`.
    pub(crate) fn typed(mut self, line: &[&str]) -> Self {
        use clap::Parser as _;
        let words = ["gridkv", "serve"].into_iter().chain(line.iter().copied());
        let parsed = crate::cli::Cli::try_parse_from(words).unwrap().command;
        let crate::cli::Command::Serve(args) = parsed else { panic!("{line:?} is no serve") };
        self.expose = args.insecure_expose_without_auth;
        self.flags = crate::cli::overlay(&args);
        self
    }

    pub(crate) fn host(mut self, name: &'static str) -> Self {
        self.host = Some(name);
        self
    }

    pub(crate) fn load(self) -> Result<Loaded, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path: Option<PathBuf> = self.file.map(|text| {
            let path = dir.path().join("gridkv.toml");
            std::fs::write(&path, text).unwrap();
            let private = std::fs::Permissions::from_mode(if self.open { 0o644 } else { 0o600 });
            std::fs::set_permissions(&path, private).unwrap();
            path
        });
        super::load(Sources {
            file: path.as_deref(),
            environment: self
                .variables
                .into_iter()
                .map(|(name, value)| (OsString::from(name), OsString::from(value))),
            flags: self.flags,
            backends: &BACKENDS,
            host_name: OsString::from(self.host.unwrap_or("box-1")),
            expose_without_auth: self.expose,
        })
    }

    pub(crate) fn config(self) -> Config {
        match self.load() {
            Ok(loaded) => loaded.config,
            Err(error) => panic!("{error}"),
        }
    }

    /// The problems, one per line, without the directory of the file.
    pub(crate) fn problems(self) -> Vec<String> {
        let error = self.load().expect_err("the configuration should be refused").to_string();
        error
            .lines()
            .skip(1)
            .map(|line| line.rsplit_once("/gridkv.toml").map_or(line, |(_, rest)| rest))
            .map(|line| line.trim().to_owned())
            .collect()
    }
}
