//! What can be wrong with a configuration, said so that it can be mended without the manual.
//!
//! Why it exists: an operator should see every problem at once, each with its place, key, value and
//! what would be allowed. It refuses to stop at the first one. The node's state is always
//! "nothing was started".

use super::nearest::told;
use std::fmt;
use std::io;

use super::overlay::Origin;
use crate::private_file::PrivateFileError;

/// Every problem of one run, in order of precedence and line, one per line of text.
#[derive(Debug, thiserror::Error)]
pub(crate) struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Sorts the problems by the layer and line that they came from.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.origin.rank());
        Self { problems }
    }

    /// Every problem in one line, for who knows where they come from.
    pub(crate) fn in_one_line(&self) -> String {
        let faults: Vec<String> = self.problems.iter().map(Problem::without_origin).collect();
        faults.join("; ")
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is refused:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// One problem and where it came from.
#[derive(Debug)]
pub(super) struct Problem {
    /// The layer, and the place in it.
    pub(super) origin: Origin,
    /// Dotted path of the key; empty when the whole layer is meant.
    pub(super) key: String,
    /// The value as TOML, if there is one to show.
    pub(super) value: Option<toml::Value>,
    /// What is wrong.
    pub(super) fault: Fault,
}

impl Problem {
    fn without_origin(&self) -> String {
        let (whole, origin) = (self.to_string(), format!("{}: ", self.origin));
        whole.strip_prefix(&origin).unwrap_or(&whole).to_owned()
    }
}

/// Longest value shown in a message, in characters.
const MAX_SHOWN: usize = 80;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            f.write_str(&self.key)?;
            if let Some(value) = &self.value {
                // One line per problem, whatever the value holds.
                let text = value.to_string();
                let clean = |c: char| if c.is_control() { ' ' } else { c };
                let shown: String = text.chars().take(MAX_SHOWN).map(clean).collect();
                let dots = if text.chars().count() > MAX_SHOWN { "…" } else { "" };
                write!(f, " = {shown}{dots}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}", self.fault)
    }
}

/// What is wrong with a layer, a key or a value.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// The file is longer than any configuration.
    #[error("longer than {most} bytes; this is no configuration")]
    TooLong {
        /// Bytes allowed.
        most: u64,
    },
    /// The file is not TOML.
    #[error("not TOML: {0}")]
    Syntax(String),
    /// A key of the file that no room knows.
    #[error("unknown key{}", told("known key ", nearest))]
    UnknownKey {
        /// Dotted path; empty when none looks like it.
        nearest: String,
    },
    /// A variable that no room knows.
    #[error("unknown variable{}", told("known variable ", nearest))]
    UnknownVariable {
        /// Name of the variable; empty when none looks like it.
        nearest: String,
    },
    /// A variable that is not text.
    #[error("not UTF-8")]
    NotUnicode,
    /// A value where a section belongs.
    #[error("is a section; write it as [{0}] with keys below")]
    NotASection(String),
    /// A value of the wrong type.
    #[error("must be {expected}, not {found}")]
    Type {
        /// What was asked for.
        expected: &'static str,
        /// The TOML type that was given.
        found: &'static str,
    },
    /// A value of the right type that is not allowed.
    #[error("must be {allowed} ({help})")]
    Value {
        /// The allowed range or form, with its unit.
        allowed: String,
        /// What the key is.
        help: &'static str,
    },
    /// A value that is none of the choices.
    #[error("must be one of {choices}{}", told("", nearest))]
    Choice {
        /// All of them.
        choices: String,
        /// One of them; empty when none looks like it.
        nearest: String,
    },
    /// A value that no layer may set twice.
    #[error("given twice; the other value is {other}")]
    Twice {
        /// The value given first.
        other: toml::Value,
    },
    /// A store name outside the grammar.
    #[error(
        "{name:?} is no store name: 1 to 63 of a-z, 0-9, _ and -, and the first a letter or digit"
    )]
    StoreName {
        /// The name given.
        name: String,
    },
    /// A store without a backend.
    #[error("the store needs a backend, one of {known} (naming a store replaces the default set)")]
    NoBackend {
        /// All known backends.
        known: String,
    },
    /// A key that the store's backend cannot obey.
    #[error("does nothing for a store on {backend}: {why}; only {only} takes it")]
    NotForBackend {
        /// The store's backend.
        backend: String,
        /// The backends that obey the key.
        only: String,
        /// Why this one does not.
        why: &'static str,
    },
    /// The host name cannot be the node's name.
    #[error("the host name cannot be the node's name; give one with --name or node.name")]
    HostName,
    /// Two settings that contradict each other.
    #[error("{0}")]
    Conflict(String),
    /// Tokens that are none. It is not said what was given: it may be a token.
    #[error(
        "must be a list of {{ name = \"app\", role = \"write\", sha256 = \"<64 digits>\" }}: {0}"
    )]
    Tokens(String),
    /// Tokens where only text can be given.
    #[error(
        "is a list of tables, which belongs into a file: name one with GRIDKV_AUTH__TOKENS_FILE"
    )]
    TokensAsText,
    /// A file with a secret that is not taken.
    #[error("{0}")]
    PrivateFile(#[source] PrivateFileError),
    /// A listener that strangers could reach.
    #[error(
        "can be reached from other machines, and there is no authentication: whoever reaches it may \
         read and change everything. Set auth.tokens and http.tls, listen on a loopback address such as \
         127.0.0.1, or, if the network itself keeps strangers out, start with \
         --insecure-expose-without-auth"
    )]
    Exposed,
    /// A listener to which tokens would be sent in clear.
    #[error(
        "can be reached from other machines, and without TLS every token would cross the network in \
         clear. Set http.tls.cert and http.tls.key, listen on a loopback address such as 127.0.0.1, or, \
         if the network itself keeps strangers out, start with --insecure-expose-without-auth"
    )]
    InClear,
    /// A listener to which any node could connect.
    #[error(
        "can be reached from other machines, and there is no authentication between nodes: whoever \
         reaches it may read and change everything. Set peers.tls or peers.secret, listen on a loopback \
         address such as 127.0.0.1, or, if the network itself keeps strangers out, start with \
         --insecure-expose-without-auth"
    )]
    UnprovenPeers,
    /// The table of keys and the types disagree: a fault of the program.
    #[error("the checked values do not fit the types: {0}")]
    Mismatch(#[source] Box<toml::de::Error>),
}
