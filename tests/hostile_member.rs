//! A stranger that got in: there is no authentication yet, so whoever says a proper hello becomes a member. What it
//! sends then may be anything; nobody dies of it, nothing else is lost, and it stays its own problem.

mod mesh;
mod siege;

use std::net::TcpStream;

use gridkv_protocol::codec;
use gridkv_protocol::limits::{MAX_BATCH_OPS, MAX_KEY_BYTES, MAX_ORIGINS};
use gridkv_protocol::message::{BatchAnswer, BatchOutcome, Message};
use gridkv_protocol::page::{PageCursor, PageRequest};
use gridkv_protocol::{Epoch, Frontier, Hlc, NodeId, Origin, StoreName, UnixMs, Version};

use siege::gallery::{batch, frame, hello, mallory, op, out_of_place, report, request, wrapped};
use siege::{Siege, dial, end, next, send, until_closed};

/// Kinds of messages on the wire.
const REPORT: u8 = 4;
const BATCH: u8 = 5;
const PAGE_REQUEST: u8 = 7;

/// A connection on which the hello was welcomed.
fn inside(siege: &mut Siege) -> TcpStream {
    siege.sent += 1;
    let mut stream = dial(siege.peers(1 + siege.sent % 3));
    send(&mut stream, &frame(&Message::Hello(hello(mallory()))));
    let Some(Message::Welcome(welcome)) = next(&mut stream) else { panic!("not welcomed") };
    assert!(welcome.joined);
    stream
}

/// Sends bytes after a welcome; the connection must end without an answer to them.
fn is_cut(siege: &mut Siege, bytes: &[u8], what: &str) {
    let mut stream = inside(siege);
    send(&mut stream, bytes);
    assert!(until_closed(&mut stream, what).is_empty(), "{what} was answered");
}

/// The same for what may be the beginning of something: it is said that nothing more comes.
fn ends_with_its_sender(siege: &mut Siege, bytes: &[u8], what: &str) {
    let mut stream = inside(siege);
    send(&mut stream, bytes);
    end(&stream);
    assert!(until_closed(&mut stream, what).is_empty(), "{what} was answered");
}

/// Sends a batch after a welcome; it must be answered.
fn answered(siege: &mut Siege, message: &Message) -> BatchAnswer {
    let mut stream = inside(siege);
    send(&mut stream, &frame(message));
    match next(&mut stream) {
        Some(Message::Answer(answer)) => answer,
        other => panic!("{message:?} was answered by {other:?}"),
    }
}

#[test]
fn what_is_no_message_ends_the_connection_only() {
    let mut siege = Siege::begin();
    let links = siege.links_made();
    let origin = mallory().origin;
    let good = [
        frame(&Message::Report(report(origin))),
        frame(&Message::Batch(batch(origin, 1, 9, &[5, 7]))),
        frame(&Message::PageRequest(request())),
    ];
    let mut random = fastrand::Rng::with_seed(0x006b_7670);
    for good in &good {
        for length in (1..good.len()).step_by(2) {
            ends_with_its_sender(&mut siege, &good[..length], "a truncated frame");
        }
        for _ in 0..60 {
            let (mut flipped, bit) = (good.clone(), random.usize(0..good.len() * 8));
            flipped[bit / 8] ^= 1 << (bit % 8);
            ends_with_its_sender(&mut siege, &flipped, &format!("bit {bit} flipped"));
        }
    }
    for length in [(4 << 20) + 1, 1 << 26, u32::MAX] {
        let mut liar = good[1].clone();
        liar[8..12].copy_from_slice(&length.to_be_bytes());
        is_cut(&mut siege, &liar, "a length over the limit");
    }
    for message in out_of_place() {
        is_cut(&mut siege, &frame(&message), "a message that does not belong here");
    }
    is_cut(&mut siege, &frame(&Message::Hello(hello(mallory()))), "a second hello");
    is_cut(&mut siege, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "another protocol");
    // Proper frames with something else in them.
    for kind in [REPORT, BATCH, PAGE_REQUEST] {
        for fill in [0_u8, 0x81, 0x91, 0xc1, 0xd9, 0xdc, 0xff] {
            let size = random.usize(1..2_000);
            is_cut(&mut siege, &wrapped(kind, &vec![fill; size]), "one byte over and over");
        }
        for _ in 0..20 {
            let mut noise = vec![0; random.usize(1..300)];
            random.fill(&mut noise);
            is_cut(&mut siege, &wrapped(kind, &noise), "noise");
        }
        is_cut(
            &mut siege,
            &wrapped(kind, &[0xdd, 0xff, 0xff, 0xff, 0xff]),
            "four billion elements",
        );
    }
    let trailing = [codec::encode(&batch(origin, 0, 9, &[5])).unwrap(), vec![0]].concat();
    is_cut(&mut siege, &wrapped(BATCH, &trailing), "trailing bytes");
    assert_eq!(siege.links_made(), links, "no link of a good node was lost");
    siege.ends(340);
}

#[test]
fn batches_that_break_the_rules_change_nothing() {
    let mut siege = Siege::begin();
    let (me, victim) = (mallory().origin, siege.origin(2));
    // In the name of somebody else.
    for other in [victim, siege.origin(1), Origin::new(NodeId(9), Epoch(9)), Origin::from_bits(0)] {
        let mut stream = inside(&mut siege);
        send(&mut stream, &frame(&Message::Batch(batch(other, 0, u64::MAX, &[5]))));
        assert!(until_closed(&mut stream, "a batch of another origin").is_empty());
    }
    // Bounds and order broken.
    for (after, upto, points) in [
        (9, 3, vec![]),
        (0, 9, vec![7, 5]),
        (0, 9, vec![5, 5]),
        (5, 9, vec![5]),
        (0, 9, vec![10]),
        (0, u64::MAX, vec![0]),
    ] {
        let broken = frame(&Message::Batch(batch(me, after, upto, &points)));
        is_cut(&mut siege, &broken, "a batch that breaks its own bounds");
    }
    let many: Vec<u64> = (1..=MAX_BATCH_OPS as u64 + 1).collect();
    is_cut(&mut siege, &frame(&Message::Batch(batch(me, 0, u64::MAX, &many))), "too many ops");
    // The longest key, made one byte longer.
    let mut long = batch(me, 0, 9, &[]);
    let version = Version { hlc: Hlc::from_bits(5), origin: me };
    long.batch.ops = vec![op(&"k".repeat(MAX_KEY_BYTES), version)];
    let mut longer = codec::encode(&long).unwrap();
    let at = longer.windows(4).position(|bytes| bytes[1..] == *b"\x10\x00k").unwrap();
    longer[at + 2] = 1;
    longer.insert(at + 3, b'k');
    is_cut(&mut siege, &wrapped(BATCH, &longer), "a key over the limit");
    // A gap, an unknown store, an epoch that is over.
    let gap = answered(&mut siege, &Message::Batch(batch(me, 1 << 60, u64::MAX, &[])));
    assert_eq!(gap.outcome, BatchOutcome::Gap { have: Hlc::ZERO });
    let mut unknown = batch(me, 0, 9, &[5]);
    unknown.store = StoreName::new("nowhere").unwrap();
    assert_eq!(answered(&mut siege, &Message::Batch(unknown)).outcome, BatchOutcome::Refused);
    // From the far future: nothing of it is taken, and no clock moves.
    for points in [vec![1 << 63], vec![u64::MAX], vec![]] {
        let future = answered(&mut siege, &Message::Batch(batch(me, 0, u64::MAX, &points)));
        let BatchOutcome::Applied { applied, .. } = future.outcome else { panic!("{future:?}") };
        assert!(applied < Hlc::from_bits(1 << 60), "{applied} is not now");
    }
    let rejected = "gridkv_sync_applied_operations_total{store=\"main\",result=\"rejected\"} ";
    let counts = siege.nodes().into_iter().map(|node| {
        let metrics = node.client().request("GET", "/metrics").send().unwrap().text().into_owned();
        let shown = metrics.lines().find_map(|line| line.strip_prefix(rejected)).unwrap();
        shown.parse::<u64>().unwrap()
    });
    assert_eq!(counts.sum::<u64>(), 2, "both operations from the future");
    for node in siege.nodes() {
        assert_eq!(node.client().get("main", "evil").unwrap().status, 404);
        let put = node.client().put("main", "now", b"v").unwrap();
        let hlc = put.version().unwrap().split('-').next().unwrap().to_owned();
        assert!(u64::from_str_radix(&hlc, 16).unwrap() < 1 << 60, "{hlc} is not now");
        assert_eq!(node.client().delete("main", "now").unwrap().status, 204);
    }
    siege.ends(15);
}

#[test]
fn reports_and_requests_of_the_absurd_are_survived() {
    let mut siege = Siege::begin();
    let (me, links) = (mallory().origin, siege.links_made());
    let every_time = [0, 1, 1 << 47, i64::MAX as u64, 1 << 63, (1 << 63) + 1, u64::MAX];
    for time in every_time {
        let mut absurd = report(me);
        (absurd.now, absurd.clock) = (UnixMs(time), Hlc::from_bits(time));
        absurd.stores[0].floor = Hlc::from_bits(time);
        absurd.stores[0].keys = time;
        absurd.stores[0].loose = [(Origin::from_bits(time), time)].into();
        let mut stream = inside(&mut siege);
        send(&mut stream, &frame(&Message::Report(absurd)));
        let answer = next(&mut stream);
        assert!(matches!(answer, Some(Message::Report(_))), "at {time}: {answer:?}");
    }
    for epoch in [0, 1, u32::MAX] {
        let other = report(Origin::new(NodeId(12), Epoch(epoch)));
        is_cut(&mut siege, &frame(&Message::Report(other)), "a report in another's name");
    }
    let crowd: Frontier = (1..=MAX_ORIGINS as u64 + 1)
        .map(|bits| (Origin::from_bits(bits), Hlc::from_bits(bits)))
        .collect();
    let mut crowded = report(me);
    crowded.stores[0].applied = crowd.clone();
    is_cut(&mut siege, &frame(&Message::Report(crowded)), "too many origins");
    let mut many = report(me);
    many.stores = vec![many.stores[0].clone(); 65];
    is_cut(&mut siege, &frame(&Message::Report(many)), "too many stores");

    let cursors =
        [None, PageCursor::new(b""), PageCursor::new(&[0xff; 4_160]), PageCursor::new(b"\0k")];
    for (session, cursor) in
        [0, 1, u64::MAX].into_iter().flat_map(|n| cursors.iter().map(move |c| (n, c)))
    {
        for store in ["main", "sessions", "nowhere"] {
            let store = StoreName::new(store).unwrap();
            let request = PageRequest { session, cursor: cursor.clone(), store, ..request() };
            let mut stream = inside(&mut siege);
            send(&mut stream, &frame(&Message::PageRequest(request)));
            match next(&mut stream) {
                Some(Message::Page(page)) => assert_eq!(page.session, session),
                Some(Message::NoPage(answer)) => assert_eq!(answer.session, session),
                other => panic!("a request was answered by {other:?}"),
            }
        }
    }
    let request = PageRequest { frontier: crowd, ..request() };
    is_cut(&mut siege, &frame(&Message::PageRequest(request)), "too many origins");
    assert_eq!(siege.links_made(), links, "no link of a good node was lost");
    siege.ends(45);
}

#[test]
fn who_asks_and_never_reads_is_cut() {
    let mut siege = Siege::begin();
    let value = vec![b'x'; 1 << 20];
    let client = siege.node(1).client();
    for n in 0..4 {
        assert_eq!(client.put("sessions", &format!("large{n}"), &value).unwrap().status, 201);
    }
    let sessions = StoreName::new("sessions").unwrap();
    let asks = frame(&Message::PageRequest(PageRequest { store: sessions, ..request() }));
    for _ in 0..4 {
        let mut stream = inside(&mut siege);
        for _ in 0..300 {
            send(&mut stream, &asks);
            siege.sent += 1;
        }
    }
    let gone = |n| client.delete("sessions", &format!("large{n}")).unwrap().status == 204;
    assert!((0..4).all(gone));
    siege.ends(1_000);
}
