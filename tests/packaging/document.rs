//! A document of YAML, as far as the manifests need it.

use std::fs;
use std::path::{Path, PathBuf};

use yaml_rust2::{Yaml, YamlLoader};

/// A file of this repository.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The documents of a file of this repository.
pub(crate) fn documents(name: &str) -> Vec<Yaml> {
    let path = path(name);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The only document of a file.
pub(crate) fn document(name: &str) -> Yaml {
    let mut all = documents(name);
    assert_eq!(all.len(), 1, "{name}");
    all.remove(0)
}

/// The value under a key, also under one that is merged in.
pub(crate) fn get<'a>(of: &'a Yaml, key: &str) -> &'a Yaml {
    let own = &of[key];
    if own.is_badvalue() { &of["<<"][key] } else { own }
}

/// The texts of a list.
pub(crate) fn texts(list: &Yaml) -> Vec<String> {
    let list = list.as_vec().unwrap_or_else(|| panic!("{list:?} is no list"));
    list.iter().map(|item| item.as_str().unwrap_or_else(|| panic!("{item:?}")).to_owned()).collect()
}
