//! Certificates and keys in PEM files.

use std::io::Read as _;
use std::path::Path;

use gridkv_protocol::UnixMs;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;
use super::validity::Validity;
use crate::config::TlsFiles;
use crate::private_file;

/// Bytes of a certificate file that are looked at: far above any chain.
const MAX_BYTES: u64 = 1 << 20;

/// What the two files of a section hold.
#[derive(PartialEq, Eq)]
pub(super) struct Texts {
    certificate: Vec<u8>,
    key: String,
}

/// A certificate with those between it and its authority, and its key.
pub(super) struct Pair {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// When the first of them ends.
    pub(super) ends: UnixMs,
}

/// The settings that name the two files.
type Keys = (&'static str, &'static str);

/// The bytes of the file that `key` names.
pub(super) fn read(path: &Path, key: &'static str) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { key, path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = private_file::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// The certificates in these bytes, which are of the file that `key` names; one at least.
pub(super) fn certificates(
    bytes: &[u8],
    path: &Path,
    key: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let parsed = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
    let certificates = parsed.map_err(|error| bad(&error, path, key, "certificate"))?;
    if certificates.is_empty() {
        return Err(TlsError::Empty { key, path: path.to_owned(), what: "certificate" });
    }
    Ok(certificates)
}

/// From when to when each is valid, as far as it can be read.
pub(super) fn validities<'a>(
    certificates: &'a [CertificateDer<'static>],
) -> impl Iterator<Item = Validity> + 'a {
    certificates.iter().filter_map(|certificate| Validity::of(certificate))
}

impl Texts {
    /// Those of the files of a section.
    pub(super) fn read(files: &TlsFiles, (cert_key, key_key): Keys) -> Result<Self, TlsError> {
        let certificate = read(&files.cert, cert_key)?;
        let key = private_file::read(&files.key);
        let key = key.map_err(|source| TlsError::Private { key: key_key, source })?;
        Ok(Self { certificate, key })
    }

    /// The certificate and key in them, valid `now`.
    pub(super) fn pair(
        &self,
        files: &TlsFiles,
        (cert_key, key_key): Keys,
        now: UnixMs,
    ) -> Result<Pair, TlsError> {
        let chain = certificates(&self.certificate, &files.cert, cert_key)?;
        for Validity { from, to } in validities(&chain) {
            if now < from || now >= to {
                let path = files.cert.clone();
                return Err(TlsError::NotNow { key: cert_key, path, from, to });
            }
        }
        let ends = validities(&chain).map(|validity| validity.to).min();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())
            .map_err(|error| bad(&error, &files.key, key_key, "key"))?;
        Ok(Pair { chain, key, ends: ends.unwrap_or(UnixMs(u64::MAX)) })
    }
}

fn bad(error: &PemError, path: &Path, key: &'static str, what: &'static str) -> TlsError {
    let path = path.to_owned();
    if matches!(error, PemError::NoItemsFound) {
        TlsError::Empty { key, path, what }
    } else {
        TlsError::Malformed { key, path, why: error.to_string() }
    }
}
