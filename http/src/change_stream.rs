//! A stream of changes as the body of an answer: it is made as the client takes it, a piece at a time, so that
//! a slow client costs nobody anything.

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::Error;
use actix_web::error::ErrorInternalServerError;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use gridkv_actors::changes::{ChangePlace, Feed, LoggedChange, Truncated};
use tokio::time::timeout;

use crate::access::{Access, Caller};
use crate::change_format::{LastWord, ShownChange, StreamShape};
use crate::progress::Streaming;
use crate::watchers::Seat;

/// How often a stream says that it is there when nothing changes.
const PING: Duration = Duration::from_secs(15);

/// A piece is sent once it has this many bytes, or nothing more is to be said.
const PIECE_BYTES: usize = 32 << 10;

/// What a stream is made of.
pub(crate) struct ChangeStream {
    pub(crate) feed: Feed,
    pub(crate) shape: StreamShape,
    pub(crate) place: ChangePlace,
    pub(crate) with_values: bool,
    /// Changes after which it ends, if it does.
    pub(crate) left: Option<usize>,
    /// Who reads it, and who says whether that one still may.
    pub(crate) reader: (Caller, Access),
    /// Its place among those who watch, and its connection, if that can be told.
    pub(crate) held: (Seat, Option<Streaming>),
}

/// A stream under way.
struct Course {
    feed: Feed,
    shape: StreamShape,
    place: ChangePlace,
    with_values: bool,
    left: Option<usize>,
    reader: (Caller, Access),
    /// Read and not told yet.
    read: VecDeque<LoggedChange>,
    begun: bool,
    over: bool,
    _held: (Seat, Option<Streaming>),
}

impl ChangeStream {
    /// The body.
    pub(crate) fn into_body(self) -> impl Stream<Item = Result<Bytes, Error>> {
        let Self { feed, shape, place, with_values, left, reader, held } = self;
        let course = Course {
            feed,
            shape,
            place,
            with_values,
            left,
            reader,
            read: VecDeque::new(),
            begun: false,
            over: false,
            _held: held,
        };
        unfold(course, |mut course| async move {
            let piece = course.piece().await?;
            Some((piece, course))
        })
    }
}

impl Course {
    /// The next piece; `None` at the end.
    async fn piece(&mut self) -> Option<Result<Bytes, Error>> {
        let shape = self.shape;
        let mut piece = String::new();
        if !std::mem::replace(&mut self.begun, true) {
            piece.push_str(&shape.beginning(self.place));
        }
        while !self.over && piece.len() < PIECE_BYTES {
            if let Some(change) = self.read.pop_front() {
                match self.shown(&change).await {
                    Ok(shown) => piece.push_str(&shown),
                    Err(error) => return Some(Err(error)),
                }
                continue;
            }
            let (caller, access) = &self.reader;
            if !access.still_knows(*caller) {
                self.over = true; // its token was taken away
                break;
            }
            match self.feed.read_on(self.place) {
                Ok(next) => {
                    self.place = next.place;
                    self.read.extend(next.changes);
                    if !self.read.is_empty() || next.more {
                        continue;
                    }
                }
                Err(Truncated { oldest }) => {
                    self.over = true;
                    piece.push_str(&shape.end(LastWord::Truncated(oldest)));
                    break;
                }
            }
            if self.feed.is_over() {
                self.over = true;
                piece.push_str(&shape.end(LastWord::Bye));
            } else if !piece.is_empty() {
                break;
            } else if timeout(PING, self.feed.changed()).await.is_err() {
                piece.push_str(&shape.ping(self.place));
            }
        }
        (!piece.is_empty()).then(|| Ok(Bytes::from(piece)))
    }

    async fn shown(&mut self, change: &LoggedChange) -> Result<String, Error> {
        let found = if self.with_values {
            self.feed.value(&change.key).await.map_err(ErrorInternalServerError)?
        } else {
            None
        };
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
            self.over = *left == 0;
        }
        let shown = ShownChange::new(change, self.place, found);
        Ok(self.shape.change(&shown)?)
    }
}
