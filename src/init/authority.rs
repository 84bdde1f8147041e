//! A cluster's authority, and the certificates that it makes.
//!
//! A node's certificate serves its clients and its peers: it has the names by which nodes know each other, and those
//! by which clients reach it.

use std::time::Duration;

use gridkv_actors::credentials::{cluster_name, node_name};
use gridkv_actors::peer_security::Papers;
use gridkv_protocol::UnixMs;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::tls::Validity;

/// How long an authority is valid: its nodes' certificates are renewed many times before.
const AUTHORITY_DAYS: Days = Days(3_652);

/// Certificates are valid since a day before they were made: clocks of machines differ.
const BEFORE: Duration = Duration::from_hours(24);

/// A number of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Days(pub(crate) u64);

impl Days {
    fn duration(self) -> Duration {
        Duration::from_secs(self.0.saturating_mul(24 * 60 * 60))
    }
}

/// Why an authority can not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    /// A key or certificate can not be made.
    #[error("can not make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// Its certificate is none.
    #[error("the authority's certificate can not be read: {0}")]
    Certificate(String),
    /// It ended.
    #[error("the authority ended; a new one is needed, for all nodes")]
    Ended,
}

/// Makes certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as PEM.
    certificate: String,
    ends: UnixMs,
}

/// What a certificate names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) node: &'a str,
    /// Names and addresses by which clients reach the node, besides this machine's own.
    pub(crate) hosts: &'a [String],
}

/// A certificate and its key, as PEM.
pub(crate) struct Made {
    pub(crate) certificate: String,
    pub(crate) key: String,
    /// When it ends.
    pub(crate) ends: UnixMs,
}

impl Authority {
    /// A new one.
    pub(crate) fn make(cluster: &str, now: UnixMs) -> Result<Self, AuthorityError> {
        let mut params = params(cluster);
        let ends = set_life(&mut params, now, AUTHORITY_DAYS, UnixMs(u64::MAX));
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate, ends })
    }

    /// One that was made before, of its certificate and key.
    pub(crate) fn load(
        cluster: &str,
        certificate: &str,
        key: &str,
    ) -> Result<Self, AuthorityError> {
        let bad = |error: String| AuthorityError::Certificate(error);
        let der = CertificateDer::from_pem_slice(certificate.as_bytes());
        let der = der.map_err(|error| bad(error.to_string()))?;
        let validity = Validity::of(&der).ok_or_else(|| bad("it tells no end".to_owned()))?;
        let issuer = Issuer::new(params(cluster), KeyPair::from_pem(key)?);
        Ok(Self { issuer, certificate: certificate.to_owned(), ends: validity.to })
    }

    /// Its certificate, as PEM.
    pub(crate) fn certificate(&self) -> String {
        self.certificate.clone()
    }

    /// Its key, as PEM.
    pub(crate) fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// When it ends.
    pub(crate) fn ends(&self) -> UnixMs {
        self.ends
    }

    /// A new certificate with a new key. It ends with the authority at the latest.
    pub(crate) fn certify(
        &self,
        names: &Names<'_>,
        days: Days,
        now: UnixMs,
    ) -> Result<Made, AuthorityError> {
        if self.ends <= now {
            return Err(AuthorityError::Ended);
        }
        let own = [cluster_name(names.cluster), node_name(names.node)];
        let here = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let all = own.into_iter().chain(here).chain(names.hosts.iter().cloned());
        let mut params = CertificateParams::new(all.collect::<Vec<_>>())?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, node_name(names.node));
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let ends = set_life(&mut params, now, days, self.ends);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Made { certificate, key: key.serialize_pem(), ends })
    }

    /// What a node of this authority has that was given `made`.
    pub(crate) fn papers(&self, made: &Made) -> Result<Papers, AuthorityError> {
        let parse = |pem: &str| {
            let der = CertificateDer::from_pem_slice(pem.as_bytes());
            der.map_err(|error| AuthorityError::Certificate(error.to_string()))
        };
        let key = PrivateKeyDer::from_pem_slice(made.key.as_bytes());
        let key = key.map_err(|error| AuthorityError::Certificate(error.to_string()))?;
        let (authority, own) = (parse(&self.certificate)?, parse(&made.certificate)?);
        Ok(Papers { authorities: vec![authority], chain: vec![own], key })
    }
}

/// What an authority is; the same again when it is loaded, because what it makes names it.
fn params(cluster: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("GridKV cluster {cluster}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Says how long a certificate is valid, and returns when it ends: in whole seconds.
fn set_life(params: &mut CertificateParams, now: UnixMs, days: Days, most: UnixMs) -> UnixMs {
    let seconds = |moment: Duration| Duration::from_secs(moment.as_secs());
    let now = Duration::from_millis(now.0);
    let end = seconds(now.saturating_add(days.duration()).min(Duration::from_millis(most.0)));
    // The last second of the year 9999 is the last that a certificate can say.
    let end = end.min(Duration::from_secs(253_402_300_799));
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + seconds(now.saturating_sub(BEFORE));
    params.not_after = epoch + end;
    UnixMs(u64::try_from(end.as_millis()).unwrap_or(u64::MAX))
}
