//! Looks at the files of certificates now and then, and tells in time when a certificate ends.

use gridkv_actors::node::NodeHandle;
use gridkv_http::certificates::Listener;
use gridkv_http::rfc3339;
use gridkv_protocol::UnixMs;

use super::Tls;
use crate::reload::{LOOK, Part};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A warning is given once with so many days left, at most, and once when there are none.
const WARN_DAYS: [u64; 4] = [0, 1, 7, 30];

/// Looks until it is aborted.
pub(crate) async fn watch(tls: Tls, node: NodeHandle) {
    if !tls.has_files() {
        return;
    }
    let (mut warned, mut failed) = (Warned::default(), None::<(String, u64)>);
    loop {
        warned.warn(&tls, node.now());
        tokio::time::sleep(LOOK).await;
        match tls.look(node.now()) {
            Ok(renewed) => {
                failed = None;
                tell(&tls, &renewed);
            }
            Err(error) => {
                let error = error.to_string();
                // Files that are replaced one after the other go together at the next look.
                let looks = match failed {
                    Some((before, looks)) if before == error => looks + 1,
                    Some(_) | None => 1,
                };
                if looks == 2 {
                    tracing::warn!(%error, "certificates were not read again; those in use stay");
                }
                failed = Some((error, looks));
            }
        }
    }
}

/// The certificates as a part of the node that changes when the configuration is read again.
pub(crate) fn part(tls: Tls, node: NodeHandle) -> Part {
    const KEYS: &[&str] = &[
        "http.tls.cert",
        "http.tls.key",
        "peers.tls.ca",
        "peers.tls.cert",
        "peers.tls.key",
        "peers.tls.allow",
    ];
    Part::new("certificates", KEYS, move |config| {
        let (http, peers) = (config.http.tls.as_ref(), config.peers.tls.as_ref());
        let (change, tls) = (tls.prepare(http, peers, node.now())?, tls.clone());
        Ok(Box::new(move || tell(&tls, &change.apply())))
    })
}

/// Logs which listeners go on with another certificate.
fn tell(tls: &Tls, renewed: &[Listener]) {
    for listener in renewed {
        let until = tls.certificates.end(*listener).map(rfc3339::format).unwrap_or_default();
        tracing::info!(listener = listener.as_str(), until, "goes on with another certificate");
    }
}

/// With how many days left a warning was given, for each listener.
#[derive(Default)]
struct Warned {
    days: [Option<u64>; Listener::ALL.len()],
}

impl Warned {
    fn warn(&mut self, tls: &Tls, now: UnixMs) {
        for (listener, warned) in Listener::ALL.into_iter().zip(&mut self.days) {
            let Some(end) = tls.certificates.end(listener) else { continue };
            let stage = stage(end, now);
            if stage != *warned
                && let Some(days) = stage
            {
                let (listener, until) = (listener.as_str(), rfc3339::format(end));
                if days == 0 {
                    tracing::warn!(
                        listener,
                        until,
                        "the certificate has expired: nobody new is let in by it"
                    );
                } else {
                    tracing::warn!(
                        listener,
                        until,
                        days_left = end.since(now) / DAY_MS,
                        "the certificate ends soon"
                    );
                }
            }
            *warned = stage;
        }
    }
}

/// The least number of days of [`WARN_DAYS`] that is left.
fn stage(end: UnixMs, now: UnixMs) -> Option<u64> {
    let left = end.since(now);
    WARN_DAYS.into_iter().find(|days| left <= days * DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_a_node_hears_of_an_end_thirty_seven_and_one_days_before() {
        let end = UnixMs(100 * DAY_MS);
        let at = |days: u64| stage(end, UnixMs((100 - days) * DAY_MS));
        assert_eq!((at(31), at(30), at(8), at(7)), (None, Some(30), Some(30), Some(7)));
        assert_eq!((at(2), at(1), at(0)), (Some(7), Some(1), Some(0)));
        assert_eq!(stage(end, UnixMs(end.0 + 1)), Some(0));
    }
}
