//! A question before something that can not be taken back.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use super::Usage;

/// Whether it shall be done: `yes` says so beforehand, else a person at a terminal does.
///
/// # Errors
/// [`Usage`] when nobody is there to be asked; anything else when the terminal fails.
pub(crate) fn confirmed(question: &str, yes: bool) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        let why = format!("{question} Nobody is there to be asked: add -y if that is meant");
        return Err(Usage(why).into());
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
