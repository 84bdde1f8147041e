//! A record as the command line shows it, and the batches that reach keys which no path can name.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::client::{Answer, Call, Client, ClientError, Patience, Problem, Query, encoded};

/// The names of the headers that say what is known of a record, and how a result names them.
pub(crate) const HEADERS: [(&str, &str); 5] = [
    ("gridkv-version", "version"),
    ("content-type", "content_type"),
    ("last-modified", "last_modified"),
    ("gridkv-expires-at", "expires_at"),
    ("gridkv-ttl", "ttl_seconds"),
];

/// What the headers of an answer say, in the order of [`HEADERS`].
pub(crate) fn known(answer: &Answer) -> Vec<(&'static str, String)> {
    let named = HEADERS.iter();
    named.filter_map(|(header, name)| Some((*name, answer.header(header)?.to_owned()))).collect()
}

/// The bytes of a value in JSON.
///
/// # Errors
/// When it is not base64.
pub(crate) fn value(json: &Json) -> anyhow::Result<Vec<u8>> {
    let text = json.as_str().context("a value is missing in the answer")?;
    STANDARD.decode(text).context("a value in the answer is not base64")
}

/// Bytes as a value in JSON.
pub(crate) fn in_base64(bytes: &[u8]) -> Json {
    Json::String(STANDARD.encode(bytes))
}

/// Does a single operation by a batch, for a key that no path can name.
///
/// # Errors
/// [`ClientError`], as if it had been a request of its own.
pub(crate) fn by_batch(
    client: &Client,
    store: &str,
    op: &Json,
    on: impl FnOnce(Query) -> Query,
    patience: Patience,
) -> Result<Json, ClientError> {
    let only_reads = op.get("op").and_then(Json::as_str) == Some("get");
    let path = on(Query::of(format!("/v1/stores/{}/batch", encoded(store))));
    let call = Call::post(path).json(&json!({ "ops": [op] })).patience(patience);
    let answer = client.call(if only_reads { call.only_reads() } else { call })?;
    let url = answer.url().to_owned();
    let strange = |why: String| {
        let url = url.clone();
        if only_reads {
            ClientError::Strange { url, what: why }
        } else {
            ClientError::Unknown { url, why }
        }
    };
    let mut reply = answer.json().map_err(|error| strange(error.to_string()))?;
    let result = reply.pointer_mut("/results/0").map(Json::take);
    let mut result = result.ok_or_else(|| strange("a batch without a result".to_owned()))?;
    let status = result.get("status").and_then(Json::as_u64).unwrap_or(0);
    if status < 400 {
        return Ok(result);
    }
    let mut text = |name| match result.get_mut(name).map(Json::take) {
        Some(Json::String(text)) => text,
        _ => String::new(),
    };
    let (code, detail) = (text("code"), text("detail"));
    let title = code.replace('_', " ");
    let status = u16::try_from(status).unwrap_or(500);
    let problem = Problem { status, code, title, detail, url, ..Problem::default() };
    Err(ClientError::Refused(Box::new(problem)))
}
