//! Ctrl-C and its relatives. The first asks for an orderly stop, the second for an end now.

use crate::command::CommandError;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// So many signals mean "now".
const URGENT: usize = 2;

/// Counts the signals that ask this process to stop, from its installation to the end of the process.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    signals: Arc<AtomicUsize>,
}

impl Interrupt {
    /// From here on SIGINT, SIGTERM, SIGHUP and SIGQUIT no longer end the process by themselves.
    pub(crate) fn install() -> Result<Self, CommandError> {
        let mut incoming =
            Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT]).map_err(CommandError::Signals)?;
        let signals = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&signals);
        thread::spawn(move || {
            for signal in incoming.forever() {
                // Ctrl-\ is pressed by those who do not want to wait.
                let weight = if signal == SIGQUIT { URGENT } else { 1 };
                counted.fetch_add(weight, Ordering::SeqCst);
            }
        });
        Ok(Self { signals })
    }

    /// Whether anybody asked to stop.
    pub(crate) fn is_requested(&self) -> bool {
        self.signals.load(Ordering::SeqCst) > 0
    }

    /// Whether somebody lost patience.
    pub(crate) fn is_urgent(&self) -> bool {
        self.signals.load(Ordering::SeqCst) >= URGENT
    }
}
