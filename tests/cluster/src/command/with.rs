//! `cluster with -- COMMAND`: nodes for as long as a command runs.

use std::ffi::OsString;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::command::CommandError;
use crate::command::screen::Screen;
use crate::command::session::{Session, SessionOptions};
use clap::Args;
use gridkv_cluster::Node;

/// How often the command is looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// Starts nodes, runs a command, and stops them. The command finds them by `GRIDKV_URL`, the first one's address,
/// and `GRIDKV_URLS`, all of them with spaces between.
#[derive(Debug, Args)]
pub(crate) struct With {
    #[command(flatten)]
    session: SessionOptions,
    /// How many.
    #[arg(long, default_value_t = 3)]
    nodes: u16,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl With {
    pub(crate) fn execute(&self) -> Result<(), CommandError> {
        let screen = &Screen::new();
        Session::with(&self.session, self.nodes, screen, |session| {
            let urls: Vec<String> = session.nodes().iter().map(Node::base_url).collect();
            let Some((program, arguments)) = self.command.split_first() else { return Ok(()) };
            let failed = |source| CommandError::NoCommand { program: program.clone(), source };
            let mut command = Command::new(program);
            command.args(arguments).env("GRIDKV_URLS", urls.join(" "));
            if let Some(first) = urls.first() {
                command.env("GRIDKV_URL", first);
            }
            let mut child = command.spawn().map_err(failed)?;
            loop {
                if let Err(error) = session.must_go_on() {
                    child.kill().and_then(|()| child.wait()).map_err(failed)?;
                    return Err(error);
                }
                match child.try_wait().map_err(failed)? {
                    None => thread::sleep(WATCH_INTERVAL),
                    Some(status) if status.success() => return Ok(()),
                    Some(status) => {
                        let program = program.clone();
                        return Err(CommandError::CommandFailed { program, status });
                    }
                }
            }
        })
    }
}
