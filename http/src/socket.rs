//! A client's socket, plain or inside TLS.
//!
//! Inside TLS what was written may still wait in this process, because the client does not take it: a flush
//! tells, and whoever has deadlines flushes.

use actix_web::rt::net::TcpStream;
use gridkv_actors::socket;
use tokio_rustls::server::TlsStream;

/// A client's socket.
pub(crate) type Socket = socket::Socket<TcpStream, Box<TlsStream<TcpStream>>>;

/// Whether all that was written is with the system.
pub(crate) fn is_flushed(socket: &Socket) -> bool {
    match socket {
        Socket::Plain(_) => true,
        Socket::Tls(stream) => !stream.get_ref().1.wants_write(),
    }
}
