//! Large answers, piece by piece.
//!
//! The framework copies what it is handed to a buffer of the connection and keeps that until the client has taken it:
//! a whole value for each client that does not read.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;

/// Bytes of a piece; what is not larger stays whole. The framework takes the next piece once it has less than that
/// left, and keeps a buffer that never had more than 128 KiB.
const PIECE_BYTES: usize = 32 << 10;

/// The same body; one that is large and in memory is handed on in pieces.
pub(crate) fn cut(body: BoxBody) -> BoxBody {
    if !matches!(body.size(), BodySize::Sized(bytes) if bytes > PIECE_BYTES as u64) {
        return body;
    }
    match body.try_into_bytes() {
        Ok(bytes) => BoxBody::new(Pieces(bytes)),
        Err(body) => body,
    }
}

/// What is left of a body.
struct Pieces(Bytes);

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let length = self.0.len().min(PIECE_BYTES);
        Poll::Ready((length > 0).then(|| Ok(self.0.split_to(length))))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::poll_fn;

    use super::*;

    #[test]
    fn a_large_body_comes_in_pieces_that_share_its_bytes() {
        let whole =
            Bytes::from((0..=u8::MAX).cycle().take(2 * PIECE_BYTES + 1).collect::<Vec<_>>());
        let mut body = cut(BoxBody::new(whole.clone()));
        assert_eq!(body.size(), BodySize::Sized(whole.len() as u64));
        let mut at = 0;
        let next = |body: &mut BoxBody| {
            poll_fn(|cx| Pin::new(&mut *body).poll_next(cx)).now_or_never().expect("it is there")
        };
        for length in [PIECE_BYTES, PIECE_BYTES, 1] {
            let piece = next(&mut body).expect("it goes on").expect("it can not fail");
            assert_eq!(piece, whole.slice(at..at + length));
            assert_eq!(piece.as_ptr(), whole[at..].as_ptr());
            at += length;
        }
        assert!(next(&mut body).is_none());
    }

    #[test]
    fn a_small_body_stays_whole() {
        let whole = Bytes::from(vec![0; PIECE_BYTES]);
        let kept = cut(BoxBody::new(whole.clone())).try_into_bytes().expect("it is bytes");
        assert_eq!(kept.as_ptr(), whole.as_ptr());
    }
}
