//! A text that is never shown: not in a log, not in a message, not in the printed configuration.

use std::fmt;

use serde::Deserialize;
use toml::Value;

/// What is shown in the place of a secret.
pub(super) const MASK: &str = "********";

/// A secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// The secret itself, for the one who proves to know it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// A value as it may be shown: what is secret in it is masked, and what is not there stays so.
pub(super) fn mask(value: &Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => value.clone(),
        Value::Array(items) => Value::Array(items.iter().map(mask).collect()),
        Value::Table(token) => {
            let shown = |(key, value): (&String, &Value)| {
                let value = if key == "sha256" { mask(value) } else { value.clone() };
                (key.clone(), value)
            };
            Value::Table(token.iter().map(shown).collect())
        }
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_) => Value::String(MASK.to_owned()),
    }
}
