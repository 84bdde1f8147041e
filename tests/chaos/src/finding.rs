//! What was checked, how often, and what must not be.

use std::collections::BTreeMap;
use std::fmt;

/// What a cluster promises, and the judge looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// Once all is well again, every node is ready, covers all others, and none ended by itself.
    Recovers,
    /// All nodes hold the same in the end.
    Converges,
    /// Then every node says so itself: that each of its stores is the same at each of its peers.
    Proven,
    /// What was acknowledged is kept, as safely as the acknowledgement said.
    Keeps,
    /// What was deleted stays deleted.
    StaysDeleted,
    /// Every value was written by somebody, to this key, in this version, before it was seen.
    Written,
    /// What was refused is not there.
    Refused,
    /// On one node a key never goes back: own writes are read, and reads are monotonic.
    NeverBack,
    /// No two writes have the same version.
    Versions,
    /// A condition that held, held.
    Conditions,
    /// What has expired is not served, and nothing expires early.
    Deadlines,
    /// An acknowledgement says as much as was asked.
    Acknowledgements,
}

/// All of them, in the order of a page.
pub const PROPERTIES: [Property; 12] = [
    Property::Recovers,
    Property::Converges,
    Property::Proven,
    Property::Keeps,
    Property::StaysDeleted,
    Property::Written,
    Property::Refused,
    Property::NeverBack,
    Property::Versions,
    Property::Conditions,
    Property::Deadlines,
    Property::Acknowledgements,
];

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recovers => "all nodes recover once all is well",
            Self::Converges => "all nodes end with the same",
            Self::Proven => "nodes know that they hold the same",
            Self::Keeps => "nothing acknowledged is lost",
            Self::StaysDeleted => "nothing deleted comes back",
            Self::Written => "no value that nobody wrote",
            Self::Refused => "nothing refused is there",
            Self::NeverBack => "no node goes back",
            Self::Versions => "no version is given twice",
            Self::Conditions => "conditions hold on their node",
            Self::Deadlines => "nothing is served expired",
            Self::Acknowledgements => "answers say what was asked",
        })
    }
}

/// One thing that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is broken.
    pub property: Property,
    /// Where: a store and a key, or a node.
    pub place: String,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { property, place, what } = self;
        write!(f, "{property}: {place}: {what}")
    }
}

/// What the judge came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    looked_at: BTreeMap<Property, u64>,
    /// What must not be.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Notes that one thing was looked at.
    pub(crate) fn look(&mut self, property: Property) {
        *self.looked_at.entry(property).or_default() += 1;
    }

    /// Notes something that must not be.
    pub(crate) fn find(
        &mut self,
        property: Property,
        place: impl fmt::Display,
        what: impl Into<String>,
    ) {
        self.findings.push(Finding { property, place: place.to_string(), what: what.into() });
    }

    /// How many things were looked at for a property.
    #[must_use]
    pub fn looked_at(&self, property: Property) -> u64 {
        self.looked_at.get(&property).copied().unwrap_or_default()
    }

    /// How many findings a property has.
    #[must_use]
    pub fn found(&self, property: Property) -> usize {
        self.findings.iter().filter(|finding| finding.property == property).count()
    }
}
