//! What stands on the wire: round trips, frozen bytes, and frames that were cut or damaged. Limits
//! and broken batches are in `message_caps_test.rs`.
//!
//! `protocol/tests/golden/<kind>.bin` holds one whole frame of each kind as version 3 of the protocol
//! writes it. Other programs of this version read those bytes: when the test fails, either the change
//! is a mistake, or it needs a new version of the protocol. Then, and only then, write them anew:
//! `GRIDKV_GOLDEN=write cargo test -p gridkv-protocol golden`

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::digest::Proof;
use crate::fixture::{NODE, OTHER, PEER, at, frontier, live, main_store, origin};
use crate::frame::HEADER_BYTES;
use crate::limits::MAX_FRAME_BYTES;
use crate::op::KeyedRecord;
use crate::page::{PageCursor, Scope};
use crate::report::StoreReport;
use crate::welcome::{Member, Members, ProtocolRange, RefusalReason, StoreInfo};
use crate::{ContentType, Key, Live, NodeId, State, UnixMs, Value};

#[path = "message_caps_test.rs"]
mod caps;

/// Every state of a record, each under its own key.
fn states() -> Vec<(&'static str, State)> {
    let with = |content_type: Option<&str>, expires_at: Option<u64>| {
        State::Live(Live {
            value: Value::copied(b"\x00\xff\xc1"),
            content_type: content_type.map(|text| ContentType::new(text).unwrap()),
            expires_at: expires_at.map(UnixMs),
        })
    };
    vec![
        ("plain", live(b"v")),
        ("empty", live(b"")),
        ("typed", with(Some("text/plain"), None)),
        ("timed", with(None, Some(1_700_000_000_000))),
        ("both", with(Some("image/png"), Some(0))),
        ("deleted", State::Deleted),
        ("expired", State::Expired { expires_at: UnixMs(u64::MAX) }),
        ("ключ", live(b"\xc8\xc8")),
    ]
}

fn records() -> impl Iterator<Item = (Key, Record)> {
    (1..).zip(states()).map(|(ms, (key, state))| {
        let version = Version { hlc: at(ms), origin: origin(NODE, 7) };
        (Key::new(key).unwrap(), Record { version, state })
    })
}

fn batch() -> StoreBatch {
    let ops = records().map(|(key, record)| Op { key, record }).collect();
    let seen = frontier(&[(origin(PEER, 1), 3), (origin(OTHER, u32::MAX), 4)]);
    let batch = OpBatch { origin: origin(NODE, 7), after: at(0), upto: at(100), seen, ops };
    StoreBatch { store: main_store(), batch }
}

fn member(id: NodeId) -> Member {
    let store = |name, cache| StoreInfo {
        name: StoreName::new(name).unwrap(),
        cache,
        backend: "file".into(),
    };
    Member {
        origin: origin(id, 7),
        revision: 1,
        name: format!("node-{}", id.0),
        addr: "10.0.0.1:7400".into(),
        stores: vec![store("main", false), store("sessions", true)],
    }
}

fn members() -> Members {
    let mut members = Members::default();
    members.add(member(NODE));
    members.add(member(PEER));
    members.forget(OTHER);
    members
}

fn report() -> Report {
    let store = StoreReport {
        store: main_store(),
        applied: frontier(&[(origin(NODE, 7), 9), (origin(PEER, 1), 3)]),
        durable: frontier(&[(origin(NODE, 7), 8)]),
        floor: at(2),
        loose: BTreeMap::from([(origin(PEER, 1), u64::MAX)]),
        durable_loose: BTreeMap::new(),
        proof: None,
        keys: 1_000_000,
    };
    Report {
        origin: origin(NODE, 7),
        now: UnixMs(1_700_000_000_000),
        clock: at(1_700_000_000_001),
        ready: true,
        members: members(),
        stores: vec![store],
    }
}

fn page() -> Page {
    Page {
        store: main_store(),
        session: 3,
        cursor: None,
        donor: origin(PEER, 1),
        frontier: frontier(&[(origin(PEER, 1), 3)]),
        floor: at(1),
        records: records().map(|(key, record)| KeyedRecord { key, record }).collect(),
        next: PageCursor::new(b"next\xff"),
    }
}

fn answer(outcome: BatchOutcome) -> Message {
    let (store, origin) = (main_store(), origin(NODE, 7));
    Message::Answer(BatchAnswer { store, origin, after: at(1), upto: at(2), outcome })
}

fn digest() -> DigestAnswer {
    let proof = Some(Proof { frontier: 9, root: u64::MAX });
    DigestAnswer { store: main_store(), proof, buckets: vec![0, 1, u64::MAX] }
}

/// One representative message of each kind; the name is its golden file's.
fn one_of_each() -> Vec<(&'static str, Message)> {
    let hello = crate::welcome::Hello {
        protocol: ProtocolRange::OWN,
        cluster: "grid".into(),
        member: member(NODE),
        joined: true,
        now: UnixMs(1_700_000_000_000),
    };
    let welcome = crate::welcome::Welcome {
        protocol: ProtocolRange::OWN,
        member: member(PEER),
        joined: true,
        members: members(),
        now: UnixMs(1_700_000_000_000),
        clock: at(1_700_000_000_001),
    };
    let refusal = Refusal { reason: RefusalReason::OtherCluster, detail: "grid, not grün".into() };
    let request = PageRequest {
        store: main_store(),
        session: 3,
        frontier: frontier(&[(origin(PEER, 1), 3)]),
        scope: Scope::Missing,
        cursor: PageCursor::new(b"\x00\xffkey"),
    };
    vec![
        ("hello", Message::Hello(hello)),
        ("welcome", Message::Welcome(welcome)),
        ("refusal", Message::Refusal(refusal)),
        ("report", Message::Report(report())),
        ("batch", Message::Batch(batch())),
        ("answer", answer(BatchOutcome::Applied { applied: at(2), durable: at(1) })),
        ("page_request", Message::PageRequest(request)),
        ("page", Message::Page(page())),
        ("no_page", Message::NoPage(NoPage { store: main_store(), session: 3 })),
        ("digest_request", Message::DigestRequest(DigestRequest { store: main_store() })),
        ("digest", Message::Digest(digest())),
    ]
}

fn split(frame: &[u8]) -> (FrameHeader, &[u8]) {
    let (head, payload) = frame.split_at(HEADER_BYTES);
    let header = WIRE.parse(head.try_into().unwrap(), MAX_FRAME_BYTES).unwrap();
    header.verify(payload).unwrap();
    (header, payload)
}

fn decoded(frame: &[u8]) -> Message {
    let (header, payload) = split(frame);
    Message::from_frame(&header, payload).unwrap()
}

/// What a payload of this kind decodes to, under a header that fits it.
fn decode_payload(kind: u8, payload: &[u8]) -> Result<Message, MessageError> {
    let frame = WIRE.wrap(kind, payload, MAX_FRAME_BYTES).unwrap();
    let (header, payload) = split(&frame);
    Message::from_frame(&header, payload)
}

fn frame(message: &Message) -> Vec<u8> {
    message.to_frame(MAX_FRAME_BYTES).unwrap()
}

#[test]
fn every_kind_comes_back_as_it_was_sent() {
    let outcomes =
        [BatchOutcome::Gap { have: at(1) }, BatchOutcome::Refused, BatchOutcome::Unavailable];
    let reasons = [
        RefusalReason::OtherCluster,
        RefusalReason::Forgotten,
        RefusalReason::IdentityInUse,
        RefusalReason::NameInUse,
        RefusalReason::CacheMismatch,
        RefusalReason::UnexpectedMessage,
        RefusalReason::Stopping,
        RefusalReason::TooMany,
        RefusalReason::NotCertified,
    ];
    let refusals =
        reasons.map(|reason| Message::Refusal(Refusal { reason, detail: String::new() }));
    let of_each = one_of_each().into_iter().map(|(_, message)| message);
    for message in of_each.chain(outcomes.map(answer)).chain(refusals) {
        assert_eq!(decoded(&frame(&message)), message);
    }
    let first = Message::PageRequest(PageRequest {
        store: main_store(),
        session: u64::MAX,
        frontier: Frontier::default(),
        scope: Scope::Missing,
        cursor: None,
    });
    assert_eq!(decoded(&frame(&first)), first);
}

#[test]
fn golden_files_hold_the_bytes_of_every_kind() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let write = std::env::var("GRIDKV_GOLDEN").is_ok_and(|value| value == "write");
    for (number, (name, message)) in (1..).zip(one_of_each()) {
        let path = folder.join(format!("{name}.bin"));
        let frame = frame(&message);
        assert_eq!(split(&frame).0.kind(), number, "{name}: the number of its kind");
        if write {
            std::fs::write(&path, &frame).unwrap();
        }
        let golden = std::fs::read(&path).unwrap();
        assert_eq!(decoded(&golden), message, "{name}: the golden bytes are read");
        assert!(frame == golden, "{name}: the golden bytes are written");
    }
}

#[test]
fn keys_values_and_cursors_are_bin_and_texts_are_str() {
    let count = |frame: &[u8], bytes: &[u8]| {
        frame.windows(bytes.len()).filter(|window| *window == bytes).count()
    };
    let batch = frame(&Message::Batch(batch()));
    assert_eq!(count(&batch, b"\xc4\x05plain"), 1, "a key");
    assert_eq!(count(&batch, b"\xc4\x03\x00\xff\xc1"), 3, "three values of one kind");
    assert_eq!(count(&batch, b"\xc4\x00"), 1, "an empty value");
    assert_eq!(count(&batch, b"\xaatext/plain"), 1, "a content type");
    assert_eq!(count(&batch, b"\xa4main"), 1, "a store's name");
    let page = frame(&Message::Page(page()));
    assert_eq!(count(&page, b"\xc4\x05plain"), 1, "a key in a page");
    assert_eq!(count(&page, b"\xc4\x05next\xff"), 1, "a cursor");
}

#[test]
fn text_is_no_key_and_a_list_is_no_value() {
    let payload = split(&frame(&Message::Batch(batch()))).1.to_vec();
    let changed = |from: &[u8], to: &[u8]| {
        let place = payload.windows(from.len()).position(|window| window == from).unwrap();
        let mut bytes = payload.clone();
        bytes.splice(place..place + from.len(), to.iter().copied());
        decode_payload(kind::BATCH, &bytes)
    };
    assert!(changed(b"\xc4\x05plain", b"\xc4\x05plain").is_ok());
    assert!(changed(b"\xc4\x05plain", b"\xa5plain").is_err(), "a text where a key belongs");
    assert!(changed(b"\xc4\x05plain", b"\xc4\x00").is_err(), "an empty key");
    assert!(changed(b"\xc4\x05plain", b"\xc4\x02\xff\xff").is_err(), "a key that is not UTF-8");
    assert!(changed(b"\x00\xc4\x01v", b"\x00\x91\x07").is_err(), "a list where a value belongs");
    assert!(changed(b"\x00\xc4\x01v", b"\x04\xc4\x01v").is_err(), "an unknown kind of record");
    assert!(changed(b"\xaatext/plain", b"\xaatext\nplain").is_err(), "no content type");
    assert!(changed(b"\xa4main", b"\xa4Main").is_err(), "no store's name");
}

#[test]
fn an_unknown_kind_is_refused() {
    for kind in (0..=u8::MAX).filter(|kind| !(kind::HELLO..=kind::DIGEST).contains(kind)) {
        let refused = decode_payload(kind, &[0xc0]);
        assert!(matches!(refused, Err(MessageError::UnknownKind(k)) if k == kind), "{kind}");
    }
}

#[test]
fn a_message_of_one_kind_is_none_of_another() {
    for (name, message) in one_of_each() {
        let frame = frame(&message);
        let (header, payload) = split(&frame);
        for kind in (kind::HELLO..=kind::DIGEST).filter(|kind| *kind != header.kind()) {
            assert!(decode_payload(kind, payload).is_err(), "{name} read as kind {kind}");
        }
    }
}

#[test]
fn what_is_cut_short_or_goes_on_is_refused() {
    for (name, message) in one_of_each() {
        let frame = frame(&message);
        let (header, payload) = split(&frame);
        for length in 0..payload.len() {
            let refused = decode_payload(header.kind(), &payload[..length]);
            assert!(matches!(refused, Err(MessageError::Malformed(_))), "{name} cut at {length}");
        }
        for extra in [b"\x00".as_slice(), b"\xc0", b"\xc1", payload] {
            let longer = decode_payload(header.kind(), &[payload, extra].concat());
            let trailing = MessageError::Malformed(DecodeError::TrailingBytes);
            assert_eq!(longer.unwrap_err().to_string(), trailing.to_string(), "{name}");
        }
    }
}

#[test]
fn no_damage_to_a_single_byte_panics() {
    let mut refused = 0;
    for (_, message) in one_of_each() {
        let frame = frame(&message);
        let (header, payload) = split(&frame);
        let mut bytes = payload.to_vec();
        for place in 0..bytes.len() {
            for damage in 1..=u8::MAX {
                bytes[place] ^= damage;
                // Past the checksum, which this frame has again: only the decoder stands here.
                refused += usize::from(Message::from_frame(&header, &bytes).is_err());
                bytes[place] ^= damage;
            }
        }
    }
    assert!(refused > 10_000, "most damage is noticed: {refused}");
}

#[test]
fn a_message_larger_than_its_limit_is_not_sent() {
    let message = Message::Batch(batch());
    let payload = frame(&message).len() - HEADER_BYTES;
    assert!(message.to_frame(payload).is_ok());
    let refused = message.to_frame(payload - 1);
    assert!(matches!(refused, Err(SendError::Frame(FrameError::TooLong { .. }))));
}
