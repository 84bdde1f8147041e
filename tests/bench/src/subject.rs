//! What every benchmark of real nodes is given: the node program, and where its tables go.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;

use crate::report::Report;
use crate::{page, screen};

/// The program that is measured, and what becomes of the figures.
#[derive(Clone, Debug, Args)]
pub struct Subject {
    /// The node program.
    #[arg(long, value_name = "PATH", default_value = "target/release/gridkv")]
    pub gridkv: PathBuf,
    /// Everything once and small: whether it runs, not how fast.
    #[arg(long)]
    pub quick: bool,
    /// A page whose tables are replaced; left alone by quick runs.
    #[arg(long, value_name = "PATH")]
    page: Option<PathBuf>,
}

impl Subject {
    /// Prints what was measured, and puts it on the page.
    ///
    /// # Errors
    /// When nobody reads, or the page has no place for it.
    pub fn publish(&self, benchmark: &str, report: &Report) -> Result<(), Box<dyn Error>> {
        screen::line(report)?;
        match &self.page {
            Some(page) if self.quick => {
                eprintln!("{} is left as it is: the run was not whole", page.display());
                Ok(())
            }
            Some(page) => page::write(page, benchmark, report),
            None => Ok(()),
        }
    }
}
