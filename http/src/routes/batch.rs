//! `POST /v1/stores/{store}/batch`: several operations in one request.
//!
//! A batch that is not atomic and only reads does not pass the store's actor, so it is served like
//! any read while the node takes no writes. In an atomic batch, an operation that is refused at the
//! door aborts the others like one that the store refuses: they are 424 `batch_aborted`.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use gridkv_actors::write::{Action, Batch, BatchItem, ItemOutcome, Rejection};
use gridkv_actors::{Durability, OpKind, Undone};
use gridkv_protocol::{Version, codec};

use crate::batch_op::{self, Op};
use crate::batch_reply::{BatchReply, ItemReply, Kind};
use crate::batch_request::{BatchRequest, RawOp};
use crate::body::{self, BodyLimits};
use crate::config::HttpConfig;
use crate::exchange::{Exchange, StoreDoor};
use crate::headers;
use crate::incoming::Incoming;
use crate::media_type::BatchFormat;
use crate::problem::{Code, Problem};
use crate::role::Role;
use crate::routes::{Endpoint, internal};
use crate::stopwatch::Stopwatch;
use crate::waiting::AckTerms;

/// `POST`
pub(crate) async fn batch(
    exchange: &Exchange,
    payload: &mut Incoming,
) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    let query = exchange.query(Endpoint::Batch)?;
    let (durability, acks) = (query.durability()?, AckTerms::of(&query)?);
    let format = BatchFormat::of(exchange.headers())?;
    let config = &exchange.site.config;
    let limits = BodyLimits { max_bytes: config.max_body_bytes, timeout: config.body_timeout };
    let body = body::read(payload, exchange.headers(), limits)
        .await
        .map_err(|error| error.into_problem(|| body_too_large(limits.max_bytes)))?;
    let request = BatchRequest::decode(&body, format)?;
    if !request.ops.decoded.iter().all(RawOp::is_read) {
        exchange.require(Role::Write)?;
    }
    let atomic = request.atomic;
    let ops = check(request, config)?;
    drop(body);

    let mut items = Vec::with_capacity(ops.len());
    let asked: Vec<Asked> = ops
        .into_iter()
        .map(|op| {
            op.map(|op| {
                let kind = kind(&op);
                items.push(op.item);
                kind
            })
        })
        .collect();
    let aborted = atomic && items.len() < asked.len();

    let writes = !aborted && items.iter().any(|item| matches!(item, BatchItem::Write(_)));
    let claim = if writes { Some(acks.claim(exchange, &store)?) } else { None };
    let stopwatch = Stopwatch::start();
    let outcomes = if aborted {
        store.handle.operations().fail(OpKind::Batch, Undone::Error);
        Ok(items.iter().map(|_| ItemOutcome::Rejected(Rejection::BatchAborted)).collect())
    } else {
        perform(&store, Batch { atomic, items, durability }).await
    };
    store.timers.observe(OpKind::Batch, stopwatch);
    let outcomes = outcomes?;
    let written = Written::of(&outcomes);
    let acks = match (claim, &written) {
        (Some(claim), Some(written)) => {
            claim.settle(exchange, &store, written.last).await.map(Some)
        }
        (Some(_) | None, _) => Ok(None),
    };
    match acks {
        Ok(acks) => reply(results(asked, outcomes, format)?, format, written.zip(acks)),
        // Which operations were done is told with what is not known of their copies.
        Err(problem) => {
            let done = BatchReply::new(results(asked, outcomes, BatchFormat::Json)?);
            let done = serde_json::to_value(&done.results).map_err(|error| internal(&error))?;
            Err(problem.with("results", done))
        }
    }
}

/// What a batch wrote, taken together.
#[derive(Clone, Copy)]
struct Written {
    /// Its last version: who has this one has them all.
    last: Version,
    /// The weakest promise of its operations.
    durability: Durability,
}

impl Written {
    /// `None` when nothing was written.
    fn of(outcomes: &[ItemOutcome]) -> Option<Self> {
        let written = outcomes.iter().filter_map(|outcome| match outcome {
            ItemOutcome::Written(written) => Some(written),
            ItemOutcome::Rejected(_) | ItemOutcome::Read(_) => None,
        });
        let last = written.clone().map(|written| written.version).max()?;
        let durability = written.map(|written| written.durability).min()?;
        Some(Self { last, durability })
    }
}

/// Every operation, or why it is refused alone.
type Checked = Result<Op, Problem>;

/// The same once the operation itself has gone to the store.
type Asked = Result<Kind, Problem>;

fn check(request: BatchRequest<'_>, config: &HttpConfig) -> Result<Vec<Checked>, Problem> {
    let limit = config.batch_ops();
    if request.ops.total > limit {
        let detail = format!("nothing was written; send at most {limit} operations at once");
        return Err(Problem::new(Code::BodyTooLarge, detail).with("limit_ops", limit));
    }
    let judged = request.ops.decoded.into_iter().enumerate().map(|(index, raw)| {
        batch_op::check(raw, config).map_err(|malformed| {
            let detail = format!("nothing was written; operation {index}: {}", malformed.0);
            Problem::new(Code::MalformedBody, detail).with("index", index)
        })
    });
    judged.collect()
}

/// What became of the operations that were not refused at the door, in their order.
async fn perform(store: &StoreDoor, batch: Batch) -> Result<Vec<ItemOutcome>, Problem> {
    let only_reads = batch.items.iter().all(|item| matches!(item, BatchItem::Get(_)));
    if !only_reads || (batch.atomic && !batch.items.is_empty()) {
        return Ok(store.handle.batch(batch).await?);
    }
    let mut outcomes = Vec::with_capacity(batch.items.len());
    for item in batch.items {
        if let BatchItem::Get(key) = item {
            let read = store.handle.get(&key).await.inspect_err(|_| {
                store.handle.operations().fail(OpKind::Batch, Undone::Error);
            })?;
            outcomes.push(ItemOutcome::Read(read));
        }
    }
    store.handle.operations().batch.add(1);
    Ok(outcomes)
}

/// What became of every operation, in the order of the request.
fn results(
    asked: Vec<Asked>,
    outcomes: Vec<ItemOutcome>,
    format: BatchFormat,
) -> Result<Vec<ItemReply>, Problem> {
    let mut outcomes = outcomes.into_iter();
    let mut results = Vec::with_capacity(asked.len());
    for asked in asked {
        results.push(match asked {
            Err(problem) => ItemReply::refused(problem),
            Ok(kind) => {
                let outcome = outcomes.next().ok_or_else(|| internal(&MissingOutcome))?;
                ItemReply::of(outcome, kind, format)
            }
        });
    }
    Ok(results)
}

fn reply(
    results: Vec<ItemReply>,
    format: BatchFormat,
    written: Option<(Written, HeaderValue)>,
) -> Result<HttpResponse, Problem> {
    let reply = BatchReply::new(results);
    let body = match format {
        BatchFormat::Json => serde_json::to_vec(&reply).map_err(|error| internal(&error))?,
        BatchFormat::MsgPack => codec::encode_named(&reply).map_err(|error| internal(&error))?,
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, format.as_str()));
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some((written, acks)) = written {
        let word = HeaderValue::from_static(written.durability.as_str());
        response.insert_header((headers::GRIDKV_DURABILITY, word));
        response.insert_header((headers::GRIDKV_ACKS, acks));
    }
    Ok(response.body(body))
}

/// The store answered fewer operations than it was asked to do.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the store left operations of a batch unanswered")]
struct MissingOutcome;

fn kind(op: &Op) -> Kind {
    match &op.item {
        BatchItem::Get(_) => Kind::Get(op.encoding),
        BatchItem::Write(write) => match write.action {
            Action::Put { .. } => Kind::Put,
            Action::Delete => Kind::Delete,
            Action::Touch { .. } => Kind::Touch,
        },
    }
}

/// A batch over the limit.
fn body_too_large(limit_bytes: usize) -> Problem {
    let detail = format!("nothing was written; a body has at most {limit_bytes} bytes here");
    Problem::new(Code::BodyTooLarge, detail).with("limit_bytes", limit_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str, max_batch_ops: usize) -> Result<Vec<Checked>, Problem> {
        let request = BatchRequest::decode(json.as_bytes(), BatchFormat::Json).unwrap();
        check(request, &HttpConfig { max_batch_ops, ..HttpConfig::default() })
    }

    #[test]
    fn a_malformed_operation_refuses_all_by_index() {
        let json = r#"{"ops":[{"op":"get","key":"a"},{"op":"get"}]}"#;
        let problem = checked(json, 2).unwrap_err();
        assert_eq!(problem.code, Code::MalformedBody);
        assert_eq!(problem.fields, [("index", 1.into())]);
    }

    #[test]
    fn too_many_operations_are_refused() {
        let json = r#"{"ops":[{"op":"get","key":"a"},{"op":"get","key":"a"}]}"#;
        assert_eq!(checked(json, 2).unwrap().len(), 2);
        assert_eq!(checked(json, 1).unwrap_err().code, Code::BodyTooLarge);
    }

    #[test]
    fn a_refused_operation_has_its_result_in_its_place() {
        let json = r#"{"ops":[{"op":"get","key":""},{"op":"get","key":"a"}]}"#;
        let ops = checked(json, 2).unwrap();
        let asked = ops.into_iter().map(|op| op.map(|op| kind(&op))).collect();
        let results = results(asked, vec![ItemOutcome::Read(None)], BatchFormat::Json).unwrap();
        let response = reply(results, BatchFormat::Json, None).unwrap();
        let body = actix_web::body::MessageBody::try_into_bytes(response.into_body()).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(json["errors"], 2);
        assert_eq!(json["results"][0]["code"], "invalid_key");
        assert_eq!(json["results"][1]["code"], "key_not_found");
    }
}
