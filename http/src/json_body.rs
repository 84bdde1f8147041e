//! Small JSON bodies of administrative requests: one object of a known shape, and nothing else.

use serde::de::DeserializeOwned;

use crate::body::{self, BodyLimits};
use crate::exchange::Exchange;
use crate::incoming::Incoming;
use crate::media_type::BatchFormat;
use crate::problem::{Code, Problem};

/// Bytes of such a body, at most: an address or a word, and some spaces.
const MAX_BODY_BYTES: usize = 4_096;

/// The body of a request, which should look like `shape`.
///
/// # Errors
/// 415, 413 and 400 `malformed_body`, and what keeps a body from coming.
pub(crate) async fn read<T: DeserializeOwned>(
    exchange: &Exchange,
    payload: &mut Incoming,
    shape: &str,
) -> Result<T, Problem> {
    if BatchFormat::of(exchange.headers())? != BatchFormat::Json {
        return Err(Problem::new(Code::UnsupportedMediaType, format!("send JSON: {shape}")));
    }
    let limits =
        BodyLimits { max_bytes: MAX_BODY_BYTES, timeout: exchange.site.config.body_timeout };
    let too_large = || Problem::new(Code::BodyTooLarge, format!("send no more than {shape}"));
    let body = body::read(payload, exchange.headers(), limits)
        .await
        .map_err(|error| error.into_problem(too_large))?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Code::MalformedBody, format!("send {shape}: {error}")))
}
