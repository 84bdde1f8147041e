//! Rust source as far as the rules need it: without comments and texts, its test code apart, and the paths that it
//! names, with the groups of `use` written out.

/// Source without comments, and with every character of a text or character literal blanked out. Lines stay lines.
pub(crate) fn bare(source: &str) -> String {
    let mut bare = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (kept, length) = match first {
            '/' if rest.starts_with("//") => (false, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => (false, block_comment(rest)),
            '"' => (false, text(rest)),
            'r' if !ends_in_word(&bare) => match raw_text(rest) {
                Some(length) => (false, length),
                None => (true, 1),
            },
            '\'' => match character(rest) {
                Some(length) => (false, length),
                None => (true, 1),
            },
            other => (true, other.len_utf8()),
        };
        let (piece, after) = rest.split_at(length);
        if kept {
            bare.push_str(piece);
        } else {
            bare.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    bare
}

fn ends_in_word(bare: &str) -> bool {
    bare.ends_with(is_word)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn text(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_text(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    let inner = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
    Some(2 + hashes + length)
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inner = &rest[1..];
    if inner.starts_with('\\') {
        let close = inner.char_indices().skip(2).find(|(_, c)| *c == '\'')?.0;
        return Some(1 + close + 1);
    }
    let c = inner.chars().next()?;
    inner[c.len_utf8()..].starts_with('\'').then(|| 1 + c.len_utf8() + 1)
}

/// Bare source without its module of tests, which by the style of this tree comes last.
pub(crate) fn without_tests(bare: &str) -> &str {
    let inline = bare.match_indices("#[cfg(test)]").find(|(at, mark)| {
        let after = bare[at + mark.len()..].trim_start();
        after.starts_with("mod tests {")
    });
    inline.map_or(bare, |(at, _)| &bare[..at])
}

/// The files that are modules of tests only, as bare source declares them: names without `.rs`.
pub(crate) fn test_modules(bare: &str) -> Vec<String> {
    let marks = bare.match_indices("#[cfg(test)]").filter_map(|(at, mark)| {
        let mut after = bare[at + mark.len()..].trim_start();
        while let Some((_, rest)) = after.strip_prefix("#[").and_then(|rest| rest.split_once(']')) {
            after = rest.trim_start();
        }
        let after = after.strip_prefix("pub(crate) ").unwrap_or(after).strip_prefix("mod ")?;
        after.split_once(';').map(|(name, _)| name).filter(|name| name.chars().all(is_word))
    });
    marks.map(str::to_owned).collect()
}

/// The paths of at least two segments that bare source names, each with its line; the groups of `use` written out.
pub(crate) fn paths(bare: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bare.len() {
        let here = &bare[at..];
        let starts_word = here.starts_with(is_word) && !ends_in_word(&bare[..at]);
        let goes_on = |before: &str| before.ends_with(|c| is_word(c) || c == '>');
        if !starts_word || bare[..at].strip_suffix("::").is_some_and(goes_on) {
            at += here.chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let line = 1 + bare[..at].matches('\n').count();
        let length = tree(here, "", &mut |path| found.push((line, path)));
        at += length.max(1);
    }
    found
}

/// Reads one path or tree of paths after `prefix`; returns its length.
fn tree(source: &str, prefix: &str, found: &mut dyn FnMut(String)) -> usize {
    let word = source.find(|c| !is_word(c)).unwrap_or(source.len());
    let path = format!("{prefix}{}", &source[..word]);
    let Some(after) = source[word..].strip_prefix("::") else {
        if path.contains("::") {
            found(path);
        }
        return word;
    };
    let (mut at, prefix) = (word + 2, format!("{path}::"));
    if !after.starts_with('{') {
        return at + tree(after, &prefix, found);
    }
    at += 1;
    loop {
        at += source[at..].len() - source[at..].trim_start_matches([' ', '\n', ',']).len();
        match source[at..].chars().next() {
            None => return at,
            Some('}') => return at + 1,
            Some(c) if is_word(c) => {
                at += tree(&source[at..], &prefix, found);
                // Another name for it is no path.
                at += source[at..].find([',', '}']).unwrap_or(0);
            }
            Some(other) => at += other.len_utf8(),
        }
    }
}

/// The lines on which bare source has this word or phrase, not as a part of another word.
pub(crate) fn lines_with(bare: &str, phrase: &str) -> Vec<usize> {
    let whole = |at: usize| {
        let before = !phrase.starts_with(is_word) || !ends_in_word(&bare[..at]);
        before
            && !bare[at + phrase.len()..].starts_with(|c| is_word(c) && phrase.ends_with(is_word))
    };
    let hits = bare.match_indices(phrase).filter(|(at, _)| whole(*at));
    hits.map(|(at, _)| 1 + bare[..at].matches('\n').count()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_blanked_and_lines_stay() {
        let source = "a // b\n/* c /* d */ e */ f \"g \\\" h\" r#\"i \" j\"# 'k' '\\'' 'l m '\"' n";
        let bare = bare(source);
        let words: Vec<&str> = bare.split_whitespace().collect();
        assert_eq!(words, ["a", "f", "'l", "m", "n"]);
        assert_eq!(bare.lines().count(), 2);
    }

    #[test]
    fn groups_of_use_are_written_out() {
        let paths: Vec<String> =
            paths("use std::{fs, net::{self, TcpStream as T}, io::*};\nlet x = tokio::spawn(y);")
                .into_iter()
                .map(|(_, path)| path)
                .collect();
        let expected =
            ["std::fs", "std::net::self", "std::net::TcpStream", "std::io::", "tokio::spawn"];
        assert_eq!(paths, expected);
    }

    #[test]
    fn modules_of_tests_are_seen() {
        let source = "#[cfg(test)]\nmod one;\n#[cfg(test)]\n#[path = \"\"]\npub(crate) mod two;\n\
                      #[cfg(test)]\nmod tests { mod no; }\nmod three;";
        assert_eq!(test_modules(source), ["one", "two"]);
    }

    #[test]
    fn phrases_are_whole_words() {
        assert_eq!(lines_with("xasync fn\nasync fn f", "async fn"), [2]);
        assert_eq!(lines_with("a.await;\nb.awaited", ".await"), [1]);
    }
}
