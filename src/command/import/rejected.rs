//! What an import did not take: a file beside it, with reasons.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::source::Entry;
use crate::command::{Context, Usage};
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
    /// Nothing is there yet; of an import that goes on, what was rejected before may be.
    ///
    /// # Errors
    /// When there is something: it is not overwritten.
    pub(super) fn new(path: PathBuf, goes_on: bool) -> anyhow::Result<Self> {
        let holds_something = |found: fs::Metadata| found.is_file() && found.len() > 0;
        if !goes_on && fs::metadata(&path).is_ok_and(holds_something) {
            let path = path.display();
            let why = format!(
                "{path} is there: what an import before rejected. Look at it and remove it, or name another file with \
                 --rejected FILE"
            );
            return Err(Usage(why).into());
        }
        Ok(Self { path, file: None, count: 0 })
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
                let file = OpenOptions::new().create(true).append(true).open(&self.path);
                let file = file.with_context(cannot)?;
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
