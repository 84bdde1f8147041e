//! One direction of a connection: bytes come in, meet the fault that the link has at that moment, and go on.
//!
//! A pipe never waits for one thing alone: it looks at the weather every few milliseconds, so that a stalled link comes
//! back, and a connection that ends on one side ends on the other.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use gridkv_cluster::Stopwatch;
use gridkv_soak::dice;

use crate::connection::{Connection, Side};
use crate::fault::{DRIP_INTERVAL, Fate, Fault};
use crate::units::Units;
use crate::weather::{Link, Weather, count};

/// How long a pipe sleeps or waits for bytes before it looks at the weather again.
const TICK: Duration = Duration::from_millis(20);
/// Bytes read at once.
const PIECE: usize = 16 * 1024;
/// A pipe that holds back more does not read on: the sender notices, as on a slow line.
const HELD_BACK: usize = 8 * 1024 * 1024;
/// The same on a slow line, which has no room of its own: what does not fit waits with the sender.
const HELD_BACK_DRIPPING: usize = 64 * 1024;
/// Bytes of a unit that garbage changes, at most.
const GARBAGE: usize = 8;

/// What carries the bytes of one side to the other.
#[derive(Debug)]
pub(crate) struct Pipe {
    connection: Arc<Connection>,
    from: Side,
    link: Link,
    weather: Arc<Weather>,
    dice: Rng,
    units: Units,
    /// Units on their way, and when they arrive.
    queue: VecDeque<(Duration, Vec<u8>)>,
    held_back: usize,
    clock: Stopwatch,
    /// Nothing more comes in.
    drained: bool,
}

impl Pipe {
    pub(crate) fn new(
        connection: Arc<Connection>,
        from: Side,
        weather: &Arc<Weather>,
        number: u64,
        seed: u64,
    ) -> Self {
        let link = connection.link(from);
        Self {
            connection,
            from,
            link,
            weather: Arc::clone(weather),
            dice: dice(seed, &format!("{link} {from:?}"), number),
            units: Units::new(),
            queue: VecDeque::new(),
            held_back: 0,
            clock: Stopwatch::start(),
            drained: false,
        }
    }

    /// Carries until the connection is over.
    pub(crate) fn run(mut self) {
        while !self.connection.is_over() {
            // Stalled, nothing is carried; and whoever was left behind is not told that nobody sends any more.
            let idle = self.fault() == Fault::Stall || self.connection.has_left(self.from);
            let went = if idle {
                thread::sleep(TICK); // the fault itself
                Ok(())
            } else {
                self.read().and_then(|()| self.deliver())
            };
            let gone = self.connection.has_left(self.from.other());
            match went {
                Ok(()) if self.drained && self.queue.is_empty() => return self.end(),
                Ok(()) => {}
                // The other side has left: what still comes is for nobody.
                Err(_) if gone && !self.drained => {
                    self.queue.clear();
                    self.held_back = 0;
                }
                Err(_) => return self.connection.finish(),
            }
        }
    }

    /// The fault of this moment: it may have changed while the pipe waited.
    fn fault(&self) -> Fault {
        self.weather.at(self.link)
    }

    /// Bytes that may be on their way before the sender has to wait.
    fn room(&self) -> usize {
        if matches!(self.fault(), Fault::Drip(_)) { HELD_BACK_DRIPPING } else { HELD_BACK }
    }

    /// The sender said that it sends no more: so is the receiver told.
    fn end(&self) {
        if self.connection.has_left(self.from.other()) {
            return self.connection.finish();
        }
        drop(self.connection.end(self.from.other()).shutdown(Shutdown::Write));
    }

    /// Reads what is there, and lets the fault meet it.
    fn read(&mut self) -> io::Result<()> {
        if self.drained || self.held_back > self.room() {
            thread::sleep(self.next_delivery()); // what is on its way takes its time
            return Ok(());
        }
        let mut piece = [0; PIECE];
        let mut end = self.connection.end(self.from);
        end.set_read_timeout(Some(self.next_delivery()))?;
        match end.read(&mut piece) {
            Ok(0) => {
                self.drained = true;
                if let Some(rest) = self.units.rest() {
                    self.enqueue(Duration::ZERO, rest);
                }
                return Ok(());
            }
            Ok(read) => self.units.push(piece.get(..read).unwrap_or_default()),
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
        while let Some(unit) = self.units.next() {
            self.meet(unit)?;
        }
        Ok(())
    }

    fn meet(&mut self, mut unit: Vec<u8>) -> io::Result<()> {
        let toll = &self.weather.toll;
        count(&toll.units);
        let bytes = u64::try_from(unit.len()).unwrap_or_default();
        toll.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fault = self.fault();
        match fault.fate(&mut self.dice) {
            Fate::Arrives(after) => {
                if after > Duration::ZERO {
                    count(&toll.delayed);
                }
                self.enqueue(after, unit);
            }
            Fate::Vanishes => {
                count(&toll.vanished);
                // A stream that is not in frames can not go on behind a hole.
                if !self.units.framed() {
                    self.connection.finish();
                }
            }
            Fate::Resets => self.connection.reset(&self.weather),
            Fate::HalfOpens => self.connection.leave(self.from, &self.weather),
            Fate::Garbled => {
                count(&toll.garbled);
                garble(&mut unit, &mut self.dice);
                self.enqueue(Duration::ZERO, unit);
            }
            Fate::Truncated => {
                count(&toll.truncated);
                unit.truncate(self.dice.usize(0..unit.len().max(1)));
                self.enqueue(Duration::ZERO, unit);
                self.deliver()?;
                self.connection.finish();
            }
        }
        Ok(())
    }

    /// Units arrive in the order in which they were sent, whatever their delay.
    fn enqueue(&mut self, after: Duration, unit: Vec<u8>) {
        let last = self.queue.back().map_or(Duration::ZERO, |(due, _)| *due);
        self.held_back += unit.len();
        self.queue.push_back((last.max(self.clock.elapsed() + after), unit));
    }

    /// How long there is nothing to deliver, at most a tick.
    fn next_delivery(&self) -> Duration {
        let least = Duration::from_millis(1);
        self.queue
            .front()
            .map_or(TICK, |(due, _)| due.saturating_sub(self.clock.elapsed()).clamp(least, TICK))
    }

    /// Writes what is due, unless the link is stalled by now. On a slow line it is only a drop.
    fn deliver(&mut self) -> io::Result<()> {
        let is_due = |(due, _): &(Duration, Vec<u8>)| *due <= self.clock.elapsed();
        let due = self.queue.iter().take_while(|unit| is_due(unit)).count();
        for _ in 0..due {
            let fault = self.fault();
            if fault == Fault::Stall {
                break;
            }
            let Some((due, unit)) = self.queue.pop_front() else { break };
            self.held_back -= unit.len();
            let Fault::Drip(bytes) = fault else {
                self.write(&unit)?;
                continue;
            };
            let drop = usize::from(bytes).clamp(1, unit.len().max(1));
            let (first, rest) = unit.split_at_checked(drop).unwrap_or((&unit, &[]));
            self.write(first)?;
            if !rest.is_empty() {
                self.held_back += rest.len();
                self.queue.push_front((due, rest.to_vec()));
            }
            thread::sleep(DRIP_INTERVAL); // the fault itself
            break;
        }
        Ok(())
    }

    /// Writes all of it, unless the connection ends first: a receiver that is stopped takes nothing for long.
    fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        let mut end = self.connection.end(self.from.other());
        end.set_write_timeout(Some(TICK))?;
        while !bytes.is_empty() && !self.connection.is_over() {
            match end.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Other bytes at a few places.
fn garble(unit: &mut [u8], dice: &mut Rng) {
    for _ in 0..dice.usize(1..=GARBAGE) {
        let place = dice.usize(0..unit.len().max(1));
        if let Some(byte) = unit.get_mut(place) {
            *byte ^= dice.u8(1..=255);
        }
    }
}
