//! Whom a client believes over TLS: those whom one authority vouches for, and nobody else.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::SetupError;
use crate::bounded;

/// Bytes of a file with authorities, at most: some hundred certificates.
const MAX_AUTHORITY_BYTES: u64 = 1 << 20;

/// TLS that trusts the certificates of a file only.
pub(super) fn only(path: &Path) -> Result<TlsConfig, SetupError> {
    let (path, what) = (path.to_owned(), "certificate");
    let pem = match bounded::file(&path, MAX_AUTHORITY_BYTES) {
        Ok(pem) => pem,
        Err(source) => return Err(SetupError::File { path, what: "the authority", source }),
    };
    let mut roots: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => roots.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(SetupError::Content { path, what }),
        }
    }
    if roots.is_empty() {
        return Err(SetupError::Content { path, what });
    }
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}
