//! What makes connections between nodes safe: nothing, certificates of one authority, or a secret.
//!
//! It takes what the program has read and makes of it the two ends of TLS 1.3. It refuses a certificate that
//! peers would refuse: another authority's, one that is not valid now, one that names neither the cluster nor
//! the node. It opens no file, and shows no key.
//!
//! CAVEATS: there are no lists of revoked certificates; who is out is left out of `allow`, or the authority is
//! made anew. Connections that are open outlive the certificate that they began with. Whoever knows the secret
//! may be any node; a weak one can be guessed by whoever once answered a dial, so it has to be long.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gridkv_protocol::UnixMs;
use gridkv_protocol::limits::LEAST_SECRET_BYTES;
use ring::hmac;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};

use crate::credentials::{Credentials, cluster_name, node_name};
use crate::tls_fault::TlsFault;

/// What is spoken inside TLS, where both show certificates.
const MUTUAL_ALPN: &[u8] = b"gridkv-peer/1";
/// The same where both prove a secret first.
const SECRET_ALPN: &[u8] = b"gridkv-peer-secret/1";

/// How connections between nodes are made safe.
#[derive(Clone, Debug, Default)]
pub enum PeerSecurity {
    /// Not at all: anyone who reaches the port may be a node.
    #[default]
    Plain,
    /// TLS 1.3; both sides have a certificate that names them, of one authority.
    Mutual(Arc<Mutual>),
    /// TLS 1.3; both sides prove that they know a secret.
    Secret(Arc<Secret>),
}

/// Why certificates or a secret can not be used. What was used before still is.
#[derive(Debug, thiserror::Error)]
pub enum SecurityError {
    /// A name that no certificate can have.
    #[error(
        "{0:?} can not stand in a certificate: a name of at most 63 letters, digits and dashes can"
    )]
    Name(String),
    /// The authority's certificate is none.
    #[error("the authority's certificate can not be used: {0}")]
    Authority(String),
    /// The node's certificate and key can not be used.
    #[error("the certificate can not be used with its key: {0}")]
    Certificate(#[source] rustls::Error),
    /// Peers would refuse the node's certificate.
    #[error("peers would refuse the certificate: {0}")]
    Refused(TlsFault),
    /// The node's certificate names other nodes.
    #[error("the certificate is of another node: it does not name {wanted:?}, but {names}")]
    OtherNode {
        /// The name that it should have.
        wanted: String,
        /// Those that it has.
        names: String,
    },
    /// The secret can be guessed.
    #[error("the secret has fewer than {LEAST_SECRET_BYTES} characters")]
    ShortSecret,
}

/// Certificates as they were read.
pub struct Papers {
    /// Those of the authorities that peers' certificates must be of.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The node's own, and those between it and the authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the node's own.
    pub key: PrivateKeyDer<'static>,
}

/// Both ends of a connection.
#[derive(Clone)]
pub(crate) struct Ends {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
}

/// Certificates on both sides.
pub struct Mutual {
    holds: ArcSwap<Holds>,
    cluster: String,
    node: String,
    server_name: ServerName<'static>,
}

/// What holds of it until it is replaced.
struct Holds {
    ends: Ends,
    /// The nodes whose certificates are taken; empty: every one of the authority.
    allow: BTreeSet<String>,
}

/// Other certificates, found good, for [`Mutual::take`].
pub struct Renewal(Holds);

impl Mutual {
    /// The certificates of node `node` of `cluster`, which takes connections of the nodes in `allow`, or of all
    /// that its authority knows if that is empty.
    ///
    /// # Errors
    /// [`SecurityError`] when peers would refuse them.
    pub fn new(
        (cluster, node): (&str, &str),
        papers: Papers,
        allow: impl IntoIterator<Item = String>,
        now: UnixMs,
    ) -> Result<Self, SecurityError> {
        let name = |name: String| {
            ServerName::try_from(name.clone()).map_err(|_| SecurityError::Name(name))
        };
        let server_name = name(cluster_name(cluster))?;
        name(node_name(node))?;
        let ends = mutual_ends(&server_name, node, papers, now)?;
        let holds = ArcSwap::from_pointee(Holds { ends, allow: allow.into_iter().collect() });
        let (cluster, node) = (cluster.to_owned(), node.to_owned());
        Ok(Self { holds, cluster, node, server_name })
    }

    /// Judges other certificates, and other nodes that are let in, as [`Mutual::new`] does. Nothing changes yet.
    ///
    /// # Errors
    /// [`SecurityError`] when peers would refuse them.
    pub fn prepare(
        &self,
        papers: Papers,
        allow: impl IntoIterator<Item = String>,
        now: UnixMs,
    ) -> Result<Renewal, SecurityError> {
        let ends = mutual_ends(&self.server_name, &self.node, papers, now)?;
        Ok(Renewal(Holds { ends, allow: allow.into_iter().collect() }))
    }

    /// Goes on with these. Connections that are open stay.
    pub fn take(&self, Renewal(holds): Renewal) {
        self.holds.store(Arc::new(holds));
    }

    /// What a node may have come to have whose certificate peers do not take (any more).
    #[cfg(test)]
    pub(crate) fn unchecked((cluster, node): (&str, &str), papers: Papers) -> Self {
        let server_name = ServerName::try_from(cluster_name(cluster)).unwrap();
        let ends = assemble(&verifiers(papers.authorities).unwrap(), papers.chain, papers.key);
        let holds = Holds { ends: ends.unwrap(), allow: BTreeSet::new() };
        let (holds, cluster) = (ArcSwap::from_pointee(holds), cluster.to_owned());
        Self { holds, cluster, node: node.to_owned(), server_name }
    }

    pub(crate) fn ends(&self) -> Ends {
        self.holds.load().ends.clone()
    }

    pub(crate) fn server_name(&self) -> ServerName<'static> {
        self.server_name.clone()
    }
}

impl PeerSecurity {
    /// Why a connection whose other end showed `credentials` is not that of a node named `name`, whose identity
    /// is known as `known`; `None` when it may be.
    pub(crate) fn objection(
        &self,
        credentials: &Credentials,
        name: &str,
        known: Option<&str>,
    ) -> Option<String> {
        let Self::Mutual(mutual) = self else { return None };
        if !credentials.name_cluster(&mutual.cluster) {
            return Some(format!("its certificate is not of cluster {:?}", mutual.cluster));
        }
        if !credentials.name_node(name) {
            let shown = credentials.to_string();
            return Some(format!("its certificate is not that of {name:?}, but names {shown}"));
        }
        if let Some(known) = known.filter(|known| !credentials.name_node(known)) {
            return Some(format!(
                "its identity is that of {known:?}, and its certificate names only {credentials}"
            ));
        }
        let allow = &mutual.holds.load().allow;
        let allowed = allow.is_empty() || name == mutual.node || allow.contains(name);
        (!allowed).then(|| format!("{name:?} is not among the names of peers.tls.allow"))
    }
}

/// Judges certificates of peers, as clients and as servers.
struct Verifiers {
    provider: Arc<CryptoProvider>,
    of_clients: Arc<dyn ClientCertVerifier>,
    of_servers: Arc<WebPkiServerVerifier>,
}

fn verifiers(authorities: Vec<CertificateDer<'static>>) -> Result<Verifiers, SecurityError> {
    fn unfit(error: impl fmt::Display) -> SecurityError {
        SecurityError::Authority(error.to_string())
    }
    let mut roots = RootCertStore::empty();
    for certificate in authorities {
        roots.add(certificate).map_err(unfit)?;
    }
    let (roots, provider) = (Arc::new(roots), Arc::new(provider::default_provider()));
    let (its, own) = (Arc::clone(&roots), Arc::clone(&provider));
    let of_clients = WebPkiClientVerifier::builder_with_provider(its, own).build();
    let own = Arc::clone(&provider);
    let of_servers = WebPkiServerVerifier::builder_with_provider(roots, own).build();
    let (of_clients, of_servers) = (of_clients.map_err(unfit)?, of_servers.map_err(unfit)?);
    Ok(Verifiers { provider, of_clients, of_servers })
}

/// Both ends, once everything was looked at that a peer will look at.
fn mutual_ends(
    server_name: &ServerName<'static>,
    node: &str,
    papers: Papers,
    now: UnixMs,
) -> Result<Ends, SecurityError> {
    let verifiers = verifiers(papers.authorities)?;
    let Some((own, between)) = papers.chain.split_first() else {
        return Err(SecurityError::Refused(TlsFault::NoCertificate));
    };
    let at = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
    let refused = |error: rustls::Error| SecurityError::Refused(TlsFault::of(&error));
    let Verifiers { of_clients, of_servers, .. } = &verifiers;
    of_clients.verify_client_cert(own, between, at).map_err(refused)?;
    of_servers.verify_server_cert(own, between, server_name, &[], at).map_err(refused)?;
    let names = Credentials::of(own).map_err(SecurityError::Refused)?;
    if !names.name_node(node) {
        let (wanted, names) = (node_name(node), names.to_string());
        return Err(SecurityError::OtherNode { wanted, names });
    }
    assemble(&verifiers, papers.chain, papers.key)
}

fn assemble(
    verifiers: &Verifiers,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Ends, SecurityError> {
    let server = server_builder(&verifiers.provider)?
        .with_client_cert_verifier(Arc::clone(&verifiers.of_clients))
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(SecurityError::Certificate)?;
    let of_servers = Arc::clone(&verifiers.of_servers);
    let client = client_builder(&verifiers.provider)?
        .dangerous()
        .with_custom_certificate_verifier(of_servers)
        .with_client_auth_cert(chain, key)
        .map_err(SecurityError::Certificate)?;
    Ok(finish(client, server, MUTUAL_ALPN))
}

type Wants<S, V> = rustls::ConfigBuilder<S, V>;

fn server_builder(
    provider: &Arc<CryptoProvider>,
) -> Result<Wants<ServerConfig, rustls::WantsVerifier>, SecurityError> {
    ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(SecurityError::Certificate)
}

fn client_builder(
    provider: &Arc<CryptoProvider>,
) -> Result<Wants<ClientConfig, rustls::WantsVerifier>, SecurityError> {
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(SecurityError::Certificate)
}

/// Nothing is taken up from an earlier connection: each shows its certificates, or proves the secret.
fn finish(mut client: ClientConfig, mut server: ServerConfig, alpn: &[u8]) -> Ends {
    client.resumption = Resumption::disabled();
    client.alpn_protocols = vec![alpn.to_vec()];
    server.send_tls13_tickets = 0;
    server.alpn_protocols = vec![alpn.to_vec()];
    Ends { client: Arc::new(client), server: Arc::new(server) }
}

/// A secret that all nodes of a cluster know.
pub struct Secret {
    pub(crate) key: hmac::Key,
    pub(crate) ends: Ends,
    pub(crate) server_name: ServerName<'static>,
}

impl Secret {
    /// A secret, and a certificate that is thrown away when the node ends: it proves nothing, the secret does.
    ///
    /// # Errors
    /// [`SecurityError`] for a short secret, or a certificate that does not go with its key.
    pub fn new(
        secret: &str,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, SecurityError> {
        if secret.len() < LEAST_SECRET_BYTES {
            return Err(SecurityError::ShortSecret);
        }
        let provider = Arc::new(provider::default_provider());
        let server = server_builder(&provider)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .map_err(SecurityError::Certificate)?;
        let anyone = Arc::new(Anyone { provider: Arc::clone(&provider) });
        let client = client_builder(&provider)?
            .dangerous()
            .with_custom_certificate_verifier(anyone)
            .with_no_client_auth();
        let name = cluster_name("secret");
        let server_name = ServerName::try_from(name.clone());
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            ends: finish(client, server, SECRET_ALPN),
            server_name: server_name.map_err(|_| SecurityError::Name(name))?,
        })
    }
}

impl PeerSecurity {
    /// What both ends must have agreed to speak; `None` where there is no TLS.
    pub(crate) fn alpn(&self) -> Option<&'static [u8]> {
        match self {
            Self::Plain => None,
            Self::Mutual(_) => Some(MUTUAL_ALPN),
            Self::Secret(_) => Some(SECRET_ALPN),
        }
    }
}

/// Takes whatever certificate comes, but only from who has its key: the keys of the connection are then shared
/// with one other end, and that end has to prove the secret over them.
#[derive(Debug)]
struct Anyone {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken between nodes".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Mutual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutual").field("node", &self.node).finish_non_exhaustive()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
