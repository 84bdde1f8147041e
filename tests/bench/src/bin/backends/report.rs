//! What was measured, in markdown, and what of it missed its aim.

use std::error::Error;
use std::fmt::{self, Write as _};

use gridkv_bench::table::Table;

/// Sections in the order in which they were measured.
pub(crate) struct Report {
    text: String,
}

impl Report {
    /// An empty one, which says on how many cores it is made.
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let cores = std::thread::available_parallelism()?;
        Ok(Self { text: format!("Measured on {cores} cores.\n") })
    }

    /// Adds a section.
    pub(crate) fn section(
        &mut self,
        title: &str,
        table: &Table,
        note: &str,
    ) -> Result<(), fmt::Error> {
        write!(self.text, "\n### {title}\n\n{table}")?;
        if note.is_empty() { Ok(()) } else { writeln!(self.text, "\n{note}") }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A figure, and whether it missed its aim.
pub(crate) fn against(shown: String, holds: bool) -> String {
    if holds { shown } else { format!("{shown} missed") }
}
