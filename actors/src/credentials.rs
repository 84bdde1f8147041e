//! Who is at the other end of a connection, as far as its certificate says.
//!
//! A node's certificate has two names of ours, `CLUSTER.cluster.gridkv` and `NAME.node.gridkv`. They are no host
//! names: they are compared letter by letter, and a certificate for a pattern is one for nobody.

use std::fmt;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::tls_fault::TlsFault;

const CLUSTER_SUFFIX: &str = ".cluster.gridkv";
const NODE_SUFFIX: &str = ".node.gridkv";

/// The name in a certificate that says which cluster it is for.
pub fn cluster_name(cluster: &str) -> String {
    format!("{cluster}{CLUSTER_SUFFIX}")
}

/// The name in a certificate that says which node it is for.
pub fn node_name(node: &str) -> String {
    format!("{node}{NODE_SUFFIX}")
}

/// The names in the certificate of the other end; none where it showed no certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    names: Vec<String>,
}

impl Credentials {
    /// Those of a certificate that was found valid.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Self, TlsFault> {
        let parsed = EndEntityCert::try_from(certificate);
        let parsed = parsed.map_err(|error| TlsFault::BadCertificate(error.to_string()))?;
        Ok(Self { names: parsed.valid_dns_names().map(str::to_owned).collect() })
    }

    /// Whether they are of this cluster.
    pub(crate) fn name_cluster(&self, cluster: &str) -> bool {
        self.names.contains(&cluster_name(cluster))
    }

    /// Whether they are of this node.
    pub(crate) fn name_node(&self, node: &str) -> bool {
        self.names.contains(&node_name(node))
    }
}

impl fmt::Display for Credentials {
    /// The nodes that they are of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nodes = self.names.iter().filter_map(|name| name.strip_suffix(NODE_SUFFIX));
        let Some(first) = nodes.next() else { return f.write_str("no node") };
        write!(f, "{first:?}")?;
        nodes.try_for_each(|node| write!(f, ", {node:?}"))
    }
}
