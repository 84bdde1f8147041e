//! Which ports a node listens on: the fixed ones that people remember, or free ones for tests that run side by side.
//!
//! Free ports are taken from below the range from which the kernel serves outgoing connections. A port of that range
//! could be given to any client between our look and the node's bind; worse, a node that keeps dialling a peer which is
//! down can be given that very port as its own, connect to itself, and keep the peer from ever binding it again.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Node N of the development ports serves HTTP on this plus N.
const DEVELOPMENT_HTTP: u16 = 7400;
/// Node N of the development ports listens for its peers on this plus N.
const DEVELOPMENT_PEERS: u16 = 7500;
/// Free ports begin here: above what usually listens ...
const FREE_FIRST: u16 = 12_000;
/// ... and this many follow, ending below 32,768, where Linux's range for outgoing connections begins.
const FREE_COUNT: u16 = 20_000;
/// Neighbouring process ids start this far apart, so that test processes do not compete for the same ports.
const FREE_STRIDE: u32 = 101;

/// Who listens and takes no more connections says nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many ports this process has tried so far.
static TRIED: AtomicU32 = AtomicU32::new(0);

/// How a cluster chooses its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Node N: HTTP on 7400 + N, peers on 7500 + N.
    Development,
    /// Any that were free at the time of looking.
    Free,
}

/// The two ports of one node, both on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// REST, console and metrics.
    pub http: u16,
    /// Replication between nodes.
    pub peers: u16,
}

/// No node was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Every candidate was in use.
    #[error("none of the {FREE_COUNT} ports from {FREE_FIRST} on is free")]
    NoneFree,
}

impl Ports {
    /// The address of node `number`, counted from 1.
    pub(crate) fn address(self, number: u16) -> Result<Address, PortError> {
        match self {
            Self::Development => {
                Ok(Address { http: DEVELOPMENT_HTTP + number, peers: DEVELOPMENT_PEERS + number })
            }
            Self::Free => Ok(Address { http: free_port()?, peers: free_port()? }),
        }
    }
}

impl Address {
    /// The first of the two on which somebody listens already.
    #[must_use]
    pub fn taken(self) -> Option<u16> {
        [self.http, self.peers].into_iter().find(|port| !is_free(*port))
    }
}

/// Whether nothing listens on this port of 127.0.0.1 now. It is not bound to find out: a process that another thread
/// starts at that moment would have a copy of the listener until its program runs, and the node could find it there.
fn is_free(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let knock = TcpStream::connect_timeout(&address, PATIENCE);
    matches!(knock, Err(error) if error.kind() == ErrorKind::ConnectionRefused)
}

/// A port of 127.0.0.1 that is free now and that this process has not given out in its last 20,000 looks.
///
/// # Errors
/// [`PortError::NoneFree`].
pub fn free_port() -> Result<u16, PortError> {
    for _ in 0..FREE_COUNT {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        let place = process::id().wrapping_mul(FREE_STRIDE).wrapping_add(tried);
        let offset = u16::try_from(place % u32::from(FREE_COUNT)).unwrap_or_default();
        let port = FREE_FIRST + offset;
        if is_free(port) {
            return Ok(port);
        }
    }
    Err(PortError::NoneFree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::net::TcpListener;
    use std::process::Command;
    use std::thread;

    #[test]
    fn development_ports_are_the_documented_ones() {
        let address = Ports::Development.address(3).unwrap();
        assert_eq!(address, Address { http: 7403, peers: 7503 });
    }

    #[test]
    fn free_ports_differ_and_lie_below_the_outgoing_range() {
        let ports: HashSet<u16> = (0..40).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 40);
        assert!(ports.iter().all(|port| (FREE_FIRST..32_768).contains(port)));
    }

    /// A process that is started at that moment has a copy of every socket, until its program runs.
    #[test]
    fn who_looks_leaves_no_listener_in_processes_that_start() {
        thread::scope(|scope| {
            let starts = scope.spawn(|| {
                for _ in 0..200 {
                    Command::new("true").status().unwrap();
                }
            });
            while !starts.is_finished() {
                let port = free_port().unwrap();
                TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
            }
        });
    }

    #[test]
    fn a_port_with_a_listener_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
    }
}
