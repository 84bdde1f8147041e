//! What breaks a rule, and where: as the checker reports it and as a person reads it.

use std::fmt;

/// The rules, so that a test can say which one it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// A manifest that can not be read.
    Manifest,
    /// A room depends on what its row does not name.
    Dependency,
    /// A room names a crate that its row does not name.
    Foreign,
    /// A room does what its row says that it never does.
    Never,
    /// A vendor crate is named outside its files.
    Vendor,
    /// A clock is read outside its files.
    Clock,
    /// A file does not say what it is for.
    Undocumented,
    /// A file is longer than a sitting.
    TooLong,
    /// A file's name says nothing.
    Nameless,
    /// Something unfinished was left behind.
    Unfinished,
    /// A path of somebody's machine.
    MachinePath,
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offence {
    /// The file, from the root of the tree.
    pub(crate) file: String,
    /// Counted from 1; 0 is the whole file.
    pub(crate) line: usize,
    /// Which rule.
    pub(crate) rule: Rule,
    /// What was found.
    pub(crate) found: String,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, rule, found } = self;
        write!(f, "{file}:{line}: {rule:?}: {found}")
    }
}
