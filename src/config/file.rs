//! The file layer: TOML text to offers, each with its line.
//!
//! Why it exists: a message about a file should name the line. It refuses files that are too long,
//! that are not TOML, and keys that the table does not know.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::fault::Fault;
use super::keys::{self, Key, Place};
use super::kind::Kind;
use super::limits;
use super::nearest::nearest;
use super::overlay::{Origin, Overlay};
use crate::private_file;

/// The key that is told as it is written, too.
const DATA_DIR: &str = "node.data_dir";

/// Reads a file and offers all it holds. Returns the data directory as it is written, if that is relative.
pub(super) fn read(path: &Path, overlay: &mut Overlay<'_>) -> Option<PathBuf> {
    let whole = |line| Origin::File { path: path.to_owned(), line };
    let text = match text(path) {
        Ok(text) => text,
        Err(fault) => {
            overlay.refuse(whole(None), "", None, fault);
            return None;
        }
    };
    // Twice over the same text: once for the values, once for where they stand.
    let (table, spans) = match (text.parse::<Table>(), DeTable::parse(&text)) {
        (Ok(table), Ok(spans)) => (table, spans.into_inner()),
        (Err(wrong), _) | (_, Err(wrong)) => {
            let (line, fault) = syntax(&text, &wrong);
            overlay.refuse(whole(line), "", None, fault);
            return None;
        }
    };
    let mut walk = Walk { path, text: &text, overlay, directory: None };
    walk.section(&[], &table, &spans);
    walk.directory
}

/// What is wrong with a text that is not TOML, and in which line.
pub(super) fn syntax(text: &str, wrong: &toml::de::Error) -> (Option<usize>, Fault) {
    let line = wrong.span().map(|span| line_of(text, span.start));
    (line, Fault::Syntax(wrong.message().replace('\n', ", ")))
}

fn text(path: &Path) -> Result<String, Fault> {
    let read = || -> io::Result<String> {
        let mut text = String::new();
        File::open(path)?.take(limits::MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(Fault::Unreadable)?;
    if text.len() as u64 > limits::MAX_FILE_BYTES {
        return Err(Fault::TooLong { most: limits::MAX_FILE_BYTES });
    }
    Ok(text)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

struct Walk<'a, 'o, 'b> {
    path: &'a Path,
    text: &'a str,
    overlay: &'o mut Overlay<'b>,
    /// The data directory as it is written, if that is relative.
    directory: Option<PathBuf>,
}

impl Walk<'_, '_, '_> {
    /// Goes through one table. Its depth is bounded by the known sections: an unknown table is one
    /// problem and is not entered.
    fn section(&mut self, at: &[&str], table: &Table, spans: &DeTable<'_>) {
        for (name, span) in spans {
            let name_text = name.get_ref().as_ref();
            let Some(value) = table.get(name_text) else { continue };
            let path: Vec<&str> = at.iter().copied().chain([name_text]).collect();
            let line = Some(line_of(self.text, name.span().start));
            let origin = Origin::File { path: self.path.to_owned(), line };
            self.one(&path, value, span.get_ref(), origin);
        }
    }

    fn one(&mut self, path: &[&str], value: &Value, span: &DeValue<'_>, origin: Origin) {
        let dotted = path.join(".");
        match (keys::place(path), value, span) {
            (Place::Key(key), ..) => {
                if let Err(fault) = self.may_hold(key, value) {
                    return self.overlay.refuse(origin, &dotted, None, fault);
                }
                if dotted == DATA_DIR {
                    let name = value.as_str().filter(|name| !name.is_empty()).map(PathBuf::from);
                    self.directory = name.filter(|name| name.is_relative());
                }
                self.overlay.offer(&dotted, key, &self.beside(key, value), origin);
            }
            (Place::Section, Value::Table(table), DeValue::Table(spans)) => {
                self.section(path, table, spans);
            }
            (Place::Store, Value::Table(table), DeValue::Table(spans)) => {
                let name = path.last().copied().unwrap_or_default();
                if self.overlay.name_store(name, origin) {
                    self.section(path, table, spans);
                }
            }
            (Place::Section | Place::Store, ..) => {
                let fault = Fault::NotASection(dotted.clone());
                self.overlay.refuse(origin, &dotted, Some(value.clone()), fault);
            }
            (Place::Unknown, ..) => {
                let nearest = nearest(&dotted, known(path, value.is_table())).unwrap_or_default();
                self.overlay.refuse(origin, &dotted, None, Fault::UnknownKey { nearest });
            }
        }
    }
}

impl Walk<'_, '_, '_> {
    /// The value, where a relative path is taken from the directory of this file: so a directory with a node's
    /// configuration, certificate, key and data can be moved.
    fn beside(&self, key: &Key, value: &Value) -> Value {
        match (&key.kind, value, self.path.parent()) {
            (Kind::File | Kind::Path, Value::String(name), Some(dir)) if !name.is_empty() => {
                dir.join(name).to_str().map_or_else(|| value.clone(), Value::from)
            }
            _ => value.clone(),
        }
    }

    /// A file that holds a secret must be private; one with digests of tokens need not be.
    fn may_hold(&self, key: &Key, value: &Value) -> Result<(), Fault> {
        if !matches!(key.kind, Kind::Secret) || value.as_str() == Some("") {
            return Ok(());
        }
        let file = File::open(self.path).map_err(Fault::Unreadable)?;
        private_file::check(self.path, &file).map_err(Fault::PrivateFile)
    }
}

/// What may have been meant by an unknown path: sections for a section, keys for a key, and those
/// of the same store within a store.
fn known(path: &[&str], section: bool) -> Vec<String> {
    match path {
        ["stores", store, ..] => keys::paths_of_store(store).map(|(path, _)| path).collect(),
        _ if section => keys::SECTIONS.into_iter().chain(["stores"]).map(str::to_owned).collect(),
        _ => {
            let plain = keys::SECTIONS.into_iter().flat_map(keys::section);
            plain.map(|key| key.path.to_owned()).collect()
        }
    }
}
