//! The peer server: takes connections of other nodes, shakes hands, and feeds a peer applier each.
//!
//! Nothing that comes in before the handshake can cost more than one small frame and a few seconds. Who has proved
//! nothing yet has a place among strangers, takes none of a member's, and is written into the log in one line with
//! all others of some seconds.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use gridkv_protocol::limits::{
    DIGEST_BUCKETS, HANDSHAKE_FRAME_BYTES, HANDSHAKE_MS, MAX_PEER_CONNECTIONS, PAGE_BYTES,
    STRANGER_MS,
};
use gridkv_protocol::message::Message;
use gridkv_protocol::welcome::{Hello, Refusal, RefusalReason, Welcome};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::cluster_actor::ClusterActor;
use crate::cluster_messages::{Arrived, Knock, Left};
use crate::mail::Mail;
use crate::peer_applier::{ApplierParts, PeerApplier, Received};
use crate::peer_security::PeerSecurity;
use crate::peer_stream::{ReadHalf, Secured, Side, WriteHalf};
use crate::post::post;
use crate::strangers::Strangers;
use crate::wire::{OutboxLimits, WireError, Writer, outbox, read_message};

/// The pause after a failed accept, such as when the process has no file left to open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often it is told what strangers did: a line that they can make appear appears no more often.
const TELL_EVERY: Duration = Duration::from_secs(10);

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
    #[error("it did not say in time who it is")]
    SlowHandshake,
    #[error("the node took too long to answer its hello")]
    SlowAnswer,
    #[error("others came that had proved as little, and it was the oldest")]
    SentAway,
    #[error("members have as many connections open as a node takes")]
    NoRoom,
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
    let strangers = Arc::<Strangers>::default();
    let mut tell = interval(TELL_EVERY);
    tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = tell.tick() => {
                tell_of(&strangers, failed.take());
                continue;
            }
        };
        match accepted {
            Ok((stream, addr)) => {
                let visit =
                    Visit { addr, room: Arc::clone(&room), strangers: Arc::clone(&strangers) };
                actix_rt::spawn(visit.take(stream, parts.clone()));
                // However many come, those that are here get their turns between two of them.
                tokio::task::yield_now().await;
            }
            Err(error) => {
                failed = Some(error);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn tell_of(strangers: &Strangers, failed: Option<io::Error>) {
    if let Some(gone) = strangers.tell() {
        let (connections, last, reason) = (gone.connections, gone.last, gone.reason);
        tracing::info!(connections, %last, %reason, "connections to the peers' port ended that proved nothing");
    }
    if let Some(error) = failed {
        tracing::warn!(%error, "connections can not be taken");
    }
}

/// A connection that was made to this node, and where it finds a place.
struct Visit {
    addr: SocketAddr,
    room: Arc<Semaphore>,
    strangers: Arc<Strangers>,
}

impl Visit {
    async fn take(self, stream: TcpStream, parts: ServerParts) {
        let addr = self.addr;
        let guest = match self.greet(stream, &parts).await {
            Ok(guest) => guest,
            Err(error) => {
                tracing::debug!(%addr, reason = %error, "a connection ended that proved nothing");
                return self.strangers.went(addr, error);
            }
        };
        let name = guest.hello.member.name.clone();
        let ended = match self.room.try_acquire() {
            Ok(_permit) => serve_guest(guest, &parts).await,
            // Without room the connection is dropped at once: the peer dials again.
            Err(_) => Err(ServeError::NoRoom),
        };
        if let Err(error) = ended {
            tracing::info!(peer = %name, %addr, reason = %error, "a peer's connection ended");
        }
    }

    /// Shakes hands, in a place among strangers.
    async fn greet(&self, stream: TcpStream, parts: &ServerParts) -> Result<Guest, ServeError> {
        let mut place = self.strangers.take_in(self.addr.ip());
        tokio::select! {
            guest = shake_hands(stream, parts) => guest,
            () = place.sent_away() => Err(ServeError::SentAway),
        }
    }
}

/// Serves a node that was let in until the connection ends.
async fn serve_guest(guest: Guest, parts: &ServerParts) -> Result<(), ServeError> {
    let Guest { read, write, hello, welcome } = guest;
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
    let proof = Duration::from_millis(STRANGER_MS);
    let (secured, first) = timeout(proof, hear(stream, &parts.security))
        .await
        .map_err(|_| ServeError::SlowHandshake)??;
    // The cluster may have to keep on its disk that it takes this one in.
    let answer = Duration::from_millis(HANDSHAKE_MS);
    timeout(answer, respond(secured, first, parts)).await.map_err(|_| ServeError::SlowAnswer)?
}

/// The connection as safe as the settings want it, and the first message.
async fn hear(
    stream: TcpStream,
    security: &PeerSecurity,
) -> Result<(Secured, Message), ServeError> {
    let mut secured = security.secure(stream, Side::Dialled).await?;
    let first = read_message(&mut secured.read, HANDSHAKE_FRAME_BYTES).await?.0;
    Ok((secured, first))
}

/// Answers the first message, which has to be a hello.
async fn respond(
    secured: Secured,
    first: Message,
    parts: &ServerParts,
) -> Result<Guest, ServeError> {
    let Secured { read, mut write, credentials } = secured;
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
