//! The body of a request, as it comes. Its connection knows when more of it is waited for: only then everything
//! that the client sends is read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;

use crate::metrics::Bodies;
use crate::progress::Progress;

/// A body that may be read.
pub(crate) struct Incoming {
    payload: Payload,
    progress: Option<Progress>,
    bodies: Arc<Bodies>,
}

impl Incoming {
    /// The body of a request on the connection of `progress`.
    pub(crate) fn new(payload: Payload, progress: Option<Progress>, bodies: &Arc<Bodies>) -> Self {
        Self { payload, progress, bodies: Arc::clone(bodies) }
    }
}

impl Stream for Incoming {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.payload).poll_next(cx);
        if let Some(progress) = &self.progress {
            progress.await_body(polled.is_pending());
        }
        if let Poll::Ready(Some(Ok(piece))) = &polled {
            self.bodies.read(piece);
        }
        polled
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(progress) = &self.progress {
            progress.await_body(false);
        }
    }
}
