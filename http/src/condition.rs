//! `If-Match` and `If-None-Match` (RFC 9110, 13.1) as conditions on versions.
//!
//! Only parsing: the store's writer decides whether a condition holds, at the moment of the change. A
//! tag that is not one of our versions is no error; it just never matches.

use actix_web::http::header::{self, HeaderMap, HeaderName};
use gridkv_actors::write::{Condition, Matcher};

/// The conditions of a request.
pub(crate) fn from_headers(request: &HeaderMap) -> Condition {
    Condition {
        if_match: matcher(request, &header::IF_MATCH, Comparison::Strong),
        if_none_match: matcher(request, &header::IF_NONE_MATCH, Comparison::Weak),
        ..Condition::default()
    }
}

/// `if_match` of a batch: `*`, tags as in the header, or a version without quotes.
pub(crate) fn if_match(text: &str) -> Matcher {
    bare(text).unwrap_or_else(|| tags(std::iter::once(text), Comparison::Strong))
}

/// `if_none_match` of a batch: `*`, tags as in the header, or a version without quotes.
pub(crate) fn if_none_match(text: &str) -> Matcher {
    bare(text).unwrap_or_else(|| tags(std::iter::once(text), Comparison::Weak))
}

fn bare(text: &str) -> Option<Matcher> {
    text.parse().ok().map(|version| Matcher::OneOf(vec![version]))
}

/// Whether `W/"v"` is as good as `"v"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

fn matcher(request: &HeaderMap, name: &HeaderName, comparison: Comparison) -> Option<Matcher> {
    let mut lines = request.get_all(name).map(|line| line.to_str().unwrap_or_default()).peekable();
    lines.peek()?;
    Some(tags(lines, comparison))
}

fn tags<'a>(lines: impl Iterator<Item = &'a str>, comparison: Comparison) -> Matcher {
    let elements: Vec<&str> = lines
        .flat_map(|line| line.split(','))
        .map(str::trim_ascii)
        .filter(|e| !e.is_empty())
        .collect();
    if elements == ["*"] {
        return Matcher::Any;
    }
    let version = |element: &str| {
        let strong = match element.strip_prefix("W/") {
            Some(tag) if comparison == Comparison::Weak => tag,
            Some(_) => return None,
            None => element,
        };
        strong.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
    };
    Matcher::OneOf(elements.into_iter().filter_map(version).collect())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use gridkv_protocol::Version;

    use super::*;

    const A: &str = "000000000000000a-0000000200000003";
    const B: &str = "000000000000000b-0000000200000003";

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn of(name: &HeaderName, lines: &[&str]) -> Condition {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_str(line).unwrap());
        }
        from_headers(&headers)
    }

    #[test]
    fn no_header_is_no_condition() {
        assert_eq!(from_headers(&HeaderMap::new()), Condition::default());
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
            (vec![A.to_owned()], one_of(&[])),
            (vec![String::new()], one_of(&[])),
            (vec!["*".to_owned(), a.clone()], one_of(&[A])),
            (vec![format!("\"{A}")], one_of(&[])),
            (vec!["\"".to_owned()], one_of(&[])),
        ];
        for (lines, expected) in table {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(of(&header::IF_MATCH, &lines).if_match, expected, "{lines:?}");
            assert_eq!(of(&header::IF_NONE_MATCH, &lines).if_none_match, expected, "{lines:?}");
        }
    }

    #[test]
    fn a_weak_tag_matches_only_where_weakness_is_enough() {
        let weak = format!("W/\"{A}\"");
        let nothing = Some(Matcher::OneOf(vec![]));
        assert_eq!(of(&header::IF_MATCH, &[&weak]).if_match, nothing);
        assert_eq!(
            of(&header::IF_NONE_MATCH, &[&weak]).if_none_match,
            Some(Matcher::OneOf(vec![version(A)]))
        );
    }

    #[test]
    fn batches_may_leave_the_quotes_away() {
        let expected = Matcher::OneOf(vec![version(A)]);
        assert_eq!(if_match(A), expected);
        assert_eq!(if_match(&format!("\"{A}\"")), expected);
        assert_eq!(if_none_match("*"), Matcher::Any);
        assert_eq!(if_match("nonsense"), Matcher::OneOf(vec![]));
    }
}
