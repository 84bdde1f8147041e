//! What the bad clients beside the good one do.

use std::time::Duration;

/// Between two bytes of a head.
const NOW_AND_THEN: Duration = Duration::from_millis(250);
/// Between two bytes of a body.
const A_SECOND: Duration = Duration::from_secs(1);
/// How long the node lets who is refused read that, before the end of its connection.
const LINGER: Duration = Duration::from_secs(5);

/// The large value.
pub(crate) const LARGE: &str = "large";

/// What is wrong with the bad clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Plight {
    SlowHead,
    SlowNextHead,
    SlowBody,
    StalledBody,
    Unread,
    Idle,
}

/// How a bad client goes about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Whether it makes a request first that is whole, and reads the answer.
    pub(crate) asks_first: bool,
    /// What it says then: the node's deadline begins.
    pub(crate) says: &'static str,
    pub(crate) habit: Habit,
}

/// What it does after that.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Habit {
    /// Nothing.
    StandsStill,
    /// Says a byte each time that this has passed.
    Drips(Duration),
    /// Says the same again and again, and reads nothing.
    Asks,
}

impl Plight {
    pub(crate) const ALL: [Self; 6] = [
        Self::SlowHead,
        Self::SlowNextHead,
        Self::SlowBody,
        Self::StalledBody,
        Self::Unread,
        Self::Idle,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SlowHead => "slow head",
            Self::SlowNextHead => "slow next head",
            Self::SlowBody => "slow body",
            Self::StalledBody => "stalled body",
            Self::Unread => "unread",
            Self::Idle => "idle",
        }
    }

    /// How long the node may keep a bad client when all its deadlines are this one.
    pub(crate) fn allowed(self, deadline: Duration) -> Duration {
        match self {
            Self::SlowBody | Self::StalledBody => deadline + LINGER,
            Self::SlowHead | Self::SlowNextHead | Self::Unread | Self::Idle => deadline,
        }
    }

    /// What the bad client with this number does.
    pub(crate) fn manner(self, number: usize) -> Manner {
        let (asks_first, says, habit) = match self {
            Self::SlowHead => (false, "GET /v1/kv/main/", Habit::Drips(NOW_AND_THEN)),
            Self::SlowNextHead => (true, "GET /v1/kv/main/", Habit::Drips(NOW_AND_THEN)),
            Self::SlowBody => (false, BODY, Habit::Drips(A_SECOND)),
            Self::StalledBody => (false, BODY, Habit::StandsStill),
            Self::Unread => (false, ASK, Habit::Asks),
            Self::Idle => (number.is_multiple_of(2), "", Habit::StandsStill),
        };
        Manner { asks_first, says, habit }
    }
}

/// A body's beginning.
const BODY: &str = "PUT /v1/kv/main/bad HTTP/1.1\r\nHost: bench\r\nContent-Length: 100000\r\n\r\nx";
/// A request for the large value.
const ASK: &str = "GET /v1/kv/main/large HTTP/1.1\r\nHost: bench\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_the_large_value() {
        assert!(ASK.starts_with(&format!("GET /v1/kv/main/{LARGE} ")));
    }
}
