//! What an import did not take: a file beside it, with reasons.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::source::Entry;
use crate::command::Context;
use crate::output::escape;

/// Reasons that are told at once; the file has them all.
const TOLD: u64 = 3;

/// The file, once there is something for it.
pub(super) struct Rejected {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    count: u64,
}

impl Rejected {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, count: 0 }
    }

    /// One more.
    pub(super) fn add(
        &mut self,
        context: &Context,
        entry: &Entry,
        why: &str,
    ) -> anyhow::Result<()> {
        let cannot = || format!("can not write {}", self.path.display());
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = File::create(&self.path).with_context(cannot)?;
                none.insert(BufWriter::new(file))
            }
        };
        let line = json!({ "line": entry.line, "reason": why, "record": entry.text });
        writeln!(file, "{line}").with_context(cannot)?;
        self.count += 1;
        if self.count <= TOLD {
            context.output.note(&format!("line {}: {}", entry.line, escape(why)));
        }
        Ok(())
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// There are no more.
    pub(super) fn finish(self, context: &Context) -> anyhow::Result<()> {
        let Some(mut file) = self.file else { return Ok(()) };
        let path = self.path.display();
        file.flush().with_context(|| format!("can not write {path}"))?;
        context.output.note(&format!("{} rejected, with reasons, in {path}", self.count));
        Ok(())
    }
}
