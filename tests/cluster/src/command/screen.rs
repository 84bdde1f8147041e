//! Standard output, for a person: colours when it is a terminal that wants them, plain text otherwise.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Stdout, Write as _};

/// Everything that this program reports goes through here; errors go to standard error.
#[derive(Debug)]
pub(crate) struct Screen {
    out: Stdout,
    colours: bool,
}

impl Screen {
    /// Colours are used on a terminal, unless `NO_COLOR` is set.
    pub(crate) fn new() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let out = io::stdout();
        Self { colours: out.is_terminal() && !refused, out }
    }

    /// Prints a line, at once.
    pub(crate) fn line(&self, text: impl Display) -> io::Result<()> {
        let mut out = self.out.lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Prints rows under a heading, each column as wide as its widest cell, all indented by two.
    pub(crate) fn table<const N: usize>(
        &self,
        heading: [&str; N],
        rows: &[[String; N]],
    ) -> io::Result<()> {
        let heading = heading.map(str::to_owned);
        let widths = widths(&heading, rows);
        self.line(self.dim(&row_text(&heading, &widths)))?;
        rows.iter().try_for_each(|row| self.line(row_text(row, &widths)))
    }

    pub(crate) fn bold(&self, text: &str) -> String {
        self.painted("1", text)
    }

    pub(crate) fn dim(&self, text: &str) -> String {
        self.painted("2", text)
    }

    pub(crate) fn good(&self, text: &str) -> String {
        self.painted("32", text)
    }

    pub(crate) fn bad(&self, text: &str) -> String {
        self.painted("31", text)
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn widths<const N: usize>(heading: &[String; N], rows: &[[String; N]]) -> Vec<usize> {
    let mut widths = vec![0; N];
    for row in std::iter::once(heading).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    widths
}

fn row_text<const N: usize>(row: &[String; N], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("  {cell:<width$}"));
    cells.collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let heading = ["node".to_owned(), "http".to_owned()];
        let rows = [["n1".to_owned(), "é".to_owned()], ["n1234".to_owned(), String::new()]];
        let widths = widths(&heading, &rows);
        assert_eq!(widths, [5, 4]);
        assert_eq!(row_text(&heading, &widths), "  node   http");
        assert_eq!(row_text(&rows[1], &widths), "  n1234");
    }

    #[test]
    fn without_a_terminal_nothing_is_painted() {
        let bold = |colours| Screen { out: io::stdout(), colours }.bold("x");
        assert_eq!(bold(false), "x");
        assert_eq!(bold(true), "\x1b[1mx\x1b[0m");
    }
}
