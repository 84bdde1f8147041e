//! The page that the tables are part of: what stands between two marks is replaced, the rest is by hand.

use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- tables: written by `make bench-backends` -->\n";
const END: &str = "<!-- end of tables -->\n";

/// Replaces the tables of a page.
pub(crate) fn write(page: &Path, tables: &impl Display) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(page)?;
    let written = replaced(&text, &tables.to_string())
        .ok_or_else(|| format!("{} has no place for tables", page.display()))?;
    Ok(fs::write(page, written)?)
}

fn replaced(page: &str, tables: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{tables}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tables_are_replaced() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        let written = replaced(&page, "new").unwrap();
        assert_eq!(written, format!("before\n{BEGIN}\nnew\n{END}after\n"));
        assert_eq!(replaced(&written, "new").as_deref(), Some(written.as_str()));
        assert_eq!(replaced("no marks", "new"), None);
    }
}
