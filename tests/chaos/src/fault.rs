//! What can be wrong with a link, in one direction. A fault says what happens to the bytes from one node to another while
//! it is there, whichever of the two made the connection.
//!
//! Bytes are met in units: whole frames where the stream is in frames, else what came at once.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// What happens to the bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: they are carried as they come.
    #[default]
    Clear,
    /// Each unit arrives later by a time between these two.
    Delay(Duration, Duration),
    /// So many units of a hundred vanish.
    Drop(u8),
    /// Nothing is carried, and nothing is lost: it is carried once this is over.
    Stall,
    /// Everything vanishes.
    OneWay,
    /// So many units of a hundred end the connection with a reset.
    Reset(u8),
    /// So many units of a hundred end the connection for the sender alone; the receiver hears nothing of it.
    HalfOpen(u8),
    /// So many units of a hundred arrive with other bytes in them.
    Garbage(u8),
    /// So many units of a hundred are cut off somewhere, and the connection ends.
    Truncate(u8),
    /// No more than this many bytes arrive in each `DRIP_INTERVAL`.
    Drip(u16),
}

/// Time between two drops of [`Fault::Drip`].
pub(crate) const DRIP_INTERVAL: Duration = Duration::from_millis(20);

/// What becomes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives after this time.
    Arrives(Duration),
    /// It does not.
    Vanishes,
    /// The connection ends with a reset.
    Resets,
    /// The connection ends for the sender.
    HalfOpens,
    /// It arrives with other bytes.
    Garbled,
    /// A part of it arrives, and the connection ends.
    Truncated,
}

impl Fault {
    /// The names of all kinds, as reports have them.
    pub const NAMES: [&'static str; 9] =
        ["delay", "drop", "stall", "one-way", "reset", "half-open", "garbage", "truncate", "drip"];

    /// Its name; that of no fault is "clear".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Delay(..) => "delay",
            Self::Drop(_) => "drop",
            Self::Stall => "stall",
            Self::OneWay => "one-way",
            Self::Reset(_) => "reset",
            Self::HalfOpen(_) => "half-open",
            Self::Garbage(_) => "garbage",
            Self::Truncate(_) => "truncate",
            Self::Drip(_) => "drip",
        }
    }

    /// A fault of the kind with this name. How bad it is makes the difference between a link that limps and one that is
    /// as good as cut; both are wanted.
    #[must_use]
    pub fn drawn(name: &str, dice: &mut Rng) -> Self {
        let percent = dice.u8(4..=30);
        match name {
            "delay" => {
                let least = Duration::from_millis(dice.u64(1..150));
                Self::Delay(least, least + Duration::from_millis(dice.u64(1..300)))
            }
            "drop" => Self::Drop(percent * 2),
            "stall" => Self::Stall,
            "one-way" => Self::OneWay,
            "reset" => Self::Reset(percent),
            "half-open" => Self::HalfOpen(percent),
            "garbage" => Self::Garbage(percent),
            "truncate" => Self::Truncate(percent),
            "drip" => Self::Drip(dice.u16(20..2_000)),
            _ => Self::Clear,
        }
    }

    /// What becomes of a unit that is on its way now.
    pub(crate) fn fate(self, dice: &mut Rng) -> Fate {
        let mut hits = |percent: u8| dice.u8(0..100) < percent;
        let arrives = Fate::Arrives(Duration::ZERO);
        match self {
            Self::Delay(least, most) => {
                Fate::Arrives(least + most.saturating_sub(least).mul_f64(dice.f64()))
            }
            Self::OneWay => Fate::Vanishes,
            Self::Drop(percent) if hits(percent) => Fate::Vanishes,
            Self::Reset(percent) if hits(percent) => Fate::Resets,
            Self::HalfOpen(percent) if hits(percent) => Fate::HalfOpens,
            Self::Garbage(percent) if hits(percent) => Fate::Garbled,
            Self::Truncate(percent) if hits(percent) => Fate::Truncated,
            Self::Clear
            | Self::Stall
            | Self::Drip(_)
            | Self::Drop(_)
            | Self::Reset(_)
            | Self::HalfOpen(_)
            | Self::Garbage(_)
            | Self::Truncate(_) => arrives,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Clear | Self::Stall | Self::OneWay => f.write_str(name),
            Self::Delay(least, most) => {
                write!(f, "{name} {}-{} ms", least.as_millis(), most.as_millis())
            }
            Self::Drop(percent)
            | Self::Reset(percent)
            | Self::HalfOpen(percent)
            | Self::Garbage(percent)
            | Self::Truncate(percent) => write!(f, "{name} {percent}%"),
            Self::Drip(bytes) => {
                let drops = Duration::from_secs(1).div_duration_f64(DRIP_INTERVAL);
                write!(f, "{name} {:.0} B/s", f64::from(*bytes) * drops)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_drawn_by_its_name() {
        let mut dice = Rng::with_seed(1);
        for name in Fault::NAMES {
            assert_eq!(Fault::drawn(name, &mut dice).name(), name);
        }
        assert_eq!(Fault::drawn("sunshine", &mut dice), Fault::Clear);
    }

    #[test]
    fn the_fate_of_units_is_as_often_as_the_fault_says() {
        let mut dice = Rng::with_seed(2);
        let mut count =
            |fault: Fault, fate| (0..1_000).filter(|_| fault.fate(&mut dice) == fate).count();
        assert!((150..250).contains(&count(Fault::Drop(20), Fate::Vanishes)));
        assert!((50..150).contains(&count(Fault::Reset(10), Fate::Resets)));
        assert_eq!(count(Fault::OneWay, Fate::Vanishes), 1_000);
        assert_eq!(count(Fault::Clear, Fate::Arrives(Duration::ZERO)), 1_000);
    }

    #[test]
    fn faults_tell_how_bad_they_are() {
        let ms = Duration::from_millis;
        assert_eq!(Fault::Delay(ms(10), ms(250)).to_string(), "delay 10-250 ms");
        assert_eq!(Fault::Garbage(3).to_string(), "garbage 3%");
        assert_eq!(Fault::Drip(100).to_string(), "drip 5000 B/s");
        assert_eq!(Fault::OneWay.to_string(), "one-way");
    }
}
