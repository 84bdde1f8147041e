//! How much the node logs, as an operator changes it while it runs.
//!
//! This room knows only the levels and what the program composes it with: who logs, and where to, is none of
//! its business.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A level of the log; each one includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What may fail.
    Warn,
    /// What happened.
    Info,
    /// How it happened.
    Debug,
    /// All of it.
    Trace,
}

impl LogLevel {
    /// Every one, the quietest first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// The level of a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

/// The log refused another level. It goes on as it was.
#[derive(Debug, thiserror::Error)]
#[error("the log can not be changed")]
pub struct LogError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

type Set = dyn Fn(LogLevel) -> Result<(), LogError> + Send + Sync;

/// Changes the level of the log. Clones are the same one.
#[derive(Clone)]
pub struct LogControl(Arc<Inner>);

struct Inner {
    set: Option<Box<Set>>,
    /// One more than the place of the level that was set last; 0: it is as configured.
    level: AtomicUsize,
}

impl LogControl {
    /// A log whose level `set` changes at once.
    pub fn new(set: impl Fn(LogLevel) -> Result<(), LogError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { set: Some(Box::new(set)), level: AtomicUsize::new(0) }))
    }

    /// No log, or one that stays as it is.
    pub fn fixed() -> Self {
        Self(Arc::new(Inner { set: None, level: AtomicUsize::new(0) }))
    }

    /// Takes note that the log is as configured again: whoever composes the node has seen to that.
    pub fn is_as_configured(&self) {
        self.0.level.store(0, Ordering::Relaxed);
    }

    /// Logs at `level` from now on. Says whether that is possible.
    ///
    /// # Errors
    /// [`LogError`].
    pub(crate) fn set(&self, level: LogLevel) -> Result<bool, LogError> {
        let Some(set) = &self.0.set else { return Ok(false) };
        set(level)?;
        let place = LogLevel::ALL.iter().position(|known| *known == level);
        self.0.level.store(place.map_or(0, |place| place + 1), Ordering::Relaxed);
        Ok(true)
    }

    /// The level that was set last; `None`: as configured.
    pub(crate) fn level(&self) -> Option<LogLevel> {
        let place = self.0.level.load(Ordering::Relaxed).checked_sub(1)?;
        LogLevel::ALL.get(place).copied()
    }
}

impl fmt::Debug for LogControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogControl").field(&self.level()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_that_was_set_is_remembered() {
        let log = LogControl::new(|level| match level {
            LogLevel::Trace => Err(LogError("no".into())),
            LogLevel::Error | LogLevel::Warn | LogLevel::Info | LogLevel::Debug => Ok(()),
        });
        assert_eq!(log.level(), None);
        assert!(log.set(LogLevel::Debug).unwrap());
        assert!(log.set(LogLevel::Trace).is_err());
        assert_eq!(log.clone().level(), Some(LogLevel::Debug));
        log.clone().is_as_configured();
        assert_eq!(log.level(), None);
        assert!(!LogControl::fixed().set(LogLevel::Info).unwrap());
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::of(level.as_str()), Some(level));
        }
        assert_eq!((LogLevel::of("Debug"), LogLevel::of("off")), (None, None));
    }
}
