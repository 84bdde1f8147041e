//! The definition of one more store, as somebody gives it while the node runs: the keys of its section.

use toml::{Table, Value};

use super::fault::Fault;
use super::keys::{self, Place};
use super::nearest::nearest;
use super::overlay::{Origin, Overlay};

/// Offers all that a definition holds.
pub(super) fn read(store: &str, definition: &Table, overlay: &mut Overlay<'_>) {
    if overlay.name_store(store, Origin::Definition) {
        section(&["stores", store], definition, overlay);
    }
}

/// Its depth is bounded by the known sections, as that of a file is.
fn section(at: &[&str], table: &Table, overlay: &mut Overlay<'_>) {
    for (name, value) in table {
        let path: Vec<&str> = at.iter().copied().chain([name.as_str()]).collect();
        let dotted = path.join(".");
        match (keys::place(&path), value) {
            (Place::Key(key), _) => overlay.offer(&dotted, key, value, Origin::Definition),
            (Place::Section, Value::Table(table)) => section(&path, table, overlay),
            (Place::Section | Place::Store, _) => {
                let fault = Fault::NotASection(dotted.clone());
                overlay.refuse(Origin::Definition, &dotted, Some(value.clone()), fault);
            }
            (Place::Unknown, _) => {
                let store = path.get(1).copied().unwrap_or_default();
                let known: Vec<String> =
                    keys::paths_of_store(store).map(|(path, _)| path).collect();
                let nearest = nearest(&dotted, known).unwrap_or_default();
                overlay.refuse(Origin::Definition, &dotted, None, Fault::UnknownKey { nearest });
            }
        }
    }
}
