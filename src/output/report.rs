//! A result of rows: as a table for people, as bare text, and as JSON.

use console::{measure_text_width, style};
use serde_json::Value as Json;

use super::escape;

/// What a word means to who reads it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Paint {
    #[default]
    Plain,
    Good,
    Warning,
    Bad,
}

impl Paint {
    /// The text in its colour.
    pub(crate) fn on(self, text: &str, colour: bool) -> String {
        let styled = style(text).force_styling(colour);
        match self {
            Self::Plain => text.to_owned(),
            Self::Good => styled.green().to_string(),
            Self::Warning => styled.yellow().to_string(),
            Self::Bad => styled.red().bold().to_string(),
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    name: &'static str,
    is_right: bool,
}

/// A column of words.
pub(crate) const fn left(name: &'static str) -> Column {
    Column { name, is_right: false }
}

/// A column of numbers.
pub(crate) const fn right(name: &'static str) -> Column {
    Column { name, is_right: true }
}

/// One field of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cell {
    /// For programs.
    bare: String,
    /// For people, when that is something else.
    shown: Option<String>,
    paint: Paint,
}

impl Cell {
    /// A word.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { bare: text.into(), ..Self::default() }
    }

    /// A word with a meaning.
    pub(crate) fn painted(text: impl Into<String>, paint: Paint) -> Self {
        Self { paint, ..Self::text(text) }
    }

    /// Something of JSON: numbers and words as they are, null as nothing.
    pub(crate) fn json(value: &Json) -> Self {
        match value {
            Json::Null => Self { shown: Some("-".to_owned()), ..Self::default() },
            Json::String(text) => Self::text(text),
            Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
                Self::text(value.to_string())
            }
        }
    }

    /// Bytes.
    pub(crate) fn bytes(value: &Json) -> Self {
        let cell = Self::json(value);
        match value.as_u64() {
            Some(bytes) => Self { shown: Some(human_bytes(bytes)), ..cell },
            None => cell,
        }
    }

    /// The same, shown to people as something else.
    #[must_use]
    pub(crate) fn shown_as(self, shown: String) -> Self {
        Self { shown: Some(shown), ..self }
    }

    fn for_people(&self) -> String {
        escape(self.shown.as_deref().unwrap_or(&self.bare)).into_owned()
    }
}

/// A number of bytes, short.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn human_bytes(bytes: u64) -> String {
    let mut amount = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if amount < 1_024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{amount:.1} {unit}") };
        }
        amount /= 1_024.0;
    }
    format!("{amount:.1} TiB")
}

/// A result.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// The columns.
    pub(crate) columns: Vec<Column>,
    /// The rows, each with a cell for each column.
    pub(crate) rows: Vec<Vec<Cell>>,
    /// All of it as JSON.
    pub(crate) document: Json,
    /// Each row as JSON.
    pub(crate) lines: Vec<Json>,
}

impl Report {
    /// Columns separated by tabs, without a headline.
    pub(super) fn text(&self) -> String {
        let row = |row: &Vec<Cell>| {
            let cells: Vec<_> = row.iter().map(|cell| escape(&cell.bare).into_owned()).collect();
            cells.join("\t") + "\n"
        };
        self.rows.iter().map(row).collect()
    }

    /// Aligned columns under a headline.
    pub(super) fn table(&self, colour: bool) -> String {
        let mut lines: Vec<Vec<(String, Paint)>> = Vec::with_capacity(self.rows.len() + 1);
        let head = self.columns.iter().map(|column| (column.name.to_owned(), Paint::Plain));
        lines.push(head.collect());
        let cells =
            |row: &Vec<Cell>| row.iter().map(|cell| (cell.for_people(), cell.paint)).collect();
        lines.extend(self.rows.iter().map(cells));
        let width = |at: usize| {
            let cells = lines.iter().filter_map(|line| line.get(at));
            cells.map(|(text, _)| measure_text_width(text)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut out = String::new();
        for line in &lines {
            let mut whole = String::new();
            for ((text, paint), (column, width)) in
                line.iter().zip(self.columns.iter().zip(&widths))
            {
                let gap = " ".repeat(width.saturating_sub(measure_text_width(text)));
                let painted = paint.on(text, colour);
                let (before, after) = if column.is_right { (&*gap, "") } else { ("", &*gap) };
                whole.extend([before, &painted, after, "  "]);
            }
            out.push_str(whole.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Report {
        Report {
            columns: vec![left("NAME"), right("SIZE"), left("STATE")],
            rows: vec![
                vec![
                    Cell::text("a\x1b[2J"),
                    Cell::bytes(&json!(2_048)),
                    Cell::painted("up", Paint::Good),
                ],
                vec![Cell::text("bé"), Cell::json(&json!(null)), Cell::text("down")],
            ],
            document: json!({}),
            lines: Vec::new(),
        }
    }

    #[test]
    fn a_table_is_aligned_and_harmless() {
        let table =
            "NAME           SIZE  STATE\na\\u{1b}[2J  2.0 KiB  up\nbé                -  down\n";
        assert_eq!(report().table(false), table);
        assert!(report().table(true).contains("\x1b[32mup\x1b[0m"));
    }

    #[test]
    fn text_is_for_programs() {
        assert_eq!(report().text(), "a\\u{1b}[2J\t2048\tup\nbé\t\tdown\n");
    }

    #[test]
    fn sizes_are_short() {
        let table = [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (1 << 40, "1.0 TiB")];
        for (bytes, shown) in table {
            assert_eq!(human_bytes(bytes), shown);
        }
    }
}
