//! What the program can do: one file per subcommand, and what they share.

mod command_error;
mod figure;
mod interrupt;
mod load_debian;
mod proof;
mod run;
mod screen;
mod session;
mod up;
mod with;

pub(crate) use command_error::CommandError;
pub(crate) use load_debian::LoadDebian;
pub(crate) use run::Run;
pub(crate) use up::Up;
pub(crate) use with::With;
