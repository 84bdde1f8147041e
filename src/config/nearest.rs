//! The known name that is nearest to an unknown one.
//!
//! Why it exists: a typing error is quickest mended when the message names what was meant. It
//! refuses to act on the guess: nothing is ever corrected silently. What looks like nothing that is
//! known gets no guess: it would lead astray.

/// How alike two names must be, of 1, for one to be a typing error of the other.
const ALIKE: f64 = 0.5;
/// Letters from which on the beginning of a name says which is meant.
const BEGINNING: usize = 3;

/// The name among `known` that looks most like `word`, first of all one that begins with it; case
/// does not count. `None` when none looks like it.
pub(super) fn nearest<I>(word: &str, known: I) -> Option<I::Item>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let word = word.to_lowercase();
    let likeness = |name: &I::Item| {
        let name = name.as_ref().to_lowercase();
        // The section is not in question when it is the same: only what is said in it.
        let (word, name) = match word.rsplit_once('.') {
            Some((section, leaf)) => {
                let rest = name.strip_prefix(section).and_then(|rest| rest.strip_prefix('.'));
                rest.map_or((word.as_str(), name.as_str()), |rest| (leaf, rest))
            }
            None => (word.as_str(), name.as_str()),
        };
        let begins = word.len() >= BEGINNING && name.starts_with(word);
        strsim::normalized_damerau_levenshtein(word, name) + f64::from(u8::from(begins))
    };
    known
        .into_iter()
        .map(|name| (likeness(&name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// The end of a message: what is nearest, if anything is.
pub(super) fn told(what: &str, nearest: &str) -> String {
    if nearest.is_empty() { String::new() } else { format!("; the nearest {what}is {nearest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_says_more_than_a_likeness_and_what_is_far_says_nothing() {
        let keys = ["stores.a.max_keys", "stores.a.max_memory_mb", "stores.a.ttl", "http.workers"];
        let table = [
            ("stores.a.max_mem", Some("stores.a.max_memory_mb")),
            ("stores.a.MAX_KEY", Some("stores.a.max_keys")),
            ("workers", Some("http.workers")),
            ("stores.a.colour", None),
            ("boss", None),
        ];
        for (word, expected) in table {
            assert_eq!(nearest(word, keys), expected, "{word}");
        }
        assert_eq!(nearest("redis", ["memory", "file", "moka", "fjall", "fjall-memory"]), None);
        assert_eq!(
            (told("", ""), told("known key ", "a")),
            (String::new(), "; the nearest known key is a".to_owned())
        );
    }
}
