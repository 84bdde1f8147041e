//! A connection between nodes, plain or inside TLS, from a socket to two halves that carry frames.
//!
//! Both ends of a connection are made here. Before either half is handed out, both sides have shown what the
//! settings ask for; the deadline of the handshake is the caller's. A plain connection is the socket's own halves.

use std::io;

use ring::hmac;
use rustls::CommonState;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::credentials::Credentials;
use crate::peer_security::{PeerSecurity, Secret};
use crate::socket::Socket;
use crate::tls_fault::TlsFault;

/// Names what is taken from a connection's keys, for this and nothing else.
const BINDING_LABEL: &[u8] = b"EXPORTER-gridkv-peer-secret";
/// Bytes of it, and of a proof.
const BINDING_BYTES: usize = 32;

/// The side of a connection: what one proves is worth nothing when the other one says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Dialled,
    Dialler,
}

impl Side {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Dialler => b"gridkv peer secret 1 dialler",
            Self::Dialled => b"gridkv peer secret 1 dialled",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Dialled,
            Self::Dialled => Self::Dialler,
        }
    }
}

/// A connection that is as safe as the settings want it.
pub(crate) struct Secured {
    pub(crate) read: ReadHalf,
    pub(crate) write: WriteHalf,
    pub(crate) credentials: Credentials,
}

impl PeerSecurity {
    /// Makes a connection safe from its side.
    ///
    /// # Errors
    /// An [`io::Error`] that has a [`TlsFault`] in it when it can not be safe; no frame was read or written.
    pub(crate) async fn secure(&self, stream: TcpStream, side: Side) -> io::Result<Secured> {
        stream.set_nodelay(true)?;
        let (ends, server_name) = match self {
            Self::Plain => {
                let (read, write) = stream.into_split();
                let (read, write) = (ReadHalf::Plain(read), WriteHalf::Plain(write));
                return Ok(Secured { read, write, credentials: Credentials::default() });
            }
            Self::Mutual(mutual) => (mutual.ends(), mutual.server_name()),
            Self::Secret(secret) => (secret.ends.clone(), secret.server_name.clone()),
        };
        let stream: io::Result<TlsStream<TcpStream>> = match side {
            Side::Dialled => TlsAcceptor::from(ends.server).accept(stream).await.map(Into::into),
            Side::Dialler => {
                let connector = TlsConnector::from(ends.client);
                connector.connect(server_name, stream).await.map(Into::into)
            }
        };
        let mut stream = stream.map_err(|error| {
            fault(match side {
                Side::Dialled => TlsFault::of_handshake(&error),
                Side::Dialler => TlsFault::of_dialling(&error),
            })
        })?;
        if stream.get_ref().1.alpn_protocol() != self.alpn() {
            return Err(fault(TlsFault::OtherWay));
        }
        let mut credentials = Credentials::default();
        match self {
            Self::Plain => {}
            Self::Mutual(_) => credentials = shown(stream.get_ref().1)?,
            Self::Secret(secret) => prove(secret, &mut stream, side).await?,
        }
        let (read, write) = split(stream);
        Ok(Secured { read: ReadHalf::Tls(read), write: WriteHalf::Tls(write), credentials })
    }
}

fn fault(fault: TlsFault) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, fault)
}

/// What the certificate of the other end says, which TLS found valid.
fn shown(state: &CommonState) -> io::Result<Credentials> {
    let certificate = state.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.ok_or_else(|| fault(TlsFault::NoCertificate))?;
    Credentials::of(certificate).map_err(fault)
}

/// Proves the secret over this connection's keys, and sees the other side do so. Who dialled proves first. Who can
/// not is told nothing: the connection ends.
async fn prove(secret: &Secret, stream: &mut TlsStream<TcpStream>, side: Side) -> io::Result<()> {
    let binding = binding(stream)?;
    if side == Side::Dialler {
        say_proof(secret, stream, side, &binding).await?;
    }
    let mut said = [0; BINDING_BYTES];
    stream.read_exact(&mut said).await.map_err(|_| fault(TlsFault::NoProof))?;
    let text = [side.other().label(), &binding].concat();
    hmac::verify(&secret.key, &text, &said).map_err(|_| fault(TlsFault::NoProof))?;
    if side == Side::Dialled {
        say_proof(secret, stream, side, &binding).await?;
    }
    Ok(())
}

async fn say_proof(
    secret: &Secret,
    stream: &mut TlsStream<TcpStream>,
    side: Side,
    binding: &[u8],
) -> io::Result<()> {
    stream.write_all(proof(secret, side, binding).as_ref()).await?;
    stream.flush().await
}

fn proof(secret: &Secret, side: Side, binding: &[u8]) -> hmac::Tag {
    hmac::sign(&secret.key, &[side.label(), binding].concat())
}

/// What only the two ends of this one connection know.
fn binding(stream: &TlsStream<TcpStream>) -> io::Result<[u8; BINDING_BYTES]> {
    let room = [0; BINDING_BYTES];
    let exported = match stream {
        TlsStream::Client(stream) => {
            stream.get_ref().1.export_keying_material(room, BINDING_LABEL, None)
        }
        TlsStream::Server(stream) => {
            stream.get_ref().1.export_keying_material(room, BINDING_LABEL, None)
        }
    };
    exported.map_err(|error| fault(TlsFault::of(&error)))
}

/// What comes from the other end.
pub(crate) type ReadHalf = Socket<OwnedReadHalf, tokio::io::ReadHalf<TlsStream<TcpStream>>>;

/// What goes to the other end.
pub(crate) type WriteHalf = Socket<OwnedWriteHalf, tokio::io::WriteHalf<TlsStream<TcpStream>>>;

#[cfg(test)]
#[path = "peer_stream_test.rs"]
mod tests;
