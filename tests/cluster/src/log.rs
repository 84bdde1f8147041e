//! The end of a node's log: what a person wants to see when the node did not do what was expected.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// No more than this is read of a log, however long its lines are.
const MAX_TAIL_BYTES: u64 = 64 * 1024;

/// The last `lines` lines of the file, or an account of why they cannot be shown: this is for error messages, which
/// must not fail.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    match last_bytes(path) {
        Ok(bytes) => last_lines(&String::from_utf8_lossy(&bytes), lines),
        Err(error) => format!("(the log {} cannot be read: {error})", path.display()),
    }
}

fn last_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(MAX_TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let kept = all.get(all.len().saturating_sub(lines)..).unwrap_or_default();
    if kept.is_empty() { "(the log is empty)".to_owned() } else { kept.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a\n", 9), "a");
        assert_eq!(last_lines("", 9), "(the log is empty)");
    }

    #[test]
    fn a_log_that_is_not_there_is_said_so() {
        assert!(tail(Path::new("/nonexistent/log"), 3).contains("cannot be read"));
    }

    #[test]
    fn of_a_long_log_only_the_end_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, format!("{}\nlast\n", "x".repeat(200_000))).unwrap();
        let tail = tail(&path, 2);
        assert!(tail.ends_with("\nlast"));
        assert!(tail.len() as u64 <= MAX_TAIL_BYTES);
    }
}
