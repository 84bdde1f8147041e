//! Addresses that another machine dials: `host:port`, where the host may be a name.
//!
//! Why it exists: seeds and the advertised address may be names that only resolve later, on another
//! machine, so `SocketAddr` cannot hold them. It refuses schemes, paths, port 0, IPv6 without
//! brackets, and dotted numbers that are no IPv4 address. It resolves nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

/// Longest host name, in bytes: what the domain name system allows.
const MAX_HOST_BYTES: usize = 253;

/// A host (name or IP address) and a port that is not 0.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HostPort {
    host: String,
    port: u16,
}

/// A text that is no `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not host:port, such as 10.0.0.7:7500, node-1.example:7500 or [::1]:7500")]
pub(crate) struct NotHostPort;

impl HostPort {
    /// The address, if the host is one and not a name.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HostPort {
    type Err = NotHostPort;

    fn from_str(text: &str) -> Result<Self, NotHostPort> {
        let (host, port) = text.rsplit_once(':').ok_or(NotHostPort)?;
        if !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotHostPort);
        }
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(NotHostPort)?;
        let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match inner {
            Some(v6) => v6.parse::<Ipv6Addr>().map_err(|_| NotHostPort)?.to_string(),
            None if is_host(host) => host.to_owned(),
            None => return Err(NotHostPort),
        };
        Ok(Self { host, port })
    }
}

impl TryFrom<String> for HostPort {
    type Error = NotHostPort;

    fn try_from(text: String) -> Result<Self, NotHostPort> {
        text.parse()
    }
}

/// Whether it may be the name of a host, or an IPv4 address.
pub(super) fn is_host(host: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let label = |label: &str| !label.is_empty() && !label.starts_with('-');
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    host.len() <= MAX_HOST_BYTES
        && host.bytes().all(plain)
        && host.split('.').all(label)
        && (!numeric || host.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
#[path = "address_test.rs"]
mod address_test;
