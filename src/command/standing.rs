//! How far a command got, for the moment when it is interrupted while it waits for somebody else.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is to be told, and what is to be tidied, if the command does not come to it any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    words: String,
    /// It may take some time to stop in order.
    is_held: bool,
    /// A file that is of no use unless it is finished.
    part: Option<PathBuf>,
}

impl Standing {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So far, in words.
    pub(crate) fn set(&self, words: String) {
        self.state().words = words;
    }

    /// From now on it is given time to stop in order. Until then, it may end at any moment.
    pub(crate) fn hold(&self) {
        self.state().is_held = true;
    }

    /// This file is removed when it does not.
    pub(crate) fn part(&self, path: PathBuf) {
        self.state().part = Some(path);
    }

    /// Whether it wants time to stop in order.
    pub(crate) fn is_held(&self) -> bool {
        self.state().is_held
    }

    /// It ends now: tidies, and tells what was said last.
    pub(crate) fn end(&self) -> String {
        let mut state = self.state();
        if let Some(part) = state.part.take() {
            // It may be gone already; there is nothing else to do about it.
            fs::remove_file(part).ok();
        }
        std::mem::take(&mut state.words)
    }
}
