//! A table in markdown that is also readable as it is.

use std::fmt;

/// Headings and rows. The first column is text, the others are figures.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, row) in self.rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let width = self.width(column);
                match column {
                    0 => write!(f, "| {cell:width$} |")?,
                    _ => write!(f, " {cell:>width$} |")?,
                }
            }
            f.write_str("\n")?;
            if number == 0 {
                for column in 0..row.len() {
                    let dashes = "-".repeat(self.width(column));
                    match column {
                        0 => write!(f, "|-{dashes}-|")?,
                        _ => write!(f, "-{dashes}:|")?,
                    }
                }
                f.write_str("\n")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["what", "ns"]);
        table.row(["get".to_owned(), "1000".to_owned()]);
        let text = "| what |   ns |\n|------|-----:|\n| get  | 1000 |\n";
        assert_eq!(table.to_string(), text);
    }
}
