//! Whether a snapshot is whole, seen as its bytes pass: what has no footer was cut, and what does not fit its
//! checksums is damaged.

use anyhow::{Context as _, bail};
use gridkv_protocol::snapshot::{Checksum, SnapshotReader};
use serde_json::Value as Json;

/// The word of the last line of a snapshot in lines.
const FOOTER: &str = "gridkv-snapshot";

/// Looks at a snapshot of either format.
pub(crate) enum SnapshotCheck {
    /// Frames.
    Frames {
        /// What reads them.
        reader: Box<SnapshotReader>,
        /// Records so far.
        records: u64,
    },
    /// Lines of JSON.
    Lines(Box<Lines>),
}

/// What is known of lines so far.
#[derive(Default)]
pub(crate) struct Lines {
    /// What came after the last line feed.
    rest: Vec<u8>,
    checksum: Checksum,
    count: u64,
    is_over: bool,
}

impl SnapshotCheck {
    /// Of frames.
    pub(crate) fn of_frames() -> Self {
        Self::Frames { reader: Box::default(), records: 0 }
    }

    /// Of lines.
    pub(crate) fn of_lines() -> Self {
        Self::Lines(Box::default())
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    /// When they are damaged.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Frames { reader, records } => {
                reader.push(bytes);
                while let Some(more) = reader.next_records().context("the snapshot is damaged")? {
                    *records += u64::try_from(more.len()).unwrap_or(u64::MAX);
                }
                Ok(())
            }
            Self::Lines(lines) => lines.take(bytes),
        }
    }

    /// Records so far.
    pub(crate) fn records(&self) -> u64 {
        match self {
            Self::Frames { records, .. } => *records,
            Self::Lines(lines) => lines.count,
        }
    }

    /// All has come: how many records.
    ///
    /// # Errors
    /// When that was not the end.
    pub(crate) fn finish(self) -> anyhow::Result<u64> {
        match self {
            Self::Frames { reader, .. } => reader.finish().context("the snapshot is damaged"),
            Self::Lines(lines) if lines.is_over => Ok(lines.count),
            Self::Lines(_) => bail!("the snapshot is damaged: it ends before its footer"),
        }
    }
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if !piece.ends_with(b"\n") {
                break;
            }
            let line = std::mem::take(&mut self.rest);
            if self.is_over {
                bail!("the snapshot is damaged: something follows its footer");
            }
            // Only a footer has no key, and begins like this.
            if line.starts_with(b"{\"footer\"") {
                self.footer(&line)?;
            } else {
                self.checksum.add(&line);
                self.count += 1;
            }
        }
        Ok(())
    }

    fn footer(&mut self, line: &[u8]) -> anyhow::Result<()> {
        let footer: Json = serde_json::from_slice(line).context("the footer is damaged")?;
        let (count, checksum) = (self.count, format!("{:016x}", self.checksum.value()));
        let is = |name, value: Json| footer.get(name) == Some(&value);
        if !is("footer", FOOTER.into())
            || !is("count", count.into())
            || !is("checksum", checksum.into())
        {
            bail!("the snapshot is damaged: its footer does not fit the {count} records that came");
        }
        self.is_over = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gridkv_protocol::UnixMs;
    use gridkv_protocol::snapshot::{SnapshotHead, SnapshotWriter};

    use super::*;

    fn checked(mut check: SnapshotCheck, bytes: &[u8], piece: usize) -> anyhow::Result<u64> {
        bytes.chunks(piece).try_for_each(|piece| check.take(piece))?;
        check.finish()
    }

    #[test]
    fn frames_are_whole_or_damaged() {
        let store = gridkv_protocol::StoreName::new("main").unwrap();
        let head = SnapshotHead { store, node: "n1".to_owned(), made_at: UnixMs(1) };
        let (writer, mut bytes) = SnapshotWriter::start(&head).unwrap();
        bytes.extend(writer.finish().unwrap());
        assert_eq!(checked(SnapshotCheck::of_frames(), &bytes, 3).unwrap(), 0);
        let cut = bytes.len() - 1;
        assert!(checked(SnapshotCheck::of_frames(), &bytes[..cut], 100).is_err());
    }

    #[test]
    fn lines_are_whole_or_damaged() {
        let line = "{\"key\":\"a\",\"value\":\"\"}\n";
        let mut checksum = Checksum::default();
        checksum.add(line.as_bytes());
        let footer = format!(
            "{{\"footer\":\"gridkv-snapshot\",\"format\":1,\"count\":1,\"checksum\":\"{:016x}\"}}\n",
            checksum.value()
        );
        let whole = format!("{line}{footer}");
        for piece in [1, 7, 1_000] {
            assert_eq!(checked(SnapshotCheck::of_lines(), whole.as_bytes(), piece).unwrap(), 1);
        }
        for damaged in [line.to_owned(), whole.replace("\"a\"", "\"b\""), format!("{whole}{line}")]
        {
            assert!(
                checked(SnapshotCheck::of_lines(), damaged.as_bytes(), 5).is_err(),
                "{damaged}"
            );
        }
    }
}
