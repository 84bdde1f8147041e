//! What was written and answered, key by key, and the judgement over what a node serves after a fault.
//!
//! Every key has one writer, so its writes have an order. What a node serves of a key must be one state of that order:
//! the state at the last look, or what one of the later writes left. All acknowledged writes after that state are lost.
//! A loss is a finding when what was promised of such a write survives the fault; all losses are counted.

use std::collections::BTreeMap;

use crate::durability::Durability;
use crate::finding::{Finding, Judgement, Kind};
use crate::served::{Seen, Served};
use crate::value::Print;

/// What became of one write, as far as its writer knows. Writes that were certainly not made are not noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was answered: the version, and what it survives.
    Acked {
        /// The version that it made.
        version: String,
        /// What the answer says that it survives.
        durability: Durability,
    },
    /// No answer came, or one that does not know.
    Unknown,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The key.
    pub(crate) key: String,
    /// The value, or that it was deleted.
    pub(crate) wrote: Option<Print>,
    /// What became of it.
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Attempt {
    wrote: Option<Print>,
    outcome: Outcome,
}

/// One key: what was served of it at the last look, and what was written since.
#[derive(Clone, Debug, Default)]
struct History {
    base: Option<Seen>,
    attempts: Vec<Attempt>,
}

/// All keys that were ever written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    keys: BTreeMap<String, History>,
}

impl Ledger {
    /// Takes the notes of writers, each in the order of its writes.
    pub(crate) fn extend(&mut self, notes: impl IntoIterator<Item = Note>) {
        for Note { key, wrote, outcome } in notes {
            self.keys.entry(key).or_default().attempts.push(Attempt { wrote, outcome });
        }
    }

    /// Every key that was ever written, deleted or not.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Whether this value was ever written to this key in this version, or served at the last look.
    #[must_use]
    pub(crate) fn once_written(&self, key: &str, seen: &Seen) -> bool {
        let Some(History { base, attempts }) = self.keys.get(key) else { return false };
        let made = |attempt: &Attempt| attempt.left(seen) && attempt.has_version(&seen.version);
        attempts.iter().any(made) || base.as_ref() == Some(seen)
    }

    /// Judges what is served after a fault that acknowledgements of this durability survive.
    #[must_use]
    pub(crate) fn judge(&self, served: &Served, survives: Durability) -> Judgement {
        let mut judgement = Judgement::default();
        for (key, history) in &self.keys {
            history.judge(key, served.get(key), survives, &mut judgement);
        }
        judgement.findings.extend_from_slice(served.disagreements());
        for key in served.keys().filter(|key| !self.keys.contains_key(*key)) {
            judgement.findings.push(Finding { key: key.to_owned(), kind: Kind::Invented });
        }
        judgement
    }

    /// From now on what is served is what must be there: the writes before it are settled.
    pub(crate) fn settle(&mut self, served: &Served) {
        for (key, history) in &mut self.keys {
            *history = History { base: served.get(key).cloned(), attempts: Vec::new() };
        }
    }
}

impl History {
    fn judge(
        &self,
        key: &str,
        seen: Option<&Seen>,
        survives: Durability,
        judgement: &mut Judgement,
    ) {
        let mut find = |kind| judgement.findings.push(Finding { key: key.to_owned(), kind });
        self.versions_rise(&mut find);
        let lost: &[Attempt] = match self.state(seen) {
            Some(State::Base) => &self.attempts,
            Some(State::After(made)) => self.attempts.get(made + 1..).unwrap_or_default(),
            None => {
                let known = seen.is_some_and(|seen| self.attempts.iter().any(|one| one.left(seen)));
                let known =
                    known || seen.zip(self.base.as_ref()).is_some_and(|(a, b)| a.print == b.print);
                return find(match seen {
                    Some(_) if known => Kind::OtherVersion,
                    Some(_) => Kind::Invented,
                    None => Kind::Vanished,
                });
            }
        };
        let mut broken = None;
        for attempt in lost {
            if let Outcome::Acked { durability, .. } = &attempt.outcome {
                judgement.lost.add(*durability);
                if *durability >= survives {
                    broken = Some((attempt, *durability));
                }
            }
        }
        if let Some((attempt, promised)) = broken {
            let resurrected = attempt.wrote.is_none() && seen.is_some();
            find(if resurrected { Kind::Resurrected } else { Kind::Lost { promised } });
        }
    }

    /// The latest state that looks like what is served. `None`: it was never like this.
    fn state(&self, seen: Option<&Seen>) -> Option<State> {
        let made = self.attempts.iter().rposition(|attempt| match (seen, attempt.wrote) {
            (Some(seen), Some(_)) => attempt.left(seen) && attempt.has_version(&seen.version),
            (None, None) => true,
            _ => false,
        });
        made.map(State::After).or_else(|| (self.base.as_ref() == seen).then_some(State::Base))
    }

    /// A key's versions rise from each answer to the next.
    fn versions_rise(&self, find: &mut impl FnMut(Kind)) {
        let mut last = self.base.as_ref().map(|base| base.version.as_str());
        for attempt in &self.attempts {
            if let Outcome::Acked { version, .. } = &attempt.outcome {
                if last.is_some_and(|last| last >= version.as_str()) {
                    return find(Kind::VersionFell);
                }
                last = Some(version);
            }
        }
    }
}

enum State {
    Base,
    After(usize),
}

impl Attempt {
    fn left(&self, seen: &Seen) -> bool {
        self.wrote == Some(seen.print)
    }

    fn has_version(&self, seen: &str) -> bool {
        match &self.outcome {
            Outcome::Acked { version, .. } => version == seen,
            Outcome::Unknown => true,
        }
    }
}

#[cfg(test)]
#[path = "ledger_test.rs"]
mod ledger_test;
