//! Frames on a socket: read one message at a time, write from a queue that is bounded in bytes.
//!
//! A header is checked before its payload is allocated; a peer that does not read what it is sent is
//! cut when its queue is full, and never waited for.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use gridkv_protocol::frame::{FrameError, HEADER_BYTES, WIRE};
use gridkv_protocol::message::{Message, MessageError, SendError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::tls_fault::{TlsFault, is_tls};

/// Why a connection is of no further use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error(transparent)]
    Io(io::Error),
    #[error("the other side closed the connection")]
    Ended,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error(transparent)]
    Tls(#[from] TlsFault),
}

/// Why a message was not queued: the connection is cut.
#[derive(Debug, thiserror::Error)]
enum OutboxError {
    #[error("the connection is closed")]
    Closed,
    #[error("the peer does not read what it is sent")]
    Full,
    #[error(transparent)]
    Message(#[from] SendError),
}

/// A fault of TLS is said in our words, and the end of a connection is one, with a word of TLS before it or without.
impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        match TlsFault::behind(&error) {
            Some(fault) => Self::Tls(fault),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Ended,
            None => Self::Io(error),
        }
    }
}

/// Reads the next message. Returns it with the bytes of its frame.
pub(crate) async fn read_message<R: AsyncRead + Unpin>(
    read: &mut R,
    max_frame_bytes: usize,
) -> Result<(Message, usize), WireError> {
    let mut head = [0; HEADER_BYTES];
    read_head(read, &mut head).await?;
    let header = WIRE.parse(&head, max_frame_bytes).map_err(|error| {
        let tls = error == FrameError::BadMagic && is_tls(&head);
        if tls { TlsFault::SpeaksTls.into() } else { WireError::Frame(error) }
    })?;
    let mut payload = Vec::new();
    // Grows as bytes arrive: a claimed length alone costs nothing.
    let length = u64::try_from(header.length()).unwrap_or(u64::MAX);
    let got = read.take(length).read_to_end(&mut payload).await?;
    if got < header.length() {
        return Err(WireError::Ended);
    }
    header.verify(&payload)?;
    Ok((Message::from_frame(&header, &payload)?, HEADER_BYTES + got))
}

/// Reads a header. Where an alert of TLS comes instead, which is shorter, that is said.
async fn read_head<R: AsyncRead + Unpin>(
    read: &mut R,
    head: &mut [u8; HEADER_BYTES],
) -> Result<(), WireError> {
    let mut left: &mut [u8] = head;
    while !left.is_empty() {
        let got = read.read(left).await?;
        if got == 0 {
            let missing = left.len();
            let tls = missing < HEADER_BYTES && is_tls(head);
            return Err(if tls { TlsFault::SpeaksTls.into() } else { WireError::Ended });
        }
        left = left.get_mut(got..).unwrap_or_default();
    }
    Ok(())
}

/// Messages on their way into a socket. Cheap to clone; usable from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    frames: mpsc::UnboundedSender<Vec<u8>>,
    queued: Arc<AtomicUsize>,
    cut: Arc<Notify>,
    limits: OutboxLimits,
}

/// How much an outbox takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutboxLimits {
    /// Bytes of a frame's payload.
    pub(crate) frame_bytes: usize,
    /// Bytes waiting (one frame may be larger).
    pub(crate) queue_bytes: usize,
}

/// The other end of an outbox.
pub(crate) struct OutboxReceiver {
    frames: mpsc::UnboundedReceiver<Vec<u8>>,
    queued: Arc<AtomicUsize>,
    /// Notified when the connection is to be closed.
    pub(crate) cut: Arc<Notify>,
}

/// An outbox and its other end.
pub(crate) fn outbox(limits: OutboxLimits) -> (Outbox, OutboxReceiver) {
    let (sender, frames) = mpsc::unbounded_channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let cut = Arc::new(Notify::new());
    let receiver = OutboxReceiver { frames, queued: Arc::clone(&queued), cut: Arc::clone(&cut) };
    (Outbox { frames: sender, queued, cut, limits }, receiver)
}

impl Outbox {
    /// Queues a message. The bytes queued are bounded: a peer that does not read is cut, because a
    /// message that is dropped in silence would leave its sender waiting for ever.
    pub(crate) fn send(&self, message: &Message) {
        if let Err(error) = self.try_send(message) {
            tracing::debug!(%error, "a message can not be sent; the connection is cut");
            self.cut();
        }
    }

    /// Whether so much waits already that what can wait should.
    pub(crate) fn is_busy(&self) -> bool {
        self.queued.load(Ordering::Acquire) > self.limits.queue_bytes / 2
    }

    /// Closes the connection.
    pub(crate) fn cut(&self) {
        self.cut.notify_one();
    }

    fn try_send(&self, message: &Message) -> Result<(), OutboxError> {
        let frame = message.to_frame(self.limits.frame_bytes)?;
        let before = self.queued.fetch_add(frame.len(), Ordering::AcqRel);
        if before > 0 && before + frame.len() > self.limits.queue_bytes {
            self.queued.fetch_sub(frame.len(), Ordering::AcqRel);
            return Err(OutboxError::Full);
        }
        self.frames.send(frame).map_err(|_| OutboxError::Closed)
    }
}

/// The task that writes a connection's queue; it ends with this value, and the socket with it.
pub(crate) struct Writer {
    task: JoinHandle<io::Result<()>>,
}

impl Writer {
    /// Starts to write what is queued.
    pub(crate) fn start<W: AsyncWrite + Unpin + 'static>(
        write: W,
        queue: OutboxReceiver,
        sent: Arc<AtomicU64>,
    ) -> Self {
        Self { task: actix_rt::spawn(write_queue(write, queue, sent)) }
    }

    /// Waits until nothing more can be written; an error when the socket failed.
    pub(crate) async fn ended(&mut self) -> io::Result<()> {
        (&mut self.task).await.unwrap_or(Ok(()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Writes what is queued until the outbox is dropped or the socket fails. Adds to `sent`.
async fn write_queue<W: AsyncWrite + Unpin>(
    mut write: W,
    mut outbox: OutboxReceiver,
    sent: Arc<AtomicU64>,
) -> io::Result<()> {
    while let Some(mut frame) = outbox.frames.recv().await {
        loop {
            write.write_all(&frame).await?;
            outbox.queued.fetch_sub(frame.len(), Ordering::AcqRel);
            sent.fetch_add(u64::try_from(frame.len()).unwrap_or(0), Ordering::Relaxed);
            match outbox.frames.try_recv() {
                Ok(next) => frame = next,
                Err(_) => break,
            }
        }
        write.flush().await?;
    }
    write.shutdown().await
}

#[cfg(test)]
mod tests {
    use gridkv_protocol::StoreName;
    use gridkv_protocol::message::NoPage;

    use super::*;

    fn message() -> Message {
        Message::NoPage(NoPage { store: StoreName::new("main").unwrap(), session: 7 })
    }

    #[actix_rt::test]
    async fn messages_cross_a_socket_in_order() {
        let (near, mut far) = tokio::io::duplex(64);
        let (outbox, receiver) = outbox(OutboxLimits { frame_bytes: 1_000, queue_bytes: 1_000 });
        for _ in 0..3 {
            outbox.send(&message());
        }
        drop(outbox);
        let sent = Arc::new(AtomicU64::new(0));
        let writer = actix_rt::spawn(write_queue(near, receiver, Arc::clone(&sent)));
        let mut bytes = 0;
        for _ in 0..3 {
            let (read, length) = read_message(&mut far, 1_000).await.unwrap();
            assert_eq!(read, message());
            bytes += length as u64;
        }
        writer.await.unwrap().unwrap();
        assert_eq!(sent.load(Ordering::Relaxed), bytes);
        assert!(matches!(read_message(&mut far, 1_000).await, Err(WireError::Ended)));
    }

    #[actix_rt::test]
    async fn who_does_not_read_is_refused_before_memory_grows() {
        let (outbox, receiver) = outbox(OutboxLimits { frame_bytes: 1_000, queue_bytes: 100 });
        for _ in 0..10 {
            outbox.send(&message());
        }
        receiver.cut.notified().await;
        assert!(matches!(outbox.try_send(&message()), Err(OutboxError::Full)));
        assert!(outbox.queued.load(Ordering::Acquire) <= 100);
    }

    #[actix_rt::test]
    async fn a_claimed_length_costs_nothing_and_a_truncated_frame_is_an_error() {
        let frame = message().to_frame(1_000).unwrap();
        for length in 0..frame.len() {
            let mut cut = &frame[..length];
            assert!(read_message(&mut cut, 1_000).await.is_err(), "cut at {length}");
        }
        let mut huge = frame.clone();
        huge[8..12].fill(0xff);
        let refused = read_message(&mut &huge[..], 1_000).await;
        assert!(matches!(refused, Err(WireError::Frame(FrameError::TooLong { .. }))));
    }
}
