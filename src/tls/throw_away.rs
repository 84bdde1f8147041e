//! A certificate that proves nothing, for nodes that prove a secret instead: TLS does not begin without one.

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate that signed itself, and its key. Nobody keeps them.
///
/// # Errors
/// When the system gives no random bytes.
pub(super) fn certificate()
-> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["secret.cluster.gridkv".to_owned()])?;
    let certificate = certificate.self_signed(&key)?.der().clone();
    Ok((certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}
