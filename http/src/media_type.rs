//! Media types as far as this room acts on them: by their essence, `type/subtype`, in any case.
//!
//! Parameters are kept with a value and looked at by nobody.

use actix_web::http::header::{self, HeaderMap};
use gridkv_protocol::ContentType;

use crate::problem::{Code, Problem};

/// What a value without a type is served as.
pub(crate) const OCTET_STREAM: &str = "application/octet-stream";

/// What `curl -d` sends when it is told nothing: counts as no type.
const FORM: &str = "application/x-www-form-urlencoded";

/// Types that a browser would run scripts of: served as a download.
const ACTIVE: [&str; 3] = ["text/html", "application/xhtml+xml", "image/svg+xml"];

/// How a batch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchFormat {
    /// `application/json`, or no type.
    Json,
    /// `application/x-msgpack`.
    MsgPack,
}

impl BatchFormat {
    /// The media type.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MsgPack => "application/x-msgpack",
        }
    }

    /// The format of a request with these headers.
    ///
    /// # Errors
    /// 415 for any other type.
    pub(crate) fn of(request: &HeaderMap) -> Result<Self, Problem> {
        let Some(given) = given(request)? else { return Ok(Self::Json) };
        [Self::Json, Self::MsgPack]
            .into_iter()
            .find(|format| is(given.as_str(), format.as_str()))
            .ok_or_else(|| {
                Problem::new(
                    Code::UnsupportedMediaType,
                    "send the batch as application/json or application/x-msgpack",
                )
            })
    }
}

/// The type that came with a body, to be stored with it.
///
/// # Errors
/// 400 when it could not stand in a header again.
pub(crate) fn given(request: &HeaderMap) -> Result<Option<ContentType>, Problem> {
    let Some(header) = request.get(header::CONTENT_TYPE) else { return Ok(None) };
    let text = std::str::from_utf8(header.as_bytes()).map_err(|_| unusable())?.trim_ascii();
    if counts_as_none(text) {
        return Ok(None);
    }
    ContentType::new(text).map(Some).map_err(|_| unusable())
}

fn unusable() -> Problem {
    Problem::new(
        Code::InvalidParameter,
        "the Content-Type header must be 1 to 255 characters of printable ASCII",
    )
}

/// Whether a type says no more than none.
pub(crate) fn counts_as_none(text: &str) -> bool {
    text.trim_ascii().is_empty() || is(text, FORM)
}

/// Whether a browser must be told to save a body of this type instead of showing it.
pub(crate) fn is_active(text: &str) -> bool {
    ACTIVE.iter().any(|active| is(text, active))
}

/// Whether a type is this one, whatever its parameters.
pub(crate) fn is(text: &str, essence: &str) -> bool {
    let given = text.split([';', ',']).next().unwrap_or_default();
    given.trim_ascii().eq_ignore_ascii_case(essence)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn with(content_type: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        headers
    }

    #[test]
    fn what_curl_sends_on_its_own_is_no_type() {
        for none in ["", FORM, "Application/X-WWW-Form-Urlencoded; charset=utf-8"] {
            assert_eq!(given(&with(none)).unwrap(), None, "{none}");
        }
        let kept = given(&with("text/plain; charset=utf-8")).unwrap().unwrap();
        assert_eq!(kept.as_str(), "text/plain; charset=utf-8");
        assert!(given(&with(&"x".repeat(256))).is_err());
    }

    #[test]
    fn batches_come_in_two_formats() {
        assert_eq!(BatchFormat::of(&HeaderMap::new()).unwrap(), BatchFormat::Json);
        assert_eq!(BatchFormat::of(&with("Application/JSON; x=y")).unwrap(), BatchFormat::Json);
        assert_eq!(BatchFormat::of(&with("application/x-msgpack")).unwrap(), BatchFormat::MsgPack);
        for other in ["text/plain", "application/json2", "application/xml"] {
            let problem = BatchFormat::of(&with(other)).unwrap_err();
            assert_eq!(problem.code, Code::UnsupportedMediaType, "{other}");
        }
    }

    #[test]
    fn scripts_are_downloads() {
        for active in
            ["text/html", "TEXT/HTML ; charset=x", "image/svg+xml", "text/html,text/plain"]
        {
            assert!(is_active(active), "{active}");
        }
        assert!(!is_active("text/plain"));
    }
}
