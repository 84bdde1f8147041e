//! `GET /v1/kv/{store}`: the keys of a store in byte order, a page at a time.
//!
//! Not a snapshot: a key that is there throughout a walk is listed exactly once, others may be. Any
//! text is a prefix, also one that no key can have.

use actix_web::HttpResponse;
use gridkv_actors::{ListQuery, Listing};
use gridkv_protocol::record::State;
use serde::Serialize;

use crate::cursor;
use crate::exchange::Exchange;
use crate::metrics::Operation;
use crate::problem::Problem;
use crate::rfc3339;
use crate::routes::{Endpoint, json};
use crate::stopwatch::Stopwatch;

/// Keys of a page when nothing is said.
const DEFAULT_LIMIT: usize = 100;

/// Keys of a page, at most: a page is built in memory.
const MAX_LIMIT: usize = 1_000;

#[derive(Serialize)]
struct Page<'a> {
    store: &'a str,
    prefix: &'a str,
    keys: Vec<Row<'a>>,
    common_prefixes: [&'a str; 0],
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    key: &'a str,
    version: String,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// `GET`, `HEAD`
pub(crate) async fn list(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    let query = exchange.query(Endpoint::ListKeys)?;
    let name = store.handle.name().as_str();
    let prefix = query.get("prefix").unwrap_or_default();
    let limit = query.count("limit", DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = query.get("cursor").map(|text| cursor::decode(text, name, prefix)).transpose()?;

    let list_query = ListQuery { prefix: prefix.to_owned(), after, limit };
    let stopwatch = Stopwatch::start();
    let listing = store.handle.list(list_query).await;
    store.timers.observe(Operation::List, stopwatch);
    json(&page(name, prefix, &listing?))
}

fn page<'a>(store: &'a str, prefix: &'a str, listing: &'a Listing) -> Page<'a> {
    let last = listing.records.last().filter(|_| listing.more);
    let keys = listing.records.iter().filter_map(|(key, record)| match &record.state {
        State::Live(live) => Some(Row {
            key: key.as_str(),
            version: record.version.to_string(),
            size: live.value.len(),
            expires_at: live.expires_at.map(rfc3339::format),
        }),
        State::Expired { .. } | State::Deleted => None,
    });
    Page {
        store,
        prefix,
        keys: keys.collect(),
        common_prefixes: [],
        next_cursor: last.map(|(key, _)| cursor::encode(store, prefix, key)),
    }
}

#[cfg(test)]
mod tests {
    use gridkv_protocol::record::{Live, Record};
    use gridkv_protocol::{Key, UnixMs, Value};

    use super::*;

    #[test]
    fn a_page_as_clients_see_it() {
        let live =
            |expires_at| Live { value: Value::copied(b"abc"), content_type: None, expires_at };
        let record = |expires_at| Record {
            version: "0000000000000001-0000000200000003".parse().unwrap(),
            state: State::Live(live(expires_at)),
        };
        let key = |text| Key::new(text).unwrap();
        let mut listing = Listing {
            records: vec![(key("a"), record(None)), (key("b"), record(Some(UnixMs(0))))],
            more: false,
        };
        assert_eq!(
            serde_json::to_value(page("main", "", &listing)).unwrap(),
            serde_json::json!({
                "store": "main",
                "prefix": "",
                "keys": [
                    {"key": "a", "version": "0000000000000001-0000000200000003", "size": 3},
                    {"key": "b", "version": "0000000000000001-0000000200000003", "size": 3,
                     "expires_at": "1970-01-01T00:00:00.000Z"},
                ],
                "common_prefixes": [],
                "next_cursor": null,
            })
        );
        listing.more = true;
        let cursor = page("main", "", &listing).next_cursor.unwrap();
        assert_eq!(cursor::decode(&cursor, "main", "").unwrap(), key("b"));
    }
}
