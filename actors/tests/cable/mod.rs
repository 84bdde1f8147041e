//! A cable to a node: TCP in both directions, until it is cut.

use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Connections to its address end at the node's.
pub(crate) struct Cable {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    streams: Vec<TcpStream>,
}

impl Cable {
    /// Lays a cable to `target`.
    pub(crate) fn lay(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let mut state = shared.lock().unwrap();
                if !state.is_cut
                    && let Ok(far) = TcpStream::connect(target)
                {
                    for (from, to) in [(&near, &far), (&far, &near)] {
                        carry(from.try_clone().unwrap(), to.try_clone().unwrap());
                    }
                    state.streams.extend([near, far]);
                }
            }
        });
        Self { address, state }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks what is connected; nobody comes through from now on.
    pub(crate) fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_cut = true;
        state.streams.drain(..).for_each(hang_up);
    }

    pub(crate) fn mend(&self) {
        self.state.lock().unwrap().is_cut = false;
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let carried = copy(&mut from, &mut to);
        [from, to].into_iter().for_each(hang_up);
        carried
    });
}

fn hang_up(stream: TcpStream) {
    stream.shutdown(Shutdown::Both).unwrap_or_default(); // the other end may have done so
    drop(stream);
}
