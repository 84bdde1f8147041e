//! One connection through a proxy: its two ends, and how it ends.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::SockRef;

use crate::pipe::Pipe;
use crate::weather::{Link, Weather, count};

/// Both ends of a connection, shared by the pipes of its two directions.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The node that made it.
    dialler: u16,
    /// The node that it leads to.
    target: u16,
    /// That of the first, and that of the second.
    ends: [TcpStream; 2],
    /// It is over for both.
    over: AtomicBool,
    /// Over for one of them: the dialler, or the node that was dialled.
    left: [AtomicBool; 2],
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Dialler,
    Dialled,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Dialled,
            Self::Dialled => Self::Dialler,
        }
    }

    fn of<T>(self, [first, second]: &[T; 2]) -> &T {
        match self {
            Self::Dialler => first,
            Self::Dialled => second,
        }
    }
}

impl Connection {
    /// # Errors
    /// When the sockets can not be set up.
    pub(crate) fn new(
        (dialler, from): (u16, TcpStream),
        (target, to): (u16, TcpStream),
    ) -> io::Result<Arc<Self>> {
        for end in [&from, &to] {
            end.set_nodelay(true)?;
        }
        let left = [AtomicBool::new(false), AtomicBool::new(false)];
        let over = AtomicBool::new(false);
        Ok(Arc::new(Self { dialler, target, ends: [from, to], over, left }))
    }

    /// Carries in both directions until it is over. `number` tells its chance from that of other connections.
    ///
    /// # Errors
    /// When the second direction gets no thread.
    pub(crate) fn carry(
        self: &Arc<Self>,
        weather: &Arc<Weather>,
        number: u64,
        seed: u64,
    ) -> io::Result<()> {
        let there = Pipe::new(Arc::clone(self), Side::Dialler, weather, number, seed);
        let back = Pipe::new(Arc::clone(self), Side::Dialled, weather, number, seed);
        let back = std::thread::Builder::new().name("pipe".to_owned()).spawn(|| back.run())?;
        there.run();
        // A pipe that panicked has nothing more to carry.
        drop(back.join());
        Ok(())
    }

    /// The link whose bytes come from this side.
    pub(crate) fn link(&self, from: Side) -> Link {
        let there = Link { from: self.dialler, to: self.target };
        if from == Side::Dialler { there } else { there.back() }
    }

    pub(crate) fn end(&self, side: Side) -> &TcpStream {
        side.of(&self.ends)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Whether this side was told that the connection is over while the other was not.
    pub(crate) fn has_left(&self, side: Side) -> bool {
        side.of(&self.left).load(Ordering::Relaxed)
    }

    /// Over for both, in order.
    pub(crate) fn finish(&self) {
        self.over.store(true, Ordering::Relaxed);
        for end in &self.ends {
            // It may be gone already.
            drop(end.shutdown(Shutdown::Both));
        }
    }

    /// Over for both, with a reset.
    pub(crate) fn reset(&self, weather: &Weather) {
        count(&weather.toll.reset);
        for end in &self.ends {
            // What can not be reset is only closed.
            drop(SockRef::from(end).set_linger(Some(Duration::ZERO)));
        }
        // Without a shutdown before it, the last close is the reset.
        self.over.store(true, Ordering::Relaxed);
    }

    /// Over for one side; the other finds out by itself, or never.
    pub(crate) fn leave(&self, side: Side, weather: &Weather) {
        if !side.of(&self.left).swap(true, Ordering::Relaxed) {
            count(&weather.toll.half_opened);
            drop(self.end(side).shutdown(Shutdown::Both));
        }
    }
}
