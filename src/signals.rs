//! Signals: the first SIGTERM or SIGINT asks the node to stop in order, a second one ends it at once, and each
//! SIGHUP has the configuration read again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code after a second signal, as shells have it for an interrupted program.
const EXIT_INTERRUPTED: i32 = 130;

use crate::reload::{LOOK, Reloader};

/// The signals that end the node.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// When the system does not let it.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Catches SIGHUP from now on, which would end the process.
    ///
    /// # Errors
    /// When the system does not let it.
    pub(crate) fn hangups() -> io::Result<Signal> {
        signal(SignalKind::hangup())
    }

    /// Waits for the next one, and names it.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Ends the process at the next one.
    pub(crate) fn end_at_the_next(mut self) {
        actix_rt::spawn(async move {
            let name = self.next().await;
            tracing::warn!(signal = name, "a second signal: ending at once");
            std::process::exit(EXIT_INTERRUPTED);
        });
    }
}

/// Has the configuration read again at each SIGHUP and when the file of tokens has changed, away from the threads that
/// serve: files may be slow.
pub(crate) async fn reload_when_told(mut hangups: Signal, mut reloader: Reloader) {
    loop {
        let is_told = tokio::select! {
            hangup = hangups.recv() => match hangup {
                Some(()) => true,
                None => return,
            },
            () = tokio::time::sleep(LOOK) => false,
        };
        let read = tokio::task::spawn_blocking(move || {
            if is_told {
                tracing::info!(signal = "SIGHUP", "reading the configuration again");
                reloader.reload();
            } else if reloader.has_other_tokens() {
                tracing::info!("the file of tokens has changed: reading the configuration again");
                reloader.reload();
            }
            reloader
        });
        reloader = match read.await {
            Ok(reloader) => reloader,
            Err(error) => {
                tracing::error!(%error, "the configuration is not read again any more");
                return;
            }
        };
    }
}
