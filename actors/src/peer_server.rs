//! The peer server: takes connections of other nodes, shakes hands, and feeds a peer applier each.
//!
//! Nothing that comes in before the handshake can cost more than one small frame and a few seconds.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use gridkv_protocol::limits::{
    DIGEST_BUCKETS, HANDSHAKE_FRAME_BYTES, HANDSHAKE_MS, MAX_PEER_CONNECTIONS, PAGE_BYTES,
};
use gridkv_protocol::message::Message;
use gridkv_protocol::welcome::{Hello, Refusal, RefusalReason, Welcome};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::cluster_actor::ClusterActor;
use crate::cluster_messages::{Arrived, Knock, Left};
use crate::mail::Mail;
use crate::peer_applier::{ApplierParts, PeerApplier, Received};
use crate::peer_security::PeerSecurity;
use crate::peer_stream::{ReadHalf, Secured, Side, WriteHalf};
use crate::post::post;
use crate::wire::{OutboxLimits, WireError, Writer, outbox, read_message};

/// The pause after a failed accept, such as when the process has no file left to open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the server hands to each connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ServerParts {
    pub(crate) cluster: Mail<ClusterActor>,
    pub(crate) applier: ApplierParts,
    pub(crate) limits: OutboxLimits,
    /// A connection that brings nothing for this long is broken.
    pub(crate) silence: Duration,
    pub(crate) security: PeerSecurity,
}

#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("the handshake took too long")]
    SlowHandshake,
    #[error("refused: {0}")]
    Refused(String),
    #[error("nothing heard for too long")]
    Silence,
    #[error("it sent what does not belong here, or did not read what it was sent")]
    Cut,
    #[error("the node is stopping")]
    Stopping,
}

/// Takes connections until it is aborted.
pub(crate) async fn serve(listener: std::net::TcpListener, parts: ServerParts) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(MAX_PEER_CONNECTIONS));
    loop {
        let (stream, addr) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection can not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Without room the connection is dropped at once: the peer dials again.
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let parts = parts.clone();
        actix_rt::spawn(async move {
            if let Err(error) = serve_connection(stream, &parts).await {
                tracing::info!(%addr, reason = %error, "a peer's connection ended");
            }
            drop(permit);
        });
    }
}

async fn serve_connection(stream: TcpStream, parts: &ServerParts) -> Result<(), ServeError> {
    let handshake = Duration::from_millis(HANDSHAKE_MS);
    let Guest { read, write, hello, welcome } = timeout(handshake, shake_hands(stream, parts))
        .await
        .map_err(|_| ServeError::SlowHandshake)??;
    let origin = hello.member.origin;
    if !welcome.takes_in(origin.node()) {
        return Ok(()); // what they wanted to know: this node has not joined either, or is not ready
    }
    let (outbox, queue) = outbox(parts.limits);
    let cut = Arc::clone(&queue.cut);
    let sent = Arc::clone(&parts.applier.links.counters(origin.node()).sent_bytes);
    let mut writer = Writer::start(write, queue, sent);
    post(&parts.cluster, Arrived(origin));
    let applier = PeerApplier::new(origin, outbox, parts.applier.clone()).start();
    let applier = Mail::new(applier, &parts.applier.appliers.mailbox);
    let error = tokio::select! {
        error = read_all(read, &applier, parts) => error,
        () = cut.notified() => ServeError::Cut,
        ended = writer.ended() => ended.map_or_else(Into::into, |()| ServeError::Cut),
    };
    post(&parts.cluster, Left(origin));
    Err(error)
}

/// A node that was let in.
struct Guest {
    read: ReadHalf,
    write: WriteHalf,
    hello: Hello,
    welcome: Welcome,
}

async fn shake_hands(stream: TcpStream, parts: &ServerParts) -> Result<Guest, ServeError> {
    let secured = parts.security.secure(stream, Side::Dialled).await?;
    let Secured { mut read, mut write, credentials } = secured;
    let first = read_message(&mut read, HANDSHAKE_FRAME_BYTES).await?.0;
    let answered = if let Message::Hello(hello) = first {
        let (reply, answer) = oneshot::channel();
        post(&parts.cluster, Knock { hello: hello.clone(), credentials, reply });
        let answer = answer.await.map_err(|_| ServeError::Stopping)?;
        answer.map(|welcome| (hello, welcome))
    } else {
        Err(Refusal {
            reason: RefusalReason::UnexpectedMessage,
            detail: "the first frame of a connection is a hello".into(),
        })
    };
    let message = match &answered {
        Ok((_, welcome)) => Message::Welcome(welcome.clone()),
        Err(refusal) => Message::Refusal(refusal.clone()),
    };
    let frame = message
        .to_frame(HANDSHAKE_FRAME_BYTES * 16)
        .map_err(|error| ServeError::Refused(error.to_string()))?;
    write.write_all(&frame).await?;
    write.flush().await?;
    match answered {
        Ok((hello, welcome)) => Ok(Guest { read, write, hello, welcome }),
        Err(refusal) => {
            write.shutdown().await?;
            Err(ServeError::Refused(refusal.detail))
        }
    }
}

/// Reads until the connection is of no further use. What is under way is bounded in bytes: a batch
/// holds its permit until its store has answered.
async fn read_all(
    mut read: ReadHalf,
    applier: &Mail<PeerApplier>,
    parts: &ServerParts,
) -> ServeError {
    let window = u32::try_from(parts.limits.queue_bytes).unwrap_or(u32::MAX);
    let room = Arc::new(Semaphore::new(parts.limits.queue_bytes));
    loop {
        let (message, bytes) =
            match timeout(parts.silence, read_message(&mut read, parts.limits.frame_bytes)).await {
                Err(_) => return ServeError::Silence,
                Ok(Err(error)) => return error.into(),
                Ok(Ok(read)) => read,
            };
        let weight = u32::try_from(costs(&message, bytes)).unwrap_or(u32::MAX).min(window);
        let Ok(permit) = Arc::clone(&room).acquire_many_owned(weight).await else {
            return ServeError::Stopping;
        };
        post(applier, Received { message, permit });
    }
}

/// Bytes that a message takes until it is dealt with: a small request can make a large answer.
fn costs(message: &Message, bytes: usize) -> usize {
    let answer = match message {
        Message::PageRequest(_) => PAGE_BYTES,
        Message::DigestRequest(_) => DIGEST_BUCKETS * size_of::<u64>(),
        Message::Hello(_)
        | Message::Welcome(_)
        | Message::Refusal(_)
        | Message::Report(_)
        | Message::Batch(_)
        | Message::Answer(_)
        | Message::Page(_)
        | Message::NoPage(_)
        | Message::Digest(_) => 0,
    };
    bytes.max(answer)
}
