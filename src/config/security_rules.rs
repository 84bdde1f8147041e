//! The rules of authentication and TLS: what belongs together, and what no stranger may reach.
//!
//! Why it exists: half of a TLS section would leave a listener in clear, and a listener that other machines
//! reach must not answer whoever comes. It refuses to repair anything.

use std::net::SocketAddr;

use super::fault::Fault;
use super::overlay::Overlay;
use super::rules::{Violation, conflict, violation};
use super::{Config, PeerSecurity};

/// A listener that other machines can reach, and what it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// HTTP asks nobody who they are.
    HttpWithoutTokens,
    /// HTTP asks for tokens, which cross the network in clear.
    HttpInClear,
    /// Any node, or whoever says so, may be a peer.
    PeersUnproven,
}

impl Exposure {
    /// The key of the listener.
    pub(crate) fn listener(self) -> &'static str {
        match self {
            Self::HttpWithoutTokens | Self::HttpInClear => "http.listen",
            Self::PeersUnproven => "peers.listen",
        }
    }
}

/// Every listener that lacks something.
pub(super) fn exposures(config: &Config) -> Vec<Exposure> {
    let mut found = Vec::new();
    if is_reachable(config.http.listen) {
        if config.auth.tokens.is_empty() {
            found.push(Exposure::HttpWithoutTokens);
        } else if config.http.tls.is_none() {
            found.push(Exposure::HttpInClear);
        }
    }
    if is_reachable(config.peers.listen) && config.peers.security() == PeerSecurity::Plain {
        found.push(Exposure::PeersUnproven);
    }
    found
}

/// Whether other machines reach it; an IPv4 address in IPv6 clothes counts as what it is.
pub(super) fn is_reachable(listen: SocketAddr) -> bool {
    !listen.ip().to_canonical().is_loopback()
}

/// Checks every rule; `expose` is `--insecure-expose-without-auth`.
pub(super) fn check(config: &Config, overlay: &Overlay<'_>, expose: bool) -> Vec<Violation> {
    let mut found = Vec::new();
    whole(&["http.tls.cert", "http.tls.key"], overlay, &mut found);
    whole(&["peers.tls.ca", "peers.tls.cert", "peers.tls.key"], overlay, &mut found);
    if config.peers.secret.is_some() && overlay.is_given("peers.tls.ca") {
        found.push(conflict(
            &["peers.secret", "peers.tls.ca"],
            "peers.tls and peers.secret exclude each other: nodes know each other by certificates, or by \
             what they all know"
                .to_owned(),
        ));
    }
    if overlay.is_given("peers.tls.allow") && !overlay.is_given("peers.tls.ca") {
        found.push(conflict(
            &["peers.tls.allow", "peers.tls.ca"],
            "peers.tls.allow would do nothing without peers.tls.ca, cert and key: only a certificate \
             proves a name"
                .to_owned(),
        ));
    }
    same_token(config, &mut found);
    if config.auth.tokens_file.is_some() && config.auth.tokens.is_empty() {
        found.push(conflict(
            &["auth.tokens_file", "auth.tokens"],
            "there is no token in it, so that everybody could do everything: leave auth.tokens_file away if \
             that is meant"
                .to_owned(),
        ));
    }
    if !expose {
        found.extend(exposures(config).into_iter().map(|exposure| {
            let fault = match exposure {
                Exposure::HttpWithoutTokens => Fault::Exposed,
                Exposure::HttpInClear => Fault::InClear,
                Exposure::PeersUnproven => Fault::UnprovenPeers,
            };
            violation(&[exposure.listener()], fault)
        }));
    }
    found
}

/// All of these, or none of them.
fn whole(keys: &[&str], overlay: &Overlay<'_>, found: &mut Vec<Violation>) {
    let (given, missing): (Vec<&str>, Vec<&str>) =
        keys.iter().partition(|key| overlay.is_given(key));
    if !given.is_empty() && !missing.is_empty() {
        let rule = format!("{} needs {} beside it", given.join(" and "), missing.join(" and "));
        found.push(conflict(&[&given[..], &missing[..]].concat(), rule));
    }
}

/// A token that is there twice could have two roles.
fn same_token(config: &Config, found: &mut Vec<Violation>) {
    let tokens = &config.auth.tokens;
    for (index, token) in tokens.iter().enumerate() {
        let before = tokens.iter().take(index);
        if let Some(other) = before.into_iter().find(|other| other.sha256 == token.sha256) {
            let rule = format!(
                "{} and {} have the same sha256: give each its own token",
                other.name, token.name
            );
            found.push(conflict(&["auth.tokens", "auth.tokens_file"], rule));
        }
    }
}
