//! The peer link: dials one address, shakes hands, keeps the connection, and dials again.
//!
//! A node publishes over the links that it dialled: reports and batches go out, answers, pages and
//! reports come back. Each link is one task; it reads here, and writes from the outbox.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use gridkv_protocol::limits::{HANDSHAKE_FRAME_BYTES, HANDSHAKE_MS};
use gridkv_protocol::message::{Message, SendError};
use gridkv_protocol::repair::Repair;
use gridkv_protocol::welcome::{Hello, Refusal, Welcome};
use gridkv_protocol::{Origin, StoreName};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::catch_up_actor::{NoPageCame, PageCame};
use crate::cluster_actor::ClusterActor;
use crate::cluster_messages::{Dialled, LinkEnded, PeerReported, SayHello, Silent, Verdict};
use crate::convergence_actor::{DigestCame, NoRepairPage, RepairPage};
use crate::credentials::Credentials;
use crate::links::Links;
use crate::mail::Mail;
use crate::peer_security::PeerSecurity;
use crate::peer_stream::{ReadHalf, Secured, Side, WriteHalf};
use crate::post::post;
use crate::publisher_actor::Answered;
use crate::store_ends::StoreEnds;
use crate::tls_fault::TlsFault;
use crate::trouble::Trouble;
use crate::wire::{OutboxLimits, WireError, Writer, outbox, read_message};

/// The first pause before a link dials again; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause: a peer that comes back is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a link is made of. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LinkParts {
    pub(crate) cluster: Mail<ClusterActor>,
    pub(crate) stores: Arc<StoreEnds>,
    pub(crate) links: Arc<Links>,
    pub(crate) limits: OutboxLimits,
    /// A link that brings nothing for this long is broken.
    pub(crate) silence: Duration,
    pub(crate) security: PeerSecurity,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("{0}")]
    NameUnknown(#[source] io::Error),
    #[error("{0}")]
    NotConnected(#[source] io::Error),
    #[error("no connection within the time of a handshake")]
    SlowConnection,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("no answer within the time of a handshake")]
    SlowHandshake,
    #[error("{0}")]
    Hello(#[from] SendError),
    #[error("refused: {}", .0.detail)]
    Refused(Refusal),
    #[error("nothing heard for too long")]
    Silence,
    #[error("a message that does not belong here")]
    UnexpectedMessage,
    #[error("the outbox was closed")]
    Cut,
    #[error("the node is stopping")]
    Stopping,
}

impl LinkError {
    fn is_of_tls(error: &WireError) -> bool {
        Self::fault_of(error).is_some()
    }

    fn fault_of(error: &WireError) -> Option<TlsFault> {
        match error {
            WireError::Tls(fault) => Some(fault.clone()),
            WireError::Io(_) | WireError::Ended | WireError::Frame(_) | WireError::Message(_) => {
                None
            }
        }
    }

    /// What keeps the connection from being safe, if that is it.
    fn fault(&self) -> Option<TlsFault> {
        match self {
            Self::Io(error) => TlsFault::behind(error),
            Self::Wire(error) => Self::fault_of(error),
            Self::NameUnknown(_)
            | Self::NotConnected(_)
            | Self::SlowConnection
            | Self::SlowHandshake
            | Self::Hello(_)
            | Self::Refused(_)
            | Self::Silence
            | Self::UnexpectedMessage
            | Self::Cut
            | Self::Stopping => None,
        }
    }

    /// What it means to who looks for the peer.
    fn trouble(&self) -> Trouble {
        if let Some(fault) = self.fault() {
            return Trouble::NotSafe(fault);
        }
        match self {
            Self::NameUnknown(_) => Trouble::NameUnknown,
            Self::NotConnected(error) => Trouble::of_dialling(error),
            Self::SlowConnection => Trouble::Unreachable,
            Self::SlowHandshake => Trouble::Hung,
            Self::Silence => Trouble::Silent,
            Self::Refused(refusal) => Trouble::Refused(refusal.reason),
            Self::Io(_) | Self::Wire(WireError::Io(_)) | Self::Cut | Self::Stopping => Trouble::Cut,
            Self::Wire(_) | Self::Hello(_) | Self::UnexpectedMessage => Trouble::Unfit,
        }
    }
}

/// Keeps a link to `addr` until it is aborted, or the address turns out to be this node's own.
pub(crate) async fn keep(addr: String, parts: LinkParts) {
    let mut pause = FIRST_PAUSE;
    let (mut told, mut told_unfit) = (None, None);
    loop {
        match connect(&addr, &parts).await {
            Ok(Ended::AtOnce(Verdict::Myself)) | Err(LinkError::Stopping) => return,
            // Another address leads to the same node: look again now and then whether it still does.
            Ok(Ended::AtOnce(Verdict::NotNeeded)) => pause = LONGEST_PAUSE,
            // Whoever sees to it that it is taken may take days.
            Ok(Ended::AtOnce(Verdict::Unfit(reason))) => {
                if told_unfit.as_ref() != Some(&reason) {
                    tracing::warn!(%addr, %reason, "a node that answers is not taken for a peer");
                }
                told_unfit = Some(reason);
                pause = LONGEST_PAUSE;
            }
            Ok(Ended::AtOnce(Verdict::NotYet | Verdict::Serve)) => pause = FIRST_PAUSE,
            Ok(Ended::AfterAWhile(error)) => {
                tracing::info!(%addr, reason = %error, "a link ended");
                pause = FIRST_PAUSE;
            }
            Err(error) => {
                let (fault, trouble) = (error.fault(), error.trouble());
                let reason = error.to_string();
                if fault.is_some() && fault != told && trouble.refusal().is_none() {
                    tracing::warn!(%addr, %reason, "there is no safe connection to a peer");
                } else {
                    tracing::debug!(%addr, %reason, "a peer can not be reached");
                }
                told = fault;
                post(&parts.cluster, Silent { addr: addr.clone(), reason, trouble });
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        // Jitter, so that nodes that lost each other do not dial in step.
        tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
    }
}

enum Ended {
    /// After the handshake: the link is not needed, or not yet.
    AtOnce(Verdict),
    /// It served.
    AfterAWhile(LinkError),
}

async fn connect(addr: &str, parts: &LinkParts) -> Result<Ended, LinkError> {
    let handshake = Duration::from_millis(HANDSHAKE_MS);
    let stream = timeout(handshake, dial(addr)).await.map_err(|_| LinkError::SlowConnection)??;
    let (reply, hello) = oneshot::channel();
    post(&parts.cluster, SayHello(reply));
    let hello = hello.await.map_err(|_| LinkError::Stopping)?;
    let Host { read, write, welcome, credentials } =
        timeout(handshake, shake_hands(stream, hello, parts))
            .await
            .map_err(|_| LinkError::SlowHandshake)??;
    let run = welcome.member.origin;
    let peer = run.node();
    let (outbox, queue) = outbox(parts.limits);
    let (reply, verdict) = oneshot::channel();
    post(&parts.cluster, Dialled { addr: addr.to_owned(), welcome, credentials, outbox, reply });
    let verdict = verdict.await.map_err(|_| LinkError::Stopping)?;
    if verdict != Verdict::Serve {
        return Ok(Ended::AtOnce(verdict));
    }
    let sent = Arc::clone(&parts.links.counters(peer).sent_bytes);
    let cut = Arc::clone(&queue.cut);
    let mut writer = Writer::start(write, queue, sent);
    let error = tokio::select! {
        error = read_all(read, run, parts) => error,
        () = cut.notified() => LinkError::Cut,
        ended = writer.ended() => ended.map_or_else(Into::into, |()| LinkError::Cut),
    };
    parts.links.close(peer);
    post(&parts.cluster, LinkEnded { peer, addr: addr.to_owned(), trouble: error.trouble() });
    Ok(Ended::AfterAWhile(error))
}

/// A node that let this one in.
struct Host {
    read: ReadHalf,
    write: WriteHalf,
    welcome: Welcome,
    credentials: Credentials,
}

/// A connection, before anything was said.
async fn dial(addr: &str) -> Result<TcpStream, LinkError> {
    let found: Vec<_> = lookup_host(addr).await.map_err(LinkError::NameUnknown)?.collect();
    TcpStream::connect(found.as_slice()).await.map_err(LinkError::NotConnected)
}

async fn shake_hands(
    stream: TcpStream,
    hello: Hello,
    parts: &LinkParts,
) -> Result<Host, LinkError> {
    let Secured { mut read, mut write, credentials } =
        parts.security.secure(stream, Side::Dialler).await?;
    let frame = Message::Hello(hello).to_frame(HANDSHAKE_FRAME_BYTES)?;
    let said = say(&mut write, &frame).await;
    // Who is refused by TLS learns it here, and why, although it could not say its hello any more.
    let answer = read_message(&mut read, HANDSHAKE_FRAME_BYTES * 16).await;
    let answer = match (answer, said) {
        (Ok((answer, _)), _) => answer,
        (Err(error), _) if LinkError::is_of_tls(&error) => return Err(error.into()),
        (Err(_), Err(error)) => return Err(error.into()),
        (Err(error), Ok(())) => return Err(error.into()),
    };
    if let Message::Refusal(refusal) = answer {
        return Err(LinkError::Refused(refusal));
    }
    let Message::Welcome(welcome) = answer else { return Err(LinkError::UnexpectedMessage) };
    Ok(Host { read, write, welcome, credentials })
}

async fn say(write: &mut WriteHalf, frame: &[u8]) -> io::Result<()> {
    write.write_all(frame).await?;
    write.flush().await
}

/// Reads until the connection is of no further use.
async fn read_all(mut read: ReadHalf, run: Origin, parts: &LinkParts) -> LinkError {
    loop {
        let message =
            match timeout(parts.silence, read_message(&mut read, parts.limits.frame_bytes)).await {
                Err(_) => return LinkError::Silence,
                Ok(Err(error)) => return error.into(),
                Ok(Ok((message, _))) => message,
            };
        if let Err(error) = route(message, run, parts) {
            return error;
        }
    }
}

fn route(message: Message, run: Origin, parts: &LinkParts) -> Result<(), LinkError> {
    let peer = run.node();
    // An answer about a store that was dropped meanwhile is nothing to anybody.
    let store = |name: &StoreName| parts.stores.get(name.as_str());
    let convergence =
        |name: &StoreName| store(name)?.convergence.as_ref().map(|end| end.actor.clone());
    match message {
        Message::Report(report) if report.origin.node() == peer => {
            post(&parts.cluster, PeerReported(report));
        }
        Message::Answer(answer) => {
            if let Some(store) = store(&answer.store) {
                post(&store.publisher, Answered { run, answer });
            }
        }
        Message::Digest(answer) => {
            if let Some(actor) = convergence(&answer.store) {
                post(&actor, DigestCame { peer, answer });
            }
        }
        Message::Page(page) if Repair::is_session(page.session) => {
            if let Some(actor) = convergence(&page.store) {
                post(&actor, RepairPage { peer, page });
            }
        }
        Message::NoPage(answer) if Repair::is_session(answer.session) => {
            if let Some(actor) = convergence(&answer.store) {
                post(&actor, NoRepairPage { peer, answer });
            }
        }
        Message::Page(page) => {
            if let Some(store) = store(&page.store) {
                post(&store.catch_up, PageCame { peer, page });
            }
        }
        Message::NoPage(answer) => {
            if let Some(store) = store(&answer.store) {
                post(&store.catch_up, NoPageCame { peer, answer });
            }
        }
        Message::Report(_)
        | Message::Hello(_)
        | Message::Welcome(_)
        | Message::Refusal(_)
        | Message::Batch(_)
        | Message::PageRequest(_)
        | Message::DigestRequest(_) => return Err(LinkError::UnexpectedMessage),
    }
    Ok(())
}
