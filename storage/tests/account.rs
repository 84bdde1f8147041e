//! What a store says it holds is what the process grows by: within 5%, for records of every kind.
//!
//! Each case is measured in a process of its own, so that none inherits the memory of another:
//! `cargo test --release -p gridkv-storage --test account -- --nocapture` shows the figures.

#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::cast_precision_loss, reason = "some millions of bytes, exact to a tenth of one")]

use std::process::Command;

use gridkv_protocol::applier::Stretch;
use gridkv_protocol::record::Live;
use gridkv_protocol::{
    ContentType, Frontier, Hlc, Key, Op, Origin, Record, State, StoreName, UnixMs, Value, Version,
};
use gridkv_storage::durability::Durability;
use gridkv_storage::registry::{OpenRequest, Registry};
use gridkv_storage::store::{self, Store, StoreConfig};

/// How far the claim may be off, in percent of what is resident.
const TOLERANCE: f64 = 5.0;

/// A kind of record, and how many make more than ten megabytes.
struct Case {
    name: &'static str,
    records: u64,
    key: fn(u64) -> String,
    state: fn(u64) -> State,
    /// How often every record is overwritten by one of its kind.
    overwrites: u64,
}

const fn case(
    name: &'static str,
    records: u64,
    key: fn(u64) -> String,
    state: fn(u64) -> State,
) -> Case {
    Case { name, records, key, state, overwrites: 0 }
}

const CASES: [Case; 16] = [
    case("16 + 100", 80_000, alike, |_| live(100)),
    case("16 + 100, keys in order", 80_000, in_order, |_| live(100)),
    case("16 + 100, random keys", 80_000, random, |_| live(100)),
    case("16 + 100, before the table grows", 105_000, alike, |_| live(100)),
    case("16 + 100, when it has grown", 112_000, alike, |_| live(100)),
    Case { overwrites: 2, ..case("16 + 100, overwritten", 80_000, alike, |_| live(100)) },
    Case { overwrites: 2, ..case("16 + 1 to 200, overwritten", 80_000, alike, varied) },
    case("16 + 1,000", 20_000, alike, |_| live(1_000)),
    case("16 + 10,000", 4_000, alike, |_| live(10_000)),
    case("100 + 10, random keys", 50_000, long, |_| live(10)),
    case("1,000 + 10, random keys", 12_000, longer, |_| live(10)),
    case("tombstones", 150_000, alike, |_| State::Deleted),
    case("expired records", 150_000, alike, expired),
    case("16 + 100, with content types", 80_000, alike, typed),
    case("16 + 100, with deadlines in order", 50_000, alike, lasting),
    case("16 + 100, with deadlines", 50_000, alike, scattered),
];

/// Numbers from others, none twice.
fn mixed(n: u64) -> u64 {
    let z = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn in_order(n: u64) -> String {
    format!("user:{n:011}")
}

/// Keys with a beginning in common, in any order.
fn alike(n: u64) -> String {
    in_order(n.wrapping_mul(999_999_999_989) % 100_000_000)
}

fn random(n: u64) -> String {
    format!("{:016x}", mixed(n))
}

fn long(n: u64) -> String {
    format!("{:016x}{}", mixed(n), "k".repeat(84))
}

fn longer(n: u64) -> String {
    format!("{:016x}{}", mixed(n), "k".repeat(984))
}

fn full(bytes: usize, content_type: Option<&str>, expires_at: Option<u64>) -> State {
    State::Live(Live {
        value: Value::copied(&vec![b'v'; bytes]),
        content_type: content_type.map(|text| ContentType::new(text).unwrap()),
        expires_at: expires_at.map(UnixMs),
    })
}

fn live(bytes: usize) -> State {
    full(bytes, None, None)
}

fn varied(n: u64) -> State {
    live(1 + usize::try_from(mixed(n) % 200).unwrap())
}

fn typed(_: u64) -> State {
    full(100, Some("application/json; charset=utf-8"), None)
}

fn lasting(n: u64) -> State {
    full(100, None, Some(1_000_000 + n / 10))
}

fn scattered(n: u64) -> State {
    full(100, None, Some(1_000_000 + mixed(n) % 1_000_000))
}

fn expired(n: u64) -> State {
    State::Expired { expires_at: UnixMs(n) }
}

/// Bytes of this process that are in memory.
fn resident_bytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    4_096.0 * statm.split(' ').nth(1).unwrap().parse::<f64>().unwrap()
}

/// An empty store.
fn open() -> Store {
    let name = StoreName::new("main").unwrap();
    let config = StoreConfig {
        name: name.clone(),
        backend: "memory".to_owned(),
        default_ttl_ms: None,
        memory_limit_bytes: Some(1 << 40),
        refuse_over_limit: false,
        ring_slots: 64,
    };
    let request = OpenRequest::new(name, None);
    store::open(&Registry::with_built_in(), config, Origin::from_bits(1), &request).unwrap()
}

/// Writes records as a peer's, in commits of 64, over and over the same keys.
fn fill(store: &mut Store, case: &Case, writes: u64) {
    let origin = Origin::from_bits(2);
    for first in (1..=writes).step_by(64) {
        let last = writes.min(first + 63);
        let op = |n: u64| {
            let version = Version { hlc: Hlc::from_bits(n), origin };
            let record = Record { version, state: (case.state)(n) };
            Op { key: Key::new(&(case.key)(n % case.records)).unwrap(), record }
        };
        let (upto, ops) = (Hlc::from_bits(last), (first..=last).map(op).collect());
        let stretch = Stretch { origin, upto, seen: Frontier::default(), ops };
        store.writer.merge(stretch, UnixMs(0)).unwrap();
        store.writer.commit(Durability::Memory).unwrap();
    }
}

/// Fills a store. Returns bytes per record: those that it says, and those that the process grew by.
fn measure(case: &Case) -> (f64, f64) {
    // What a process touches once, such as its own code, is no part of a record.
    fill(&mut open(), case, 64);
    let mut store = open();
    let before = resident_bytes();
    fill(&mut store, case, case.records * (1 + case.overwrites));
    let grown = resident_bytes() - before;
    let stats = store.reader.stats();
    assert_eq!(stats.key_count + stats.tombstones, case.records, "keys came twice");
    let records = case.records as f64;
    (stats.memory_bytes as f64 / records, grown / records)
}

/// Set for the processes that measure: the case's number.
const CASE: &str = "ACCOUNT_CASE";

#[test]
fn measured_in_a_process_of_its_own() {
    let Ok(number) = std::env::var(CASE) else { return };
    let (said, grown) = measure(&CASES[number.parse::<usize>().unwrap()]);
    println!("\nfigures {said:.1} {grown:.1}");
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_env = "gnu")), ignore = "models glibc's allocator")]
fn a_store_holds_what_it_says() {
    let mut most_off: f64 = 0.0;
    for (number, case) in CASES.iter().enumerate() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "measured_in_a_process_of_its_own", "--nocapture"])
            .env(CASE, number.to_string())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let figures = text.lines().find_map(|line| line.strip_prefix("figures "));
        let (said, grown) = figures.unwrap_or_else(|| panic!("{text}")).split_once(' ').unwrap();
        let (said, grown): (f64, f64) = (said.parse().unwrap(), grown.parse().unwrap());
        let off = 100.0 * (said - grown) / grown;
        most_off = most_off.max(off.abs());
        println!("{:34} says {said:8.1}, took {grown:8.1} bytes each: {off:+.1}%", case.name);
    }
    assert!(most_off <= TOLERANCE, "{most_off:.1}% off");
}
