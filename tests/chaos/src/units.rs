//! Cuts a stream of bytes into what faults hit: whole frames, so that a unit that vanishes leaves a stream that can still
//! be read, and the receiver has to find the hole by itself.
//!
//! A stream that is not in frames of the wire, such as an encrypted one, comes in pieces as they were read. It refuses
//! nothing: once a stream makes no sense, it is not in frames.

use gridkv_protocol::frame::{HEADER_BYTES, WIRE};

/// No frame is held back until it is whole when it is longer; well above what nodes send.
const LONGEST_FRAME: usize = 64 * 1024 * 1024;

/// The units of one direction of a connection.
#[derive(Debug)]
pub(crate) struct Units {
    unread: Vec<u8>,
    framed: bool,
}

impl Units {
    pub(crate) fn new() -> Self {
        Self { unread: Vec::new(), framed: true }
    }

    /// Takes what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// The next whole unit.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        if self.framed {
            let header = self.unread.first_chunk::<HEADER_BYTES>()?;
            match WIRE.parse(header, LONGEST_FRAME) {
                Ok(header) => {
                    let whole = HEADER_BYTES + header.length();
                    if self.unread.len() < whole {
                        return None;
                    }
                    let rest = self.unread.split_off(whole);
                    return Some(std::mem::replace(&mut self.unread, rest));
                }
                Err(_) => self.framed = false,
            }
        }
        self.rest()
    }

    /// What is left although it is no whole unit.
    pub(crate) fn rest(&mut self) -> Option<Vec<u8>> {
        (!self.unread.is_empty()).then(|| std::mem::take(&mut self.unread))
    }

    /// Whether a unit may vanish without making the rest unreadable.
    pub(crate) fn framed(&self) -> bool {
        self.framed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        WIRE.wrap(5, payload, 100).unwrap()
    }

    #[test]
    fn frames_are_units_however_they_come() {
        let (a, b) = (frame(b"one"), frame(b""));
        let mut units = Units::new();
        for byte in a.iter().chain(&b) {
            units.push(&[*byte]);
            match units.next() {
                Some(unit) => assert!(unit == a || unit == b),
                None => assert!(units.framed()),
            }
        }
        units.push(&[a.clone(), b.clone()].concat());
        assert_eq!([units.next(), units.next(), units.next()], [Some(a), Some(b), None]);
    }

    #[test]
    fn what_is_not_in_frames_is_carried_as_it_comes() {
        let mut units = Units::new();
        units.push(b"\x16\x03\x01");
        assert_eq!(units.next(), None, "it could still become a header");
        units.push(&[7; 20]);
        assert_eq!(units.next().map(|unit| unit.len()), Some(23));
        assert!(!units.framed());
        units.push(b"x");
        assert_eq!(units.next(), Some(b"x".to_vec()));
    }

    #[test]
    fn the_beginning_of_a_frame_is_not_lost_at_the_end() {
        let mut units = Units::new();
        units.push(&frame(b"cut")[..22]);
        assert_eq!(units.next(), None);
        assert_eq!(units.rest().map(|unit| unit.len()), Some(22));
        assert_eq!(units.rest(), None);
    }
}
