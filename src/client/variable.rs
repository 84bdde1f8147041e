//! Variables of the environment that commands read.

use std::env::{self, VarError};

use super::SetupError;

/// What a variable says; none where it is missing or empty.
///
/// # Errors
/// [`SetupError::Variable`] when it is no text: to go on without it would be to go on with something else.
pub(crate) fn variable(name: &'static str) -> Result<Option<String>, SetupError> {
    match env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(SetupError::Variable(name)),
    }
}
