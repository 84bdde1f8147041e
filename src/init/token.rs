//! Tokens of clients: 256 random bits each, of which nodes keep a digest.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gridkv_http::Role;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::InitError;

/// What a token begins with, so that it is known where it should not be.
const PREFIX: &str = "gkv_";

/// A new token.
pub(crate) struct Token {
    /// What it allows.
    pub(crate) role: Role,
    /// What its owner says.
    pub(crate) text: String,
}

impl Token {
    /// One for this role.
    ///
    /// # Errors
    /// [`InitError::NoRandomness`].
    pub(crate) fn make(role: Role) -> Result<Self, InitError> {
        let mut bits = [0; 32];
        SystemRandom::new().fill(&mut bits).map_err(|_| InitError::NoRandomness)?;
        Ok(Self { role, text: format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits)) })
    }

    /// The line that tells a node of it, under this name.
    pub(crate) fn line(&self, name: &str) -> String {
        let (role, sha256) = (self.role.as_str(), self.sha256());
        format!("{{ name = \"{name}\", role = \"{role}\", sha256 = \"{sha256}\" }},")
    }

    /// What nodes know of it.
    pub(crate) fn sha256(&self) -> String {
        digest(&SHA256, self.text.as_bytes()).as_ref().iter().fold(
            String::new(),
            |mut text, byte| {
                write!(text, "{byte:02x}").unwrap_or_default(); // a String takes all
                text
            },
        )
    }
}

/// The file that tells a node of these tokens.
pub(super) fn file(tokens: &[Token]) -> String {
    let mut text = "# What this node knows of the tokens: digests, as sha256sum prints them. Read again on SIGHUP.\n\
                    # To replace a token add the new one, send SIGHUP, and take the old one out when nobody has it any more.\n\
                    tokens = [\n"
        .to_owned();
    for token in tokens {
        writeln!(text, "  {}", token.line(token.role.as_str())).unwrap_or_default();
    }
    text.push_str("]\n");
    text
}
