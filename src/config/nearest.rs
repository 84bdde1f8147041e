//! The known name that is nearest to an unknown one.
//!
//! Why it exists: a typing error is quickest mended when the message names what was meant. It
//! refuses to act on the guess: nothing is ever corrected silently.

/// The name among `known` that looks most like `word`; case does not count. `None` only when
/// nothing is known.
pub(super) fn nearest<I>(word: &str, known: I) -> Option<I::Item>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let word = word.to_lowercase();
    let likeness = |name: &I::Item| {
        strsim::normalized_damerau_levenshtein(&word, &name.as_ref().to_lowercase())
    };
    known
        .into_iter()
        .map(|name| (likeness(&name), name))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}
