//! What was measured, in markdown, and what of it missed its aim.

use std::error::Error;
use std::fmt::{self, Write as _};

use crate::table::Table;

/// Sections in the order in which they were measured.
#[derive(Clone, Debug)]
pub struct Report {
    text: String,
}

impl Report {
    /// An empty one, which says on how many cores it is made.
    ///
    /// # Errors
    /// When nobody knows how many there are.
    pub fn new() -> Result<Self, Box<dyn Error>> {
        let cores = std::thread::available_parallelism()?;
        Ok(Self { text: format!("Measured on {cores} cores.\n") })
    }

    /// Adds a section.
    ///
    /// # Errors
    /// None in fact: a `String` takes all.
    pub fn section(&mut self, title: &str, table: &Table, note: &str) -> Result<(), fmt::Error> {
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
#[must_use]
pub fn against(shown: String, holds: bool) -> String {
    if holds { shown } else { format!("{shown} missed") }
}
