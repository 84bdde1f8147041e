//! One more store beside those that are configured: what it takes over, and what is refused.

use super::trial_test::{BACKENDS, Trial};
use super::*;

fn table(text: &str) -> toml::Table {
    text.parse().unwrap()
}

fn one_more(loaded: &Loaded, definition: &str) -> Result<StoreConfig, String> {
    let store = loaded.one_more("new", &table(definition), &BACKENDS);
    store.map_err(|error| error.in_one_line())
}

#[test]
fn it_is_as_if_its_section_stood_in_the_file() {
    let section = "backend = \"file\"\npersist_interval = \"9s\"\nsync.batch_max_ops = 7\n";
    let rest = "[sync]\nbuffer_size = 16\n[stores.main]\nbackend = \"memory\"\n";
    let loaded = Trial::default().file(rest).load().unwrap();
    let whole = format!("{rest}[stores.new]\n{section}");
    let whole = Trial::default().file(&whole).load().unwrap();
    assert_eq!(one_more(&loaded, section), Ok(whole.config.stores["new"].clone()));
    assert_eq!(loaded.config.stores.len(), 1, "nothing of it stays");
}

#[test]
fn every_fault_is_named_by_its_key() {
    let loaded = Trial::default().file("[stores.main]\nbackend = \"memory\"\n").load().unwrap();
    let table = [
        ("", "stores.new.backend: the store needs a backend"),
        ("backend = \"disk\"", "stores.new.backend = \"disk\": must be one of"),
        ("backend = \"memory\"\nbackends = 1", "stores.new.backends: unknown key"),
        ("backend = \"memory\"\nsync = 1", "stores.new.sync = 1: is a section"),
        (
            "backend = \"memory\"\nsync.buffer = 1",
            "the nearest known key is stores.new.sync.buffer_size",
        ),
        ("backend = \"memory\"\nnum_memtables = 3", "does nothing for a store on memory"),
        (
            "backend = \"memory\"\nmax_memory_mb = \"1\"",
            "stores.new.max_memory_mb = \"1\": must be",
        ),
        (
            "backend = \"memory\"\nsync.batch_max_bytes = 67108864",
            "must be less than peers.max_frame_bytes",
        ),
    ];
    for (definition, fault) in table {
        let said = one_more(&loaded, definition).unwrap_err();
        assert!(said.contains(fault), "{definition}: {said}");
    }
    let unkept =
        Trial::default().variable("GRIDKV_NODE__DATA_DIR", "").typed(&["--store", "main=memory"]);
    let said = one_more(&unkept.load().unwrap(), "backend = \"file\"").unwrap_err();
    assert!(said.contains("needs a directory"), "{said}");
}
