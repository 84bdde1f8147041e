//! The effective configuration as text: what `serve --check` prints.
//!
//! Why it exists: after four layers, an operator wants to see what holds and who said so. It refuses
//! to invent anything: a store's `sync` section shows only what the store overrides. Secrets are masked.

use super::keys;
use super::overlay::{Settings, stores_of};

/// Column at which the origin starts, unless the value is longer.
const COLUMN: usize = 40;

/// The settings as TOML, section by section in the order of the table of keys, each line with the
/// layer that set it.
pub(super) fn render(settings: &Settings) -> String {
    let mut out = Vec::new();
    for section in keys::SECTIONS {
        let rows = keys::section(section).map(|key| (key.path.to_owned(), key.leaf()));
        table(&mut out, section, rows, settings);
    }
    for store in stores_of(settings) {
        let own =
            keys::of_store().map(|key| (format!("stores.{store}.{}", key.leaf()), key.leaf()));
        table(&mut out, &format!("stores.{store}"), own, settings);
        let sync =
            keys::section("sync").map(|key| (format!("stores.{store}.{}", key.path), key.leaf()));
        table(&mut out, &format!("stores.{store}.sync"), sync, settings);
    }
    out.concat()
}

/// One section; nothing at all when none of its rows is set.
fn table<'a>(
    out: &mut Vec<String>,
    name: &str,
    rows: impl Iterator<Item = (String, &'a str)>,
    settings: &Settings,
) {
    let mut title = Some(name);
    for (path, leaf) in rows {
        let Some(setting) = settings.get(&path) else { continue };
        if let Some(name) = title.take() {
            let gap = if out.is_empty() { "" } else { "\n" };
            out.push(format!("{gap}[{name}]\n"));
        }
        let line = format!("{leaf} = {}", setting.shown());
        out.push(format!("{line:<COLUMN$} # {}\n", setting.origin.word()));
    }
}
