//! The certificates and keys of the node's listeners: read from their files, judged, and read again when the
//! files change.
//!
//! What it refuses: a file that is no PEM, a key that others may read or that does not go with its certificate,
//! and a certificate that is not valid now. At the start that stops the node; later the one in use stays, and
//! the log says why.
//!
//! CAVEATS: a certificate and its key are two files, and are replaced one after the other: between the two they do
//! not go together, and are looked at again.

mod files;
mod throw_away;
mod validity;
mod watch;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gridkv_actors::peer_security::{
    Mutual, Papers, PeerSecurity, Renewal as PeerRenewal, Secret, SecurityError,
};
use gridkv_http::certificates::{Certificates, Listener};
use gridkv_http::rfc3339;
use gridkv_http::tls::{HttpTls, Renewal as HttpRenewal, TlsError as HttpTlsError};
use gridkv_protocol::UnixMs;

use crate::config::{Config, PeerSecurity as PeerConfig, PeerTls, TlsFiles};
use crate::private_file::PrivateFileError;

pub(crate) use validity::Validity;
pub(crate) use watch::{part, watch};

/// Why a certificate is not used. What was used before still is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file can not be read.
    #[error("{key}: {} can not be read: {source}", path.display())]
    Unreadable {
        /// The setting that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file with a key can not be read, or is readable by others.
    #[error("{key}: {source}")]
    Private {
        /// The setting that names it.
        key: &'static str,
        /// What is wrong with it.
        #[source]
        source: PrivateFileError,
    },
    /// A file does not hold what it should.
    #[error("{key}: {} holds no {what} (PEM)", path.display())]
    Empty {
        /// The setting that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A file is damaged.
    #[error("{key}: {} is no proper PEM: {why}", path.display())]
    Malformed {
        /// The setting that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A certificate is not valid now.
    #[error(
        "{key}: the certificate in {} is valid from {} to {}, and not now",
        path.display(), rfc3339::format(*from), rfc3339::format(*to)
    )]
    NotNow {
        /// The setting that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// When it begins to be valid.
        from: UnixMs,
        /// When it ends.
        to: UnixMs,
    },
    /// Clients can not be shown it.
    #[error("http.tls: {source} ({} and {})", files.cert.display(), files.key.display())]
    Http {
        /// The files.
        files: TlsFiles,
        /// What is wrong with them.
        #[source]
        source: HttpTlsError,
    },
    /// Peers can not be shown it.
    #[error("peers.tls: {source} ({} and {})", files.cert.display(), files.key.display())]
    Peers {
        /// The files.
        files: TlsFiles,
        /// What is wrong with them.
        #[source]
        source: SecurityError,
    },
    /// The secret that peers share can not be used.
    #[error("peers.secret: {0}")]
    Secret(#[source] SecurityError),
    /// No certificate could be made that is thrown away at the end.
    #[error("can not make a certificate for this run: {0}")]
    ThrowAway(#[source] rcgen::Error),
    /// It can not be changed while the node runs.
    #[error("{0} can not begin or end while the node runs: restart it")]
    Restart(&'static str),
}

/// The certificates of a node's listeners. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    /// What clients are shown; `None`: plain HTTP.
    pub(crate) http: Option<HttpTls>,
    /// What makes connections to peers safe.
    pub(crate) peers: PeerSecurity,
    /// When the certificates end.
    pub(crate) certificates: Certificates,
    sources: Arc<Mutex<Sources>>,
}

/// Where the certificates in use come from.
#[derive(Debug, Default)]
struct Sources {
    http: Option<HttpSource>,
    peers: Option<PeerSource>,
}

/// The files of the certificate that clients see, what was in them, and when that ends.
struct HttpSource {
    files: TlsFiles,
    texts: files::Texts,
    ends: UnixMs,
}

/// The same of the one that peers see.
struct PeerSource {
    tls: PeerTls,
    texts: PeerTexts,
    ends: UnixMs,
}

// Keys are among them.
impl fmt::Debug for HttpSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

impl fmt::Debug for PeerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tls.fmt(f)
    }
}

/// Certificates that were found good, and are not in use yet.
pub(crate) struct Change {
    tls: Tls,
    http: Option<(HttpRenewal, HttpSource)>,
    peers: Option<(PeerRenewal, PeerSource)>,
}

impl Tls {
    /// Reads and judges all that the configuration names.
    ///
    /// # Errors
    /// [`TlsError`] for the first that can not be used.
    pub(crate) fn read(config: &Config, now: UnixMs) -> Result<Self, TlsError> {
        let (certificates, mut sources) = (Certificates::default(), Sources::default());
        let http = match &config.http.tls {
            None => None,
            Some(files) => {
                let texts = files::Texts::read(files, HTTP_KEYS)?;
                let pair = texts.pair(files, HTTP_KEYS, now)?;
                certificates.set(Listener::Http, pair.ends);
                sources.http = Some(HttpSource { files: files.clone(), texts, ends: pair.ends });
                let http = HttpTls::new(pair.chain, pair.key);
                Some(http.map_err(|source| TlsError::Http { files: files.clone(), source })?)
            }
        };
        let (node, cluster) = (&config.node.name, &config.node.cluster);
        let peers = match config.peers.security() {
            PeerConfig::Plain => PeerSecurity::Plain,
            PeerConfig::Secret(secret) => {
                let (certificate, key) = throw_away::certificate().map_err(TlsError::ThrowAway)?;
                let secret = Secret::new(secret.expose(), certificate, key);
                PeerSecurity::Secret(Arc::new(secret.map_err(TlsError::Secret)?))
            }
            PeerConfig::Mutual(tls) => {
                let texts = PeerTexts::read(tls)?;
                let (papers, ends) = texts.papers(tls, now)?;
                certificates.set(Listener::Peers, ends);
                sources.peers = Some(PeerSource { tls: tls.clone(), texts, ends });
                let allow = tls.allow.iter().cloned();
                let mutual = Mutual::new((cluster, node), papers, allow, now);
                let of = |source| TlsError::Peers { files: tls.files.clone(), source };
                PeerSecurity::Mutual(Arc::new(mutual.map_err(of)?))
            }
        };
        Ok(Self { http, peers, certificates, sources: Arc::new(Mutex::new(sources)) })
    }

    /// Reads and judges these files, which take the place of those in use. Nothing changes yet.
    ///
    /// # Errors
    /// [`TlsError`] for the first that can not be used, or when TLS would begin or end: that needs a restart.
    pub(crate) fn prepare(
        &self,
        http: Option<&TlsFiles>,
        peers: Option<&PeerTls>,
        now: UnixMs,
    ) -> Result<Change, TlsError> {
        let http = match (&self.http, http) {
            (Some(tls), Some(files)) => self.prepare_http(tls, files, now)?,
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(TlsError::Restart("http.tls")),
        };
        let peers = match (&self.peers, peers) {
            (PeerSecurity::Mutual(mutual), Some(tls)) => self.prepare_peers(mutual, tls, now)?,
            (PeerSecurity::Plain | PeerSecurity::Secret(_), None) => None,
            (PeerSecurity::Mutual(_), None)
            | (PeerSecurity::Plain | PeerSecurity::Secret(_), Some(_)) => {
                return Err(TlsError::Restart("peers.tls"));
            }
        };
        Ok(Change { tls: self.clone(), http, peers })
    }

    fn prepare_http(
        &self,
        tls: &HttpTls,
        files: &TlsFiles,
        now: UnixMs,
    ) -> Result<Option<(HttpRenewal, HttpSource)>, TlsError> {
        let texts = files::Texts::read(files, HTTP_KEYS)?;
        let is_known = |known: &HttpSource| known.files == *files && known.texts == texts;
        if self.sources().http.as_ref().is_some_and(is_known) {
            return Ok(None);
        }
        let pair = texts.pair(files, HTTP_KEYS, now)?;
        let renewal = tls.prepare(pair.chain, pair.key);
        let renewal = renewal.map_err(|source| TlsError::Http { files: files.clone(), source })?;
        Ok(Some((renewal, HttpSource { files: files.clone(), texts, ends: pair.ends })))
    }

    fn prepare_peers(
        &self,
        mutual: &Arc<Mutual>,
        tls: &PeerTls,
        now: UnixMs,
    ) -> Result<Option<(PeerRenewal, PeerSource)>, TlsError> {
        let texts = PeerTexts::read(tls)?;
        let is_known = |known: &PeerSource| known.tls == *tls && known.texts == texts;
        if self.sources().peers.as_ref().is_some_and(is_known) {
            return Ok(None);
        }
        let (papers, ends) = texts.papers(tls, now)?;
        let renewal = mutual.prepare(papers, tls.allow.iter().cloned(), now);
        let of = |source| TlsError::Peers { files: tls.files.clone(), source };
        Ok(Some((renewal.map_err(of)?, PeerSource { tls: tls.clone(), texts, ends })))
    }

    /// Takes what is in the files now, if it is something else. Says which listeners go on with it.
    ///
    /// # Errors
    /// [`TlsError`] for the first that can not be used: all in use stay.
    pub(crate) fn look(&self, now: UnixMs) -> Result<Vec<Listener>, TlsError> {
        let (http, peers) = {
            let sources = self.sources();
            let http = sources.http.as_ref().map(|source| source.files.clone());
            (http, sources.peers.as_ref().map(|source| source.tls.clone()))
        };
        Ok(self.prepare(http.as_ref(), peers.as_ref(), now)?.apply())
    }

    /// Whether there is a file to look at.
    pub(crate) fn has_files(&self) -> bool {
        let sources = self.sources();
        sources.http.is_some() || sources.peers.is_some()
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        // Nothing panics while it holds this lock.
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change {
    /// Makes the change, which can not fail any more, and says which listeners go on with another certificate.
    pub(crate) fn apply(self) -> Vec<Listener> {
        let mut renewed = Vec::new();
        let Self { tls, http, peers } = self;
        let mut sources = tls.sources();
        if let (Some(http), Some((renewal, source))) = (&tls.http, http) {
            http.take(renewal);
            tls.certificates.set(Listener::Http, source.ends);
            sources.http = Some(source);
            renewed.push(Listener::Http);
        }
        if let (PeerSecurity::Mutual(mutual), Some((renewal, source))) = (&tls.peers, peers) {
            mutual.take(renewal);
            tls.certificates.set(Listener::Peers, source.ends);
            sources.peers = Some(source);
            renewed.push(Listener::Peers);
        }
        renewed
    }
}

const HTTP_KEYS: (&str, &str) = ("http.tls.cert", "http.tls.key");
const AUTHORITY_KEY: &str = "peers.tls.ca";
const PEER_KEYS: (&str, &str) = ("peers.tls.cert", "peers.tls.key");

/// What the files of `[peers.tls]` hold.
#[derive(PartialEq, Eq)]
struct PeerTexts {
    own: files::Texts,
    authority: Vec<u8>,
}

impl PeerTexts {
    fn read(tls: &PeerTls) -> Result<Self, TlsError> {
        let own = files::Texts::read(&tls.files, PEER_KEYS)?;
        let authority = files::read(&tls.ca, AUTHORITY_KEY)?;
        Ok(Self { own, authority })
    }

    /// What peers are shown, and when the first of it ends.
    fn papers(&self, tls: &PeerTls, now: UnixMs) -> Result<(Papers, UnixMs), TlsError> {
        let pair = self.own.pair(&tls.files, PEER_KEYS, now)?;
        let authorities = files::certificates(&self.authority, &tls.ca, AUTHORITY_KEY)?;
        // Of two authorities the older one may end in peace, when the certificates are all of the other.
        let last = files::validities(&authorities).map(|validity| validity.to).max();
        let ends = last.map_or(pair.ends, |ends| ends.min(pair.ends));
        Ok((Papers { authorities, chain: pair.chain, key: pair.key }, ends))
    }
}

#[cfg(test)]
#[path = "tls/tls_test.rs"]
mod tests;
