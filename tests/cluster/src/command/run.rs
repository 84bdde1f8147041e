//! `cluster run`: what `make run` does. Three nodes, a proof in every store, a table, and then they stay.

use crate::command::CommandError;
use crate::command::proof::prove;
use crate::command::screen::Screen;
use crate::command::session::{Session, SessionOptions};
use clap::Args;

/// One to write through, one to read from, and one that is neither.
const NODES: u16 = 3;

/// Starts three nodes and proves that they replicate.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    session: SessionOptions,
    /// Stop after the proof instead of staying up.
    #[arg(long)]
    once: bool,
}

impl Run {
    pub(crate) fn execute(&self) -> Result<(), CommandError> {
        let screen = &Screen::new();
        Session::with(&self.session, NODES, screen, |session| {
            for store in self.session.store_names() {
                prove(session, store, screen)?;
            }
            session.print_nodes(screen)?;
            if self.once {
                return Ok(());
            }
            let store = self.session.store_names().next().unwrap_or("main");
            session.print_hints(screen, store)?;
            screen.line("\nCtrl-C stops all nodes.")?;
            session.stay(screen)
        })
    }
}
