//! A live record as JSON: a row of a list, or the whole of it.
//!
//! The same names and encodings wherever a record is shown: versions are text, moments RFC 3339, values
//! base64.

use base64::display::Base64Display;
use gridkv_actors::Listed;
use gridkv_protocol::record::Live;
use gridkv_protocol::{ContentType, Key, Version};
use serde::{Serialize, Serializer};

use crate::batch_op::BASE64;
use crate::media_type::OCTET_STREAM;
use crate::problem::Problem;
use crate::query::{self, Query};
use crate::rfc3339;

/// What is shown of records beside their keys, versions, sizes and deadlines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Include {
    /// Media type and when it was written.
    pub(crate) meta: bool,
    /// The value.
    pub(crate) value: bool,
}

impl Include {
    /// `include` of a query: words with commas between them.
    ///
    /// # Errors
    /// 400 `invalid_parameter`.
    pub(crate) fn of(query: &Query<'_>) -> Result<Self, Problem> {
        let mut include = Self::default();
        for word in query.get("include").into_iter().flat_map(|list| list.split(',')) {
            match word {
                "meta" => include.meta = true,
                "value" => include.value = true,
                _ => return Err(query::invalid("include", "is meta, value, or meta,value")),
            }
        }
        Ok(include)
    }
}

/// What is shown of a record.
#[derive(Debug, Serialize)]
pub(crate) struct RecordView<'a> {
    key: &'a str,
    version: String,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Base64<'a>>,
}

impl<'a> RecordView<'a> {
    /// All of a record.
    pub(crate) fn whole(key: &'a Key, version: Version, live: &'a Live) -> Self {
        Self {
            key: key.as_str(),
            version: version.to_string(),
            size: live.value.len(),
            content_type: Some(type_of(live.content_type.as_ref())),
            last_modified: Some(rfc3339::format(version.hlc.physical())),
            expires_at: live.expires_at.map(rfc3339::format),
            value: Some(Base64(&live.value)),
        }
    }

    /// A row of a list.
    pub(crate) fn row(listed: &'a Listed, include: Include) -> Self {
        let Listed { key, version, size, content_type, expires_at, value } = listed;
        Self {
            key: key.as_str(),
            version: version.to_string(),
            size: *size,
            content_type: include.meta.then(|| type_of(content_type.as_ref())),
            last_modified: include.meta.then(|| rfc3339::format(version.hlc.physical())),
            expires_at: expires_at.map(rfc3339::format),
            value: value.as_deref().map(Base64),
        }
    }
}

fn type_of(given: Option<&ContentType>) -> &str {
    given.map_or(OCTET_STREAM, ContentType::as_str)
}

/// Bytes that are written as base64, without a copy of the text.
#[derive(Debug)]
struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &BASE64))
    }
}

#[cfg(test)]
mod tests {
    use gridkv_protocol::{UnixMs, Value};
    use serde_json::json;

    use super::*;

    const VERSION: &str = "0000000003e80000-0000000200000003";

    fn live() -> Live {
        Live {
            value: Value::copied(b"\xffa"),
            content_type: Some(ContentType::new("text/plain").unwrap()),
            expires_at: Some(UnixMs(0)),
        }
    }

    fn listed(value: Option<Value>) -> Listed {
        let Live { content_type, expires_at, .. } = live();
        let key = Key::new("é").unwrap();
        Listed { key, version: VERSION.parse().unwrap(), size: 2, content_type, expires_at, value }
    }

    #[test]
    fn a_row_shows_what_is_asked_for_and_the_whole_shows_all() {
        let bare = json!({
            "key": "é", "version": VERSION, "size": 2, "expires_at": "1970-01-01T00:00:00.000Z",
        });
        let mut all = bare.clone();
        all["content_type"] = "text/plain".into();
        all["last_modified"] = "1970-01-01T00:00:01.000Z".into();
        all["value"] = "/2E=".into();
        let row = |value, include| {
            serde_json::to_value(RecordView::row(&listed(value), include)).unwrap()
        };
        assert_eq!(row(None, Include::default()), bare);
        let both = Include { meta: true, value: true };
        assert_eq!(row(Some(live().value), both), all);
        let key = Key::new("é").unwrap();
        let live = live();
        let whole = RecordView::whole(&key, VERSION.parse().unwrap(), &live);
        assert_eq!(serde_json::to_value(whole).unwrap(), all);
    }

    #[test]
    fn a_record_without_type_and_deadline() {
        let key = Key::new("a").unwrap();
        let live = Live { value: Value::copied(b""), content_type: None, expires_at: None };
        let whole = RecordView::whole(&key, VERSION.parse().unwrap(), &live);
        let json = serde_json::to_value(whole).unwrap();
        assert_eq!(json["content_type"], "application/octet-stream");
        assert_eq!((&json["value"], json.get("expires_at")), (&json!(""), None));
    }

    #[test]
    fn what_to_include() {
        let of = |raw| Include::of(&Query::parse(raw, &[crate::parameters::LIST_INCLUDE]).unwrap());
        let table = [
            ("", false, false),
            ("include=meta", true, false),
            ("include=value", false, true),
            ("include=value,meta", true, true),
            ("include=meta%2Cvalue", true, true),
        ];
        for (raw, meta, value) in table {
            assert_eq!(of(raw), Ok(Include { meta, value }), "{raw}");
        }
        for raw in ["include=", "include=meta,", "include=Value", "include=value+meta"] {
            assert!(of(raw).is_err(), "{raw}");
        }
    }
}
