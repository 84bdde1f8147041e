//! An authority that tests make, and what it certifies.

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::credentials::{cluster_name, node_name};
use crate::peer_security::Papers;

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Now,
    Over,
    ToCome,
}

/// An authority of a test.
pub(crate) struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// What a node of a cluster has of this authority.
    pub(crate) fn papers(&self, cluster: &str, node: &str, span: Span) -> Papers {
        let names = vec![cluster_name(cluster), node_name(node)];
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = match span {
            Span::Now => (date_time_ymd(2000, 1, 1), date_time_ymd(4000, 1, 1)),
            Span::Over => (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1)),
            Span::ToCome => (date_time_ymd(3999, 1, 1), date_time_ymd(4000, 1, 1)),
        };
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Papers { authorities: vec![self.certificate.clone()], chain: vec![own], key: der(&key) }
    }

    /// Its own certificate and key.
    pub(crate) fn own(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        (self.certificate.clone(), der(self.issuer.key()))
    }
}

fn der(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}
