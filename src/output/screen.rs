//! A result that is shown again and again: in place on a terminal, one block after the other elsewhere.

use console::{Term, truncate_str};

use super::{Output, OutputError};

/// Where blocks are shown.
pub(crate) struct Screen<'a> {
    output: &'a Output,
    term: Term,
    /// Lines of the block that stands there.
    standing: usize,
    blocks: usize,
}

impl<'a> Screen<'a> {
    /// Nothing is shown yet.
    pub(crate) fn new(output: &'a Output) -> Self {
        Self { output, term: Term::stdout(), standing: 0, blocks: 0 }
    }

    /// Shows a block of whole lines in place of the one before.
    ///
    /// # Errors
    /// [`OutputError`].
    pub(crate) fn show(&mut self, block: &str) -> Result<(), OutputError> {
        if !self.output.is_terminal() {
            let gap = if self.blocks == 0 { "" } else { "\n" };
            self.blocks += 1;
            return self.output.bytes(format!("{gap}{block}").as_bytes());
        }
        // A line that wraps would be two, and what is below the screen's end can not be reached again.
        let (height, width) = self.term.size();
        let (height, width) = (usize::from(height.max(2)), usize::from(width.max(1)));
        let lines: Vec<_> =
            block.lines().take(height - 1).map(|line| truncate_str(line, width, "…")).collect();
        let mut text = String::new();
        if self.standing > 0 {
            text.extend(["\x1b[", &self.standing.to_string(), "A\r"]);
        }
        for line in &lines {
            text.push_str(line);
            text.push_str("\x1b[K\n");
        }
        text.push_str("\x1b[J");
        self.standing = lines.len();
        self.output.bytes(text.as_bytes())
    }
}
