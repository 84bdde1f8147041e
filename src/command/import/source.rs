//! Records out of files of three formats, one after the other, each with the line that it came from.

use std::io::{BufRead as _, BufReader, Read};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::FileFormat;
use super::items::{Item, Items};
use super::object;
use super::plain;
use super::row_bound::{Bounded, RowBound};
use crate::command::write_terms::ttl;

/// Bytes of a line, at most: the largest value in base64 with all that is around it.
const MAX_LINE_BYTES: u64 = 4 << 20;
/// Columns that mean something here: none of them stands twice in a headline.
const COLUMNS: [&str; 6] = ["key", "value", "value_base64", "content_type", "ttl", "expires_at"];
/// Bytes of a longer one that are told of it.
const MAX_SHOWN_BYTES: usize = 1 << 10;

/// What shall be written.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) key: String,
    pub(super) value: Vec<u8>,
    pub(super) content_type: Option<String>,
    pub(super) ttl: Option<String>,
    /// Unix milliseconds.
    pub(super) expires_at: Option<u64>,
}

/// One line.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its number, from 1; of an array, the place in it.
    pub(super) line: u64,
    /// As it stands there.
    pub(super) text: String,
    /// What it says, or why it can not be taken.
    pub(super) record: Result<Record, String>,
}

/// A file.
pub(super) enum Source {
    Lines { from: BufReader<Box<dyn Read>>, line: u64 },
    Rows { from: Box<csv::Reader<Bounded>>, columns: Vec<String>, bound: RowBound },
    Array { items: Items, place: u64 },
}

impl Source {
    /// Begins.
    ///
    /// # Errors
    /// When it can not be what it is said to be.
    pub(super) fn new(format: FileFormat, from: Box<dyn Read>) -> anyhow::Result<Self> {
        let from = plain::without_mark(from).context("can not read")?;
        match format {
            FileFormat::Ndjson => Ok(Self::Lines { from: BufReader::new(from), line: 0 }),
            FileFormat::Csv => {
                let bound = RowBound::default();
                let from = bound.around(from, MAX_LINE_BYTES);
                let mut from = csv::ReaderBuilder::new().flexible(true).from_reader(from);
                let head = from.headers().context("the headline can not be read")?;
                let columns: Vec<String> = head.iter().map(|name| name.trim().to_owned()).collect();
                check(&columns)?;
                bound.begin_anew();
                Ok(Self::Rows { from: Box::new(from), columns, bound })
            }
            FileFormat::Consul => {
                let longest = usize::try_from(MAX_LINE_BYTES).unwrap_or(usize::MAX);
                Ok(Self::Array { items: Items::new(from, longest), place: 0 })
            }
        }
    }
}

/// Whether a headline names what is needed, and nothing of it twice.
fn check(columns: &[String]) -> anyhow::Result<()> {
    let count = |name: &str| columns.iter().filter(|column| *column == name).count();
    if count("key") == 0 || count("value") + count("value_base64") == 0 {
        let found = columns.join(",");
        anyhow::bail!("the first line is to name the columns key and value; it is `{found}`");
    }
    if let Some(twice) = COLUMNS.iter().find(|name| count(name) > 1) {
        anyhow::bail!("the first line names the column {twice} more than once");
    }
    if count("value") + count("value_base64") > 1 {
        anyhow::bail!("the first line names both value and value_base64: which of them is it?");
    }
    Ok(())
}

impl Iterator for Source {
    type Item = anyhow::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Lines { from, line } => next_line(from, line).transpose(),
            Self::Rows { from, columns, bound } => {
                let row = next_row(from, columns);
                bound.begin_anew();
                row
            }
            Self::Array { items, place } => next_item(items, place).transpose(),
        }
    }
}

fn next_item(items: &mut Items, place: &mut u64) -> anyhow::Result<Option<Entry>> {
    let item = items.next().context("not what consul kv export writes, which is an array")?;
    let Some(item) = item else { return Ok(None) };
    *place += 1;
    let line = *place;
    Ok(Some(match item {
        Item::TooLong(text) => too_long(line, text, "an item"),
        Item::Whole(text) => {
            let record = object::read(&text).and_then(|item| of_consul(&item));
            let text = String::from_utf8_lossy(&text).trim_end().to_owned();
            Entry { line, text, record }
        }
    }))
}

/// What is told of something that is longer than it may be.
fn too_long(line: u64, mut bytes: Vec<u8>, what: &str) -> Entry {
    bytes.truncate(MAX_SHOWN_BYTES);
    let text = format!("{}...", String::from_utf8_lossy(&bytes));
    Entry { line, text, record: Err(format!("{what} has at most {MAX_LINE_BYTES} bytes")) }
}

fn next_line(from: &mut BufReader<Box<dyn Read>>, line: &mut u64) -> anyhow::Result<Option<Entry>> {
    loop {
        let mut bytes = Vec::new();
        let read = from.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut bytes);
        if read.context("can not read")? == 0 {
            return Ok(None);
        }
        *line += 1;
        if bytes.len() as u64 > MAX_LINE_BYTES && !bytes.ends_with(b"\n") {
            skip_line(from)?;
            return Ok(Some(too_long(*line, bytes, "a line")));
        }
        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        if text.is_empty() {
            continue;
        }
        let is_text = std::str::from_utf8(&bytes).is_ok();
        let record = match object::read(text.as_bytes()) {
            Ok(json) if is_text => of_object(&json),
            Ok(_) => Err("not UTF-8".to_owned()),
            Err(error) => Err(format!("not an object in JSON: {error}")),
        };
        return Ok(Some(Entry { line: *line, text, record }));
    }
}

/// Reads to the end of a line, and keeps nothing of it.
fn skip_line(from: &mut BufReader<Box<dyn Read>>) -> anyhow::Result<()> {
    loop {
        let piece = from.fill_buf().context("can not read")?;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let (bytes, is_over) =
            (end.map_or(piece.len(), |at| at + 1), end.is_some() || piece.is_empty());
        from.consume(bytes);
        if is_over {
            return Ok(());
        }
    }
}

fn next_row(from: &mut csv::Reader<Bounded>, columns: &[String]) -> Option<anyhow::Result<Entry>> {
    let mut row = csv::ByteRecord::new();
    match from.read_byte_record(&mut row) {
        Ok(false) => return None,
        Ok(true) => {}
        Err(error) => return Some(Err(error).context("can not read")),
    }
    let line = row.position().map_or(0, csv::Position::line);
    let fields: Vec<_> = row.iter().map(String::from_utf8_lossy).collect();
    let text = fields.join(",");
    let record = if row.iter().any(|field| std::str::from_utf8(field).is_err()) {
        Err("not UTF-8; bytes go into a column value_base64".to_owned())
    } else if fields.len() == columns.len() {
        of_row(columns, &fields)
    } else {
        Err(format!("{} columns, and the headline has {}", fields.len(), columns.len()))
    };
    Some(Ok(Entry { line, text, record }))
}

fn of_row(columns: &[String], fields: &[std::borrow::Cow<'_, str>]) -> Result<Record, String> {
    let mut record = Record::default();
    for (column, field) in columns.iter().zip(fields) {
        let given = (!field.is_empty()).then(|| field.to_string());
        match column.as_str() {
            "key" => record.key = field.to_string(),
            "value" => record.value = field.as_bytes().to_vec(),
            "value_base64" => record.value = bytes(field)?,
            "content_type" => record.content_type = given,
            "ttl" => record.ttl = given.as_deref().map(ttl).transpose()?,
            "expires_at" => record.expires_at = given.as_deref().map(moment).transpose()?,
            // Whatever else somebody keeps in such a file.
            _ => {}
        }
    }
    if record.key.is_empty() { Err("no key".to_owned()) } else { Ok(record) }
}

fn of_object(json: &Json) -> Result<Record, String> {
    if json.get("footer").is_some() {
        return Err("the end of a snapshot: gridkv restore is for those".to_owned());
    }
    let text = |name: &str| match json.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("`{name}` is not text")),
    };
    let key = text("key")?.filter(|key| !key.is_empty()).ok_or("no key")?;
    let value = text("value")?.ok_or("no value")?;
    let value = match text("encoding")? {
        None | Some("utf8") => value.as_bytes().to_vec(),
        Some("base64") => bytes(value)?,
        Some(other) => return Err(format!("`encoding` is utf8 or base64, not {other}")),
    };
    let ttl = match json.get("ttl") {
        Some(Json::Number(seconds)) => Some(ttl(&seconds.to_string())?),
        _ => text("ttl")?.map(ttl).transpose()?,
    };
    Ok(Record {
        key: key.to_owned(),
        value,
        content_type: text("content_type")?.map(str::to_owned),
        ttl,
        expires_at: text("expires_at")?.map(moment).transpose()?,
    })
}

fn of_consul(item: &Json) -> Result<Record, String> {
    let key =
        item.get("key").and_then(Json::as_str).filter(|key| !key.is_empty()).ok_or("no key")?;
    let value = match item.get("value") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::String(text)) => bytes(text)?,
        Some(_) => return Err("`value` is not base64".to_owned()),
    };
    Ok(Record { key: key.to_owned(), value, ..Record::default() })
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|error| format!("the value is not base64: {error}"))
}

fn moment(text: &str) -> Result<u64, String> {
    let moment = gridkv_http::rfc3339::parse(text);
    moment.map(|moment| moment.0).ok_or_else(|| "`expires_at` is RFC 3339 in UTC".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn read(format: FileFormat, text: &'static str) -> Vec<(u64, Result<Record, String>)> {
        let source = Source::new(format, Box::new(text.as_bytes())).unwrap();
        source.map(|entry| entry.map(|entry| (entry.line, entry.record)).unwrap()).collect()
    }

    fn record(key: &str, value: &[u8]) -> Record {
        Record { key: key.to_owned(), value: value.to_vec(), ..Record::default() }
    }

    #[test]
    fn lines() {
        let text = "{\"key\":\"a\",\"value\":\"1\"}\n\n{\"key\":\"b\",\"value\":\"AP8=\",\"encoding\":\"base64\"}\nx\n\
                    {\"value\":\"\"}\n{\"key\":\"c\",\"value\":\"\",\"ttl\":60}";
        let read = read(FileFormat::Ndjson, text);
        assert_eq!(read[0], (1, Ok(record("a", b"1"))));
        assert_eq!(read[1], (3, Ok(record("b", &[0, 255]))));
        assert!(
            read[2].1.as_ref().is_err_and(|why| why.starts_with("not an object in JSON")),
            "{:?}",
            read[2]
        );
        assert_eq!(read[3], (5, Err("no key".to_owned())));
        assert_eq!(read[4].1.as_ref().unwrap().ttl.as_deref(), Some("60000ms"));
    }

    #[test]
    fn a_line_that_is_too_long_is_one_line() {
        let long = "{\"key\":\"long\",\"value\":\"".to_owned() + &"a".repeat(5 << 20);
        let text = format!(
            "{long}\"}}{{\"key\":\"injected\",\"value\":\"\"}}\n{{\"key\":\"b\",\"value\":\"\"}}\n{long}"
        );
        let source = Source::new(FileFormat::Ndjson, Box::new(io::Cursor::new(text))).unwrap();
        let read: Vec<_> = source.map(Result::unwrap).collect();
        assert_eq!(read.iter().map(|entry| entry.line).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(read[0].record.is_err() && read[2].record.is_err());
        assert!(read[0].text.len() < 2 << 10);
        assert_eq!(read[1].record, Ok(record("b", b"")));
    }

    #[test]
    fn rows() {
        let text = "key,value,ttl,owner\na,\"x,\ny\",,me\nb,2,30s,me\nc,3\n,4,,me\n";
        let read = read(FileFormat::Csv, text);
        assert_eq!(read[0], (2, Ok(record("a", b"x,\ny"))));
        assert_eq!(read[1].1.as_ref().unwrap().ttl.as_deref(), Some("30000ms"));
        assert!(read[2].1.is_err() && read[3].1.is_err());
        assert_eq!(read[1].0, 4, "lines, not rows");
        for head in ["a,b", "key,value,key", "key,value,value_base64", "key,value,ttl,ttl"] {
            let text = format!("{head}\n1,2,3,4\n");
            let source = Source::new(FileFormat::Csv, Box::new(io::Cursor::new(text)));
            assert!(source.is_err(), "{head}");
        }
    }

    #[test]
    fn a_row_that_does_not_end_is_not_read_for_ever() {
        let text = "key,value\na,1\nb,\"open\n".to_owned() + &"x,y\n".repeat(2 << 20);
        let mut source = Source::new(FileFormat::Csv, Box::new(io::Cursor::new(text))).unwrap();
        assert_eq!(source.next().unwrap().unwrap().record, Ok(record("a", b"1")));
        let error = source.next().unwrap().unwrap_err();
        let said = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
        assert!(said.contains("a quote that is not closed"), "{said}");
        // Many rows are no long one.
        let rows = "key,value\n".to_owned() + &format!("a,{}\n", "b".repeat(1_000)).repeat(6_000);
        let source = Source::new(FileFormat::Csv, Box::new(io::Cursor::new(rows))).unwrap();
        assert_eq!(source.map(Result::unwrap).count(), 6_000);
    }

    #[test]
    fn a_mark_at_the_beginning_is_no_text() {
        let texts = [
            (FileFormat::Csv, "\u{feff}key,value\na,1\n"),
            (FileFormat::Ndjson, "\u{feff}{\"key\":\"a\",\"value\":\"1\"}"),
            (FileFormat::Consul, "\u{feff}[{\"key\":\"a\",\"value\":\"MQ==\"}]"),
        ];
        for (format, text) in texts {
            assert_eq!(read(format, text).remove(0).1, Ok(record("a", b"1")), "{format:?}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let lines = read(FileFormat::Ndjson, r#"{"key":"a","value":"1","key":"b"}"#);
        assert!(lines[0].1.as_ref().is_err_and(|why| why.contains("`key` is there twice")));
        let items = read(FileFormat::Consul, r#"[{"key":"a","key":"b"}]"#);
        assert!(items[0].1.as_ref().is_err_and(|why| why.contains("`key` is there twice")));
    }

    #[test]
    fn what_consul_writes() {
        let text = r#"[{"key":"a/b","flags":0,"value":"aGk="},{"key":"d/","flags":0,"value":""},{"flags":1}]"#;
        let read = read(FileFormat::Consul, text);
        assert_eq!(read[0], (1, Ok(record("a/b", b"hi"))));
        assert_eq!(read[1], (2, Ok(record("d/", b""))));
        assert_eq!(read[2], (3, Err("no key".to_owned())));
    }
}
