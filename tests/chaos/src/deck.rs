//! Draws without putting back: a short run meets every kind at least once, before any comes again.

use fastrand::Rng;

/// Cards that are shuffled again once all were dealt.
#[derive(Clone, Debug)]
pub(crate) struct Deck<T> {
    all: Vec<T>,
    left: Vec<T>,
}

impl<T: Copy> Deck<T> {
    pub(crate) fn new(all: impl IntoIterator<Item = T>) -> Self {
        Self { all: all.into_iter().collect(), left: Vec::new() }
    }

    /// The next card; `None` only when there are none at all.
    pub(crate) fn deal(&mut self, dice: &mut Rng) -> Option<T> {
        if self.left.is_empty() {
            self.left.clone_from(&self.all);
            dice.shuffle(&mut self.left);
        }
        self.left.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_comes_before_any_comes_again() {
        let mut deck = Deck::new(0..9);
        let mut dice = Rng::with_seed(1);
        for _ in 0..5 {
            let mut round: Vec<_> = (0..9).filter_map(|_| deck.deal(&mut dice)).collect();
            round.sort_unstable();
            assert!(round.into_iter().eq(0..9));
        }
        assert_eq!(Deck::<u8>::new([]).deal(&mut dice), None);
    }
}
