//! Why two nodes do not come to a safe connection, in words that say which setting to look at.
//!
//! A fault of TLS is an alert of one word, seen by one side. Here it is said whose certificate is meant, and what
//! is wrong with it.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// Why a connection is not safe. Nothing was said over it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The other side sent something else than TLS.
    #[error(
        "what came is no TLS: the other side has neither peers.tls nor peers.secret, or is no node"
    )]
    NotTls,
    /// The other side speaks TLS, and this one does not.
    #[error("the other side speaks TLS, and this node has neither peers.tls nor peers.secret")]
    SpeaksTls,
    /// It ended before it was safe.
    #[error(
        "the connection ended during the TLS handshake: the other side may have neither peers.tls nor peers.secret"
    )]
    Ended,
    /// One side shows certificates, the other one proves a secret.
    #[error("one side has peers.tls and the other peers.secret, or it is no port for peers")]
    OtherWay,
    /// It showed no certificate.
    #[error("it showed no certificate")]
    NoCertificate,
    /// Its certificate is of another authority.
    #[error("its certificate is of another authority than peers.tls.ca")]
    OtherAuthority,
    /// Its certificate has expired.
    #[error("its certificate has expired")]
    Expired,
    /// Its certificate is not valid yet.
    #[error("its certificate is not valid yet; check the clocks of both machines")]
    NotValidYet,
    /// Its certificate is of another cluster.
    #[error("its certificate is of another cluster")]
    OtherCluster,
    /// Its certificate can not be used.
    #[error("its certificate can not be used: {0}")]
    BadCertificate(String),
    /// The other side refuses this node's certificate.
    #[error("it refuses this node's certificate: {0}")]
    RefusesOurs(&'static str),
    /// The other side did not prove that it knows the secret.
    #[error("it did not prove that it knows the secret: its peers.secret is another one")]
    NoProof,
    /// Something else.
    #[error("TLS failed: {0}")]
    Other(String),
}

impl TlsFault {
    /// The same without what a library said.
    pub(crate) fn in_short(&self) -> String {
        match self {
            Self::BadCertificate(_) => "its certificate can not be used".to_owned(),
            Self::Other(_) => "TLS failed; the log of this node says how".to_owned(),
            Self::NotTls
            | Self::SpeaksTls
            | Self::Ended
            | Self::OtherWay
            | Self::NoCertificate
            | Self::OtherAuthority
            | Self::Expired
            | Self::NotValidYet
            | Self::OtherCluster
            | Self::RefusesOurs(_)
            | Self::NoProof => self.to_string(),
        }
    }

    /// What an error of TLS means to a node.
    pub(crate) fn of(error: &Error) -> Self {
        if let Error::InvalidCertificate(error) = error {
            return Self::of_certificate(error);
        }
        if let Error::AlertReceived(alert) = error {
            return Self::of_alert(*alert);
        }
        if matches!(error, Error::InvalidMessage(_)) {
            return Self::NotTls;
        }
        if matches!(error, Error::NoApplicationProtocol) {
            return Self::OtherWay;
        }
        if matches!(error, Error::NoCertificatesPresented) {
            return Self::NoCertificate;
        }
        Self::Other(error.to_string())
    }

    fn of_certificate(error: &CertificateError) -> Self {
        use CertificateError as E;
        if matches!(error, E::Expired | E::ExpiredContext { .. }) {
            Self::Expired
        } else if matches!(error, E::NotValidYet | E::NotValidYetContext { .. }) {
            Self::NotValidYet
        } else if matches!(error, E::UnknownIssuer | E::BadSignature) {
            Self::OtherAuthority
        } else if matches!(error, E::NotValidForName | E::NotValidForNameContext { .. }) {
            Self::OtherCluster
        } else {
            Self::BadCertificate(error.to_string())
        }
    }

    fn of_alert(alert: AlertDescription) -> Self {
        use AlertDescription as A;
        let ours = [
            (A::UnknownCA, "it is of another authority than that node's peers.tls.ca"),
            (A::CertificateExpired, "it has expired, or the clocks of the two disagree"),
            (A::CertificateRequired, "none was shown"),
            (A::DecryptError, "its key or its authority is another one"),
            (A::BadCertificate, "it can not be used"),
            (A::UnsupportedCertificate, "it is not made for this use"),
            (A::CertificateUnknown, "it can not be judged"),
            (A::AccessDenied, "it is of another cluster"),
        ];
        if let Some((_, words)) = ours.iter().find(|(known, _)| *known == alert) {
            return Self::RefusesOurs(words);
        }
        if alert == A::NoApplicationProtocol {
            return Self::OtherWay;
        }
        Self::Other(format!("the other side said {alert:?}"))
    }

    /// The same of a handshake that this side began and that did not come to its end: whoever refuses it has not
    /// proved who it is, and could be anybody on the way.
    pub(crate) fn of_dialling(error: &io::Error) -> Self {
        let fault = Self::of_handshake(error);
        if fault.is_refusal() {
            return Self::Other("it ended the handshake with an alert".to_owned());
        }
        fault
    }

    /// Whether the other side, which proved who it is, does not take this node.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::RefusesOurs(_))
    }

    /// The fault behind an error of a stream, if TLS is.
    pub(crate) fn behind(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref()?;
        let known = inner.downcast_ref::<Self>().cloned();
        known.or_else(|| inner.downcast_ref::<Error>().map(Self::of))
    }

    /// What an error of a handshake means.
    pub(crate) fn of_handshake(error: &io::Error) -> Self {
        const ENDS: [io::ErrorKind; 4] = [
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::BrokenPipe,
        ];
        match Self::behind(error) {
            Some(fault) => fault,
            None if ENDS.contains(&error.kind()) => Self::Ended,
            None => Self::Other(error.to_string()),
        }
    }
}

/// Whether these bytes, where a frame should begin, are the beginning of TLS: a handshake or an alert of a
/// version 3.
pub(crate) fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, ..])
}
