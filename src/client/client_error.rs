//! Why there is no answer, and what that means for the state.

use std::io;
use std::path::PathBuf;

use super::Problem;

/// A request without an answer to go on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody could be connected to. Nothing was sent.
    #[error("no node can be reached: {}", list(tried))]
    Unreachable {
        /// Each URL, and why not.
        tried: Vec<(String, String)>,
    },
    /// The other side could not be trusted, or there is no TLS. Nothing was sent.
    #[error("{url} can not be trusted: {why}; nothing was sent")]
    Untrusted {
        /// Which.
        url: String,
        /// Why.
        why: String,
    },
    /// A write may have arrived, and nobody answered.
    #[error(
        "unknown: {url} did not say what became of the write ({why}); it may have been made, so look before you \
         repeat it"
    )]
    Unknown {
        /// Which.
        url: String,
        /// What happened instead.
        why: String,
    },
    /// A read that nobody answered. Nothing was changed.
    #[error("{url} gave no answer: {why}")]
    NoAnswer {
        /// Which.
        url: String,
        /// What happened instead.
        why: String,
    },
    /// The answer began and did not end.
    #[error("the answer of {url} broke off: {why}")]
    BrokenOff {
        /// Which.
        url: String,
        /// How.
        why: String,
    },
    /// The answer is none that a node of this version gives.
    #[error("{url} answered strangely: {what}")]
    Strange {
        /// Which.
        url: String,
        /// What is strange.
        what: String,
    },
    /// No request can be made of what was given. Nothing was sent.
    #[error("no request can be made of this: {why}")]
    Malformed {
        /// Why.
        why: String,
    },
    /// The node refused.
    #[error(transparent)]
    Refused(Box<Problem>),
}

fn list(tried: &[(String, String)]) -> String {
    let each: Vec<String> = tried.iter().map(|(url, why)| format!("{url} ({why})")).collect();
    each.join(", ")
}

/// Options of which no client can be made. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// Not the URL of a node.
    #[error("`{0}` is not the URL of a node; write http://HOST:PORT or https://HOST:PORT")]
    Url(String),
    /// https without an authority.
    #[error("https needs --ca FILE (or GRIDKV_CA): the authority of the nodes' certificates")]
    NoAuthority,
    /// A token that would be sent in clear.
    #[error(
        "{0} would get the token in clear: nothing was sent; write https:// and name the nodes' authority with --ca \
         FILE (or GRIDKV_CA); in clear, a token is sent to this machine only, and only without an authority"
    )]
    TokenInClear(String),
    /// A file can not be read.
    #[error("can not read {path} ({what})", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path} holds no {what}", path = path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A variable of the environment that is no text.
    #[error("the variable {0} is not UTF-8: give it another value, or unset it")]
    Variable(&'static str),
    /// A token of other characters.
    #[error("the token of {0} has characters that no token has")]
    Token(String),
}
