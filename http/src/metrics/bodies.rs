//! Bytes of bodies: of requests as they are read, of answers as they are given out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody as _};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};

use super::exposition::Exposition;
use super::names::{HTTP_REQUEST_BODY, HTTP_RESPONSE_BODY};
use crate::routes::Verb;

/// Bytes of all bodies of one server.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    read: AtomicU64,
    given: AtomicU64,
}

impl Bodies {
    /// A piece of a request's body was read.
    pub(crate) fn read(&self, piece: &Bytes) {
        self.read.fetch_add(length(piece), Ordering::Relaxed);
    }

    /// An answer is given out. What a stream gives is counted as it is made.
    pub(crate) fn give(&self, verb: Verb, response: &HttpResponse) {
        if let BodySize::Sized(bytes) = response.body().size()
            && verb != Verb::Head
        {
            self.given.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// The pieces of an answer, counted.
    pub(crate) fn counted<E, S: Stream<Item = Result<Bytes, E>>>(
        self: &Arc<Self>,
        pieces: S,
    ) -> impl Stream<Item = Result<Bytes, E>> + use<E, S> {
        let bodies = Arc::clone(self);
        pieces.inspect_ok(move |piece| {
            bodies.given.fetch_add(length(piece), Ordering::Relaxed);
        })
    }

    /// Writes both families.
    pub(super) fn collect(&self, out: &mut Exposition) {
        out.count(&HTTP_REQUEST_BODY, &[], self.read.load(Ordering::Relaxed));
        out.count(&HTTP_RESPONSE_BODY, &[], self.given.load(Ordering::Relaxed));
    }
}

fn length(piece: &Bytes) -> u64 {
    u64::try_from(piece.len()).unwrap_or(u64::MAX)
}
