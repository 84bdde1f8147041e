//! The environment layer: `GRIDKV_` and the path, with `__` between levels.
//!
//! Why it exists: containers are configured by variables. It refuses `GRIDKV_` variables that no key
//! answers to, and text that is not UTF-8; all other variables are none of its business, those of clients included.

use std::ffi::OsString;

use toml::Value;

use super::fault::Fault;
use super::keys::{self, ENV_PREFIX, Key};
use super::nearest::nearest;
use super::overlay::{Origin, Overlay};
use crate::private_file;

/// What the commands that talk to a node read: no setting of a node, though it begins like one.
const OF_CLIENTS: [&str; 5] =
    ["GRIDKV_URL", "GRIDKV_STORE", "GRIDKV_TOKEN", "GRIDKV_TOKEN_FILE", "GRIDKV_CA"];

/// What a known variable sets.
enum Target {
    Plain(&'static Key),
    Store {
        name: String,
        path: String,
        key: &'static Key,
    },
    /// A secret, by the file that holds it.
    SecretFile(&'static Key),
}

/// Offers every `GRIDKV_` variable.
pub(super) fn read<Vars>(variables: Vars, overlay: &mut Overlay<'_>)
where
    Vars: IntoIterator<Item = (OsString, OsString)>,
{
    for (name, value) in variables {
        let variable = name.to_string_lossy().into_owned();
        if !variable.starts_with(ENV_PREFIX) || OF_CLIENTS.contains(&variable.as_str()) {
            continue;
        }
        let origin = Origin::Environment(variable.clone());
        let (Some(_), Some(text)) = (name.to_str(), value.to_str()) else {
            overlay.refuse(origin, "", None, Fault::NotUnicode);
            continue;
        };
        let value = Value::String(text.to_owned());
        match target(&variable) {
            Some(Target::Plain(key)) => overlay.offer(key.path, key, &value, origin),
            Some(Target::Store { name, path, key }) => {
                if overlay.name_store(&name, origin.clone()) {
                    overlay.offer(&path, key, &value, origin);
                }
            }
            Some(Target::SecretFile(key)) => secret(key, text, origin, overlay),
            None => {
                let nearest = nearest(&variable, known(&variable)).unwrap_or_default();
                overlay.refuse(origin, "", None, Fault::UnknownVariable { nearest });
            }
        }
    }
}

/// Offers what a file holds, without the end of its line; an empty name is no file, and no secret.
fn secret(key: &'static Key, path: &str, origin: Origin, overlay: &mut Overlay<'_>) {
    let text = if path.is_empty() { Ok(String::new()) } else { private_file::read(path.as_ref()) };
    match text {
        Ok(text) => {
            let value = Value::String(text.trim_end_matches(['\r', '\n']).to_owned());
            overlay.offer(key.path, key, &value, origin);
        }
        Err(error) => overlay.refuse(origin, key.path, None, Fault::PrivateFile(error)),
    }
}

fn target(variable: &str) -> Option<Target> {
    let mut plain = keys::SECTIONS.into_iter().flat_map(keys::section);
    if let Some(key) = plain.find(|key| keys::variable(key.path) == variable) {
        return Some(Target::Plain(key));
    }
    if let Some(key) = keys::by_file_variable(variable) {
        return Some(Target::SecretFile(key));
    }
    let name = store(variable)?;
    let found = keys::paths_of_store(&name).find(|(path, _)| keys::variable(path) == variable);
    found.map(|(path, key)| Target::Store { name, path, key })
}

/// The store that a variable names: what stands between `GRIDKV_STORES__` and the longest ending
/// that is a store's key. A store's name may hold `__` itself.
fn store(variable: &str) -> Option<String> {
    let rest = variable.strip_prefix(ENV_PREFIX)?.strip_prefix("STORES__")?;
    // The paths of the store without a name give the bare endings: `__BACKEND`.
    keys::paths_of_store("")
        .filter_map(|(path, _)| {
            let ending = keys::variable(path.strip_prefix("stores.")?);
            rest.strip_suffix(ending.strip_prefix(ENV_PREFIX)?)
        })
        .filter(|name| !name.is_empty())
        .min_by_key(|name| name.len())
        .map(str::to_lowercase)
}

/// What may have been meant: the plain variables, and those of the store that comes next after
/// `GRIDKV_STORES__`.
fn known(variable: &str) -> Vec<String> {
    let plain = keys::SECTIONS.into_iter().flat_map(keys::section).map(|key| key.path.to_owned());
    let name = variable
        .strip_prefix(ENV_PREFIX)
        .and_then(|rest| rest.strip_prefix("STORES__"))
        .and_then(|rest| rest.split("__").next())
        .filter(|name| !name.is_empty())
        .map_or_else(|| "main".to_owned(), str::to_lowercase);
    let stores = keys::paths_of_store(&name).map(|(path, _)| path);
    let variables = plain.chain(stores).map(|path| keys::variable(&path));
    variables.chain(keys::file_variables()).collect()
}
