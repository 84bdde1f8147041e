//! What is wrong with what a node serves.

use std::fmt;

use crate::durability::Durability;
use crate::tally::Tally;

/// No more findings are shown in a message.
const SHOWN: usize = 8;

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A write that had to survive is not there; what is served is older, or nothing.
    Lost {
        /// What its acknowledgement promised.
        promised: Durability,
    },
    /// What was served after the last fault, and so had survived it, is not there, and nobody deleted it.
    Vanished,
    /// A deletion that had to survive is not there: the value is back.
    Resurrected,
    /// A value that nobody wrote, or whose write was refused.
    Invented,
    /// A value that was written, under a version that its acknowledgement did not name.
    OtherVersion,
    /// An acknowledgement has a version that is not above the one before.
    VersionFell,
    /// An acknowledgement promises less than the store's settings and the request.
    WeakAck {
        /// What it says.
        said: Option<Durability>,
        /// What it had to say.
        promised: Durability,
    },
    /// The list, the reads and the count of keys do not say the same of it.
    Disagreement,
}

/// One thing that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key.
    pub key: String,
    /// What is wrong with it.
    pub kind: Kind,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, kind } = self;
        match kind {
            Kind::Lost { promised } => write!(f, "{key}: a write acknowledged {promised} is lost"),
            Kind::Vanished => write!(f, "{key}: was there after the fault before, and is gone"),
            Kind::Resurrected => write!(f, "{key}: was deleted and is back"),
            Kind::Invented => write!(f, "{key}: has a value that was never taken"),
            Kind::OtherVersion => write!(f, "{key}: has a value under a version not its own"),
            Kind::VersionFell => write!(f, "{key}: a later write has no later version"),
            Kind::WeakAck { said: None, promised } => {
                write!(f, "{key}: acknowledged without version or durability, not {promised}")
            }
            Kind::WeakAck { said: Some(said), promised } => {
                write!(f, "{key}: acknowledged {said} instead of {promised}")
            }
            Kind::Disagreement => write!(f, "{key}: list and read differ"),
        }
    }
}

/// What was found at one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// What must not be.
    pub(crate) findings: Vec<Finding>,
    /// What is gone, whether it may be or not.
    pub(crate) lost: Tally,
}

/// The findings of a message: the first few, and how many there are.
#[must_use]
pub(crate) fn tell(findings: &[Finding]) -> String {
    let shown: Vec<String> = findings.iter().take(SHOWN).map(|one| format!("  {one}")).collect();
    format!("{} findings:\n{}", findings.len(), shown.join("\n"))
}
