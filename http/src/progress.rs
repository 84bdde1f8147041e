//! What a connection is about, shared by the connection and those who handle its requests.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use actix_web::HttpRequest;
use tokio::sync::Notify;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The first byte of the first request: it is timed like a head.
    New,
    /// The first byte of another request.
    Idle,
    /// The rest of a head.
    Head,
    /// The answer to a request.
    Busy,
    /// The answer to a request that waits for something to happen.
    Waiting,
    /// The first byte of an answer to be written.
    Answered,
    /// The end of an answer that goes on until one of both ends it.
    Streaming,
    /// The client's end, after the last answer: what it still sends is no request.
    Leaving,
}

/// The phase of a connection, shared with those who handle its requests.
#[derive(Clone)]
pub(crate) struct Progress {
    pub(crate) course: Rc<Course>,
    pub(crate) closing: Arc<Closing>,
}

/// Where a connection is.
pub(crate) struct Course {
    pub(crate) phase: Cell<Phase>,
    /// Whether the request that is worked on waits for more of its body.
    pub(crate) awaits_body: Cell<bool>,
    /// Who would read on, and has enough for now.
    pub(crate) held: Cell<Option<Waker>>,
}

impl Progress {
    /// A request has come whole, up to its body.
    pub(crate) fn begin(&self) {
        self.course.enter(Phase::Busy);
    }

    /// Its answer is on its way, and is the connection's last if `closes`. Says whether it must be.
    pub(crate) fn end(&self, closes: bool) -> bool {
        if self.course.phase.get() == Phase::Streaming {
            return true;
        }
        let last = closes || self.closing.is_said();
        self.course.enter(if last { Phase::Leaving } else { Phase::Answered });
        last
    }

    /// Whether the request waits for more of its body.
    pub(crate) fn await_body(&self, awaits: bool) {
        self.course.awaits_body.set(awaits);
        if awaits {
            self.course.release();
        }
    }
}

impl Course {
    pub(crate) fn new() -> Self {
        let (phase, awaits_body) = (Cell::new(Phase::New), Cell::new(false));
        Self { phase, awaits_body, held: Cell::new(None) }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.release();
    }

    /// Lets it be read on.
    pub(crate) fn release(&self) {
        if let Some(waker) = self.held.take() {
            waker.wake();
        }
    }
}

/// A request that waits for something to happen, maybe for minutes: until it is dropped the end of what the
/// client sends is taken for the end of the client, and ends the request.
pub(crate) struct Waiting(Progress);

impl Waiting {
    /// This request, if its connection can be told.
    pub(crate) fn of(request: &HttpRequest) -> Option<Self> {
        let progress = request.conn_data::<Progress>()?.clone();
        progress.course.enter(Phase::Waiting);
        Some(Self(progress))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.course.enter(Phase::Busy);
    }
}

/// An answer that goes on: until it is dropped the connection waits for nothing else, also while the server
/// stops. It is the connection's last.
pub(crate) struct Streaming(Progress);

impl Streaming {
    /// The answer to this request, if its connection can be told.
    pub(crate) fn of(request: &HttpRequest) -> Option<Self> {
        let progress = request.conn_data::<Progress>()?.clone();
        progress.course.enter(Phase::Streaming);
        Some(Self(progress))
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.course.enter(Phase::Leaving);
    }
}

/// Says once, to the connections of one worker, that the server stops.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    said: AtomicBool,
    pub(crate) notify: Arc<Notify>,
}

impl Closing {
    /// Says it.
    pub(crate) fn say(&self) {
        self.said.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    pub(crate) fn is_said(&self) -> bool {
        self.said.load(Ordering::Acquire)
    }
}
