//! Lists of tokens: what each must look like, and the file that holds more of them.
//!
//! It refuses what is no digest without showing it: it may be the token itself.

use std::path::Path;

use gridkv_http::Role;
use toml::{Table, Value};

use super::auth::TokenConfig;
use super::fault::Fault;
use super::kind;
use super::limits;
use super::nearest::{nearest, told};
use super::overlay::{Origin, Overlay};
use super::{file, hex};
use crate::private_file;

/// What a token is made of.
const FIELDS: [&str; 3] = ["name", "role", "sha256"];

/// What is wrong with the name of a token, if something is.
pub(crate) fn name_fault(name: &str) -> Option<String> {
    let is_fine = kind::is_name(name, limits::TOKEN_NAME);
    (!is_fine).then(|| format!("needs a name of {}", kind::name_form(limits::TOKEN_NAME)))
}

/// Checks a list and returns it in canonical form.
pub(super) fn check(given: &[Value]) -> Result<Value, Fault> {
    if given.len() > limits::TOKENS {
        return Err(Fault::Tokens(format!("at most {} of them", limits::TOKENS)));
    }
    let one = |(index, token): (usize, &Value)| {
        let wrong = |what: String| Fault::Tokens(format!("number {} {what}", index + 1));
        let fields = token.as_table().ok_or_else(|| wrong("is none".to_owned()))?;
        canonical(fields).map(Value::Table).map_err(wrong)
    };
    given.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// One token, or what is wrong with it.
fn canonical(fields: &Table) -> Result<Table, String> {
    if let Some(unknown) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        let nearest = nearest(unknown, FIELDS).unwrap_or_default();
        return Err(format!("has an unknown key{}", told("known key ", nearest)));
    }
    let text = |key: &str| {
        let text = fields.get(key).and_then(Value::as_str);
        text.ok_or_else(|| format!("needs {key}, a string"))
    };
    let (name, role, digest) = (text("name")?, text("role")?, text("sha256")?);
    if let Some(fault) = name_fault(name) {
        return Err(fault);
    }
    if Role::of(role).is_none() {
        let roles = Role::ALL.map(Role::as_str);
        let nearest = nearest(role, roles).unwrap_or_default();
        let all = roles.join(", ");
        return Err(format!("needs a role, one of {all}{}", told("", nearest)));
    }
    if hex::bytes(digest).is_none() {
        return Err(
            "needs as sha256 the 64 hexadecimal digits of the token's SHA-256, not the token"
                .to_owned(),
        );
    }
    let fields =
        [("name", name.to_owned()), ("role", role.to_owned()), ("sha256", digest.to_lowercase())];
    Ok(fields.map(|(key, text)| (key.to_owned(), Value::String(text))).into_iter().collect())
}

/// The tokens of a file; every problem is told to the overlay.
pub(super) fn read(path: &Path, named: &Origin, overlay: &mut Overlay<'_>) -> Vec<TokenConfig> {
    let whole = |line| Origin::File { path: path.to_owned(), line };
    let text = match private_file::read(path) {
        Ok(text) => text,
        Err(error) => {
            overlay.refuse(named.clone(), "auth.tokens_file", None, Fault::PrivateFile(error));
            return Vec::new();
        }
    };
    match of_text(&text) {
        Ok(tokens) => tokens,
        Err((line, fault)) => {
            overlay.refuse(whole(line), "tokens", None, fault);
            Vec::new()
        }
    }
}

fn of_text(text: &str) -> Result<Vec<TokenConfig>, (Option<usize>, Fault)> {
    let table: Table = text.parse().map_err(|wrong| file::syntax(text, &wrong))?;
    if table.keys().any(|key| key != "tokens") {
        return Err((None, Fault::UnknownKey { nearest: "tokens".to_owned() }));
    }
    let empty = Value::Array(Vec::new());
    let list = table.get("tokens").unwrap_or(&empty);
    let items = list.as_array().ok_or_else(|| (None, kind::mistyped("a list of tokens", list)))?;
    let tokens = check(items).map_err(|fault| (None, fault))?;
    tokens.try_into().map_err(|wrong| (None, Fault::Mismatch(Box::new(wrong))))
}
