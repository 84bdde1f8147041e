//! What `gridkv init` makes for nodes that are measured: an authority, certificates and tokens.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use gridkv_cluster::Builder;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;

/// Papers of nodes `n1`, `n2`, ..., in a directory that goes with this value.
#[derive(Debug)]
pub struct Papers {
    directory: TempDir,
    nodes: u16,
}

/// What is inside TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// Requests of clients, who have tokens.
    Http,
    /// What nodes say to each other.
    Peers,
}

impl Papers {
    /// Has the node program make them.
    ///
    /// # Errors
    /// When it does not.
    pub fn make(gridkv: &Path, nodes: u16) -> Result<Self, Box<dyn Error>> {
        let papers = Self { directory: TempDir::new()?, nodes };
        let mut command = Command::new(gridkv);
        command.arg("init").arg("--dir").arg(papers.directory.path());
        (1..=nodes).for_each(|number| {
            command.args(["--node", &format!("n{number}")]);
        });
        let made = command.output()?;
        if made.status.success() {
            Ok(papers)
        } else {
            Err(format!("gridkv init: {}", String::from_utf8_lossy(&made.stderr)).into())
        }
    }

    /// What clients send.
    ///
    /// # Errors
    /// When it can not be read.
    pub fn token(&self) -> Result<String, Box<dyn Error>> {
        self.read("tokens/admin.token")
    }

    /// How clients speak TLS.
    ///
    /// # Errors
    /// When the authority can not be read.
    pub fn client(&self) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.read("ca.pem")?.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// Has nodes use them.
    pub(crate) fn give(&self, builder: Builder, inside: Inside) -> Result<Builder, Box<dyn Error>> {
        let mut builder = builder;
        if inside == Inside::Http {
            builder = builder.https(&self.read("ca.pem")?).token(&self.token()?);
        }
        for number in 1..=self.nodes {
            let of_node = self.directory.path().join(format!("n{number}"));
            let files: &[(&str, &str)] = match inside {
                Inside::Http => &[
                    ("GRIDKV_HTTP__TLS__CERT", "node.pem"),
                    ("GRIDKV_HTTP__TLS__KEY", "node.key"),
                    ("GRIDKV_AUTH__TOKENS_FILE", "tokens.toml"),
                ],
                Inside::Peers => &[
                    ("GRIDKV_PEERS__TLS__CA", "ca.pem"),
                    ("GRIDKV_PEERS__TLS__CERT", "node.pem"),
                    ("GRIDKV_PEERS__TLS__KEY", "node.key"),
                ],
            };
            for (name, file) in files {
                builder = builder.node_env(number, name, &text(&of_node.join(file))?);
            }
        }
        Ok(builder)
    }

    fn read(&self, name: &str) -> Result<String, Box<dyn Error>> {
        Ok(fs::read_to_string(self.directory.path().join(name))?)
    }
}

fn text(path: &Path) -> Result<String, Box<dyn Error>> {
    Ok(path.to_str().ok_or("a path that is no text")?.to_owned())
}
