//! Words of a list that somebody else has, as arguments: each is offered with what it means.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// Takes the words of `all`, and no others.
pub(super) fn one_of<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    word: fn(T) -> &'static str,
    about: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let offered = all.iter().map(|one| PossibleValue::new(word(*one)).help(about(*one)));
    let find = move |given: String| {
        all.iter()
            .copied()
            .find(|one| word(*one) == given)
            .ok_or("none of the words that are offered")
    };
    PossibleValuesParser::new(offered.collect::<Vec<_>>()).try_map(find)
}
