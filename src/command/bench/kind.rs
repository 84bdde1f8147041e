//! What can be measured.

use clap::ValueEnum;

/// One test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Writes
    #[value(alias = "set")]
    Put,
    /// Reads
    Get,
    /// Deletes
    Del,
    /// Nine reads and one write
    Mixed,
}

impl Kind {
    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Del => "del",
            Self::Mixed => "mixed",
        }
    }
}
