//! By which names a node may be called while it asks nobody who they are.
//!
//! Why it exists: a page whose own name is made to lead to this machine (DNS rebinding) is of the node's origin for
//! its browser, which then says nothing of another site: without TLS it sends no `Sec-Fetch-Site`, and with a plain
//! `GET` no `Origin`. What the page can not change is the name that it was opened by. So a name is believed that is
//! an address, or that no stranger can give to a page: `localhost`, one without a dot, which public name servers do not
//! have, and those that the configuration lists. It refuses every other one, whoever sends it: what a browser leaves out
//! can not be asked for.
//!
//! CAVEATS: who answers for names on the local network can give a page a name without a dot.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::uri::Authority;

/// The names of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostNames {
    /// All: the certificate proves the name, or the node is meant to be reached by others.
    Any,
    /// Those that no stranger can give to a page, and these.
    Own(Vec<String>),
}

impl HostNames {
    /// The name by which a request calls the node, if it is none of its names. A request without one is
    /// from no browser.
    pub(crate) fn foreign<'a>(&self, uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
        let Self::Own(own) = self else { return None };
        // RFC 9112, 3.2.2: a whole URI in the first line counts, and `Host` does not.
        let named = uri.authority().map(Authority::as_str);
        let hosts = headers.get_all(header::HOST).filter(|_| named.is_none());
        let hosts = hosts.map(|host| host.to_str().unwrap_or(UNREADABLE));
        named.into_iter().chain(hosts).find(|host| !is_own(host.trim_ascii(), own))
    }
}

/// What stands for a name that is no text.
const UNREADABLE: &str = "?.?";

/// Whether `host`, with or without a port, is an address or a name that is believed.
fn is_own(host: &str, own: &[String]) -> bool {
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let name = without_port(host);
    if is_address(name) {
        return true;
    }
    let name = without_end(name);
    let same = |own: &String| without_end(own).eq_ignore_ascii_case(name);
    let has_no_dot = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    has_no_dot || own.iter().any(same) // `localhost` has no dot
}

/// A name may end with the dot of the root.
fn without_end(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// An address of version 6 without brackets has no port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (name.ends_with(']') || !name.contains(':')) =>
        {
            name
        }
        Some(_) | None => host,
    }
}

fn is_address(name: &str) -> bool {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(name) => name.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<IpAddr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn foreign(names: &HostNames, uri: &str, hosts: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_bytes(host).unwrap());
        }
        names.foreign(&uri.parse().unwrap(), &headers).map(str::to_owned)
    }

    fn own() -> HostNames {
        HostNames::Own(vec!["kv.example.org.".to_owned(), "Node.Example".to_owned()])
    }

    #[test]
    fn addresses_localhost_and_the_names_of_the_node_are_its_own() {
        for host in [
            "",
            "127.0.0.1",
            "127.0.0.1:7400",
            "10.1.2.3:80",
            "[::1]",
            "[::1]:7400",
            "::1",
            "localhost",
            "LocalHost:7400",
            "localhost.:7400",
            "localhost:",
            "n1",
            "n1:7400",
            "kv.example.org",
            "KV.example.ORG.:7400",
            "node.example:1",
            " node.example ",
        ] {
            assert_eq!(foreign(&own(), "/v1/stats", &[host.as_bytes()]), None, "{host:?}");
        }
        assert_eq!(foreign(&own(), "/v1/stats", &[]), None, "HTTP/1.0");
    }

    #[test]
    fn a_name_that_a_stranger_may_lead_here_is_foreign() {
        for host in [
            "evil.example",
            "evil.example:7400",
            "evil.example.",
            "127.0.0.1.evil.example",
            "localhost.evil.example:7400",
            "evil.example:x",
            "[::1].evil.example",
            "[evil.example]",
            "evil.example#localhost",
            "127.0.0.1:7400.evil.example",
            "kv.example.org.evil.example",
            "example.org",
            "[::1",
            "n1:x",
            "n1/evil",
        ] {
            let found = foreign(&own(), "/v1/stats", &[host.as_bytes()]);
            assert_eq!(found.as_deref(), Some(host), "{host:?}");
        }
        let unreadable = foreign(&own(), "/", &["exämple".as_bytes()]);
        assert_eq!(unreadable.as_deref(), Some(UNREADABLE));
        let two: [&[u8]; 2] = [b"localhost", b"evil.example"];
        assert_eq!(foreign(&own(), "/", &two).as_deref(), Some("evil.example"), "whichever counts");
        assert_eq!(foreign(&HostNames::Any, "/", &[b"evil.example"]), None);
    }

    #[test]
    fn a_whole_uri_counts_instead_of_the_header() {
        let to = |uri: &str, host: &str| foreign(&own(), uri, &[host.as_bytes()]);
        assert_eq!(to("http://localhost:7400/v1/stats", "evil.example"), None);
        assert_eq!(to("http://[::1]:7400/", "evil.example"), None);
        let evil = to("http://evil.example:7400/v1/stats", "localhost");
        assert_eq!(evil.as_deref(), Some("evil.example:7400"));
        let disguised = to("http://localhost@evil.example/", "localhost");
        assert_eq!(disguised.as_deref(), Some("localhost@evil.example"));
    }
}
