//! When the certificates of this node's listeners end: told by who reads their files, shown as a metric and at
//! `/v1/node`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gridkv_protocol::UnixMs;

/// A listener that has a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// For clients.
    Http,
    /// For the other nodes.
    Peers,
}

impl Listener {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Http, Self::Peers];

    /// The word that users know it by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Peers => "peers",
        }
    }
}

/// The ends of the certificates in use. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    ends: Arc<[AtomicU64; 2]>,
}

impl Certificates {
    /// From now on the certificate of `listener` is one that ends at `end`.
    pub fn set(&self, listener: Listener, end: UnixMs) {
        self.slot(listener).store(end.0, Ordering::Release);
    }

    /// When the certificate of `listener` ends; `None` when it has none.
    #[must_use]
    pub fn end(&self, listener: Listener) -> Option<UnixMs> {
        let end = self.slot(listener).load(Ordering::Acquire);
        (end > 0).then_some(UnixMs(end))
    }

    fn slot(&self, listener: Listener) -> &AtomicU64 {
        let [http, peers] = &*self.ends;
        match listener {
            Listener::Http => http,
            Listener::Peers => peers,
        }
    }
}
