//! A client's socket that knows what it waits for, and does not wait for ever.
//!
//! The framework has a deadline for the head of a connection's first request, and none for the next ones;
//! and none for a client that does not read its answer. A socket that drips a byte now and then would hold a
//! connection for as long as it likes. Its deadlines come by a clock that goes twice a second: all connections
//! that were to end in that time end at once, and whoever asks just then waits for all of them. Here each of
//! these ends the connection in its own time, and so does the end of the server when nothing is under way: it
//! reads as closed by the client.
//!
//! Nor does one client that takes all that it is given keep the worker from others: after so many bytes it is
//! their turn.
//!
//! Nor does it read what nobody comes to: the framework takes in all that a client sends, also while an
//! earlier request is worked on or its answer is not taken, makes requests of it that wait, and at 128 KiB
//! more asks again and again, without a pause, whether there is room. So a connection stops reading before
//! that, and goes on when it is its turn.
//!
//! It also holds back that a client has said all. The framework calls a body incomplete when it hears of the end
//! before it has looked at all the bytes that it took in, and it looks at more only once its reader keeps up.

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::futures::OwnedNotified;
use tokio::task::yield_now;

use crate::alarm::Alarm;
use crate::progress::{Closing, Course, Phase, Progress};
use crate::socket::{Socket, is_flushed};

/// What a client hears whose head did not come in time.
const HEAD_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Bytes that are read beyond the request that is worked on, and one piece more: requests that follow. The
/// framework does not serve one whose body is not whole when the answer before it is sent, and closes the connection.
const AHEAD_BYTES: usize = 48 << 10;

/// Bytes of them that are read at once.
const PIECE_BYTES: usize = 8 << 10;

/// Bytes of heads that are read before what they ask for is begun: a request that waits takes many times the
/// bytes that it came as.
const HEAD_BYTES: usize = 16 << 10;

/// Bytes that are written before it is the turn of others.
const TURN_BYTES: usize = 128 << 10;

/// The deadlines of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From the first byte of a request to the end of its head.
    pub(crate) head: Duration,
    /// From the last byte of an answer to the first of the next request.
    pub(crate) keep_alive: Duration,
    /// Without a byte that the client takes of its answer.
    pub(crate) write: Duration,
    /// From the last answer to the client's end: so that it sees the answer, and no reset.
    pub(crate) linger: Duration,
    /// From the end of what a client sends to the end of its request that waits for something to happen: who
    /// has said all and still listens gets what comes soon, and who is gone is not waited for.
    pub(crate) half_closed: Duration,
}

/// A client's socket.
pub(crate) struct Connection {
    stream: Socket,
    progress: Progress,
    patience: Patience,
    closed: Pin<Box<OwnedNotified>>,
    /// Who is woken when the server stops.
    waker: Option<Waker>,
    head: Alarm,
    idle: Alarm,
    write: Alarm,
    half_closed: Alarm,
    /// Whether all that was to be written has been taken by the system.
    written: bool,
    /// Whether all of it was taken, and some waits within TLS.
    unflushed: bool,
    /// Bytes that came while a request was worked on: requests that follow, maybe.
    ahead: usize,
    /// Bytes of heads that were read without a pause.
    at_once: usize,
    /// Bytes that were written in this turn.
    turn: usize,
}

impl Connection {
    /// Takes a socket that was just accepted.
    pub(crate) fn new(stream: Socket, patience: Patience, closing: Arc<Closing>) -> Self {
        let closed = Box::pin(Arc::clone(&closing.notify).notified_owned());
        let mut head = Alarm::default();
        head.set(patience.head);
        Self {
            stream,
            progress: Progress { course: Rc::new(Course::new()), closing },
            patience,
            closed,
            waker: None,
            head,
            idle: Alarm::default(),
            write: Alarm::default(),
            half_closed: Alarm::default(),
            written: true,
            unflushed: false,
            ahead: 0,
            at_once: 0,
            turn: 0,
        }
    }

    /// Its phase, for those who handle its requests.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Sees to it that this task is woken when the server stops: once, because all connections of
    /// the worker meet at that bell.
    fn wait_for_the_end(&mut self, cx: &mut Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
            #[expect(clippy::let_underscore_must_use, reason = "the flag says whether it was said")]
            let _ = self.closed.as_mut().poll(cx);
        }
    }

    /// Whether no more is read for now: the client does not take its answers, or what follows the request
    /// that is worked on is enough.
    fn has_enough(&self) -> bool {
        let course = &self.progress.course;
        match course.phase.get() {
            _ if course.awaits_body.get() => false,
            Phase::Busy | Phase::Waiting | Phase::Answered => {
                !self.written || self.ahead >= AHEAD_BYTES
            }
            Phase::Idle | Phase::Leaving => !self.written,
            Phase::New | Phase::Head | Phase::Streaming => false,
        }
    }

    /// Reads what there is; of what follows the request that is worked on a piece at most.
    fn poll_stream(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let course = &self.progress.course;
        let is_ahead = matches!(course.phase.get(), Phase::Busy | Phase::Waiting | Phase::Answered)
            && !course.awaits_body.get();
        if !is_ahead {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let mut bytes = [MaybeUninit::uninit(); PIECE_BYTES];
        let room = bytes.get_mut(..buffer.remaining().min(PIECE_BYTES)).unwrap_or_default();
        let mut piece = ReadBuf::uninit(room);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut piece);
        buffer.put_slice(piece.filled());
        read
    }

    /// Takes note of bytes that came.
    fn count(&mut self, bytes: usize) {
        let course = &self.progress.course;
        match course.phase.get() {
            // Nearly all of them are its body.
            Phase::Busy if course.awaits_body.get() && bytes > 0 => self.ahead = bytes,
            Phase::Busy | Phase::Waiting | Phase::Answered => self.ahead += bytes,
            Phase::Idle => {
                self.ahead = 0;
                self.at_once = bytes;
            }
            Phase::New | Phase::Head => self.at_once += bytes,
            Phase::Streaming | Phase::Leaving => {}
        }
    }

    /// What the framework hears of it that the client has said all: nothing yet, or that it is gone.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let course = Rc::clone(&self.progress.course);
        let phase = course.phase.get();
        if phase != Phase::Waiting {
            self.half_closed.clear();
        }
        match phase {
            // Once more of the body is waited for, the framework looks at all that it has.
            Phase::Busy if !course.awaits_body.get() => {}
            Phase::Waiting => {
                if !self.half_closed.is_set() {
                    self.half_closed.set(self.patience.half_closed);
                }
                if self.half_closed.poll(cx).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                }
            }
            Phase::Streaming => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            Phase::New
            | Phase::Idle
            | Phase::Head
            | Phase::Busy
            | Phase::Answered
            | Phase::Leaving => return Poll::Ready(Ok(())),
        }
        course.held.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Waits until the client takes something; ready when it has had its time. Where it `was_blocked` already,
    /// the time goes on.
    fn wait_for_the_client(&mut self, was_blocked: bool, cx: &mut Context<'_>) -> Poll<io::Error> {
        if !was_blocked || !self.write.is_set() {
            self.write.set(self.patience.write);
        }
        ready!(self.write.poll(cx));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    /// From now on the next request is waited for, but not for ever. Where that time is over at once, the next read
    /// tells.
    fn rest(&mut self, cx: &mut Context<'_>) {
        self.idle.set(self.patience.keep_alive);
        if self.idle.poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// A last word, if nothing else is being said. Whether it arrives does not matter.
    fn say_timeout(&mut self, cx: &mut Context<'_>) {
        if self.written {
            drop(Pin::new(&mut self.stream).poll_write(cx, HEAD_TIMEOUT));
        }
    }
}

impl AsyncRead for Connection {
    /// Reads; nothing, which means the end, when a head is overdue or the server stops.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.wait_for_the_end(cx);
        let course = Rc::clone(&this.progress.course);
        if this.has_enough() {
            course.held.set(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        let phase = &course.phase;
        if matches!(phase.get(), Phase::New | Phase::Head) && this.at_once >= HEAD_BYTES {
            this.at_once = 0;
            cx.waker().wake_by_ref(); // what was read may be a request, which comes first
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = this.poll_stream(cx, buffer);
        let count = buffer.filled().len() - before;
        let came = count > 0;
        this.count(count);
        if phase.get() == Phase::Streaming && came {
            buffer.set_filled(before); // behind the last request there is none
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let said_all = !came && matches!(read, Poll::Ready(Ok(())));
        let heard = if said_all { this.poll_end(cx) } else { Poll::Ready(Ok(())) };
        if !matches!(heard, Poll::Ready(Ok(()))) {
            return heard;
        }
        if phase.get() == Phase::Leaving && this.head.poll(cx).is_ready() {
            buffer.set_filled(before);
            return Poll::Ready(Ok(()));
        }
        match phase.get() {
            Phase::New if came => phase.set(Phase::Head),
            Phase::Idle if came => {
                phase.set(Phase::Head);
                this.head.set(this.patience.head);
            }
            Phase::New | Phase::Idle if read.is_pending() && this.progress.closing.is_said() => {
                return Poll::Ready(Ok(()));
            }
            Phase::Idle if this.idle.poll(cx).is_ready() => return Poll::Ready(Ok(())),
            Phase::New
            | Phase::Idle
            | Phase::Head
            | Phase::Busy
            | Phase::Waiting
            | Phase::Answered
            | Phase::Streaming
            | Phase::Leaving => {}
        }
        if matches!(phase.get(), Phase::New | Phase::Head) && this.head.poll(cx).is_ready() {
            buffer.set_filled(before);
            this.say_timeout(cx);
            return Poll::Ready(Ok(()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    /// Writes; an error when the client has taken nothing for too long.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let course = Rc::clone(&this.progress.course);
        if course.phase.get() == Phase::Answered {
            course.enter(Phase::Idle);
            if this.ahead > 0 {
                // With more than 16 requests waiting, the framework leaves what it has read of the
                // next ones alone, and comes back to it only when it is woken.
                cx.waker().wake_by_ref();
            }
        }
        if course.phase.get() == Phase::Leaving {
            this.head.set(this.patience.linger);
            // Polled here, to be woken: nothing may be read before the time is over.
            if this.head.poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        let was_blocked = !this.written;
        if this.turn >= TURN_BYTES {
            this.turn = 0;
            if give_way(cx).is_pending() {
                this.written = false;
                return Poll::Pending;
            }
        }
        let result = Pin::new(&mut this.stream).poll_write(cx, bytes);
        let all_taken = matches!(&result, Poll::Ready(Ok(taken)) if *taken == bytes.len());
        this.unflushed = all_taken && !is_flushed(&this.stream);
        this.written = all_taken && !this.unflushed;
        let Poll::Ready(taken) = result else {
            this.turn = 0;
            return this.wait_for_the_client(was_blocked, cx).map(Err);
        };
        this.turn += taken.as_ref().map_or(0, |count| *count);
        this.write.clear();
        if course.phase.get() == Phase::Idle {
            this.rest(cx);
        }
        if this.written {
            course.release();
        }
        Poll::Ready(taken)
    }

    /// Flushes what TLS still has; an error when the client takes it too slowly.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let result = Pin::new(&mut this.stream).poll_flush(cx);
        if result.is_pending() {
            return this.wait_for_the_client(true, cx).map(Err);
        }
        if this.unflushed {
            this.unflushed = false;
            this.written = true;
            this.write.clear();
            this.progress.course.release();
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Ready where there is nobody to give way to; otherwise this task is woken once the worker has looked for others
/// that can go on. (Woken by itself, it would be the next.)
fn give_way(cx: &mut Context<'_>) -> Poll<()> {
    pin!(yield_now()).poll(cx)
}

#[cfg(test)]
#[path = "connection_test.rs"]
mod tests;
