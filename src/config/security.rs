//! `[http.tls]`, `[peers.tls]` and `peers.secret`: how a connection proves who it is.
//!
//! Paths only: whoever opens a listener reads the files, and judges what they hold.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use super::secret::Secret;

/// A certificate and its key, both as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The certificate, then those between it and the authority.
    pub(crate) cert: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
}

/// How nodes know each other by certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerTls {
    /// The authority that every node's certificate is of.
    pub(crate) ca: PathBuf,
    /// This node's certificate and key.
    pub(crate) files: TlsFiles,
    /// The names of the nodes that may connect; empty: all of that authority.
    pub(crate) allow: Vec<String>,
}

/// How nodes know each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerSecurity<'a> {
    /// Not at all.
    Plain,
    /// By certificates of one authority.
    Mutual(&'a PeerTls),
    /// By a secret that all know.
    Secret(&'a Secret),
}

/// As `[http.tls]` is written; nothing is an empty text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTable {
    cert: String,
    key: String,
}

/// As `[peers.tls]` is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerTable {
    ca: String,
    cert: String,
    key: String,
    allow: Vec<String>,
}

fn path(text: String) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

/// A field that is there when all of its files are; `security_rules` refuses some of them.
pub(super) fn http_tls<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TlsFiles>, D::Error> {
    let HttpTable { cert, key } = HttpTable::deserialize(from)?;
    Ok(path(cert).zip(path(key)).map(|(cert, key)| TlsFiles { cert, key }))
}

/// As [`http_tls`].
pub(super) fn peer_tls<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PeerTls>, D::Error> {
    let PeerTable { ca, cert, key, allow } = PeerTable::deserialize(from)?;
    let files = path(cert).zip(path(key)).map(|(cert, key)| TlsFiles { cert, key });
    Ok(path(ca).zip(files).map(|(ca, files)| PeerTls { ca, files, allow }))
}

/// A field that is a secret, or empty.
pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    let secret = Secret::deserialize(from)?;
    Ok((!secret.expose().is_empty()).then_some(secret))
}
