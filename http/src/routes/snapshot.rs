//! `/v1/stores/{store}/snapshot`: all of a store as one file, and such a file put into a store.
//!
//! Both ways in constant memory: what goes out is read as the client takes it, and what comes in waits on the
//! disk until it was found whole, in every mode, so that nothing damaged is ever applied in part. A read that
//! fails ends the connection before the footer. Nothing is written when an upload is refused, and what a
//! failure in the middle of writing leaves is told by its counts.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::{Stream, stream};
use gridkv_actors::error::{ReadError, RestoreError, SaveError, WriteError};
use gridkv_actors::restore::{RestoreMode, Restored};
use gridkv_actors::snapshot::SnapshotWalk;
use gridkv_protocol::State;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::snapshot::{SnapshotHead, SnapshotWriter, WriteError as EncodeError};
use serde::Serialize;

use crate::body::Pieces;
use crate::config::HttpConfig;
use crate::exchange::Exchange;
use crate::headers;
use crate::incoming::Incoming;
use crate::key_path;
use crate::problem::{Code, Problem};
use crate::progress::Streaming;
use crate::query::{Query, invalid};
use crate::refusal::overloaded;
use crate::rfc3339;
use crate::routes::kv::value_too_large;
use crate::routes::{Endpoint, Verb, internal, json};
use crate::snapshot_lines::LineWriter;
use crate::snapshot_upload::{FRAMES, LINES, UploadReader};

/// `GET`, `HEAD`
pub(crate) fn save(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    let query = exchange.query(Endpoint::SaveSnapshot)?;
    let (in_lines, media_type, ending) = match query.get("format") {
        None | Some("gkv" | "msgpack") => (false, FRAMES, "gkvs"),
        Some("ndjson") => (true, LINES, "ndjson"),
        Some(_) => return Err(invalid("format", "is gkv or ndjson")),
    };
    store.handle.can_be_saved()?;
    let (name, made_at) = (store.handle.name(), store.handle.now());
    let stamp: String = rfc3339::format(made_at)
        .chars()
        .take_while(|c| *c != '.')
        .filter(|c| !matches!(c, '-' | ':'))
        .collect();
    let file = format!("attachment; filename=\"gridkv-{name}-{stamp}Z.{ending}\"");
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, media_type));
    response.insert_header((header::CONTENT_DISPOSITION, headers::value(file)));
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    let keys = store.handle.stats().key_count;
    response.insert_header((headers::GRIDKV_KEY_COUNT, headers::value(keys.to_string())));
    if Verb::of(exchange.request.method()) == Verb::Head {
        return Ok(response.body(actix_web::body::None::new()));
    }
    let walk = store.handle.snapshot()?;
    let (encoder, first) = if in_lines {
        (Encoder::Lines(LineWriter::default()), Vec::new())
    } else {
        let node = exchange.site.node.name().to_owned();
        let head = SnapshotHead { store: name.clone(), node, made_at };
        let (writer, first) = SnapshotWriter::start(&head).map_err(|error| internal(&error))?;
        (Encoder::Frames(writer), first)
    };
    let streaming = Streaming::of(&exchange.request);
    let outgoing = outgoing(Outgoing { walk, encoder, first, streaming });
    Ok(response.force_close().streaming(exchange.site.metrics.bodies.counted(outgoing)))
}

enum Encoder {
    Frames(SnapshotWriter),
    Lines(LineWriter),
}

/// Why a snapshot breaks off.
#[derive(Debug, thiserror::Error)]
enum BrokenOff {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Frame(#[from] EncodeError),
    #[error(transparent)]
    Line(#[from] serde_json::Error),
}

impl Encoder {
    fn records(&mut self, records: &[KeyedRecord]) -> Result<Vec<u8>, BrokenOff> {
        match self {
            Self::Frames(writer) => Ok(writer.records(records)?),
            Self::Lines(writer) => Ok(writer.records(records)?),
        }
    }

    fn finish(self) -> Result<Vec<u8>, BrokenOff> {
        match self {
            Self::Frames(writer) => Ok(writer.finish()?),
            Self::Lines(writer) => Ok(writer.finish()?),
        }
    }
}

/// A snapshot on its way out.
struct Outgoing {
    walk: SnapshotWalk,
    encoder: Encoder,
    /// What comes before the records.
    first: Vec<u8>,
    /// Its connection waits for nothing else.
    streaming: Option<Streaming>,
}

/// The bytes of a snapshot, each stretch read when the one before was taken.
fn outgoing(begun: Outgoing) -> impl Stream<Item = Result<Bytes, BrokenOff>> {
    stream::try_unfold(Some(Box::new(begun)), |outgoing| async {
        let Some(outgoing) = outgoing else { return Ok(None) };
        let went = next(*outgoing).await;
        went.map(Some).inspect_err(|error| tracing::error!(%error, "a snapshot breaks off"))
    })
}

/// The next bytes, and what is left.
async fn next(outgoing: Outgoing) -> Result<(Bytes, Option<Box<Outgoing>>), BrokenOff> {
    let Outgoing { mut walk, mut encoder, first: mut bytes, streaming } = outgoing;
    while bytes.is_empty() && !walk.is_over() {
        let made;
        (walk, made) = walk
            .next(move |records| {
                let bytes = encoder.records(records);
                (encoder, bytes)
            })
            .await?;
        let encoded;
        (encoder, encoded) = made;
        bytes = encoded?;
    }
    if bytes.is_empty() {
        return Ok((encoder.finish()?.into(), None));
    }
    Ok((bytes.into(), Some(Box::new(Outgoing { walk, encoder, first: Vec::new(), streaming }))))
}

/// `PUT`
pub(crate) async fn load(
    exchange: &Exchange,
    payload: &mut Incoming,
) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    let query = exchange.query(Endpoint::LoadSnapshot)?;
    let (mode, trial) = (mode(&query)?, query.flag("dry_run")?);
    let mut reader = UploadReader::of(exchange.headers())?;
    let mut restore = store.handle.restore().await?;
    let mut pieces = Pieces::of(payload);
    let too_large = || Problem::new(Code::BodyTooLarge, "nothing happened");
    while let Some(piece) = pieces.next().await.map_err(|error| error.into_problem(too_large))? {
        reader.push(&piece);
        while let Some(records) = reader.next_records()? {
            fits(&records, &exchange.site.config)?;
            restore = restore.add(records).await?;
        }
    }
    reader.finish()?;
    let restored = restore.apply(mode, trial).await?;
    let Restored { applied, skipped_older, expired, deleted } = restored;
    let (store, mode_word) = (store.handle.name(), word(mode));
    tracing::info!(%store, mode = mode_word, trial, applied, skipped_older, expired, deleted, "a snapshot was put into a store");
    let deleted = (mode == RestoreMode::Replace).then_some(deleted);
    json(&View { applied, skipped_older, expired, deleted })
}

#[derive(Serialize)]
struct View {
    applied: u64,
    skipped_older: u64,
    expired: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<u64>,
}

/// A mode as it is asked for.
fn word(mode: RestoreMode) -> &'static str {
    match mode {
        RestoreMode::Merge => "merge",
        RestoreMode::Missing => "missing",
        RestoreMode::Replace => "replace",
    }
}

fn mode(query: &Query<'_>) -> Result<RestoreMode, Problem> {
    match query.get("mode") {
        None | Some("merge") => Ok(RestoreMode::Merge),
        Some("missing") => Ok(RestoreMode::Missing),
        Some("replace") => Ok(RestoreMode::Replace),
        Some(_) => Err(invalid("mode", "is merge, missing or replace")),
    }
}

/// Whether this node takes such records: its own limits may be lower than those of who made the snapshot.
fn fits(records: &[KeyedRecord], config: &HttpConfig) -> Result<(), Problem> {
    for KeyedRecord { key, record } in records {
        key_path::check(key.as_str().as_bytes(), config.max_key_bytes)?;
        let State::Live(live) = &record.state else { continue };
        if live.value.len() > config.max_value_bytes {
            return Err(value_too_large(config.max_value_bytes).with("key", key.as_str()));
        }
    }
    Ok(())
}

impl From<SaveError> for Problem {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::NotReady(reason) => Self::new(
                Code::NotReady,
                format!("there may be only a part here: {reason}; try again, or ask another node"),
            )
            .retry_soon(),
            SaveError::TooMany => overloaded("too many snapshots of this store are taken"),
        }
    }
}

impl From<RestoreError> for Problem {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Running => Self::new(
                Code::RestoreRunning,
                "nothing was changed: another upload for this store is under way; wait for its end",
            )
            .retry_soon(),
            RestoreError::DiskFull(_) => Self::new(
                Code::DiskFull,
                "nothing was changed: an upload waits on the node's disk until it is whole, and leaves room \
                 for the stores; make some and try again",
            )
            .with("outcome", "not_applied"),
            RestoreError::Failed { why, done } => {
                tracing::error!(why, "a snapshot can not be put into a store");
                let unchanged = "nothing was changed; try again, and see the node's log";
                let problem = Self::new(Code::Internal, unchanged);
                if done == Restored::default() {
                    return problem.with("outcome", "not_applied");
                }
                stopped(problem, done, "see the node's log")
            }
            RestoreError::Write { error, done } if done == Restored::default() => error.into(),
            RestoreError::Write { error, done } => {
                let why = said(&error);
                stopped(error.into(), done, &why)
            }
        }
    }
}

/// What stopped a restore, without what is inside.
fn said(error: &WriteError) -> String {
    match error {
        WriteError::DiskFull(_) => "the disk is full".to_owned(),
        WriteError::NotCommitted(_) | WriteError::Poisoned | WriteError::Stopped => {
            "the store could not commit; see the node's log".to_owned()
        }
        WriteError::Rejected(_)
        | WriteError::Overloaded
        | WriteError::NotReady(_)
        | WriteError::Draining
        | WriteError::NotEnoughPeers(_)
        | WriteError::ClockFenced => error.to_string(),
    }
}

/// A restore that ended in the middle: what was written stays.
fn stopped(mut problem: Problem, done: Restored, why: &str) -> Problem {
    let Restored { applied, skipped_older, expired, deleted } = done;
    problem.detail = format!(
        "it stopped before its end: {why}; what was written by then stays, and the same upload goes on from \
         there"
    )
    .into();
    problem.fields.retain(|(name, _)| *name != "outcome");
    problem
        .with("outcome", "partial")
        .with("applied", applied)
        .with("skipped_older", skipped_older)
        .with("expired", expired)
        .with("deleted", deleted)
}
