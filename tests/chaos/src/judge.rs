//! The judge: holds what clients were told against what nodes served, property by property. It knows a history and
//! nothing else; the same one judges a test, a run of a user's own configuration, and a history from the disk.
//!
//! It errs on one side only: what may have happened is allowed. A write of unknown outcome may have been made at any time,
//! or never; a write that only a process had which then ended may be gone. Each file of `judge/` is one property and says
//! what it can not see. Start reading at `case.rs`.

mod acknowledgements;
mod case;
mod conditions;
mod convergence;
mod deadlines;
mod floors;
mod lives;
mod losses;
mod sessions;
#[cfg(test)]
mod story;
mod values;
mod versions;

use crate::finding::Verdict;
use crate::history::History;
use case::Case;

/// What is wrong with a history.
#[must_use]
pub fn judge(history: &History) -> Verdict {
    let case = Case::new(history);
    let mut verdict = Verdict::default();
    convergence::check(&case, &mut verdict);
    losses::check(&case, &mut verdict);
    values::check(&case, &mut verdict);
    sessions::check(&case, &mut verdict);
    versions::check(&case, &mut verdict);
    conditions::check(&case, &mut verdict);
    deadlines::check(&case, &mut verdict);
    acknowledgements::check(&case, &mut verdict);
    verdict
}

#[cfg(test)]
#[path = "judge_test.rs"]
mod judge_test;
