//! Waiting for others: writes for peers that have them (`acks`, `ack_timeout`), reads for a version that
//! was written elsewhere (`min_version`, `timeout`).
//!
//! What can not come is refused before anything happened. A wait that ends without what was asked for is
//! never a success with a footnote: it is 504, and says what is true by then.

use std::time::Duration;

use actix_web::http::header::HeaderValue;
use gridkv_actors::acknowledging::{AckLevel, AckRequest, Acked};
use gridkv_actors::error::WaitError;
use gridkv_protocol::{Key, Record, StoreName, Version};
use serde_json::json;
use tokio::time::timeout;

use crate::duration;
use crate::exchange::{Exchange, StoreDoor};
use crate::headers;
use crate::metrics::AckResult;
use crate::problem::{Code, Problem};
use crate::progress::Waiting;
use crate::query::{self, Query};
use crate::refusal::overloaded;
use crate::routes::changes::unwatched;
use crate::stopwatch::Stopwatch;

/// How long a request waits for others when it does not say.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);

/// Milliseconds that a request may ask to wait, at most: longer ones outlive the proxies on their way.
const MAX_PATIENCE_MS: u64 = 600_000;

/// What a write asks of the node's peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AckTerms {
    level: AckLevel,
    patience: Duration,
}

/// A claim on peers, made before the write.
pub(crate) struct Claim {
    request: AckRequest,
    patience: Duration,
}

impl AckTerms {
    /// `acks` and `ack_timeout` of a query.
    ///
    /// # Errors
    /// 400 `invalid_parameter`.
    pub(crate) fn of(query: &Query<'_>) -> Result<Self, Problem> {
        let level = query.get("acks").map_or(Ok(AckLevel::Peers(0)), level)?;
        Ok(Self { level, patience: patience(query, "ack_timeout")? })
    }

    /// Claims the peers of a write that comes next.
    ///
    /// # Errors
    /// 503 `not_enough_peers` and what else keeps the node from writing. Nothing was written.
    pub(crate) fn claim(self, exchange: &Exchange, store: &StoreDoor) -> Result<Claim, Problem> {
        let request = exchange.site.node.ask_peers(&store.handle, self.level)?;
        Ok(Claim { request, patience: self.patience })
    }
}

impl Claim {
    /// Waits until the peers have `version`, which was written, unless the client goes. The value of
    /// `GridKV-Acks`.
    ///
    /// # Errors
    /// 504 `ack_timeout`: it is written here, and not known to be where it was to be.
    pub(crate) async fn settle(
        self,
        exchange: &Exchange,
        store: &StoreDoor,
        version: Version,
    ) -> Result<HeaderValue, Problem> {
        if self.request.asks_nobody() {
            return Ok(HeaderValue::from_static("0/0"));
        }
        let _waiting = Waiting::of(&exchange.request);
        let stopwatch = Stopwatch::start();
        // Large, and most writes ask nobody.
        let acked = Box::pin(self.request.wait(version, self.patience)).await;
        if acked.is_met() {
            store.timers.acks(AckResult::Met, stopwatch);
            return Ok(headers::value(format!("{}/{}", acked.got, acked.asked)));
        }
        store.timers.acks(AckResult::Timeout, stopwatch);
        Err(ack_timeout(&acked, store.handle.name(), version))
    }
}

fn ack_timeout(acked: &Acked, store: &StoreName, version: Version) -> Problem {
    let Acked { got, asked, missing } = acked;
    let detail = format!(
        "{got} of {asked} peers confirmed in time; the write is applied here and goes on to the others: \
         /v1/stores/{store}/receipts/{version} tells who has it"
    );
    Problem::new(Code::AckTimeout, detail)
        .with("applied_locally", true)
        .with("version", version.to_string())
        .with("acks", json!({"asked": asked, "met": got, "missing": missing}))
}

/// Waits until the node covers the `min_version` of a read, if it names one, unless the client goes.
///
/// # Errors
/// 504 `version_not_reached`; 400 `invalid_parameter`.
pub(crate) async fn reach(
    exchange: &Exchange,
    query: &Query<'_>,
    store: &StoreDoor,
) -> Result<(), Problem> {
    let patience = patience(query, "timeout")?;
    let Some(text) = query.get("min_version") else {
        return match query.get("timeout") {
            None => Ok(()),
            Some(_) => {
                Err(query::invalid("timeout", "is how long to wait for min_version; name one"))
            }
        };
    };
    let version: Version =
        text.parse().map_err(|error| query::invalid("min_version", &format!("{error}")))?;
    let _waiting = Waiting::of(&exchange.request);
    store.handle.wait_for(version, patience).await.map_err(|error| match error {
        WaitError::NotReached => Problem::new(
            Code::VersionNotReached,
            "this node does not have the version yet; try again, or ask the node that wrote it",
        )
        .with("version", version.to_string()),
        WaitError::Overloaded => overloaded("too many reads of this store wait for a version"),
    })
}

/// `wait`: how long an answer may take that would say nothing new.
///
/// # Errors
/// 400 `invalid_parameter`.
pub(crate) fn wait(query: &Query<'_>) -> Result<Option<Duration>, Problem> {
    query.get("wait").map(|_| patience(query, "wait")).transpose()
}

/// The record under `key` once `is_news`, or as it is after `patience`.
///
/// # Errors
/// 503 when too many wait, or the store can not be read.
pub(crate) async fn change(
    exchange: &Exchange,
    store: &StoreDoor,
    (key, patience): (&Key, Duration),
    is_news: impl Fn(Option<&Record>) -> bool,
) -> Result<Option<Record>, Problem> {
    let most = exchange.site.config.max_watchers;
    let _seat = exchange.site.watchers.sit(most)?;
    let _waiting = (Waiting::of(&exchange.request), exchange.site.metrics.requests.step_aside());
    let watch = store.handle.watch_key(key).map_err(|error| unwatched(error, most))?;
    let stopwatch = Stopwatch::start();
    loop {
        let found = store.handle.get(key).await?;
        let is_last = is_news(found.as_ref()) || watch.is_over();
        let left = patience.saturating_sub(stopwatch.elapsed());
        if is_last || timeout(left, watch.changed()).await.is_err() {
            return Ok(found);
        }
    }
}

fn level(text: &str) -> Result<AckLevel, Problem> {
    match text {
        "majority" => return Ok(AckLevel::Majority),
        "all" => return Ok(AckLevel::All),
        _ => {}
    }
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let count = text.parse().ok().filter(|_| digits);
    count.map(AckLevel::Peers).ok_or_else(|| {
        query::invalid("acks", "is a number of peers besides this node, majority, or all")
    })
}

fn patience(query: &Query<'_>, name: &str) -> Result<Duration, Problem> {
    let Some(text) = query.get(name) else { return Ok(DEFAULT_PATIENCE) };
    let ms = duration::parse(text).map_err(|error| query::invalid(name, &error.to_string()))?;
    if ms > MAX_PATIENCE_MS {
        return Err(query::invalid(name, "is at most 10m"));
    }
    Ok(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters;

    fn terms(raw: &str) -> Result<AckTerms, Problem> {
        AckTerms::of(&Query::parse(raw, &[parameters::ACKS, parameters::ACK_TIMEOUT])?)
    }

    #[test]
    fn what_a_write_asks_of_peers() {
        let table = [
            ("", AckLevel::Peers(0), 5_000),
            ("acks=0", AckLevel::Peers(0), 5_000),
            ("acks=2&ack_timeout=250ms", AckLevel::Peers(2), 250),
            ("acks=majority&ack_timeout=0", AckLevel::Majority, 0),
            ("acks=all&ack_timeout=10m", AckLevel::All, 600_000),
            ("acks=1&ack_timeout=2", AckLevel::Peers(1), 2_000),
        ];
        for (raw, level, ms) in table {
            let patience = Duration::from_millis(ms);
            assert_eq!(terms(raw), Ok(AckTerms { level, patience }), "{raw}");
        }
    }

    #[test]
    fn what_is_no_number_of_peers_or_too_long_is_refused() {
        for raw in [
            "acks=",
            "acks=-1",
            "acks=%2B1",
            "acks=1.5",
            "acks=ALL",
            "acks=two",
            "acks=99999999999999999999",
            "ack_timeout=",
            "ack_timeout=5x",
            "ack_timeout=601s",
        ] {
            let problem = terms(raw).unwrap_err();
            assert_eq!(problem.code, Code::InvalidParameter, "{raw}");
        }
    }

    #[test]
    fn a_timeout_says_what_is_true() {
        let version = "0000000000000001-0000000200000003".parse().unwrap();
        let acked = Acked { got: 1, asked: 2, missing: vec!["n3".to_owned()] };
        let problem = ack_timeout(&acked, &StoreName::new("main").unwrap(), version);
        assert_eq!(
            problem.fields,
            [
                ("applied_locally", json!(true)),
                ("version", json!("0000000000000001-0000000200000003")),
                ("acks", json!({"asked": 2, "met": 1, "missing": ["n3"]})),
            ]
        );
    }
}
