//! YAML files as JSON values: what is read here has nothing that JSON has not.

use std::fs;
use std::path::Path;

use serde_json::{Map, Number, Value};
use yaml_rust2::{Yaml, YamlLoader};

use crate::error::Error;

/// The first document of a file.
///
/// # Errors
/// When it can not be read, or is no YAML.
pub(crate) fn read(path: &Path) -> Result<Value, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::io("read", path, source))?;
    let documents = YamlLoader::load_from_str(&text)
        .map_err(|source| Error::Yaml { path: path.to_owned(), source })?;
    Ok(documents.first().map_or(Value::Null, as_json))
}

fn as_json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Boolean(truth) => Value::Bool(*truth),
        Yaml::Integer(number) => Value::Number(Number::from(*number)),
        Yaml::Real(text) => {
            let number = text.parse().ok().and_then(Number::from_f64);
            number.map_or_else(|| Value::String(text.clone()), Value::Number)
        }
        Yaml::String(text) => Value::String(text.clone()),
        Yaml::Array(values) => values.iter().map(as_json).collect(),
        Yaml::Hash(fields) => {
            let fields = fields
                .iter()
                .filter_map(|(name, value)| Some((name.as_str()?.to_owned(), as_json(value))));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Yaml::Alias(_) | Yaml::Null | Yaml::BadValue => Value::Null,
    }
}
