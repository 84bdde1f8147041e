//! The keys of authentication and TLS: the rows of the table of known keys that say who may do what.

use super::keys::Key;
use super::kind::Kind;

/// The keys of `[http.tls]`, `[peers.tls]` and `[auth]`, and `peers.secret`.
pub(super) static SECURITY_KEYS: &[Key] = &[
    Key::new("http.tls.cert", Kind::File, "", "the certificate of HTTPS (PEM); empty = plain HTTP"),
    Key::new("http.tls.key", Kind::File, "", "the key of http.tls.cert (PEM)"),
    Key::new("peers.secret", Kind::Secret, "", "what all nodes know; empty = none"),
    Key::new("peers.tls.ca", Kind::File, "", "the authority of the nodes' certificates (PEM)"),
    Key::new("peers.tls.cert", Kind::File, "", "this node's certificate (PEM)"),
    Key::new("peers.tls.key", Kind::File, "", "the key of peers.tls.cert (PEM)"),
    Key::new("peers.tls.allow", Kind::NodeNames, "", "nodes that may connect; empty = all"),
    Key::new("auth.tokens", Kind::Tokens, "", "who may do what; empty = all may do everything"),
    Key::new("auth.tokens_file", Kind::File, "", "a file with more tokens"),
];
