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
    assert_eq!(Config { stores: defaults.stores.clone(), ..example }, defaults);
}

#[test]
fn it_shows_every_known_key() {
    let loaded = Trial::default().file(EXAMPLE).load().unwrap();
    for key in keys::KEYS {
        let path = key.path.replace("NAME", "main");
        let origin = loaded.settings.get(&path).map(|setting| setting.origin.word());
        assert_eq!(origin, Some("file"), "{path} is missing");
    }
}

#[test]
fn it_names_every_flag() {
    for flag in keys::KEYS.iter().filter_map(|key| key.flag) {
        assert!(EXAMPLE.contains(flag), "{flag} is missing");
    }
}

#[test]
fn each_variable_works() {
    let main = || Trial::default().variable("GRIDKV_STORES__MAIN__BACKEND", "file");
    let defaults = main().config();
    let plain = keys::SECTIONS.into_iter().flat_map(keys::section);
    let plain = plain.map(|key| (key.path.to_owned(), key));
    for (path, key) in plain.chain(keys::paths_of_store("main")) {
        let variable = keys::variable(&path);
        let Some(default) = key.default else { continue };
        let loaded = main().variable(&variable, default).load().unwrap();
        assert_eq!(loaded.settings[&path].origin, Origin::Environment(variable), "{path}");
        assert_eq!(loaded.config, defaults, "{path}");
    }
}

#[test]
fn every_key_has_its_say() {
    for key in keys::KEYS {
        assert!(!key.help.is_empty(), "{}", key.path);
        let same = keys::KEYS.iter().filter(|other| other.path == key.path).count();
        assert_eq!(same, 1, "{}", key.path);
    }
}
