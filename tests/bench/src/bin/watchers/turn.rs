//! Writes for a while, with watchers or without.

use std::error::Error;
use std::thread;
use std::time::Duration;

use gridkv_bench::load::{Load, Order, Tally, Work};
use gridkv_bench::mesh::Mesh;

use crate::crowd::{Crowd, Place};

/// Connections of the load.
const CONNECTIONS: u32 = 64;

/// What is written, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Writes per second.
    pub(crate) rate: u32,
    pub(crate) lasts: Duration,
    /// Keys that are written, numbered from 0. As many more as there are watchers stand behind them.
    pub(crate) keys: usize,
    /// How many watch, if any do.
    pub(crate) watchers: usize,
}

impl Pace {
    /// One turn. Nobody watches afterwards.
    pub(crate) fn turn(self, node: &Mesh, place: Option<Place>) -> Result<Tally, Box<dyn Error>> {
        let Self { rate, lasts, keys, watchers } = self;
        let crowd = place.map(|place| Crowd::gather(node, place, keys..keys + watchers));
        let crowd = crowd.transpose()?;
        let addr = node.address(1);
        let order = Order { addr, work: Work::Put, rate, connections: CONNECTIONS, keys, seed: 1 };
        let load = Load::start(order);
        thread::sleep(lasts); // the time that is measured
        let writes = load.stop()?;
        if let Some(crowd) = crowd {
            crowd.leave(node)?;
        }
        Ok(writes)
    }
}
