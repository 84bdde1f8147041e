//! `[auth]`: who may do what. Nobody is asked while there is no token.

use std::fmt;
use std::path::PathBuf;

use gridkv_http::Role;
use serde::{Deserialize, Deserializer};

use super::hex;

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthConfig {
    /// The tokens of the configuration, then those of `tokens_file`. None: whoever connects has every role.
    pub(crate) tokens: Vec<TokenConfig>,
    /// A file with more tokens.
    #[serde(deserialize_with = "super::non_empty_path")]
    pub(crate) tokens_file: Option<PathBuf>,
}

/// One token. Several may have the same name: while one takes the place of the other.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenConfig {
    /// Who has it, for people.
    pub(crate) name: String,
    /// What it allows.
    #[serde(deserialize_with = "role")]
    pub(crate) role: Role,
    /// What is known of it.
    pub(crate) sha256: TokenDigest,
}

/// The SHA-256 of a token: the node never has the token itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenDigest(pub(crate) [u8; 32]);

fn role<'de, D: Deserializer<'de>>(from: D) -> Result<Role, D::Error> {
    let word = String::deserialize(from)?;
    Role::of(&word).ok_or_else(|| serde::de::Error::custom("no role"))
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(super::secret::MASK)
    }
}

impl<'de> Deserialize<'de> for TokenDigest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let no_digest = || serde::de::Error::custom("not 64 hexadecimal digits");
        hex::bytes(&text).map(Self).ok_or_else(no_digest)
    }
}
