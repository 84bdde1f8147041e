//! Why `gridkv init` makes or changes nothing, in words that say what to do.

use std::io;
use std::path::PathBuf;

use gridkv_actors::peer_security::SecurityError;

use super::authority::AuthorityError;
use crate::private_file::PrivateFileError;

/// Characters of a node's or cluster's name, at most: a label of a certificate's name.
pub(super) const MOST_NAME_LETTERS: usize = 63;

/// Why a cluster's files are not made, or a certificate is not renewed. Unless it says otherwise nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// A name that no node or cluster can have.
    #[error(
        "{0:?} is no name: use at most {MOST_NAME_LETTERS} letters, digits and dashes, beginning and ending with a letter or digit"
    )]
    Name(String),
    /// The name of a node that has another meaning in the directory.
    #[error("no node can be named {0:?}: that is something else in the directory")]
    Taken(String),
    /// Two nodes of one name.
    #[error("there are two nodes named {0:?}")]
    Twice(String),
    /// A host that is neither an address nor a name.
    #[error("{0:?} is no host: give an IP address or a host name, without a port")]
    Host(String),
    /// A host at which nobody can be reached.
    #[error(
        "nobody can reach a node at {0}: give the address or name by which the other nodes and clients reach it; \
         a node with a name listens at all addresses of its machine"
    )]
    Nowhere(String),
    /// One port for two things.
    #[error(
        "clients and peers can not both have port {0}: give another one with --http-port or --peer-port"
    )]
    SamePort(u16),
    /// No port is left for a node.
    #[error("there are not enough ports above {0}")]
    Ports(u16),
    /// Something is there already.
    #[error("{} is there already, and nothing is overwritten; in a cluster that is there --renew makes new certificates, --add more nodes", .0.display())]
    Exists(PathBuf),
    /// A file where a directory would have to be.
    #[error("{} is no directory, and nothing can be made in it: give another --dir", .0.display())]
    NoDirectory(PathBuf),
    /// What was begun under another name and never finished, or is being made now.
    #[error(
        "{path} is in the way: that is how an init that was killed leaves what it had begun, keys included. When no \
         other one runs, remove it and try again: rm -r {path}",
        path = .0.display()
    )]
    Unfinished(PathBuf),
    /// A directory of a node that the cluster does not know.
    #[error(
        "{path} is there already, and the cluster does not know that node: when an --add was killed, remove it and try \
         again: rm -r {path}",
        path = .0.display()
    )]
    Stray(PathBuf),
    /// A file or directory can not be made or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The authority's key can not be read, or is readable by others.
    #[error(transparent)]
    Private(#[from] PrivateFileError),
    /// The authority can not be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The file that says what the cluster is made of is damaged.
    #[error("{} is damaged: {why}", path.display())]
    Manifest {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A node that is to be added is there.
    #[error("the cluster has a node {0:?} already; --renew makes a new certificate for it")]
    Known(String),
    /// The file that says what the cluster is made of does not say where a node is: an earlier release made it.
    #[error(
        "{} does not tell the ports of {node:?}, which new nodes must know; \
         put a line such as `ports = {{ http = 7400, peers = 7500 }}` after the hosts of each node there",
        path.display()
    )]
    NoPorts {
        /// Where it is.
        path: PathBuf,
        /// Whose ports are missing.
        node: String,
    },
    /// Nodes know different tokens.
    #[error(
        "{} and {} differ: which tokens is a new node to know? Make them the same first",
        first.display(),
        second.display()
    )]
    Tokens {
        /// One of the files.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// No node's tokens are there.
    #[error("no node's directory in {} has a tokens.toml: put one of a node's there", .0.display())]
    NoTokens(PathBuf),
    /// The cluster was not made with such a node.
    #[error("the cluster has no node {name:?}; it has {known}")]
    Unknown {
        /// Who was asked for.
        name: String,
        /// Who there is.
        known: String,
    },
    /// A certificate that was made would not be taken.
    #[error("the certificate of {node:?} would not be taken: {source}")]
    Unfit {
        /// Whose.
        node: String,
        /// Why.
        #[source]
        source: SecurityError,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}
