//! The token that a client shows. Never printed.

use std::path::{Path, PathBuf};

use super::SetupError;
use super::variable::variable;
use crate::bounded;

/// Bytes of a file with a token, at most: no node takes a longer one, and a header has to hold it.
const MAX_TOKEN_FILE_BYTES: u64 = 4_096;

/// The token of a file, or of the environment.
pub(super) fn find(file: Option<&Path>) -> Result<Option<String>, SetupError> {
    let named = std::env::var_os("GRIDKV_TOKEN_FILE").filter(|name| !name.is_empty());
    let token = if file.is_some() { None } else { variable("GRIDKV_TOKEN")? };
    let text = match (file, token.filter(|token| !token.trim().is_empty()), named) {
        (Some(file), ..) => read(file)?,
        (None, Some(token), _) => ("GRIDKV_TOKEN".to_owned(), token),
        (None, None, Some(named)) => read(&PathBuf::from(named))?,
        (None, None, None) => return Ok(None),
    };
    let (origin, text) = text;
    let token = text.trim();
    let is_fine = |byte: u8| byte.is_ascii_graphic();
    if token.bytes().all(is_fine) {
        Ok(Some(token.to_owned()))
    } else {
        Err(SetupError::Token(origin))
    }
}

fn read(path: &Path) -> Result<(String, String), SetupError> {
    let bytes = bounded::file(path, MAX_TOKEN_FILE_BYTES).map_err(|source| SetupError::File {
        path: path.to_owned(),
        what: "a token",
        source,
    })?;
    let origin = path.display().to_string();
    let Ok(text) = String::from_utf8(bytes) else { return Err(SetupError::Token(origin)) };
    if text.trim().is_empty() {
        return Err(SetupError::Content { path: path.to_owned(), what: "token" });
    }
    Ok((origin, text))
}
