//! Entity tags as a request names them: the value of `If-Match` and `If-None-Match` (RFC 9110, 8.8.3 and 13.1).
//!
//! What is no list of tags is refused as a whole: of a header that is understood in part nobody knows what it
//! was to hold back. A comma may be part of a tag, so that no value is cut at commas.

/// A tag without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntityTag<'a> {
    /// Whether it names what is as good as the same, and not the same bytes.
    pub(crate) is_weak: bool,
    /// What is between the quotes.
    pub(crate) opaque: &'a [u8],
}

/// What a header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named<'a> {
    /// `*`: whatever there is.
    Any,
    /// What has one of these tags.
    These(Vec<EntityTag<'a>>),
}

/// The value of a header that may be sent in several lines; `None` when it is malformed.
pub(crate) fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Option<Named<'a>> {
    let lines: Vec<&[u8]> = lines.into_iter().map(<[u8]>::trim_ascii).collect();
    if lines == [b"*"] {
        return Some(Named::Any);
    }
    let mut tags = Vec::new();
    for line in lines {
        list(line, &mut tags)?;
    }
    Some(Named::These(tags))
}

/// A list, of which elements may be empty.
fn list<'a>(mut rest: &'a [u8], tags: &mut Vec<EntityTag<'a>>) -> Option<()> {
    let mut may_follow = true;
    while let Some((first, more)) = rest.split_first() {
        if *first == b',' {
            (rest, may_follow) = (more, true);
        } else if may_follow {
            let (tag, more) = one(rest)?;
            tags.push(tag);
            (rest, may_follow) = (more, false);
        } else {
            return None;
        }
        rest = rest.trim_ascii_start();
    }
    Some(())
}

/// The tag at the beginning, and what follows it.
fn one(text: &[u8]) -> Option<(EntityTag<'_>, &[u8])> {
    let (is_weak, text) = text.strip_prefix(b"W/").map_or((false, text), |tag| (true, tag));
    let text = text.strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    let (opaque, rest) = (text.get(..end)?, text.get(end + 1..)?);
    let is_one = opaque.iter().all(|byte| matches!(byte, b'!'..=b'~' | 0x80..));
    is_one.then_some((EntityTag { is_weak, opaque }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(lines: &[&'a str]) -> Option<Named<'a>> {
        parse(lines.iter().map(|line| line.as_bytes()))
    }

    /// Tags as they are written, each with whether it is weak.
    type Tags = &'static [(bool, &'static str)];

    fn these(tags: Tags) -> Named<'static> {
        let tag = |(is_weak, opaque): &(bool, &'static str)| EntityTag {
            is_weak: *is_weak,
            opaque: opaque.as_bytes(),
        };
        Named::These(tags.iter().map(tag).collect())
    }

    #[test]
    fn lists_of_tags() {
        assert_eq!(of(&["*"]), Some(Named::Any));
        assert_eq!(of(&[" * "]), Some(Named::Any));
        let table: [(&[&str], Tags); 10] = [
            (&[""], &[]),
            (&[" , ,"], &[]),
            (&["\"\""], &[(false, "")]),
            (&["\"a\""], &[(false, "a")]),
            (&["\"a\",\"b\""], &[(false, "a"), (false, "b")]),
            (&[" , \"a\"\t,, W/\"b\" ,"], &[(false, "a"), (true, "b")]),
            (&["\"a,b\", \"W/c\""], &[(false, "a,b"), (false, "W/c")]),
            (&["\"a\"", "", "W/\"b\""], &[(false, "a"), (true, "b")]),
            (&["\"*\""], &[(false, "*")]),
            (&["\"é\\\""], &[(false, "é\\")]),
        ];
        for (lines, tags) in table {
            assert_eq!(of(lines), Some(these(tags)), "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_none() {
        for line in [
            "a",
            "\"",
            "\"a",
            "a\"",
            "\"a,\"b\"",
            "\"a\"\"b\"",
            "\"a\" \"b\"",
            "\"a b\"",
            "\"a\x7f\"",
            "w/\"a\"",
            "W/a",
            "W/ \"a\"",
            "W/",
            "*, \"a\"",
            "\"a\", *",
            "**",
            "'a'",
        ] {
            assert_eq!(of(&[line]), None, "{line:?}");
        }
        assert_eq!(of(&["*", "\"a\""]), None);
        assert_eq!(of(&["\"a", "b\""]), None, "a tag ends in its line");
    }
}
