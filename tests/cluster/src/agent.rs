//! What requests go out with: timeouts, no redirects, no proxy, and the one authority that is trusted, if any.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// Connecting takes no longer: on loopback a listener answers at once or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// One that speaks plain HTTP.
pub(crate) fn plain(timeout: Duration) -> Agent {
    agent(timeout, TlsConfig::default())
}

/// One that takes certificates of this authority (PEM), and of no other.
pub(crate) fn trusting(timeout: Duration, authority: &str) -> Agent {
    let parsed = parse_pem(authority.as_bytes()).filter_map(Result::ok);
    let roots = parsed.filter_map(|item| {
        if let PemItem::Certificate(certificate) = item { Some(certificate) } else { None }
    });
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(roots.collect())))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()));
    agent(timeout, tls.build())
}

fn agent(timeout: Duration, tls: TlsConfig) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_global(Some(timeout))
        .timeout_connect(Some(CONNECT_TIMEOUT.min(timeout)))
        .tls_config(tls)
        .build();
    config.new_agent()
}
