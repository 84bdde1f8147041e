//! What a hostile or broken peer may not send: lists, maps and texts over their limits, batches that
//! break their own bounds, lengths that are only claimed.

use super::*;
use crate::limits::{
    MAX_CURSOR_BYTES, MAX_KEY_BYTES, MAX_MEMBERS, MAX_ORIGINS, MAX_PAGE_RECORDS, MAX_STORES,
    MAX_TEXT_BYTES,
};

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap()
}

fn frontier_of(origins: usize) -> Frontier {
    (0..number(origins)).map(|id| (origin(NodeId(id), 1), at(1))).collect()
}

fn batch_of(ops: usize) -> StoreBatch {
    let one = |ms: usize| crate::fixture::op("k", origin(NODE, 7), u64::from(number(ms)));
    let mut message = batch();
    message.batch.upto = at(u64::from(number(ops)));
    message.batch.ops = (1..=ops).map(one).collect();
    message
}

fn page_of(records: usize) -> Page {
    let one = |ms: usize| crate::fixture::keyed("k", origin(NODE, 7), u64::from(number(ms)));
    Page { records: (0..records).map(one).collect(), ..page() }
}

/// A member set in the form of the wire, which `Members` itself would not grow to.
fn welcome_of(joined: usize, forgotten: usize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Set(BTreeMap<NodeId, Member>, Vec<NodeId>);
    let bare = |id| Member { stores: vec![], ..member(NodeId(id)) };
    let joined = (0..number(joined)).map(|id| (NodeId(id), bare(id))).collect();
    let forgotten = (0..number(forgotten)).map(|id| NodeId(1_000_000 + id)).collect();
    encode(&(ProtocolRange::OWN, member(NODE), true, Set(joined, forgotten), UnixMs(1), at(1)))
        .unwrap()
}

fn payload(message: &Message) -> Vec<u8> {
    split(&frame(message)).1.to_vec()
}

fn hello_with(change: impl FnOnce(&mut crate::welcome::Hello)) -> Vec<u8> {
    let mut messages = one_of_each().into_iter();
    let Some((_, Message::Hello(mut hello))) = messages.next() else { unreachable!() };
    change(&mut hello);
    payload(&Message::Hello(hello))
}

fn refusal_of(text: usize) -> Vec<u8> {
    let detail = "x".repeat(text);
    payload(&Message::Refusal(Refusal { reason: RefusalReason::Stopping, detail }))
}

fn page_request_of(frontier: Frontier) -> Vec<u8> {
    page_request(frontier, Scope::Missing)
}

fn page_request(frontier: Frontier, scope: Scope) -> Vec<u8> {
    let (store, session) = (main_store(), 1);
    payload(&Message::PageRequest(PageRequest { store, session, frontier, scope, cursor: None }))
}

fn buckets_of(buckets: usize) -> Vec<u8> {
    page_request(Frontier::default(), Scope::Buckets(vec![1; buckets]))
}

fn digest_of(buckets: usize) -> Vec<u8> {
    payload(&Message::Digest(DigestAnswer { buckets: vec![1; buckets], ..digest() }))
}

/// A page request in the form of the wire, with a cursor that `PageCursor` would not take.
fn cursor_of(length: usize) -> Vec<u8> {
    let cursor = Value::copied(&vec![b'c'; length]);
    encode(&(main_store(), 1, Frontier::default(), Scope::Missing, cursor)).unwrap()
}

fn report_of(stores: usize, loose: usize) -> Vec<u8> {
    let mut message = report();
    let mut store = message.stores.pop().unwrap();
    store.loose = (0..number(loose)).map(|id| (origin(NodeId(id), 1), 1)).collect();
    message.stores = vec![store; stores];
    payload(&Message::Report(message))
}

/// A batch in the form of the wire with one op whose key has this many bytes.
fn key_of(length: usize) -> Vec<u8> {
    let key = Value::copied(&vec![b'k'; length]);
    let op = (key, at(1), 2_u8);
    encode(&(main_store(), origin(NODE, 7), at(0), at(1), Frontier::default(), [op])).unwrap()
}

#[test]
fn each_limit_is_taken_and_one_more_is_refused() {
    type Make<'a> = &'a dyn Fn(usize) -> Vec<u8>;
    let table: [(&str, u8, usize, Make<'_>); 18] = [
        ("ops", kind::BATCH, MAX_BATCH_OPS, &|n| payload(&Message::Batch(batch_of(n)))),
        ("records", kind::PAGE, MAX_PAGE_RECORDS, &|n| payload(&Message::Page(page_of(n)))),
        ("origins in a request", kind::PAGE_REQUEST, MAX_ORIGINS, &|n| {
            page_request_of(frontier_of(n))
        }),
        ("origins in a page", kind::PAGE, MAX_ORIGINS, &|n| {
            payload(&Message::Page(Page { frontier: frontier_of(n), ..page() }))
        }),
        ("origins that were seen", kind::BATCH, MAX_ORIGINS, &|n| {
            let mut message = batch();
            message.batch.seen = frontier_of(n);
            payload(&Message::Batch(message))
        }),
        ("loose hashes", kind::REPORT, MAX_ORIGINS, &|n| report_of(1, n)),
        ("stores of a report", kind::REPORT, MAX_STORES, &|n| report_of(n, 0)),
        ("stores of a member", kind::HELLO, MAX_STORES, &|n| {
            let store = member(NODE).stores.pop().unwrap();
            hello_with(|hello| hello.member.stores = vec![store; n])
        }),
        ("members", kind::WELCOME, MAX_MEMBERS, &|n| welcome_of(n, 0)),
        ("forgotten ones", kind::WELCOME, MAX_MEMBERS, &|n| welcome_of(0, n)),
        ("a cluster's name", kind::HELLO, MAX_TEXT_BYTES, &|n| {
            hello_with(|hello| hello.cluster = "x".repeat(n))
        }),
        ("a member's name", kind::HELLO, MAX_TEXT_BYTES, &|n| {
            hello_with(|hello| hello.member.name = "x".repeat(n))
        }),
        ("an address", kind::HELLO, MAX_TEXT_BYTES, &|n| {
            hello_with(|hello| hello.member.addr = "x".repeat(n))
        }),
        ("a detail", kind::REFUSAL, MAX_TEXT_BYTES, &refusal_of),
        ("a cursor", kind::PAGE_REQUEST, MAX_CURSOR_BYTES, &cursor_of),
        ("a key", kind::BATCH, MAX_KEY_BYTES, &key_of),
        ("buckets asked for", kind::PAGE_REQUEST, DIGEST_BUCKETS, &buckets_of),
        ("buckets of a digest", kind::DIGEST, DIGEST_BUCKETS, &digest_of),
    ];
    for (name, kind, limit, make) in table {
        let taken = decode_payload(kind, &make(limit));
        assert!(taken.is_ok(), "{name} at the limit of {limit}: {}", taken.unwrap_err());
        assert!(decode_payload(kind, &make(limit + 1)).is_err(), "{name} over {limit}");
    }
}

#[test]
fn a_cursor_over_its_limit_is_not_made() {
    assert!(PageCursor::new(&vec![0; MAX_CURSOR_BYTES]).is_some());
    assert!(PageCursor::new(&vec![0; MAX_CURSOR_BYTES + 1]).is_none());
}

#[test]
fn a_batch_that_breaks_its_bounds_is_refused() {
    // After, upto, the points of its ops, and whether that is a batch.
    let table: [(&str, u64, u64, &[u64], bool); 12] = [
        ("ascending", 10, 20, &[11, 12, 20], true),
        ("no ops", 10, 20, &[], true),
        ("no time", 10, 10, &[], true),
        ("nothing at all", 0, 0, &[], true),
        ("descending", 10, 20, &[12, 11], false),
        ("one point twice", 10, 20, &[11, 11], false),
        ("an op at its start", 10, 20, &[10], false),
        ("an op before its start", 10, 20, &[9, 11], false),
        ("an op past its end", 10, 20, &[11, 21], false),
        ("an op at zero", 0, 20, &[0], false),
        ("time that goes back", 20, 10, &[], false),
        ("time that goes back around an op", 20, 10, &[15], false),
    ];
    for (name, after, upto, points, good) in table {
        let mut message = batch();
        let one = |ms: &u64| crate::fixture::op("k", origin(NODE, 7), *ms);
        let ops = points.iter().map(one).collect();
        message.batch = OpBatch { after: at(after), upto: at(upto), ops, ..message.batch };
        let result = decode_payload(kind::BATCH, &payload(&Message::Batch(message)));
        match result {
            Ok(_) => assert!(good, "{name} was taken"),
            Err(error) => {
                assert!(!good && matches!(error, MessageError::BrokenBatch), "{name}: {error}");
            }
        }
    }
}

#[test]
fn a_record_with_too_much_in_it_is_refused() {
    let with = |op: &[u8]| {
        let mut bytes = key_of(1);
        let own = bytes.windows(3).rposition(|window| window == b"\xc4\x01k").unwrap();
        bytes.truncate(own - 1);
        bytes.extend_from_slice(op);
        decode_payload(kind::BATCH, &bytes)
    };
    let hlc = b"\xce\x00\x01\x00\x00";
    let op = |head: u8, rest: &[u8]| [&[head], b"\xc4\x01k".as_slice(), hlc, rest].concat();
    assert!(with(&op(0x93, b"\x02")).is_ok(), "a tombstone");
    assert!(with(&op(0x94, b"\x02\xc0")).is_err(), "and one element more");
    assert!(with(&op(0x92, b"")).is_err(), "and one less");
    assert!(with(&op(0x93, b"\x00")).is_err(), "a live record without a value");
}

#[test]
fn an_origin_at_zero_is_an_absent_one() {
    // Frontiers are compared for equality; two that cover the same must be the same.
    let pairs = BTreeMap::from([(origin(NODE, 9), Hlc::ZERO), (origin(PEER, 1), at(1))]);
    let bytes = encode(&(main_store(), 1, pairs, Scope::Missing, None::<u8>)).unwrap();
    let Ok(Message::PageRequest(request)) = decode_payload(kind::PAGE_REQUEST, &bytes) else {
        unreachable!("a valid request")
    };
    assert_eq!(request.frontier, frontier(&[(origin(PEER, 1), 1)]));
    assert_eq!(request.frontier.newest_epoch(NODE), None);
}

#[test]
fn a_hostile_frame_of_tiny_ops_costs_no_more_than_the_limit() {
    // Four megabytes of the smallest op there is: a million of them are claimed, and are there.
    const FRAME_BYTES: usize = 4 * 1_024 * 1_024;
    let op = b"\x93\xc4\x01k\x01\x02";
    let ops = FRAME_BYTES / op.len();
    let head = encode(&(main_store(), origin(NODE, 7), at(0), at(1), Frontier::default(), [0; 0]));
    let mut bytes = head.unwrap();
    assert_eq!(bytes.pop(), Some(0x90), "the empty list of ops");
    bytes.push(0xdd);
    bytes.extend_from_slice(&number(ops).to_be_bytes());
    bytes.extend_from_slice(&op.repeat(ops));
    // Refused at the first op over the limit, not after the last one.
    let refused = decode_payload(kind::BATCH, &bytes).unwrap_err().to_string();
    assert!(refused.contains("more than 4096 elements"), "{refused}");
}

#[test]
fn lengths_that_are_only_claimed_cost_nothing() {
    let store = encode(&main_store()).unwrap();
    // Lists, maps, bytes and texts of four billion elements, in a frame of a few bytes.
    for claim in [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
    ] {
        for kind in kind::HELLO..=kind::DIGEST {
            for head in [b"".to_vec(), b"\x91".to_vec(), [b"\x92".as_slice(), &store].concat()] {
                assert!(decode_payload(kind, &[&head, claim.as_slice()].concat()).is_err());
            }
        }
    }
}

#[test]
fn a_map_that_repeats_its_keys_is_bounded_too() {
    let pair = encode(&(origin(NODE, 1), at(1))).unwrap();
    let count = 100_000;
    let mut bytes = encode(&(main_store(), 1)).unwrap();
    bytes[0] = 0x94;
    bytes.push(0xdf);
    bytes.extend_from_slice(&number(count).to_be_bytes());
    bytes.extend_from_slice(&pair[1..].repeat(count));
    bytes.push(0xc0);
    if let Ok(Message::PageRequest(request)) = decode_payload(kind::PAGE_REQUEST, &bytes) {
        assert_eq!(request.frontier.len(), 1);
    }
}
