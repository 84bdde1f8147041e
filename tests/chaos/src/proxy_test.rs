//! Proxies before an echo: what each fault does to bytes, and to connections.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gridkv_cluster::{Stopwatch, wait_until};
use gridkv_protocol::frame::WIRE;

use super::{Gate, Proxy};
use crate::fault::Fault;
use crate::weather::{Link, Weather};

const THERE: Link = Link { from: 1, to: 2 };
const BACK: Link = Link { from: 2, to: 1 };
/// Nothing takes this long; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough to see that nothing comes.
const A_WHILE: Duration = Duration::from_millis(120);

/// A proxy before a server that sends back all that it gets, and whose connections outlive their dialler's end.
struct Setup {
    weather: Arc<Weather>,
    proxy: Proxy,
}

fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut read = stream.try_clone().unwrap();
                drop(std::io::copy(&mut read, &mut { stream }));
            });
        }
    });
    address
}

fn setup(faults: &[(Link, Fault)]) -> Setup {
    let weather = Arc::new(Weather::default());
    weather.set(faults.iter().copied());
    let gate = Gate::anywhere().unwrap();
    let proxy = gate.lead_to((2, echo()), &weather, 1, Box::new(|_| Some(1))).unwrap();
    Setup { weather, proxy }
}

impl Setup {
    fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.proxy.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

fn frame(number: u8) -> Vec<u8> {
    WIRE.wrap(5, &[number; 50], 100).unwrap()
}

/// All that comes within a while.
fn heard(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(A_WHILE)).unwrap();
    let mut all = Vec::new();
    drop(stream.read_to_end(&mut all));
    all
}

/// How reading ends: the kind of the error, or `None` at the end of the stream.
fn ending(stream: &mut TcpStream) -> Option<std::io::ErrorKind> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.read_to_end(&mut Vec::new()).err().map(|error| error.kind())
}

#[test]
fn without_a_fault_all_is_carried_and_an_end_is_an_end() {
    let setup = setup(&[]);
    let mut stream = setup.dial();
    for number in 0..5 {
        stream.write_all(&frame(number)).unwrap();
        let mut back = vec![0; frame(0).len()];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, frame(number));
    }
    stream.write_all(b"not a frame at all, and more than a header").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"not a frame at all, and more than a header");
}

#[test]
fn a_delay_delays_and_keeps_the_order() {
    let late = Duration::from_millis(80);
    let setup = setup(&[(BACK, Fault::Delay(late, late * 2))]);
    let mut stream = setup.dial();
    let stopwatch = Stopwatch::start();
    (0..9).for_each(|number| stream.write_all(&frame(number)).unwrap());
    let mut back = vec![0; frame(0).len() * 9];
    stream.read_exact(&mut back).unwrap();
    assert!(stopwatch.elapsed() >= late);
    assert_eq!(back, (0..9).flat_map(frame).collect::<Vec<_>>());
}

#[test]
fn a_stalled_link_carries_nothing_and_then_all() {
    let setup = setup(&[(THERE, Fault::Stall)]);
    let mut stream = setup.dial();
    stream.write_all(&frame(1)).unwrap();
    assert!(heard(&mut stream).is_empty());
    setup.weather.clear();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut back = vec![0; frame(1).len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, frame(1));
}

#[test]
fn what_vanishes_leaves_whole_frames() {
    for (link, fault) in [(THERE, Fault::OneWay), (BACK, Fault::Drop(100))] {
        let setup = setup(&[(link, fault)]);
        let mut stream = setup.dial();
        stream.write_all(&frame(1)).unwrap();
        stream.write_all(&frame(2)).unwrap();
        assert!(heard(&mut stream).is_empty());
        setup.weather.clear();
        stream.write_all(&frame(3)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut back = vec![0; frame(3).len()];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, frame(3), "{fault}");
    }
}

#[test]
fn a_hole_in_what_is_not_framed_ends_the_connection() {
    let setup = setup(&[(THERE, Fault::OneWay)]);
    let mut stream = setup.dial();
    stream.write_all(&[22; 100]).unwrap();
    assert_eq!(ending(&mut stream), None);
}

#[test]
fn a_reset_is_a_reset() {
    let setup = setup(&[(THERE, Fault::Reset(100))]);
    let mut stream = setup.dial();
    stream.write_all(&frame(1)).unwrap();
    assert_eq!(ending(&mut stream), Some(std::io::ErrorKind::ConnectionReset));
}

#[test]
fn a_half_open_connection_ends_for_the_sender_alone() {
    let setup = setup(&[(BACK, Fault::HalfOpen(100))]);
    let mut stream = setup.dial();
    stream.write_all(&frame(1)).unwrap();
    // The echo is the sender of this direction: the dialler is told nothing.
    assert!(heard(&mut stream).is_empty());
    stream.set_read_timeout(Some(A_WHILE)).unwrap();
    let silent = stream.read(&mut [0]).unwrap_err();
    assert_eq!(silent.kind(), std::io::ErrorKind::WouldBlock);
    stream.write_all(&frame(2)).unwrap();

    let setup = self::setup(&[(THERE, Fault::HalfOpen(100))]);
    let mut stream = setup.dial();
    stream.write_all(&frame(1)).unwrap();
    assert_eq!(ending(&mut stream), None);
}

#[test]
fn garbage_is_other_bytes_and_truncation_fewer() {
    let setup = setup(&[(THERE, Fault::Garbage(100))]);
    let mut stream = setup.dial();
    stream.write_all(&frame(1)).unwrap();
    let garbled = heard(&mut stream);
    assert_eq!(garbled.len(), frame(1).len());
    assert_ne!(garbled, frame(1));

    let setup = self::setup(&[(THERE, Fault::Truncate(100))]);
    let mut stream = setup.dial();
    stream.write_all(&frame(1)).unwrap();
    let cut = heard(&mut stream);
    assert!(cut.len() < frame(1).len());
    assert_eq!(ending(&mut stream), None);
}

#[test]
fn a_drip_is_slow_and_loses_nothing() {
    let setup = setup(&[(BACK, Fault::Drip(10))]);
    let mut stream = setup.dial();
    let stopwatch = Stopwatch::start();
    stream.write_all(&frame(1)).unwrap();
    let mut back = vec![0; frame(1).len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, frame(1));
    assert!(stopwatch.elapsed() >= Duration::from_millis(100), "seven drops");
}

#[test]
fn strangers_are_turned_away() {
    let weather = Arc::new(Weather::default());
    let gate = Gate::anywhere().unwrap();
    let proxy = gate.lead_to((2, echo()), &weather, 1, Box::new(|_| None)).unwrap();
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    assert_eq!(ending(&mut stream), None);
    let turned_away = || weather.toll.turned_away.load(std::sync::atomic::Ordering::Relaxed);
    wait_until(PATIENCE, "the stranger to be counted", || turned_away() == 1).unwrap();
}
