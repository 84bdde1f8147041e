//! The page that tables are part of: what stands between two marks is replaced, the rest is by hand.

use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::path::Path;

const END: &str = "<!-- end of tables -->\n";

/// Replaces the tables that the benchmark of this name has on a page.
///
/// # Errors
/// When the page can not be read or written, or has no place for them.
pub fn write(page: &Path, benchmark: &str, tables: &impl Display) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(page)?;
    let written = replaced(&text, benchmark, &tables.to_string())
        .ok_or_else(|| format!("{} has no place for tables of {benchmark}", page.display()))?;
    Ok(fs::write(page, written)?)
}

fn begin(benchmark: &str) -> String {
    format!("<!-- tables: written by `make bench-{benchmark}` -->\n")
}

fn replaced(page: &str, benchmark: &str, tables: &str) -> Option<String> {
    let begin = begin(benchmark);
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{begin}\n{tables}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tables_of_one_benchmark_are_replaced() {
        let (one, two) = (begin("one"), begin("two"));
        let page = format!("before\n{one}old\n{END}between\n{two}kept\n{END}after\n");
        let written = replaced(&page, "one", "new").unwrap();
        let expected = format!("before\n{one}\nnew\n{END}between\n{two}kept\n{END}after\n");
        assert_eq!(written, expected);
        assert_eq!(replaced(&written, "one", "new").as_deref(), Some(written.as_str()));
        assert_eq!(replaced(&page, "three", "new"), None);
    }
}
