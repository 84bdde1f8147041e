//! How long the certificates of this node's listeners are still valid.

use gridkv_protocol::UnixMs;

use super::exposition::Exposition;
use super::names::CERTIFICATE_EXPIRES;
use super::node::signed_seconds;
use crate::certificates::{Certificates, Listener};

/// Writes the family of certificates.
pub(super) fn collect(certificates: &Certificates, now: UnixMs, out: &mut Exposition) {
    for listener in Listener::ALL {
        if let Some(end) = certificates.end(listener) {
            let left = end.0.cast_signed().saturating_sub(now.0.cast_signed());
            out.sample(&CERTIFICATE_EXPIRES, &[listener.as_str()], signed_seconds(left));
        }
    }
}
