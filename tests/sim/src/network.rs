//! The network between machines: connections that keep order until they break, and an adversary who loses,
//! doubles, delays and damages single frames of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gridkv_protocol::frame::{HEADER_BYTES, WIRE};
use gridkv_protocol::limits::MAX_FRAME_BYTES;
use gridkv_protocol::message::Message;

use crate::dice::Dice;
use crate::node::ConnId;

/// A machine, by its place in the world.
pub type At = usize;

/// What travels over a connection.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A message, as it was sent.
    Plain(Box<Message>),
    /// A message as it stands on the wire.
    Bytes(Vec<u8>),
    /// The other end is closed.
    Ended,
}

/// Which way: the end that dialled sends forth, the other one back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From who dialled.
    Forth,
    /// To who dialled.
    Back,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// The machine.
    pub at: At,
    /// The run of its process.
    pub run: u64,
    /// Whether the process still uses it.
    pub open: bool,
    /// When the process last heard something over it.
    pub heard: u64,
}

/// A connection.
#[derive(Debug)]
pub struct Conn {
    dialler: End,
    server: End,
    /// No frame overtakes another one of its way.
    last: [u64; 2],
    /// Frames that wait for a link that is stalled.
    held: [VecDeque<Frame>; 2],
}

/// What the adversary does to single frames, in cases of a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameFaults {
    /// Not delivered.
    pub lost: u64,
    /// Delivered twice.
    pub doubled: u64,
    /// Delivered later than frames that were sent after it.
    pub late: u64,
    /// One bit is flipped on the way.
    pub flipped: u64,
}

/// A frame on its way.
#[derive(Debug)]
pub struct Flight {
    /// When it arrives.
    pub at: u64,
    /// What arrives.
    pub frame: Frame,
}

/// Every connection, and which links are stalled.
#[derive(Debug)]
pub struct Network {
    conns: BTreeMap<ConnId, Conn>,
    made: ConnId,
    stalled: BTreeSet<(At, At)>,
    /// The longest that a frame takes.
    pub latency: u64,
    /// What happens to single frames.
    pub faults: FrameFaults,
    /// Whether messages travel as bytes.
    pub encodes: bool,
}

impl Way {
    fn index(self) -> usize {
        match self {
            Self::Forth => 0,
            Self::Back => 1,
        }
    }

    /// The other way.
    #[must_use]
    pub fn turned(self) -> Self {
        match self {
            Self::Forth => Self::Back,
            Self::Back => Self::Forth,
        }
    }
}

impl Conn {
    fn from(&self, way: Way) -> &End {
        match way {
            Way::Forth => &self.dialler,
            Way::Back => &self.server,
        }
    }

    fn to_mut(&mut self, way: Way) -> &mut End {
        match way {
            Way::Forth => &mut self.server,
            Way::Back => &mut self.dialler,
        }
    }

    fn lane(&mut self, way: Way) -> (Option<&mut u64>, Option<&mut VecDeque<Frame>>) {
        (self.last.get_mut(way.index()), self.held.get_mut(way.index()))
    }
}

impl Network {
    /// A network of fast links without fault.
    #[must_use]
    pub fn new() -> Self {
        Self {
            conns: BTreeMap::new(),
            made: 0,
            stalled: BTreeSet::new(),
            latency: 1,
            faults: FrameFaults::default(),
            encodes: false,
        }
    }

    /// The number of the next connection.
    pub fn number(&mut self) -> ConnId {
        self.made += 1;
        self.made
    }

    /// Makes a connection between processes.
    pub fn connect(&mut self, conn: ConnId, now: u64, dialler: (At, u64), server: (At, u64, bool)) {
        let end = |(at, run), open| End { at, run, open, heard: now };
        let made = Conn {
            dialler: end(dialler, true),
            server: end((server.0, server.1), server.2),
            last: [now; 2],
            held: [VecDeque::new(), VecDeque::new()],
        };
        self.conns.insert(conn, made);
    }

    /// Which way a process sends over a connection, if it still uses it.
    #[must_use]
    pub fn way_of(&self, conn: ConnId, at: At, run: u64) -> Option<Way> {
        let conn = self.conns.get(&conn)?;
        let is = |end: &End| end.at == at && end.run == run && end.open;
        if is(&conn.dialler) { Some(Way::Forth) } else { is(&conn.server).then_some(Way::Back) }
    }

    /// Whether what comes this way is read by anybody.
    #[must_use]
    pub fn is_open(&self, conn: ConnId, way: Way) -> bool {
        self.conns.get(&conn).is_some_and(|conn| conn.from(way.turned()).open)
    }

    /// Sends a message. What arrives of it, and when.
    pub fn send(
        &mut self,
        (conn, way): (ConnId, Way),
        now: u64,
        message: Message,
        dice: &mut Dice,
    ) -> Vec<Flight> {
        let frame = self.framed(message, dice);
        self.fly((conn, way), now, frame, dice)
    }

    fn framed(&self, message: Message, dice: &mut Dice) -> Frame {
        if !self.encodes {
            return Frame::Plain(Box::new(message));
        }
        let Ok(mut bytes) = message.to_frame(MAX_FRAME_BYTES) else {
            return Frame::Bytes(Vec::new()); // what can not be sent is damage to who waits for it
        };
        if dice.chance(self.faults.flipped) {
            let hit = dice.index(bytes.len());
            if let Some(byte) = bytes.get_mut(hit) {
                *byte ^= 1 << dice.below(8);
            }
        }
        Frame::Bytes(bytes)
    }

    fn fly(
        &mut self,
        (conn, way): (ConnId, Way),
        now: u64,
        frame: Frame,
        dice: &mut Dice,
    ) -> Vec<Flight> {
        let (faults, latency) = (self.faults, self.latency);
        let Some(conn) = self.conns.get_mut(&conn) else { return Vec::new() };
        let is_end = matches!(frame, Frame::Ended);
        if !is_end && dice.chance(faults.lost) {
            return Vec::new();
        }
        let (Some(last), _) = conn.lane(way) else { return Vec::new() };
        let mut at = (now + dice.between(1, latency)).max(*last);
        let mut flights = Vec::new();
        if !is_end && dice.chance(faults.doubled) {
            let again = at + dice.between(0, 4 * latency);
            flights.push(Flight { at: again, frame: frame.clone() });
        }
        if !is_end && dice.chance(faults.late) {
            at += dice.between(1, 20 * latency);
        } else {
            *last = at;
        }
        flights.push(Flight { at, frame });
        flights
    }

    /// A frame comes to the end of its way: it is handed over, or waits because the link is stalled.
    pub fn arrive(&mut self, conn: ConnId, way: Way, frame: Frame) -> Option<(At, u64, Frame)> {
        let stalled = &self.stalled;
        let conn = self.conns.get_mut(&conn)?;
        let (from, to) = (conn.from(way).at, *conn.to_mut(way));
        if stalled.contains(&(from, to.at)) {
            conn.lane(way).1?.push_back(frame);
            return None;
        }
        to.open.then_some((to.at, to.run, frame))
    }

    /// The process at an end has heard something.
    pub fn heard(&mut self, conn: ConnId, way: Way, now: u64) {
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.to_mut(way).heard = now;
        }
    }

    /// A process closes its end. What tells the other one, and which way.
    pub fn close(&mut self, (conn, way): (ConnId, Way), now: u64, dice: &mut Dice) -> Vec<Flight> {
        let Some(ends) = self.conns.get_mut(&conn) else { return Vec::new() };
        ends.to_mut(way.turned()).open = false;
        if ends.to_mut(way).open {
            return self.fly((conn, way), now, Frame::Ended, dice);
        }
        self.conns.remove(&conn);
        Vec::new()
    }

    /// The process at a machine is gone. Its system tells the other ends, unless the power is gone too.
    pub fn leave(
        &mut self,
        at: At,
        now: u64,
        tells: bool,
        dice: &mut Dice,
    ) -> Vec<(ConnId, Way, Flight)> {
        let mut left = Vec::new();
        for (id, conn) in &self.conns {
            for way in [Way::Forth, Way::Back] {
                let end = conn.from(way);
                if end.at == at && end.open {
                    left.push((*id, way));
                }
            }
        }
        let mut told = Vec::new();
        for (conn, way) in left {
            let flights = self.close((conn, way), now, dice);
            told.extend(flights.into_iter().filter(|_| tells).map(|flight| (conn, way, flight)));
        }
        told
    }

    /// Connections of a process that have brought nothing since `before`, and the way it sends over them.
    #[must_use]
    pub fn silent(&self, at: At, before: u64) -> Vec<(ConnId, Way)> {
        let mut silent = Vec::new();
        for (id, conn) in &self.conns {
            for way in [Way::Forth, Way::Back] {
                let end = conn.from(way);
                if end.at == at && end.open && end.heard < before {
                    silent.push((*id, way));
                }
            }
        }
        silent
    }

    /// Every connection between two machines.
    #[must_use]
    pub fn between(&self, a: At, b: At) -> Vec<ConnId> {
        let pair = |conn: &Conn| {
            let ends = (conn.dialler.at, conn.server.at);
            ends == (a, b) || ends == (b, a)
        };
        self.conns.iter().filter(|(_, conn)| pair(conn)).map(|(id, _)| *id).collect()
    }

    /// Whatever is on a link waits from now on.
    pub fn stall(&mut self, from: At, to: At) {
        self.stalled.insert((from, to));
    }

    /// The links that are stalled.
    #[must_use]
    pub fn stalled(&self) -> Vec<(At, At)> {
        self.stalled.iter().copied().collect()
    }

    /// A link works again. Returns what waited, in order.
    pub fn restore(&mut self, from: At, to: At) -> Vec<(ConnId, Way, Frame)> {
        self.stalled.remove(&(from, to));
        let mut waited = Vec::new();
        for (id, conn) in &mut self.conns {
            for way in [Way::Forth, Way::Back] {
                if (conn.from(way).at, conn.to_mut(way).at) == (from, to)
                    && let (_, Some(held)) = conn.lane(way)
                {
                    waited.extend(held.drain(..).map(|frame| (*id, way, frame)));
                }
            }
        }
        waited
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// The message in a frame; `None` when it is damaged, as the receiver finds it.
#[must_use]
pub fn opened(frame: Frame) -> Option<Message> {
    match frame {
        Frame::Plain(message) => Some(*message),
        Frame::Bytes(bytes) => {
            let (head, payload) = bytes.split_first_chunk::<HEADER_BYTES>()?;
            let header = WIRE.parse(head, MAX_FRAME_BYTES).ok()?;
            header.verify(payload).ok()?;
            Message::from_frame(&header, payload).ok()
        }
        Frame::Ended => None,
    }
}
