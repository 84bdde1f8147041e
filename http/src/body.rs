//! Reading a request body under a cap and two deadlines: one for all of it, one for its progress.
//!
//! Refused: a body that says it is too large (before a byte is read), one that turns out to be, one
//! that comes slower than [`MIN_PROGRESS_BYTES`] per [`PROGRESS_WINDOW`], and one that ends early. No
//! memory is taken for bytes that have not come.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::time::timeout;

use crate::problem::{Code, Problem};

/// Bytes that must come in each [`PROGRESS_WINDOW`], unless the body ends in it: a client that drips
/// would hold a place among the requests in flight for the whole deadline.
const MIN_PROGRESS_BYTES: usize = 1_024;

/// See [`MIN_PROGRESS_BYTES`].
const PROGRESS_WINDOW: Duration = Duration::from_secs(10);

/// How much, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// Bytes, at most.
    pub(crate) max_bytes: usize,
    /// From now to the end of the body.
    pub(crate) timeout: Duration,
}

/// Why there is no body. The request was not acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// More bytes than allowed, said or sent.
    #[error("the body is larger than allowed")]
    TooLarge,
    /// One of the deadlines passed.
    #[error("the body did not come in time")]
    TooSlow,
    /// The client went away, or its encoding broke.
    #[error("the body ended early")]
    Incomplete,
}

impl BodyError {
    /// The refusal; `too_large` names the limit that applies.
    pub(crate) fn into_problem(self, too_large: impl FnOnce() -> Problem) -> Problem {
        match self {
            // What is left of the body is not worth reading.
            Self::TooLarge => too_large().closing(),
            Self::TooSlow => Problem::new(
                Code::BodyTimeout,
                "nothing happened; send the body at once, and at least 1 KiB every 10 s",
            )
            .closing(),
            Self::Incomplete => Problem::new(
                Code::BodyIncomplete,
                "nothing happened; send all bytes that Content-Length or the chunks announce",
            )
            .closing(),
        }
    }
}

/// The body of a request with these headers, whole. One chunk is handed on without a copy.
///
/// # Errors
/// [`BodyError`].
pub(crate) async fn read<S>(
    stream: &mut S,
    headers: &HeaderMap,
    limits: BodyLimits,
) -> Result<Bytes, BodyError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    if said_bytes(headers).is_some_and(|said| said > limits.max_bytes) {
        return Err(BodyError::TooLarge);
    }
    let mut body = Collected::default();
    let whole = {
        let reading = pin!(fill(stream, &mut body, usize::MAX, limits.max_bytes));
        soon(reading).await
    };
    if let Some(filled) = whole {
        return filled.map(|_| body.into_bytes());
    }
    // Large beside what most requests need, whose future should be small.
    let rest = Box::pin(async {
        loop {
            let enough = body.len().saturating_add(MIN_PROGRESS_BYTES);
            let window = fill(stream, &mut body, enough, limits.max_bytes);
            match timeout(PROGRESS_WINDOW, window).await {
                Ok(Ok(Fill::Enough)) => {}
                Ok(Ok(Fill::Ended)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(BodyError::TooSlow),
            }
        }
    });
    timeout(limits.timeout, rest).await.map_err(|_| BodyError::TooSlow)??;
    Ok(body.into_bytes())
}

/// Reads a body of any size, piece by piece: under the deadline for its progress, and no other.
pub(crate) struct Pieces<'a, S>(&'a mut S);

impl<'a, S> Pieces<'a, S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    /// The body that `stream` brings.
    pub(crate) fn of(stream: &'a mut S) -> Self {
        Self(stream)
    }

    /// The next piece, of at least [`MIN_PROGRESS_BYTES`] unless it is the last; `None` after that. The time
    /// between two calls does not count.
    ///
    /// # Errors
    /// [`BodyError`], but for its size.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let mut piece = Collected::default();
        let window = fill(self.0, &mut piece, MIN_PROGRESS_BYTES, usize::MAX);
        timeout(PROGRESS_WINDOW, window).await.map_err(|_| BodyError::TooSlow)??;
        Ok((piece.len() > 0).then(|| piece.into_bytes()))
    }
}

/// Bytes of a body that come with its head, more or less: what is longer may be on its way still.
const AT_ONCE_BYTES: usize = 32 * 1_024;

/// Whether a refusal of the request with these headers may come before all of its body has: then
/// the rest would be taken for the next request.
pub(crate) fn may_follow(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || said_bytes(headers).is_some_and(|said| said > AT_ONCE_BYTES)
}

/// What `Content-Length` says; more than can be counted counts as the most.
fn said_bytes(headers: &HeaderMap) -> Option<usize> {
    let text = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    Some(text.trim().parse().unwrap_or(usize::MAX))
}

/// What `reading` comes to in this turn of the task or the next; `None` if it goes on. By then it has what came with
/// the head: most bodies are whole, and need no deadline.
fn soon<T>(mut reading: Pin<&mut impl Future<Output = T>>) -> impl Future<Output = Option<T>> {
    let mut last = false;
    poll_fn(move |cx| match reading.as_mut().poll(cx) {
        Poll::Ready(read) => Poll::Ready(Some(read)),
        Poll::Pending if last => Poll::Ready(None),
        Poll::Pending => {
            last = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
}

enum Fill {
    Enough,
    Ended,
}

/// Reads until `body` has `enough` bytes or ends.
async fn fill<S>(
    stream: &mut S,
    body: &mut Collected,
    enough: usize,
    max_bytes: usize,
) -> Result<Fill, BodyError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    while body.len() < enough {
        match stream.next().await {
            Some(Ok(chunk)) if body.len().saturating_add(chunk.len()) > max_bytes => {
                return Err(BodyError::TooLarge);
            }
            Some(Ok(chunk)) => body.push(chunk),
            Some(Err(PayloadError::Overflow)) => return Err(BodyError::TooLarge),
            Some(Err(_)) => return Err(BodyError::Incomplete),
            None => return Ok(Fill::Ended),
        }
    }
    Ok(Fill::Enough)
}

/// The chunks so far: the only one as it came, or all of them in one buffer.
#[derive(Debug, Default)]
struct Collected {
    only: Bytes,
    joined: BytesMut,
}

impl Collected {
    fn len(&self) -> usize {
        self.only.len() + self.joined.len()
    }

    fn push(&mut self, chunk: Bytes) {
        if self.len() == 0 {
            self.only = chunk;
        } else {
            self.joined.extend_from_slice(&std::mem::take(&mut self.only));
            self.joined.extend_from_slice(&chunk);
        }
    }

    fn into_bytes(self) -> Bytes {
        if self.joined.is_empty() { self.only } else { self.joined.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use futures_util::stream;

    use super::*;

    fn limits(max_bytes: usize) -> BodyLimits {
        BodyLimits { max_bytes, timeout: Duration::from_secs(30) }
    }

    fn on_a_paused_clock<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(future)
    }

    fn read_chunks(
        chunks: Vec<Result<Bytes, PayloadError>>,
        max: usize,
    ) -> Result<Bytes, BodyError> {
        let mut stream = stream::iter(chunks);
        on_a_paused_clock(read(&mut stream, &HeaderMap::new(), limits(max)))
    }

    /// A chunk of `bytes` every `pause`, for ever.
    fn dripping(
        bytes: usize,
        pause: Duration,
    ) -> impl Stream<Item = Result<Bytes, PayloadError>> + Unpin {
        Box::pin(stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok(Bytes::from(vec![0; bytes])), ()))
        }))
    }

    #[test]
    fn chunks_are_joined_up_to_the_cap() {
        let chunks = |texts: &[&'static str]| {
            texts.iter().map(|text| Ok(Bytes::from_static(text.as_bytes()))).collect()
        };
        assert_eq!(read_chunks(vec![], 3).unwrap(), "");
        assert_eq!(read_chunks(chunks(&["abc"]), 3).unwrap(), "abc");
        assert_eq!(read_chunks(chunks(&["a", "", "b", "c"]), 3).unwrap(), "abc");
        assert_eq!(read_chunks(chunks(&["ab", "cd"]), 3), Err(BodyError::TooLarge));
    }

    #[test]
    fn what_came_with_the_head_and_what_came_later_are_one_body() {
        let body = |first: &'static str, later: &'static str, max| {
            let first = stream::iter([Ok(Bytes::from_static(first.as_bytes()))]);
            let later = stream::once(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(Bytes::from_static(later.as_bytes()))
            });
            let mut stream = Box::pin(first.chain(later));
            on_a_paused_clock(read(&mut stream, &HeaderMap::new(), limits(max)))
        };
        assert_eq!(body("ab", "cd", 4).unwrap(), "abcd");
        assert_eq!(body("ab", "", 2).unwrap(), "ab");
        assert_eq!(body("ab", "cd", 3), Err(BodyError::TooLarge));
    }

    #[test]
    fn what_is_said_to_be_too_large_is_not_read() {
        for said in ["4", "99999999999999999999999"] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static(said));
            let mut stream = stream::pending();
            let read = on_a_paused_clock(read(&mut stream, &headers, limits(3)));
            assert_eq!(read, Err(BodyError::TooLarge));
        }
    }

    #[test]
    fn a_body_that_breaks_off_is_incomplete() {
        let chunks = vec![Ok(Bytes::from_static(b"a")), Err(PayloadError::Incomplete(None))];
        assert_eq!(read_chunks(chunks, 3), Err(BodyError::Incomplete));
    }

    #[test]
    fn a_body_in_pieces_has_no_end_but_must_go_on() {
        on_a_paused_clock(async {
            let mut slow = dripping(1_024, Duration::from_secs(9));
            let mut pieces = Pieces::of(&mut slow);
            for _ in 0..1_000 {
                assert_eq!(pieces.next().await.unwrap().unwrap().len(), 1_024);
            }
            let mut slower = dripping(100, Duration::from_secs(1));
            assert_eq!(Pieces::of(&mut slower).next().await, Err(BodyError::TooSlow));
            let chunks = [Ok(Bytes::from_static(b"ab")), Ok(Bytes::from_static(b"c"))];
            let mut short = stream::iter(chunks);
            let mut pieces = Pieces::of(&mut short);
            assert_eq!(pieces.next().await.unwrap().unwrap(), "abc");
            assert_eq!(pieces.next().await, Ok(None));
            let mut broken = stream::iter([Err(PayloadError::Incomplete(None))]);
            assert_eq!(Pieces::of(&mut broken).next().await, Err(BodyError::Incomplete));
        });
    }

    #[test]
    fn a_dripping_client_is_cut_after_a_window_and_a_slow_one_at_the_deadline() {
        on_a_paused_clock(async {
            for (bytes, seconds) in [(1, 10), (1_024, 30)] {
                let started = tokio::time::Instant::now();
                let mut stream = dripping(bytes, Duration::from_secs(1));
                let read = read(&mut stream, &HeaderMap::new(), limits(usize::MAX)).await;
                assert_eq!(read, Err(BodyError::TooSlow));
                assert_eq!(started.elapsed().as_secs(), seconds);
            }
        });
    }
}
