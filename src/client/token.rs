//! The token that a client shows. Never printed.

use std::fs;
use std::path::{Path, PathBuf};

use super::SetupError;

/// The token of a file, or of the environment.
pub(super) fn find(file: Option<&Path>) -> Result<Option<String>, SetupError> {
    let named = std::env::var_os("GRIDKV_TOKEN_FILE").filter(|name| !name.is_empty());
    let text = match (file, std::env::var("GRIDKV_TOKEN"), named) {
        (Some(file), ..) => read(file)?,
        (None, Ok(token), _) if !token.trim().is_empty() => ("GRIDKV_TOKEN".to_owned(), token),
        (None, _, Some(named)) => read(&PathBuf::from(named))?,
        (None, _, None) => return Ok(None),
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
    let what = "a token";
    let text = fs::read_to_string(path).map_err(|source| SetupError::File {
        path: path.to_owned(),
        what,
        source,
    })?;
    if text.trim().is_empty() {
        return Err(SetupError::Content { path: path.to_owned(), what: "token" });
    }
    Ok((path.display().to_string(), text))
}
