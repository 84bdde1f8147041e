//! The peer link: dials one address, shakes hands, keeps the connection, and dials again.
//!
//! A node publishes over the links that it dialled: reports and batches go out, answers, pages and
//! reports come back. Each link is one task; it reads here, and writes from the outbox.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use gridkv_protocol::limits::{HANDSHAKE_FRAME_BYTES, HANDSHAKE_MS};
use gridkv_protocol::message::{Message, SendError};
use gridkv_protocol::repair::Repair;
use gridkv_protocol::welcome::{Hello, Refusal, Welcome};
use gridkv_protocol::{Origin, StoreName};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::catch_up_actor::{NoPageCame, PageCame};
use crate::cluster_actor::ClusterActor;
use crate::cluster_messages::{Dialled, LinkEnded, PeerReported, SayHello, Silent, Verdict};
use crate::convergence_actor::{DigestCame, NoRepairPage, RepairPage};
use crate::links::Links;
use crate::post::post;
use crate::publisher_actor::Answered;
use crate::store_ends::StoreEnds;
use crate::wire::{OutboxLimits, WireError, Writer, outbox, read_message};

/// The first pause before a link dials again; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause: a peer that comes back is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a link is made of. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LinkParts {
    pub(crate) cluster: Addr<ClusterActor>,
    pub(crate) stores: Arc<StoreEnds>,
    pub(crate) links: Arc<Links>,
    pub(crate) limits: OutboxLimits,
    /// A link that brings nothing for this long is broken.
    pub(crate) silence: Duration,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
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

/// Keeps a link to `addr` until it is aborted, or the address turns out to be this node's own.
pub(crate) async fn keep(addr: String, parts: LinkParts) {
    let mut pause = FIRST_PAUSE;
    loop {
        match connect(&addr, &parts).await {
            Ok(Ended::AtOnce(Verdict::Myself)) | Err(LinkError::Stopping) => return,
            // Another address leads to the same node: look again now and then whether it still does.
            Ok(Ended::AtOnce(Verdict::NotNeeded)) => pause = LONGEST_PAUSE,
            Ok(Ended::AtOnce(_)) => pause = FIRST_PAUSE,
            Ok(Ended::AfterAWhile(error)) => {
                tracing::info!(%addr, reason = %error, "a link ended");
                pause = FIRST_PAUSE;
            }
            Err(error) => {
                tracing::debug!(%addr, reason = %error, "a peer can not be reached");
                let reason = error.to_string();
                let refused =
                    if let LinkError::Refused(why) = error { Some(why.reason) } else { None };
                post(&parts.cluster, Silent { addr: addr.clone(), reason, refused });
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
    let hello = parts.cluster.send(SayHello).await.map_err(|_| LinkError::Stopping)?;
    let (read, write, welcome) = timeout(handshake, shake_hands(addr, hello))
        .await
        .map_err(|_| LinkError::SlowHandshake)??;
    let run = welcome.member.origin;
    let peer = run.node();
    let (outbox, queue) = outbox(parts.limits);
    let (reply, verdict) = oneshot::channel();
    post(&parts.cluster, Dialled { addr: addr.to_owned(), welcome, outbox, reply });
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
    post(&parts.cluster, LinkEnded { peer });
    Ok(Ended::AfterAWhile(error))
}

async fn shake_hands(
    addr: &str,
    hello: Hello,
) -> Result<(OwnedReadHalf, OwnedWriteHalf, Welcome), LinkError> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (mut read, mut write) = stream.into_split();
    let frame = Message::Hello(hello).to_frame(HANDSHAKE_FRAME_BYTES)?;
    write.write_all(&frame).await?;
    let answer = read_message(&mut read, HANDSHAKE_FRAME_BYTES * 16).await?.0;
    if let Message::Refusal(refusal) = answer {
        return Err(LinkError::Refused(refusal));
    }
    let Message::Welcome(welcome) = answer else { return Err(LinkError::UnexpectedMessage) };
    Ok((read, write, welcome))
}

/// Reads until the connection is of no further use.
async fn read_all(mut read: OwnedReadHalf, run: Origin, parts: &LinkParts) -> LinkError {
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
