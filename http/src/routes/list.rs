//! `GET /v1/kv/{store}`: the keys of a store in byte order, a page at a time.
//!
//! Not a snapshot: a key that is there throughout a walk is listed, or in a common prefix, exactly once;
//! others may be. Any text is a prefix, also one that no key can have. With a delimiter, keys that have
//! it after the prefix are rolled up into one common prefix for all that agree up to there; it counts
//! against the limit like a key, and comes once in a whole walk. A page may be short of its limit, even
//! empty, while `next_cursor` says that there is more: when its values would get too many bytes, and
//! after many records that are not shown.

use actix_web::HttpResponse;
use gridkv_actors::{ListQuery, Listing, OpKind};
use serde::Serialize;

use crate::cursor::{self, ListName};
use crate::exchange::Exchange;
use crate::problem::Problem;
use crate::query::{self, Query};
use crate::record_view::{Include, RecordView};
use crate::routes::{Endpoint, json};
use crate::stopwatch::Stopwatch;

/// Keys and common prefixes of a page when nothing is said.
const DEFAULT_LIMIT: usize = 100;

/// Keys and common prefixes of a page, at most: a page is built in memory.
const MAX_LIMIT: usize = 1_000;

/// Bytes of the values in a page, at most, unless one alone is larger: for the same reason.
const MAX_VALUE_BYTES: usize = 2 * 1_024 * 1_024;

/// Characters of a delimiter, at most: every cursor repeats it.
const MAX_DELIMITER_CHARS: usize = 16;

#[derive(Serialize)]
struct Page<'a> {
    store: &'a str,
    prefix: &'a str,
    keys: Vec<RecordView<'a>>,
    common_prefixes: &'a [String],
    next_cursor: Option<String>,
}

/// `GET`, `HEAD`
pub(crate) async fn list(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    let query = exchange.query(Endpoint::ListKeys)?;
    let delimiter = delimiter(&query)?;
    let list = ListName {
        store: store.handle.name().as_str(),
        prefix: query.get("prefix").unwrap_or_default(),
        delimiter: delimiter.unwrap_or_default(),
    };
    let include = Include::of(&query)?;
    let list_query = ListQuery {
        prefix: list.prefix.to_owned(),
        delimiter: delimiter.map(str::to_owned),
        limit: query.count("limit", DEFAULT_LIMIT, MAX_LIMIT)?,
        after: query.get("cursor").map(|text| cursor::decode(text, list)).transpose()?,
        value_bytes: include.value.then_some(MAX_VALUE_BYTES),
    };
    let stopwatch = Stopwatch::start();
    let listing = store.handle.list(list_query).await;
    store.timers.observe(OpKind::List, stopwatch);
    json(&page(list, include, &listing?))
}

fn delimiter<'a>(query: &'a Query<'_>) -> Result<Option<&'a str>, Problem> {
    let given = query.get("delimiter");
    if given.is_some_and(|text| !(1..=MAX_DELIMITER_CHARS).contains(&text.chars().count())) {
        let why =
            format!("has 1 to {MAX_DELIMITER_CHARS} characters; leave it away to roll up nothing");
        return Err(query::invalid("delimiter", &why));
    }
    Ok(given)
}

fn page<'a>(list: ListName<'a>, include: Include, listing: &'a Listing) -> Page<'a> {
    Page {
        store: list.store,
        prefix: list.prefix,
        keys: listing.records.iter().map(|listed| RecordView::row(listed, include)).collect(),
        common_prefixes: &listing.groups,
        next_cursor: listing.next.as_ref().map(|after| cursor::encode(list, after)),
    }
}

#[cfg(test)]
mod tests {
    use gridkv_actors::{After, Listed};
    use gridkv_protocol::{Key, UnixMs};

    use super::*;

    #[test]
    fn a_page_as_clients_see_it() {
        let list = ListName { store: "main", prefix: "", delimiter: "/" };
        let listed = |text, expires_at| Listed {
            key: Key::new(text).unwrap(),
            version: "0000000000000001-0000000200000003".parse().unwrap(),
            size: 3,
            content_type: None,
            expires_at,
            value: None,
        };
        let mut listing = Listing {
            records: vec![listed("a", None), listed("b", Some(UnixMs(0)))],
            groups: vec!["b/".to_owned()],
            next: None,
        };
        assert_eq!(
            serde_json::to_value(page(list, Include::default(), &listing)).unwrap(),
            serde_json::json!({
                "store": "main",
                "prefix": "",
                "keys": [
                    {"key": "a", "version": "0000000000000001-0000000200000003", "size": 3},
                    {"key": "b", "version": "0000000000000001-0000000200000003", "size": 3,
                     "expires_at": "1970-01-01T00:00:00.000Z"},
                ],
                "common_prefixes": ["b/"],
                "next_cursor": null,
            })
        );
        let next = After::Group("b/".to_owned());
        listing.next = Some(next.clone());
        let cursor = page(list, Include::default(), &listing).next_cursor.unwrap();
        assert_eq!(cursor::decode(&cursor, list).unwrap(), next);
    }
}
