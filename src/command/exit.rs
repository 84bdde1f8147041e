//! How commands end: the exit codes, and which error means which.

use std::process::ExitCode;

use super::reason;
use crate::client::{ClientError, SetupError};
use crate::output::{OutputError, complain};

/// How a command ended. The numbers are part of the command line's contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done = 0,
    /// It did not.
    Failed = 1,
    /// It was asked wrongly.
    Usage = 2,
    /// What it was about is not there.
    NotFound = 3,
    /// A condition does not hold.
    Precondition = 4,
    /// No node answered, or not in time.
    Unreachable = 5,
    /// Some of it was done.
    Partial = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command line that can not be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

impl Exit {
    /// What an error means.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if let Some(OutputError::Closed) = error.downcast_ref() {
            return Self::Done;
        }
        if error.is::<Usage>() || error.is::<SetupError>() {
            return Self::Usage;
        }
        match error.downcast_ref() {
            Some(
                ClientError::Unreachable { .. }
                | ClientError::Untrusted { .. }
                | ClientError::Unknown { .. }
                | ClientError::NoAnswer { .. }
                | ClientError::BrokenOff { .. },
            ) => Self::Unreachable,
            Some(ClientError::Malformed { .. }) => Self::Usage,
            Some(ClientError::Strange { .. }) | None => Self::Failed,
            Some(ClientError::Refused(problem)) => match problem.status {
                _ if problem.is_unknown() => Self::Unreachable,
                404 => Self::NotFound,
                412 => Self::Precondition,
                504 => Self::Unreachable,
                _ => Self::Failed,
            },
        }
    }

    /// The same, and who asked is told why. A reader that went away is not.
    pub(crate) fn told(error: &anyhow::Error) -> Self {
        let exit = Self::of(error);
        if exit != Self::Done {
            complain(&reason(error));
        }
        exit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Problem;

    #[test]
    fn each_error_has_its_code() {
        let refused = |status, code: &str| {
            let problem = Problem { status, code: code.to_owned(), ..Problem::default() };
            anyhow::Error::from(ClientError::Refused(Box::new(problem)))
        };
        let table = [
            (refused(404, "key_not_found"), Exit::NotFound),
            (refused(412, "precondition_failed"), Exit::Precondition),
            (refused(504, "ack_timeout"), Exit::Unreachable),
            (refused(500, "outcome_unknown"), Exit::Unreachable),
            (refused(503, "not_enough_peers"), Exit::Failed),
            (refused(401, "unauthorized"), Exit::Failed),
            (Usage(String::new()).into(), Exit::Usage),
            (SetupError::NoAuthority.into(), Exit::Usage),
            (ClientError::Unreachable { tried: Vec::new() }.into(), Exit::Unreachable),
            (anyhow::anyhow!("anything"), Exit::Failed),
            (OutputError::Closed.into(), Exit::Done),
        ];
        for (error, exit) in table {
            assert_eq!(Exit::of(&error), exit, "{error:?}");
            assert_eq!(Exit::of(&error.context("more")), exit);
        }
    }
}
