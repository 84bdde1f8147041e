//! The example file cannot rot: it loads, shows every key, and apart from its stores it is the
//! defaults.

use super::overlay::Origin;
use super::trial_test::Trial;
use super::*;

const EXAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/gridkv.example.toml"));

#[test]
fn apart_from_its_stores_it_is_the_defaults() {
    let example = Trial::default().file(EXAMPLE).config();
    let defaults = Trial::default().config();
    assert_eq!(example.stores["main"], defaults.stores["main"], "main shows the defaults too");
    assert_ne!(example.stores, defaults.stores);
    // The same words, but those of a file are taken from its directory.
    assert_eq!(defaults.node.data_dir, Some("./data".into()));
    assert!(example.node.data_dir.as_ref().is_some_and(|dir| dir.ends_with("data")));
    let node = NodeConfig { data_dir: defaults.node.data_dir.clone(), ..example.node.clone() };
    assert_eq!(Config { stores: defaults.stores.clone(), node, ..example }, defaults);
}

#[test]
fn it_shows_every_known_key() {
    let loaded = Trial::default().file(EXAMPLE).load().unwrap();
    let shown = |path: &str| {
        let setting = loaded.settings.get(path);
        setting.is_some_and(|setting| setting.origin.word() == "file")
    };
    for key in keys::all() {
        let of_stores = loaded.config.stores.keys().map(|name| key.path.replace("NAME", name));
        assert!(of_stores.into_iter().any(|path| shown(&path)), "{} is missing", key.path);
    }
}

/// What the example says of a store is its default, where the example does not say otherwise.
#[test]
fn its_stores_show_the_defaults_of_their_backends() {
    let example = Trial::default().file(EXAMPLE).load().unwrap();
    for (store, backend) in [("main", "file"), ("hot", "moka"), ("big", "fjall")] {
        let bare = format!("[stores.{store}]\nbackend = \"{backend}\"");
        let defaults = Trial::default().file(&bare).config();
        assert_eq!(example.config.stores[store], defaults.stores[store], "{store}");
    }
}

#[test]
fn it_names_every_flag() {
    for flag in keys::all().filter_map(|key| key.flag) {
        assert!(EXAMPLE.contains(flag), "{flag} is missing");
    }
}

#[test]
fn each_variable_works() {
    let main = |backend| Trial::default().variable("GRIDKV_STORES__MAIN__BACKEND", backend);
    let plain = keys::SECTIONS.into_iter().flat_map(keys::section);
    let plain = plain.map(|key| (key.path.to_owned(), key));
    for (path, key) in plain.chain(keys::paths_of_store("main")) {
        let variable = keys::variable(&path);
        let backend = key.only.map_or("file", |(backends, _)| backends[0]);
        let Some(default) = key.default_for(backend) else { continue };
        let loaded = main(backend).variable(&variable, default).load().unwrap();
        assert_eq!(loaded.settings[&path].origin, Origin::Environment(variable), "{path}");
        assert_eq!(loaded.config, main(backend).config(), "{path}");
    }
}

#[test]
fn every_key_has_its_say() {
    for key in keys::all() {
        assert!(!key.help.is_empty(), "{}", key.path);
        let same = keys::all().filter(|other| other.path == key.path).count();
        assert_eq!(same, 1, "{}", key.path);
    }
}
