//! `cluster up`: what `make cluster` does. Any number of nodes, empty, in the foreground.

use crate::command::CommandError;
use crate::command::screen::Screen;
use crate::command::session::{Session, SessionOptions};
use clap::Args;

/// Starts a number of nodes.
#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    session: SessionOptions,
    /// How many.
    #[arg(long, default_value_t = 3)]
    nodes: u16,
}

impl Up {
    pub(crate) fn execute(&self) -> Result<(), CommandError> {
        let screen = &Screen::new();
        Session::with(&self.session, self.nodes, screen, |session| {
            session.print_nodes(screen)?;
            let store = self.session.store_names().next().unwrap_or("main");
            session.print_hints(screen, store)?;
            screen.line("\nCtrl-C stops all nodes.")?;
            session.stay(screen)
        })
    }
}
