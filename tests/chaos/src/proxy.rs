//! A proxy: what other nodes dial instead of one node, so that every directed link between them can be given a fault.
//!
//! All nodes know a node by one address, so there is one proxy for each node; who dials is told apart when a connection
//! comes, by whoever made the proxy (for nodes of this machine: by the process that holds the connection). Nothing is
//! read for that, so it works for encrypted connections as well.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::connection::Connection;
use crate::weather::{Weather, count};

/// Connecting to the node behind takes no longer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Tells which node made a connection; `None`: none that belongs here.
pub type WhoDials = Box<dyn Fn(SocketAddr) -> Option<u16> + Send + Sync>;

/// A proxy to be: it listens already, so its port is known before the nodes are.
#[derive(Debug)]
pub struct Gate {
    listener: TcpListener,
    address: SocketAddr,
}

impl Gate {
    /// Listens on this address of the machine.
    ///
    /// # Errors
    /// When nothing can listen there.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is none.
    pub fn anywhere() -> io::Result<Self> {
        Self::open((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to carry connections to the node `number`, which listens at `target`.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn lead_to(
        self,
        (number, target): (u16, SocketAddr),
        weather: &Arc<Weather>,
        seed: u64,
        who_dials: WhoDials,
    ) -> io::Result<Proxy> {
        let Self { listener, address } = self;
        let over = Arc::new(AtomicBool::new(false));
        let door = Door {
            number,
            target,
            weather: Arc::clone(weather),
            seed,
            who_dials,
            over: Arc::clone(&over),
            served: AtomicU64::new(0),
        };
        let door = Arc::new(door);
        let thread = thread::Builder::new()
            .name(format!("proxy n{number}"))
            .spawn(move || door.keep(&listener))?;
        Ok(Proxy { address, over, thread: Some(thread) })
    }
}

/// A running proxy. Dropping it ends it; connections that it carries end with the weather's owner or their nodes.
pub struct Proxy {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Door {
    number: u16,
    target: SocketAddr,
    weather: Arc<Weather>,
    seed: u64,
    who_dials: WhoDials,
    over: Arc<AtomicBool>,
    served: AtomicU64,
}

impl Proxy {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect_timeout(&self.address, CONNECT_TIMEOUT));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Door {
    fn keep(self: Arc<Self>, listener: &TcpListener) {
        for dialled in listener.incoming() {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            // A connection that did not come to be is the dialler's problem.
            let Ok(stream) = dialled else { continue };
            let door = Arc::clone(&self);
            let thread = thread::Builder::new().name("pipe".to_owned());
            drop(thread.spawn(move || {
                if door.serve(stream).is_err() {
                    count(&door.weather.toll.turned_away);
                }
            }));
        }
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let toll = &self.weather.toll;
        let dialler = (self.who_dials)(stream.peer_addr()?);
        let dialler = dialler.ok_or(io::ErrorKind::PermissionDenied)?;
        let behind = TcpStream::connect_timeout(&self.target, CONNECT_TIMEOUT)?;
        count(&toll.connections);
        let connection = Connection::new((dialler, stream), (self.number, behind))?;
        let number = self.served.fetch_add(1, Ordering::Relaxed);
        connection.carry(&self.weather, number, self.seed)
    }
}

#[cfg(test)]
#[path = "proxy_test.rs"]
mod proxy_test;
