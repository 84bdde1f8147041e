//! The configuration read again while the node runs: at SIGHUP, and when the file of tokens has changed.
//!
//! Why it exists: tokens are rotated, certificates are renewed and a log is turned up without a restart. A part
//! of the node says which keys it can take while it runs. It refuses a configuration that is not whole: all parts
//! are prepared before the first one is changed, and what can not be taken leaves everything as it is. What differs
//! and needs a restart is named.

use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::config::{Config, ConfigError, Loaded};

/// Between two looks at files that may have changed: certificates, and the file of tokens.
pub(crate) const LOOK: Duration = Duration::from_secs(30);

/// What a part could not take.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// Changes a part; it can not fail any more.
pub(crate) type Apply = Box<dyn FnOnce() + Send>;

/// From what the part is to become to what makes it so.
type Prepare = dyn Fn(&Config) -> Result<Apply, Cause> + Send;

/// A part of the node that is changed while it runs.
pub(crate) struct Part {
    /// What it is, for the log.
    name: &'static str,
    /// The keys that it takes; all others need a restart.
    keys: &'static [&'static str],
    prepare: Box<Prepare>,
}

impl Part {
    /// A part that takes `keys`. `prepare` is called with the whole new configuration, also when none of its keys
    /// has changed, because files that they name may have; it must change nothing itself.
    pub(crate) fn new(
        name: &'static str,
        keys: &'static [&'static str],
        prepare: impl Fn(&Config) -> Result<Apply, Cause> + Send + 'static,
    ) -> Self {
        Self { name, keys, prepare: Box::new(prepare) }
    }
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// The configuration is not whole.
    #[error("{}", .0.to_string().replace('\n', " "))]
    Refused(#[source] ConfigError),
    /// Nobody would be asked any more who they are: more likely a mistake than a wish.
    #[error(
        "it has no tokens, so that everybody could do everything; restart the node if that is meant"
    )]
    Opens,
    /// A part can not take it.
    #[error("{name}: {source}")]
    Part {
        /// Which part.
        name: &'static str,
        /// Why not.
        #[source]
        source: Cause,
    },
}

/// How the configuration is read, as it was at the start.
type Read = dyn Fn() -> Result<Loaded, ConfigError> + Send;
/// Who is shown what holds.
type Show = dyn Fn(&Loaded) + Send;

/// Reads the configuration again, and changes what can be.
pub(crate) struct Reloader {
    read: Box<Read>,
    /// What holds now.
    holds: Loaded,
    parts: Vec<Part>,
    show: Box<Show>,
    /// The file of tokens as it was when it was looked at last.
    tokens: Option<Stamp>,
}

/// What can be known of a file without reading it. One that is put in the place of another is another one.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// `None` when there is no such file.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let modified = metadata.modified().ok();
        Some(Self { inode: metadata.ino(), bytes: metadata.len(), modified })
    }
}

impl Reloader {
    /// `read` gives the configuration as it is at that moment; `holds` is what the node runs by; `show` is told
    /// what it runs by then.
    pub(crate) fn new(
        read: impl Fn() -> Result<Loaded, ConfigError> + Send + 'static,
        holds: Loaded,
        show: impl Fn(&Loaded) + Send + 'static,
    ) -> Self {
        let tokens = holds.config.auth.tokens_file.as_deref().and_then(Stamp::of);
        Self { read: Box::new(read), holds, parts: Vec::new(), show: Box::new(show), tokens }
    }

    /// Whether the file of tokens has changed since this was asked last: in a container nobody can send a signal.
    pub(crate) fn has_other_tokens(&mut self) -> bool {
        let Some(path) = self.holds.config.auth.tokens_file.as_deref() else { return false };
        let now = Stamp::of(path);
        let is_other = now.is_some() && now != self.tokens;
        self.tokens = now;
        is_other
    }

    /// One more part.
    #[must_use]
    pub(crate) fn with(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// Reads and changes, and tells the log.
    pub(crate) fn reload(&mut self) {
        match self.try_reload() {
            Ok(waiting) => {
                let parts: Vec<&str> = self.parts.iter().map(|part| part.name).collect();
                tracing::info!(parts = parts.join(", "), "the configuration was read again");
                if !waiting.is_empty() {
                    let keys = waiting.join(", ");
                    tracing::warn!(keys, "what changed here holds only after a restart");
                }
            }
            Err(error) => {
                tracing::error!(%error, "the configuration was read again and is refused: nothing was changed");
            }
        }
    }

    /// The keys that changed and need a restart.
    fn try_reload(&mut self) -> Result<Vec<String>, ReloadError> {
        self.has_other_tokens(); // what is read now need not be read again at the next look
        let new = (self.read)().map_err(ReloadError::Refused)?;
        let keys: Vec<&str> = self.parts.iter().flat_map(|part| part.keys).copied().collect();
        let next = self.holds.with(&new, &keys);
        let asks = |loaded: &Loaded| !loaded.config.auth.tokens.is_empty();
        if asks(&self.holds) && !asks(&next) {
            return Err(ReloadError::Opens);
        }
        let prepared = self.parts.iter().map(|part| {
            let prepared = (part.prepare)(&next.config);
            prepared.map_err(|source| ReloadError::Part { name: part.name, source })
        });
        for apply in prepared.collect::<Result<Vec<_>, _>>()? {
            apply();
        }
        (self.show)(&next);
        let waiting = next.differing(&new);
        self.holds = next;
        Ok(waiting)
    }
}

#[cfg(test)]
#[path = "reload_test.rs"]
mod tests;
