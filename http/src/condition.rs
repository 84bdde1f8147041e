//! `If-Match` and `If-None-Match` (RFC 9110, 13.1) as conditions on versions.
//!
//! Only parsing: the store's writer decides whether a condition holds, at the moment of the change. What is
//! malformed is refused. A tag that is not one of our versions is no error; it just never matches.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use gridkv_actors::write::{Condition, Matcher};
use gridkv_protocol::Version;

use crate::entity_tag::{self, EntityTag, Named};
use crate::problem::{Code, Problem};

/// The conditions of a request.
///
/// # Errors
/// 400 `invalid_parameter`.
pub(crate) fn from_headers(request: &HeaderMap) -> Result<Condition, Problem> {
    Ok(Condition {
        if_match: matcher(request, (&header::IF_MATCH, "If-Match"), Comparison::Strong)?,
        if_none_match: matcher(
            request,
            (&header::IF_NONE_MATCH, "If-None-Match"),
            Comparison::Weak,
        )?,
        ..Condition::default()
    })
}

/// `if_match` of a batch: `*`, tags as in the header, or a version without quotes.
///
/// # Errors
/// 400 `invalid_parameter`.
pub(crate) fn if_match(text: &str) -> Result<Matcher, Problem> {
    field("if_match", text, Comparison::Strong)
}

/// `if_none_match` of a batch, as [`if_match`].
///
/// # Errors
/// 400 `invalid_parameter`.
pub(crate) fn if_none_match(text: &str) -> Result<Matcher, Problem> {
    field("if_none_match", text, Comparison::Weak)
}

/// Whether `If-None-Match` names this tag, or whatever there is.
///
/// # Errors
/// 400 `invalid_parameter`.
pub(crate) fn is_none_match_of(request: &HeaderMap, opaque: &[u8]) -> Result<bool, Problem> {
    let named = named(request, (&header::IF_NONE_MATCH, "If-None-Match"))?;
    Ok(named.is_some_and(|named| match named {
        Named::Any => true,
        Named::These(tags) => tags.iter().any(|tag| tag.opaque == opaque),
    }))
}

/// Whether `W/"v"` is as good as `"v"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// A header, and its name as people write it.
type Header<'a> = (&'a HeaderName, &'static str);

fn named<'a>(
    request: &'a HeaderMap,
    (name, shown): Header<'_>,
) -> Result<Option<Named<'a>>, Problem> {
    let mut lines = request.get_all(name).map(HeaderValue::as_bytes).peekable();
    if lines.peek().is_none() {
        return Ok(None);
    }
    entity_tag::parse(lines).map(Some).ok_or_else(|| malformed(shown))
}

fn matcher(
    request: &HeaderMap,
    header: Header<'_>,
    comparison: Comparison,
) -> Result<Option<Matcher>, Problem> {
    Ok(named(request, header)?.map(|named| versions(&named, comparison)))
}

fn field(name: &'static str, text: &str, comparison: Comparison) -> Result<Matcher, Problem> {
    if let Ok(version) = text.parse() {
        return Ok(Matcher::OneOf(vec![version]));
    }
    let named = entity_tag::parse([text.as_bytes()]).ok_or_else(|| malformed(name))?;
    Ok(versions(&named, comparison))
}

fn malformed(name: &'static str) -> Problem {
    let detail = format!(
        "nothing happened: `{name}` is *, or versions, each in double quotes, separated by commas"
    );
    Problem::new(Code::InvalidParameter, detail).with("parameter", name)
}

fn versions(named: &Named<'_>, comparison: Comparison) -> Matcher {
    let version = |tag: &EntityTag<'_>| -> Option<Version> {
        let counts = !tag.is_weak || comparison == Comparison::Weak;
        std::str::from_utf8(tag.opaque).ok().filter(|_| counts)?.parse().ok()
    };
    match named {
        Named::Any => Matcher::Any,
        Named::These(tags) => Matcher::OneOf(tags.iter().filter_map(version).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "000000000000000a-0000000200000003";
    const B: &str = "000000000000000b-0000000200000003";

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn of(name: &HeaderName, lines: &[&str]) -> Result<Condition, Problem> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_str(line).unwrap());
        }
        from_headers(&headers)
    }

    #[test]
    fn no_header_is_no_condition() {
        assert_eq!(from_headers(&HeaderMap::new()), Ok(Condition::default()));
    }

    #[test]
    fn tags_and_lists_of_them() {
        let one_of =
            |versions: &[&str]| Some(Matcher::OneOf(versions.iter().map(|v| version(v)).collect()));
        let (a, b) = (format!("\"{A}\""), format!("\"{B}\""));
        let table = [
            (vec!["*".to_owned()], Some(Matcher::Any)),
            (vec![a.clone()], one_of(&[A])),
            (vec![format!("{a} ,, {b}")], one_of(&[A, B])),
            (vec![a.clone(), b.clone()], one_of(&[A, B])),
            (vec![format!("\"x\", {b}")], one_of(&[B])),
            (vec![String::new()], one_of(&[])),
        ];
        for (lines, expected) in table {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(of(&header::IF_MATCH, &lines).unwrap().if_match, expected, "{lines:?}");
            let condition = of(&header::IF_NONE_MATCH, &lines).unwrap();
            assert_eq!(condition.if_none_match, expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused_and_named() {
        let cut = format!("\"a,\"{A}\"");
        let table: [&[&str]; 5] = [&[&cut], &[A], &["\""], &["*", "\"a\""], &["\"a\"", "b"]];
        for lines in table {
            for (name, shown) in
                [(header::IF_MATCH, "If-Match"), (header::IF_NONE_MATCH, "If-None-Match")]
            {
                let problem = of(&name, lines).unwrap_err();
                assert_eq!(problem.code, Code::InvalidParameter, "{lines:?}");
                assert_eq!(problem.fields, [("parameter", shown.into())]);
            }
        }
    }

    #[test]
    fn a_weak_tag_matches_only_where_weakness_is_enough() {
        let weak = format!("W/\"{A}\"");
        let nothing = Some(Matcher::OneOf(vec![]));
        assert_eq!(of(&header::IF_MATCH, &[&weak]).unwrap().if_match, nothing);
        assert_eq!(
            of(&header::IF_NONE_MATCH, &[&weak]).unwrap().if_none_match,
            Some(Matcher::OneOf(vec![version(A)]))
        );
    }

    #[test]
    fn a_file_is_known_by_its_tag() {
        let is_known = |given: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(given).unwrap());
            is_none_match_of(&headers, b"a").ok()
        };
        for known in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert_eq!(is_known(known), Some(true), "{known}");
        }
        assert_eq!(
            (is_known("\"b\""), is_known(""), is_known("\"b,a\"")),
            (Some(false), Some(false), Some(false))
        );
        assert_eq!((is_known("a"), is_known("\"b,\"a\"")), (None, None));
        assert_eq!(is_none_match_of(&HeaderMap::new(), b"a"), Ok(false));
    }

    #[test]
    fn batches_may_leave_the_quotes_away() {
        let expected = Ok(Matcher::OneOf(vec![version(A)]));
        assert_eq!(if_match(A), expected);
        assert_eq!(if_match(&format!("\"{A}\"")), expected);
        assert_eq!(if_none_match("*"), Ok(Matcher::Any));
        assert_eq!(if_match("\"nonsense\""), Ok(Matcher::OneOf(vec![])));
        let refused = if_none_match("nonsense").unwrap_err();
        assert_eq!(refused.fields, [("parameter", "if_none_match".into())]);
    }
}
