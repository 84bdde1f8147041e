//! One of each message that nodes send each other, well-formed, for whoever wants to send it at the wrong moment.

use std::collections::BTreeMap;

use gridkv_protocol::frame::WIRE;
use gridkv_protocol::message::{BatchAnswer, BatchOutcome, Message, NoPage, StoreBatch};
use gridkv_protocol::page::{Page, PageRequest, Scope};
use gridkv_protocol::report::{Report, StoreReport};
use gridkv_protocol::welcome::{
    Hello, Member, Members, ProtocolRange, Refusal, RefusalReason, StoreInfo, Welcome,
};
use gridkv_protocol::{
    Epoch, Frontier, Hlc, Key, Live, NodeId, Op, OpBatch, Origin, Record, State, StoreName, UnixMs,
    Value, Version,
};

/// The store that everybody has.
pub(crate) fn main_store() -> StoreName {
    StoreName::new("main").unwrap()
}

/// A node with the store `main`.
pub(crate) fn member(origin: Origin, name: &str, addr: &str) -> Member {
    let main = StoreInfo { name: main_store(), cache: false, backend: "memory".into() };
    Member { origin, revision: 0, name: name.into(), addr: addr.into(), stores: vec![main] }
}

/// The one who knocks: nobody listens at its address.
pub(crate) fn mallory() -> Member {
    member(Origin::new(NodeId(0x00ba_dbad), Epoch(7)), "mallory", "127.0.0.1:1")
}

/// A hello that a good node could have sent.
pub(crate) fn hello(member: Member) -> Hello {
    Hello {
        protocol: ProtocolRange::OWN,
        cluster: "gridkv".into(),
        member,
        joined: false,
        now: UnixMs(1),
    }
}

/// A frame of any size.
pub(crate) fn frame(message: &Message) -> Vec<u8> {
    message.to_frame(64 << 20).unwrap()
}

/// A frame of any payload, with a checksum that is right.
pub(crate) fn wrapped(kind: u8, payload: &[u8]) -> Vec<u8> {
    WIRE.wrap(kind, payload, 64 << 20).unwrap()
}

/// A put.
pub(crate) fn op(key: &str, version: Version) -> Op {
    let live = Live { value: Value::copied(b"evil"), content_type: None, expires_at: None };
    Op { key: Key::new(key).unwrap(), record: Record { version, state: State::Live(live) } }
}

/// A batch of these points of `origin`'s time.
pub(crate) fn batch(origin: Origin, after: u64, upto: u64, points: &[u64]) -> StoreBatch {
    let op = |bits: &u64| op("evil", Version { hlc: Hlc::from_bits(*bits), origin });
    let (after, upto) = (Hlc::from_bits(after), Hlc::from_bits(upto));
    let ops = points.iter().map(op).collect();
    StoreBatch {
        store: main_store(),
        batch: OpBatch { origin, after, upto, seen: Frontier::default(), ops },
    }
}

/// A report that has nothing and knows nobody.
pub(crate) fn report(origin: Origin) -> Report {
    Report {
        origin,
        now: UnixMs(1),
        clock: Hlc::ZERO,
        ready: true,
        members: Members::default(),
        stores: vec![StoreReport {
            store: main_store(),
            applied: Frontier::default(),
            durable: Frontier::default(),
            floor: Hlc::ZERO,
            loose: BTreeMap::new(),
            durable_loose: BTreeMap::new(),
            proof: None,
            keys: 0,
        }],
    }
}

/// A request for the first page of `main`.
pub(crate) fn request() -> PageRequest {
    PageRequest {
        store: main_store(),
        session: 1,
        frontier: Frontier::default(),
        scope: Scope::Missing,
        cursor: None,
    }
}

/// Messages that only come over a connection which this side dialled, or only first.
pub(crate) fn out_of_place() -> Vec<Message> {
    let origin = mallory().origin;
    let answer = BatchAnswer {
        store: main_store(),
        origin,
        after: Hlc::ZERO,
        upto: Hlc::ZERO,
        outcome: BatchOutcome::Gap { have: Hlc::ZERO },
    };
    let page = Page {
        store: main_store(),
        session: 1,
        cursor: None,
        donor: origin,
        frontier: Frontier::default(),
        floor: Hlc::ZERO,
        records: vec![],
        next: None,
    };
    let welcome = Welcome {
        protocol: ProtocolRange::OWN,
        member: mallory(),
        joined: true,
        members: Members::default(),
        now: UnixMs(1),
        clock: Hlc::ZERO,
    };
    let refusal = Refusal { reason: RefusalReason::Stopping, detail: "go away".into() };
    vec![
        Message::Welcome(welcome),
        Message::Refusal(refusal),
        Message::Answer(answer),
        Message::Page(page),
        Message::NoPage(NoPage { store: main_store(), session: 1 }),
    ]
}

/// Every kind of message but the hello.
pub(crate) fn all_but_hello() -> Vec<Message> {
    let origin = mallory().origin;
    let mut all = out_of_place();
    all.push(Message::Report(report(origin)));
    all.push(Message::Batch(batch(origin, 0, 9, &[5])));
    all.push(Message::PageRequest(request()));
    all
}
