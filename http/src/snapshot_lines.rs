//! Snapshots as lines of JSON: one record on each, values in base64, and a footer on the last.
//!
//! ```text
//! {"key":"a","version":"<hlc>-<origin>","content_type":"text/plain","expires_at":"RFC 3339","value":"aGVsbG8="}
//! {"footer":"gridkv-snapshot","format":1,"count":1,"checksum":"<16 hex>"}
//! ```
//! `content_type` and `expires_at` are absent where the record has none. The checksum is XXH3-64 over all
//! bytes before the footer's line. Keys ascend strictly in byte order, and every line ends in a line feed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gridkv_protocol::limits::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::snapshot::Checksum;
use gridkv_protocol::{ContentType, Key, Live, Record, State, Value};
use serde::{Deserialize, Serialize};

use crate::rfc3339;

/// The word of a footer.
const FOOTER: &str = "gridkv-snapshot";

/// The version of this format.
const FORMAT: u64 = 1;

/// Bytes of a line, at most: the largest value in base64, a key of nothing but escapes, and the rest.
const MAX_LINE_BYTES: usize = MAX_VALUE_BYTES / 3 * 4 + 6 * MAX_KEY_BYTES + 4_096;

#[derive(Serialize)]
struct RecordLine<'a> {
    key: &'a str,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    value: String,
}

#[derive(Serialize)]
struct FooterLine {
    footer: &'static str,
    format: u64,
    count: u64,
    checksum: String,
}

/// Any line, as it came.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: Option<String>,
    version: Option<String>,
    content_type: Option<String>,
    expires_at: Option<String>,
    value: Option<String>,
    footer: Option<String>,
    format: Option<u64>,
    count: Option<u64>,
    checksum: Option<String>,
}

/// Writes lines.
#[derive(Default)]
pub(crate) struct LineWriter {
    checksum: Checksum,
    count: u64,
}

impl LineWriter {
    /// The lines of live records.
    ///
    /// # Errors
    /// When a record has no JSON form, which is a mistake in this crate.
    pub(crate) fn records(&mut self, records: &[KeyedRecord]) -> serde_json::Result<Vec<u8>> {
        let mut out = Vec::new();
        for KeyedRecord { key, record } in records {
            let State::Live(live) = &record.state else { continue };
            let row = RecordLine {
                key: key.as_str(),
                version: record.version.to_string(),
                content_type: live.content_type.as_ref().map(ContentType::as_str),
                expires_at: live.expires_at.map(rfc3339::format),
                value: STANDARD.encode(&live.value),
            };
            serde_json::to_writer(&mut out, &row)?;
            out.push(b'\n');
            self.count += 1;
        }
        self.checksum.add(&out);
        Ok(out)
    }

    /// The last line.
    ///
    /// # Errors
    /// As for [`Self::records`].
    pub(crate) fn finish(self) -> serde_json::Result<Vec<u8>> {
        let checksum = format!("{:016x}", self.checksum.value());
        let line = FooterLine { footer: FOOTER, format: FORMAT, count: self.count, checksum };
        let mut out = serde_json::to_vec(&line)?;
        out.push(b'\n');
        Ok(out)
    }
}

/// Why lines are no snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineError {
    /// Bytes before the line.
    pub(crate) offset: u64,
    /// What is wrong with it.
    pub(crate) why: String,
}

/// Reads lines as their bytes come.
#[derive(Default)]
pub(crate) struct LineReader {
    unread: Vec<u8>,
    /// Bytes before `unread`.
    at: u64,
    /// Bytes of `unread` that have no line feed.
    searched: usize,
    checksum: Checksum,
    count: u64,
    last: Option<Key>,
    is_over: bool,
}

impl LineReader {
    /// Takes in the next bytes. [`Self::next_records`] is to be called until it needs more.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// The records of all lines that are whole; `None`: there are none.
    ///
    /// # Errors
    /// [`LineError`]; nothing more can be read.
    pub(crate) fn next_records(&mut self) -> Result<Option<Vec<KeyedRecord>>, LineError> {
        let (mut unread, mut start) = (std::mem::take(&mut self.unread), 0);
        let mut records = Vec::new();
        let new = unread.get(self.searched..).unwrap_or_default();
        for (at, _) in new.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            let end = self.searched + at + 1;
            let line = unread.get(start..end).unwrap_or_default();
            records.extend(self.line(line).map_err(|why| self.wrong(why))?);
            self.at = self.at.saturating_add(count(line.len()));
            start = end;
        }
        self.unread = if start == 0 { unread } else { unread.split_off(start) };
        self.searched = self.unread.len();
        if self.is_over && !self.unread.is_empty() {
            return Err(self.wrong("bytes follow the footer".to_owned()));
        }
        if self.searched > MAX_LINE_BYTES {
            return Err(self.wrong(format!("a line of more than {MAX_LINE_BYTES} bytes")));
        }
        Ok((!records.is_empty()).then_some(records))
    }

    /// All has come.
    ///
    /// # Errors
    /// [`LineError`] when that was not the end.
    pub(crate) fn finish(self) -> Result<(), LineError> {
        if self.is_over {
            return Ok(());
        }
        let offset = self.at.saturating_add(count(self.unread.len()));
        Err(LineError { offset, why: "it ends before its footer".to_owned() })
    }

    fn wrong(&self, why: String) -> LineError {
        LineError { offset: self.at, why }
    }

    fn line(&mut self, bytes: &[u8]) -> Result<Option<KeyedRecord>, String> {
        if self.is_over {
            return Err("bytes follow the footer".to_owned());
        }
        let line: Line = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if line.footer.is_some() {
            self.footer(&line)?;
            self.is_over = true;
            return Ok(None);
        }
        let keyed = record(line)?;
        if self.last.as_ref().is_some_and(|last| *last >= keyed.key) {
            return Err("keys must ascend in byte order, each once".to_owned());
        }
        self.last = Some(keyed.key.clone());
        self.checksum.add(bytes);
        self.count += 1;
        Ok(Some(keyed))
    }

    fn footer(&self, line: &Line) -> Result<(), String> {
        let Line { footer, format, count, checksum, .. } = line;
        if footer.as_deref() != Some(FOOTER) || is_record(line) {
            return Err("a footer of something else".to_owned());
        }
        if *format != Some(FORMAT) {
            return Err("a version of the format that is not read by this program".to_owned());
        }
        if *count != Some(self.count) {
            let said = count.unwrap_or_default();
            return Err(format!("the footer tells of {said} records, {} came", self.count));
        }
        if *checksum != Some(format!("{:016x}", self.checksum.value())) {
            return Err("the checksum of the whole does not match".to_owned());
        }
        Ok(())
    }
}

fn is_record(line: &Line) -> bool {
    let Line { key, version, content_type, expires_at, value, .. } = line;
    let texts = [key, version, content_type, expires_at, value];
    texts.iter().any(|text| text.is_some())
}

fn record(row: Line) -> Result<KeyedRecord, String> {
    let Line { key, version, content_type, expires_at, value, format, count, checksum, .. } = row;
    if format.is_some() || count.is_some() || checksum.is_some() {
        return Err("neither a record nor a footer".to_owned());
    }
    let (Some(key), Some(version), Some(value)) = (key, version, value) else {
        return Err("a record has a key, a version and a value".to_owned());
    };
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let expires_at = expires_at.map(|text| {
        let wrong = || "expires_at is RFC 3339 in UTC, with milliseconds".to_owned();
        rfc3339::parse(&text).ok_or_else(wrong)
    });
    let value = STANDARD.decode(value).map_err(|error| text(&error))?;
    if value.len() > MAX_VALUE_BYTES {
        return Err("a value that is larger than any may be".to_owned());
    }
    let content_type = content_type.map(|text| ContentType::new(&text)).transpose();
    let live = Live {
        value: Value::copied(&value),
        content_type: content_type.map_err(|error| text(&error))?,
        expires_at: expires_at.transpose()?,
    };
    Ok(KeyedRecord {
        key: Key::new(&key).map_err(|error| text(&error))?,
        record: Record {
            version: version.parse().map_err(|error| text(&error))?,
            state: State::Live(live),
        },
    })
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "snapshot_lines_test.rs"]
mod tests;
