//! The course that physical time takes beside the wall clock: it follows one that peers bear out, and
//! never one that only this machine has.

/// What physical time does until the wall clock is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// The wall clock is not believed: physical time goes on as it is.
    Hold,
    /// It nears the wall clock slowly, forward or back.
    Slew,
    /// It steps forward to the wall clock: this machine slept, or started with a clock that was behind.
    Step,
}

impl Course {
    /// The course beside a wall clock that is `wall_ahead_ms` ahead of physical time, when the median of the
    /// peers is `median_ms` ahead of it; `None` when no peer is heard: then the wall is all there is.
    ///
    /// A wall clock that is `believe_ms` off the median is not believed. From `step_ms` on the way is too
    /// far to slew; back it is slewed however far it is.
    #[must_use]
    pub fn beside(
        wall_ahead_ms: i64,
        median_ms: Option<i64>,
        believe_ms: u64,
        step_ms: u64,
    ) -> Self {
        let believed = median_ms.is_none_or(|median| median.abs_diff(wall_ahead_ms) <= believe_ms);
        if !believed {
            Self::Hold
        } else if wall_ahead_ms.unsigned_abs() > step_ms && wall_ahead_ms > 0 {
            Self::Step
        } else {
            Self::Slew
        }
    }
}

// CAVEATS: physical time is also what timers run on, so it never steps back: a node that started far ahead
// has to start again once its wall clock is right. Without peers a wall clock that jumps ahead is followed.

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn course(wall: i64, median: Option<i64>) -> Course {
        Course::beside(wall, median, 400, 500)
    }

    #[test]
    fn a_wall_that_only_this_machine_has_is_not_followed() {
        for wall in [HOUR, -HOUR, 401, -401] {
            assert_eq!(course(wall, Some(0)), Course::Hold, "{wall}");
        }
        assert_eq!(course(0, Some(-HOUR)), Course::Hold, "fenced, and its wall still wrong");
    }

    #[test]
    fn what_peers_bear_out_is_stepped_to_or_slewed_to() {
        assert_eq!(course(HOUR, Some(HOUR + 400)), Course::Step);
        assert_eq!(course(501, Some(300)), Course::Step);
        assert_eq!(course(500, Some(300)), Course::Slew);
        assert_eq!(course(-300, Some(0)), Course::Slew);
        assert_eq!(course(-HOUR, Some(-HOUR)), Course::Slew, "never a step back");
    }

    #[test]
    fn without_peers_the_wall_is_all_there_is() {
        assert_eq!(course(HOUR, None), Course::Step);
        assert_eq!(course(-HOUR, None), Course::Slew);
        assert_eq!(course(20, None), Course::Slew);
    }
}
