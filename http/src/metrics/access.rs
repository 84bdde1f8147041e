//! Who was refused, and what strangers reach: counted where requests are judged, shown here.

use super::exposition::Exposition;
use super::names::{EXPOSED, HTTP_AUTH_FAILURES};
use crate::access::{Access, Exposed};

/// Writes the families of authentication. Where nobody is asked nobody is refused, and nothing is said of it.
pub(super) fn collect(access: &Access, out: &mut Exposition) {
    let asks = access.asks();
    for (failure, count) in access.failures().filter(|(_, count)| asks || *count > 0) {
        out.count(&HTTP_AUTH_FAILURES, &[failure.as_str()], count);
    }
    let Exposed { http, peers } = access.exposed();
    out.count(&EXPOSED, &["http"], u64::from(http));
    out.count(&EXPOSED, &["peers"], u64::from(peers));
}
