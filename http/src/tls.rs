//! The certificate that clients see, and the handshake before their first request.
//!
//! TLS 1.2 and 1.3, HTTP/1.1 and nothing else in it. The certificate may be replaced at any moment; connections
//! that are open go on. It opens no file: whoever composes the node reads it, and judges whether it is valid now.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring as provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;

use crate::socket::Socket;

/// The longest that a handshake takes: three round trips, and a client that is busy.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// Bytes of an answer that wait in this process for a client to take those before: one record. The deadline of
/// an answer that is not taken sees no further.
const WAITING_BYTES: usize = 16 << 10;

/// A certificate and key that do not go together, or are none. What was used before still is.
#[derive(Debug, thiserror::Error)]
#[error("the certificate can not be used with its key: {0}")]
pub struct TlsError(#[from] rustls::Error);

/// HTTPS. Clones have the same certificate.
#[derive(Clone)]
pub struct HttpTls {
    server: Arc<ServerConfig>,
    shown: Arc<Shown>,
}

/// Another certificate with its key, for [`HttpTls::take`].
pub struct Renewal(CertifiedKey);

/// The certificate that is shown to whoever connects, whatever name they ask for.
struct Shown(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

impl HttpTls {
    /// Shows this certificate, followed by those between it and its authority.
    ///
    /// # Errors
    /// [`TlsError`] when it does not go with its key.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(provider::default_provider());
        let shown = CertifiedKey::from_der(chain, key, &provider)?;
        let shown = Arc::new(Shown(ArcSwap::from_pointee(shown)));
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { server: Arc::new(server), shown })
    }

    /// Looks whether another certificate could be shown. Nothing changes yet.
    ///
    /// # Errors
    /// [`TlsError`] when it does not go with its key.
    pub fn prepare(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Renewal, TlsError> {
        let shown = CertifiedKey::from_der(chain, key, self.server.crypto_provider())?;
        Ok(Renewal(shown))
    }

    /// Shows this one from now on.
    pub fn take(&self, Renewal(shown): Renewal) {
        self.shown.0.store(Arc::new(shown));
    }

    /// The handshake of a connection.
    ///
    /// # Errors
    /// When the client does not come to its end in time, or says something else than TLS.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Socket> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.server));
        let handshake = acceptor.accept_with(stream, |session| {
            session.set_buffer_limit(Some(WAITING_BYTES));
        });
        let slow = |_| io::Error::from(io::ErrorKind::TimedOut);
        let stream = tokio::time::timeout(HANDSHAKE, handshake).await.map_err(slow)??;
        Ok(Socket::Tls(Box::new(stream)))
    }
}

impl fmt::Debug for HttpTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpTls")
    }
}

#[cfg(test)]
#[path = "tls_test.rs"]
mod tests;
