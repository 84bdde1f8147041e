//! Strangers at the port for peers: whatever they send, they are refused or cut off, and the cluster goes on.

mod mesh;
mod siege;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gridkv_cluster::wait_until;
use gridkv_protocol::codec;
use gridkv_protocol::frame::HEADER_BYTES;
use gridkv_protocol::limits::{HANDSHAKE_FRAME_BYTES, MAX_STRANGERS};
use gridkv_protocol::message::Message;
use gridkv_protocol::welcome::{Hello, Member, RefusalReason, StoreInfo};
use gridkv_protocol::{Epoch, Origin};

use mesh::PATIENCE;
use siege::gallery::{all_but_hello, frame, hello, main_store, mallory, member, report, wrapped};
use siege::{Siege, dial, end, next, send, until_closed};

/// The kind of a hello on the wire.
const HELLO: u8 = 1;

/// Sends these bytes as the first of a connection; they must be answered by nothing but the end of it.
fn is_cut(siege: &mut Siege, bytes: &[u8], what: &str) {
    siege.sent += 1;
    let mut stream = dial(siege.peers(1 + siege.sent % 3));
    send(&mut stream, bytes);
    end(&stream);
    let answer = until_closed(&mut stream, what);
    assert!(answer.is_empty(), "{what} was answered: {:?}", String::from_utf8_lossy(&answer));
}

/// The same without saying that nothing more comes: the receiver has to find out for itself.
fn is_cut_at_once(siege: &mut Siege, bytes: &[u8], what: &str) {
    siege.sent += 1;
    let mut stream = dial(siege.peers(1 + siege.sent % 3));
    send(&mut stream, bytes);
    assert!(until_closed(&mut stream, what).is_empty(), "{what} was answered");
}

/// Sends this hello to node `number`; it must be refused for this reason, and the connection closed.
fn is_refused(siege: &mut Siege, number: usize, first: &[u8], reason: RefusalReason) {
    siege.sent += 1;
    let mut stream = dial(siege.peers(number));
    send(&mut stream, first);
    let Some(Message::Refusal(refusal)) = next(&mut stream) else {
        panic!("not refused as {reason:?}: {:?}", String::from_utf8_lossy(first))
    };
    assert_eq!(refusal.reason, reason, "{refusal:?}");
    assert!(!refusal.detail.is_empty());
    assert!(until_closed(&mut stream, "a refusal").is_empty());
}

#[test]
fn what_is_no_frame_is_cut() {
    let mut siege = Siege::begin();
    let links = siege.links_made();
    let good = frame(&Message::Hello(hello(mallory())));
    let mut random = fastrand::Rng::with_seed(0x6772_6964);
    for round in 0..150 {
        let mut garbage = vec![0; random.usize(1..400)];
        random.fill(&mut garbage);
        // Some of it with a good beginning.
        let kept = [0, 4, 5, 8][round % 4].min(garbage.len());
        garbage[..kept].copy_from_slice(&good[..kept]);
        is_cut(&mut siege, &garbage, "garbage");
    }
    for length in 0..good.len() {
        is_cut(&mut siege, &good[..length], "a truncated hello");
    }
    for bit in 0..good.len() * 8 {
        // In the header every bit, in the payload one of each byte.
        if bit / 8 < HEADER_BYTES || bit % 8 == (bit / 8) % 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            is_cut(&mut siege, &flipped, &format!("a hello with bit {bit} flipped"));
        }
    }
    for first in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}ABCDEFGHIJ",
    ] {
        is_cut_at_once(&mut siege, first.as_bytes(), "another protocol");
    }
    assert_eq!(siege.links_made(), links, "no link of a good node was lost");
    siege.ends(400);
}

#[test]
fn frames_that_lie_about_their_length_are_cut_before_anything_is_kept() {
    let mut siege = Siege::begin();
    let good = frame(&Message::Hello(hello(mallory())));
    let over = u32::try_from(HANDSHAKE_FRAME_BYTES).unwrap() + 1;
    for length in [over, 1 << 20, 1 << 24, 1 << 26, u32::MAX / 2, u32::MAX - 1, u32::MAX] {
        for _ in 0..10 {
            let mut liar = good.clone();
            liar[8..12].copy_from_slice(&length.to_be_bytes());
            is_cut_at_once(&mut siege, &liar, "a length over the limit");
        }
    }
    // Within the limit, so that it is waited for: and the connection goes with its sender.
    let largest = u32::try_from(HANDSHAKE_FRAME_BYTES).unwrap();
    let mut waiting = Vec::new();
    for _ in 0..60 {
        let mut liar = good.clone();
        liar[8..12].copy_from_slice(&largest.to_be_bytes());
        let mut stream = dial(siege.peers(1));
        send(&mut stream, &liar);
        waiting.push(stream);
        siege.sent += 1;
    }
    for stream in &mut waiting {
        assert!(until_closed(stream, "a hello that does not end").is_empty());
    }
    // A whole frame of the greatest size that is no hello.
    for fill in [0_u8, 0x90, 0x91, 0xc1, 0xdd, 0xff] {
        let payload = vec![fill; HANDSHAKE_FRAME_BYTES];
        let full = wrapped(HELLO, &payload);
        is_cut_at_once(&mut siege, &full, "a hello of one byte over and over");
    }
    siege.ends(100);
}

#[test]
fn more_connections_than_are_taken_do_not_keep_the_good_ones_out() {
    let mut siege = Siege::begin();
    let links = siege.links_made();
    let addr = siege.peers(1);
    let mut crowd: Vec<TcpStream> = (0..300).map(|_| dial(addr)).collect();
    siege.sent += crowd.len();
    // Who says nothing is sent away, and who found no room is gone at once.
    for stream in &mut crowd {
        assert!(until_closed(stream, "silence").is_empty());
    }
    assert_eq!(siege.links_made(), links, "no link of a good node was lost");
    siege.ends(300);
}

#[test]
fn who_has_something_to_say_is_heard_beside_a_silent_crowd() {
    let mut siege = Siege::begin();
    let addr = siege.peers(1);
    let mut crowd: Vec<TcpStream> = (0..400).map(|_| dial(addr)).collect();
    siege.sent += crowd.len();
    let mut member = dial(addr);
    send(&mut member, &frame(&Message::Hello(hello(mallory()))));
    let answer = next(&mut member);
    assert!(matches!(answer, Some(Message::Welcome(_))), "not heard: {answer:?}");
    drop(member);
    for stream in &mut crowd {
        assert!(until_closed(stream, "silence").is_empty());
    }
    siege.ends(400);
}

#[test]
fn a_node_that_comes_back_is_linked_while_strangers_take_every_place() {
    let mut siege = Siege::begin();
    let ports = [siege.peers(1), siege.peers(2)];
    let (over, met) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        // Twice as many as there are places at each, and others for those that are closed.
        for addr in ports {
            let (over, met) = (&over, &met);
            let come = move || {
                let stream = silent(addr);
                met.fetch_add(1, Ordering::Relaxed);
                stream
            };
            scope.spawn(move || {
                let mut crowd: Vec<TcpStream> = (0..2 * MAX_STRANGERS).map(|_| come()).collect();
                while !over.load(Ordering::Relaxed) {
                    for stream in &mut crowd {
                        if is_closed(stream) {
                            *stream = come();
                            thread::sleep(Duration::from_millis(1));
                        }
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        wait_until(PATIENCE, "the crowds to be there", || {
            met.load(Ordering::Relaxed) >= 4 * MAX_STRANGERS
        })
        .unwrap();
        let before = siege.links_made_by(3);
        siege.restart(3);
        let both = || siege.links_made_by(3) == before + 2;
        let linked = wait_until(Duration::from_secs(5), "n3 to be linked with both", both);
        over.store(true, Ordering::Relaxed);
        linked.unwrap();
    });
    siege.node(3).wait_ready(PATIENCE).unwrap();
    siege.sent += met.into_inner();
    siege.ends(1_000);
}

/// A connection that is read without waiting.
fn silent(addr: SocketAddr) -> TcpStream {
    let stream = dial(addr);
    assert!(stream.set_nonblocking(true).is_ok());
    stream
}

/// Whether the other side closed a connection that is read without waiting.
fn is_closed(stream: &TcpStream) -> bool {
    match stream.peek(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

#[test]
fn strangers_do_not_fill_the_log() {
    let mut siege = Siege::begin();
    let of_peers = "a peer's connection ended";
    let before = siege.lines_with(of_peers);
    for _ in 0..300 {
        is_cut_at_once(&mut siege, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "another protocol");
    }
    let message = Message::Report(report(mallory().origin));
    for _ in 0..300 {
        is_refused(&mut siege, 1, &frame(&message), RefusalReason::UnexpectedMessage);
    }
    // In one line with all others of some seconds, in each of the logs.
    let told = "connections to the peers' port ended that proved nothing";
    wait_until(PATIENCE, "strangers to be told of", || siege.lines_with(told) > 0).unwrap();
    assert_eq!(siege.lines_with(of_peers), before);
    assert!(siege.lines_with(told) < 30, "{} lines", siege.lines_with(told));
    siege.ends(600);
}

#[test]
fn the_first_frame_is_a_hello() {
    let mut siege = Siege::begin();
    for message in all_but_hello() {
        is_refused(&mut siege, 1, &frame(&message), RefusalReason::UnexpectedMessage);
    }
    for kind in [0, 10, 127, 255] {
        let unknown = wrapped(kind, b"\x90");
        is_cut_at_once(&mut siege, &unknown, "an unknown kind");
    }
    let good = codec::encode(&hello(mallory())).unwrap();
    let nested = [vec![0x91; 500], good.clone()].concat();
    let empty_map = b"\x80".to_vec();
    for payload in [[good.as_slice(), b"\x00"].concat(), nested, empty_map, vec![]] {
        let bad = wrapped(HELLO, &payload);
        is_cut_at_once(&mut siege, &bad, "a payload that is no hello");
    }
    siege.ends(15);
}

#[test]
fn a_hello_of_somebody_who_can_not_be_is_refused() {
    let mut siege = Siege::begin();
    let victims = [siege.origin(1), siege.origin(2)];
    let refused = |siege: &mut Siege, hello: Hello, reason| {
        is_refused(siege, 1, &frame(&Message::Hello(hello)), reason);
    };
    let mallory = mallory();
    let stranger = Hello { cluster: "other".into(), ..hello(mallory.clone()) };
    refused(&mut siege, stranger, RefusalReason::OtherCluster);
    let stranger = Hello { cluster: "x".repeat(512), ..hello(mallory.clone()) };
    refused(&mut siege, stranger, RefusalReason::OtherCluster);
    for victim in victims {
        for epoch in [0, 1, victim.epoch().0 - 1, victim.epoch().0 + 1, u32::MAX] {
            let double = Origin::new(victim.node(), Epoch(epoch));
            let double = hello(member(double, "double", "127.0.0.1:1"));
            refused(&mut siege, double, RefusalReason::IdentityInUse);
        }
        // The very same run, but somewhere else.
        let double = hello(member(victim, "double", "127.0.0.1:1"));
        refused(&mut siege, double, RefusalReason::IdentityInUse);
    }
    for name in ["n1", "n2", "n3"] {
        let namesake = hello(member(mallory.origin, name, "127.0.0.1:1"));
        refused(&mut siege, namesake, RefusalReason::NameInUse);
    }
    let cache = StoreInfo { name: main_store(), cache: true, backend: "moka".into() };
    let mix = hello(Member { stores: vec![cache], ..mallory.clone() });
    refused(&mut siege, mix, RefusalReason::CacheMismatch);
    // Names and addresses that no node could have been started with.
    for name in ["", " ", "a b", "n\n9", "é", "a/b", &"n".repeat(129), &"n".repeat(512)] {
        let nameless = hello(member(mallory.origin, name, "127.0.0.1:1"));
        refused(&mut siege, nameless, RefusalReason::UnexpectedMessage);
    }
    for addr in [
        "",
        "nowhere",
        ":1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:99999",
        "a b:1",
        "a:1:2",
        &"a".repeat(512),
    ] {
        let nowhere = hello(member(mallory.origin, "mallory", addr));
        refused(&mut siege, nowhere, RefusalReason::UnexpectedMessage);
    }
    for bad in [
        Hello { cluster: "x".repeat(513), ..hello(mallory.clone()) },
        hello(member(mallory.origin, &"n".repeat(513), "127.0.0.1:1")),
        hello(member(mallory.origin, "mallory", &"a".repeat(513))),
        hello(Member { stores: vec![mallory.stores[0].clone(); 65], ..mallory.clone() }),
    ] {
        is_cut_at_once(&mut siege, &frame(&Message::Hello(bad)), "a hello over a limit");
    }
    let peers = mesh::mesh(&siege.node(1).client())["peers"].as_array().unwrap().len();
    assert_eq!(peers, 2, "nobody who was refused became a member");
    siege.ends(35);
}
