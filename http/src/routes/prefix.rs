//! `DELETE /v1/kv/{store}?prefix=P`: every key that starts with a prefix, deleted.
//!
//! Not atomic, and no snapshot: pages of keys are read and deleted one after the other, by tombstones as
//! a `DELETE` of each would write them, so memory stays bounded and others write in between. A key that is
//! written meanwhile may survive, and one that is overwritten before its page was deleted does not. When
//! it fails half way, or the client goes away, what was deleted stays so; the same request goes on.

use actix_web::HttpResponse;
use actix_web::http::header::HeaderValue;
use gridkv_actors::write::{Action, Batch, BatchItem, Condition, ItemOutcome, Write};
use gridkv_actors::{Durability, ListQuery, Listed, OpKind};
use gridkv_protocol::Version;
use serde::Serialize;

use crate::condition;
use crate::exchange::{Exchange, StoreDoor};
use crate::headers;
use crate::problem::{Code, Problem};
use crate::query::{self, Query};
use crate::routes::{Endpoint, json};
use crate::stopwatch::Stopwatch;
use crate::waiting::AckTerms;

/// Keys that are deleted at once: other writes wait for no more, and it is a small part of what may be in
/// flight.
const PAGE_KEYS: usize = 256;

#[derive(Serialize)]
struct Deleted {
    deleted: u64,
}

/// What was deleted so far.
#[derive(Debug, Default)]
struct Progress {
    /// Keys that had a value.
    deleted: u64,
    /// The last version: who has this one has them all.
    last: Option<Version>,
    /// The weakest promise.
    durability: Option<Durability>,
}

/// `DELETE`
pub(crate) async fn delete(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    let query = exchange.query(Endpoint::DeletePrefix)?;
    let prefix = prefix(&query)?;
    let (durability, acks) = (query.durability()?, AckTerms::of(&query)?);
    if condition::from_headers(exchange.headers())? != Condition::default() {
        return Err(Problem::new(
            Code::InvalidParameter,
            "nothing was deleted; If-Match and If-None-Match are about one key, not about a prefix",
        ));
    }
    store.handle.admits(durability)?;
    let claim = acks.claim(exchange, &store)?;

    let mut progress = Progress::default();
    let done = delete_all(&store, prefix, durability, &mut progress).await;
    done.map_err(|problem| progress.explain(problem))?;
    let mut response = json(&Deleted { deleted: progress.deleted })?;
    if let (Some(last), Some(durability)) = (progress.last, progress.durability) {
        let acks = claim.settle(exchange, &store, last).await;
        let acks = acks.map_err(|problem| problem.with("deleted", progress.deleted))?;
        let (response, word) = (response.headers_mut(), durability.as_str());
        response.insert(headers::GRIDKV_DURABILITY, HeaderValue::from_static(word));
        response.insert(headers::GRIDKV_ACKS, acks);
    }
    Ok(response)
}

/// The prefix, which nobody leaves away by mistake.
fn prefix<'a>(query: &'a Query<'_>) -> Result<&'a str, Problem> {
    let all = query.flag("all")?;
    match query.get("prefix") {
        None => Err(query::invalid("prefix", "is missing: what the keys to delete start with")),
        Some("") if !all => {
            Err(query::invalid("prefix", "is empty; to delete every key, add all=true"))
        }
        Some(prefix) => Ok(prefix),
    }
}

async fn delete_all(
    store: &StoreDoor,
    prefix: &str,
    durability: Option<Durability>,
    progress: &mut Progress,
) -> Result<(), Problem> {
    let mut query =
        ListQuery { prefix: prefix.to_owned(), limit: PAGE_KEYS, ..ListQuery::default() };
    loop {
        let page = store.handle.list(query.clone()).await?;
        if !page.records.is_empty() {
            let items = page.records.into_iter().map(deletion).collect();
            let stopwatch = Stopwatch::start();
            let outcomes = store.handle.batch(Batch { atomic: false, items, durability }).await;
            store.timers.observe(OpKind::Batch, stopwatch);
            outcomes?.into_iter().try_for_each(|outcome| progress.count(outcome))?;
        }
        if page.next.is_none() {
            return Ok(());
        }
        query.after = page.next;
    }
}

fn deletion(listed: Listed) -> BatchItem {
    let condition = Condition::default();
    BatchItem::Write(Write { key: listed.key, action: Action::Delete, condition })
}

impl Progress {
    fn count(&mut self, outcome: ItemOutcome) -> Result<(), Problem> {
        match outcome {
            ItemOutcome::Written(written) => {
                self.deleted += u64::from(written.existed);
                self.last = self.last.max(Some(written.version));
                let weakest = self.durability.unwrap_or(written.durability);
                self.durability = Some(weakest.min(written.durability));
                Ok(())
            }
            ItemOutcome::Rejected(rejection) => Err(rejection.into()),
            ItemOutcome::Read(_) => Ok(()),
        }
    }

    /// A problem says of the page that met it what it did; this adds what the pages before did.
    fn explain(&self, mut problem: Problem) -> Problem {
        if self.deleted > 0 {
            let before = format!("{} keys were deleted before this happened", self.deleted);
            problem.detail = format!("{before}; of the next ones: {}", problem.detail).into();
        }
        problem.with("deleted", self.deleted)
    }
}

#[cfg(test)]
mod tests {
    use gridkv_actors::error::WriteError;
    use gridkv_actors::write::Written;

    use super::*;

    fn of(raw: &str) -> Result<String, Problem> {
        let query = Query::parse(raw, Endpoint::DeletePrefix.query())?;
        prefix(&query).map(str::to_owned)
    }

    #[test]
    fn a_prefix_is_required_and_an_empty_one_twice() {
        assert_eq!(of("prefix=a").as_deref(), Ok("a"));
        assert_eq!(of("prefix=a&all=true").as_deref(), Ok("a"));
        assert_eq!(of("prefix=&all=true").as_deref(), Ok(""));
        for raw in ["", "all=true", "prefix=", "prefix", "prefix=&all=false", "prefix=a&all=yes"] {
            assert_eq!(of(raw).unwrap_err().code, Code::InvalidParameter, "{raw}");
        }
    }

    #[test]
    fn a_failure_half_way_says_how_far_it_came() {
        let mut progress = Progress::default();
        let problem = progress.explain(WriteError::Overloaded.into());
        assert_eq!(problem.fields, [("deleted", 0.into())]);
        assert!(problem.detail.starts_with("nothing happened"));
        let version = |text: &str| text.parse().unwrap();
        for (text, existed, durability) in [
            ("0000000000000002-0000000200000003", true, Durability::Fsync),
            ("0000000000000001-0000000200000003", false, Durability::Os),
        ] {
            let version = version(text);
            let written = Written { version, existed, expires_at: None, durability };
            progress.count(ItemOutcome::Written(written)).unwrap();
        }
        assert_eq!(progress.last, Some(version("0000000000000002-0000000200000003")));
        assert_eq!((progress.deleted, progress.durability), (1, Some(Durability::Os)));
        let problem = progress.explain(WriteError::Overloaded.into());
        assert_eq!(problem.fields, [("deleted", 1.into())]);
        assert!(problem.detail.starts_with("1 keys were deleted before"), "{}", problem.detail);
    }
}
