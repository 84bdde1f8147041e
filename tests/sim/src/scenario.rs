//! What a seed draws before its world begins: how many nodes, how large everything is, and which faults
//! there are at all. Each seed has some of them; one in four has nearly none.

use gridkv_protocol::publisher::PublisherLimits;

use crate::dice::Dice;
use crate::disk::Mode;
use crate::network::FrameFaults;
use crate::node::Settings;

/// What goes wrong, each as a weight beside the others; 0: never.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A link stalls, in one direction or both.
    pub stalls: u64,
    /// Every link of a machine stalls, one after the other, and they come back in any order.
    pub swizzles: u64,
    /// A connection breaks, with all that is on it.
    pub breaks: u64,
    /// A process stops for a while.
    pub pauses: u64,
    /// A process is killed.
    pub kills: u64,
    /// The power of a machine fails.
    pub cuts: u64,
    /// A byte on a disk is flipped while its process is down.
    pub damage: u64,
    /// A wall clock is set.
    pub jumps: u64,
    /// A quartz runs fast or slow from now on.
    pub drifts: u64,
    /// A disk is full for a while.
    pub full: u64,
    /// A sync fails.
    pub failures: u64,
    /// A machine loses its disk.
    pub wipes: u64,
    /// A disk goes back to what it was a while ago.
    pub rollbacks: u64,
    /// A second process is started on a copy of a disk.
    pub clones: u64,
    /// An operator forgets a node that is down; it comes back some time later.
    pub forgets: u64,
    /// An operator wants a store to be filled from a peer, emptied first or not.
    pub full_syncs: u64,
}

/// A machine of the world.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// How its disk keeps the main store.
    pub mode: Mode,
    /// Whether it has no data directory: its identity is fresh at each start.
    pub dataless: bool,
    /// How far its wall clock is ahead at the beginning.
    pub offset: i64,
}

/// Everything that a seed draws.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a world has or has not")]
pub struct Scenario {
    /// The machines.
    pub places: Vec<Place>,
    /// How often and how long.
    pub settings: Settings,
    /// Milliseconds between two looks at deadlines.
    pub look_every: u64,
    /// Milliseconds between two syncs of stores that have an interval.
    pub persist_every: u64,
    /// The longest that a staged write waits for its commit.
    pub commit_within: u64,
    /// The longest that a committed one waits for the publisher.
    pub drain_within: u64,
    /// Slots of the op ring.
    pub ring_slots: usize,
    /// Keys that clients know.
    pub keys: u64,
    /// Records in a catch-up page.
    pub page_records: usize,
    /// Milliseconds between two requests of clients, on average.
    pub client_every: u64,
    /// Milliseconds between two faults, on average.
    pub fault_every: u64,
    /// Milliseconds of load before everything is healed.
    pub load: u64,
    /// Whether there is a cache store beside the main one.
    pub cache: bool,
    /// Whether messages travel as bytes.
    pub encodes: bool,
    /// The longest that a frame takes.
    pub latency: u64,
    /// What happens to single frames.
    pub frames: FrameFaults,
    /// What else happens.
    pub faults: Faults,
    /// Clocks may be wrong by more than the skew limit.
    pub bad_clocks: bool,
    /// A node of another cluster dials this one.
    pub stranger: bool,
}

impl Scenario {
    /// What a seed draws.
    #[must_use]
    pub fn drawn(dice: &mut Dice) -> Self {
        let quiet = dice.chance(250);
        let bad_clocks = !quiet && dice.chance(150);
        let nodes = dice.one_of([2, 3, 3, 3, 4, 4, 5, 7]);
        let places = (0..nodes).map(|_| Place::drawn(dice)).collect();
        let heartbeat = dice.one_of([200, 300, 400]);
        let max_clock_skew = 500;
        let settings = Settings {
            heartbeat,
            suspect_after: 3 * heartbeat,
            down_after: 6 * heartbeat,
            max_clock_skew,
            publisher: PublisherLimits {
                log_bytes: dice.one_of([130, 400, 4_000]),
                batch_max_ops: dice.one_of([1, 3, 8]),
                batch_max_bytes: 400,
                queue_bytes: 600,
                retry_ms: 50,
            },
        };
        Self {
            places,
            settings,
            look_every: dice.one_of([100, 200]),
            persist_every: dice.one_of([300, 700, 2_000]),
            commit_within: dice.one_of([1, 4, 12]),
            drain_within: dice.one_of([1, 10, 40]),
            ring_slots: dice.one_of([4, 8, 16, 64]),
            keys: dice.one_of([4, 8, 14]),
            page_records: dice.one_of([1, 2, 3, 64]),
            client_every: dice.one_of([20, 40, 60]),
            fault_every: dice.one_of([150, 300, 700]),
            load: dice.one_of([8_000, 12_000, 20_000]),
            cache: dice.chance(250),
            encodes: dice.chance(200),
            latency: dice.one_of([2, 10, 40, 120]),
            frames: if quiet { FrameFaults::default() } else { FrameFaults::drawn(dice) },
            faults: if quiet { Faults::default() } else { Faults::drawn(dice, bad_clocks) },
            bad_clocks,
            stranger: dice.chance(60),
        }
    }
}

impl Place {
    fn drawn(dice: &mut Dice) -> Self {
        let mode = dice.one_of([Mode::Fsync, Mode::Interval, Mode::Volatile]);
        let dataless = mode == Mode::Volatile && dice.chance(400);
        Self { mode, dataless, offset: dice.around(200) }
    }
}

impl FrameFaults {
    fn drawn(dice: &mut Dice) -> Self {
        let mut some = |most: u64| if dice.chance(250) { dice.between(1, most) } else { 0 };
        Self { lost: some(60), doubled: some(60), late: some(60), flipped: some(20) }
    }
}

impl Faults {
    fn drawn(dice: &mut Dice, bad_clocks: bool) -> Self {
        let mut some = |most: u64| if dice.chance(450) { dice.between(1, most) } else { 0 };
        let mut faults = Self {
            stalls: some(10),
            swizzles: some(2),
            breaks: some(6),
            pauses: some(3),
            kills: some(5),
            cuts: some(5),
            damage: some(2),
            jumps: some(3),
            drifts: some(2),
            full: some(2),
            failures: some(1),
            wipes: some(2),
            rollbacks: some(3),
            clones: some(1),
            forgets: some(2),
            full_syncs: some(2),
        };
        if bad_clocks {
            faults.jumps = faults.jumps.max(3);
            // An epoch is fresh by the wall clock where the disk can not tell: one of the two must be right.
            faults.rollbacks = 0;
        }
        faults
    }
}
