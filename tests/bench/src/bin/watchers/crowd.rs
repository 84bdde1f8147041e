//! Those who watch.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use gridkv_bench::figure::float;
use gridkv_bench::mesh::Mesh;
use gridkv_bench::samples::Samples;
use gridkv_bench::workload;
use gridkv_cluster::{Client, Deadline, wait_for};

/// All watch, or nobody does, within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Long polls are requests without an answer; so is the one that asks for this.
const IN_FLIGHT: &str = "gridkv_http_requests_in_flight";
/// Longer than any turn.
const WAIT: &str = "10m";

/// Where the keys stand that are watched, beside those that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Elsewhere,
    Beside,
}

/// Connections of those who watch.
#[derive(Debug)]
pub(crate) struct Crowd {
    streams: Vec<TcpStream>,
    polls: Vec<TcpStream>,
}

impl Place {
    /// Nobody watches in the first turn.
    pub(crate) const TURNS: [Option<Self>; 3] = [None, Some(Self::Elsewhere), Some(Self::Beside)];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Beside => "beside",
        }
    }

    fn key(self, number: usize) -> String {
        match self {
            Self::Elsewhere => format!("idle:{number:011}"),
            Self::Beside => workload::key(number),
        }
    }
}

impl Crowd {
    /// Lets one watch each of these keys, and sees to it that all do.
    pub(crate) fn gather(
        node: &Mesh,
        place: Place,
        numbers: Range<usize>,
    ) -> Result<Self, Box<dyn Error>> {
        let (addr, client) = (node.address(1), node.node(1).client());
        let mut crowd = Self { streams: Vec::new(), polls: Vec::new() };
        for number in numbers {
            let key = place.key(number);
            if crowd.streams.len() <= crowd.polls.len() {
                crowd.streams.push(stream(addr, &key)?);
            } else {
                crowd.polls.push(poll(addr, &client, &key)?);
            }
        }
        let polls = float(crowd.polls.len());
        in_flight(&client, |count| count >= polls)?;
        Ok(crowd)
    }

    /// Lets all go.
    ///
    /// # Errors
    /// When one was told something, or was not there to the end.
    pub(crate) fn leave(self, node: &Mesh) -> Result<(), Box<dyn Error>> {
        for poll in &self.polls {
            let told = said(poll)?;
            if !told.is_empty() {
                return Err(format!("a long poll of a key that stayed was answered {told}").into());
            }
        }
        for stream in &self.streams {
            let told = said(stream)?;
            if told.contains("event:") {
                return Err(format!("a stream without changes was told {told}").into());
            }
        }
        drop(self);
        in_flight(&node.node(1).client(), |count| count <= 1.0)
    }
}

/// Follows the keys that begin like this one.
fn stream(addr: SocketAddr, key: &str) -> Result<TcpStream, Box<dyn Error>> {
    let target = format!("/v1/stores/main/changes?prefix={key}");
    let mut stream = ask(addr, &target, "Accept: text/event-stream")?;
    let mut told = String::new();
    // The first piece says where it begins.
    while !told.contains("\nid: ") {
        let mut bytes = [0; 1_024];
        let count = stream.read(&mut bytes)?;
        if count == 0 {
            return Err(format!("a stream was answered {told}").into());
        }
        told.push_str(&String::from_utf8_lossy(bytes.get(..count).unwrap_or_default()));
    }
    Ok(stream)
}

/// Waits for another version of this key, which is put first.
fn poll(addr: SocketAddr, client: &Client, key: &str) -> Result<TcpStream, Box<dyn Error>> {
    let put = client.put("main", key, &workload::value(0))?;
    let version = put.version().ok_or("a write has no version")?;
    let target = format!("/v1/kv/main/{key}?wait={WAIT}");
    Ok(ask(addr, &target, &format!("If-None-Match: \"{version}\""))?)
}

fn ask(addr: SocketAddr, target: &str, header: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {target} HTTP/1.1\r\nHost: bench\r\n{header}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

/// What has come and was not read.
fn said(mut stream: &TcpStream) -> io::Result<String> {
    stream.set_nonblocking(true)?;
    let mut bytes = [0; 4_096];
    match stream.read(&mut bytes) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => {
            Ok(String::from_utf8_lossy(bytes.get(..count).unwrap_or_default()).into_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(String::new()),
        Err(error) => Err(error),
    }
}

fn in_flight(client: &Client, is_so: impl Fn(f64) -> bool) -> Result<(), Box<dyn Error>> {
    let seen = || Samples::of(client).is_ok_and(|samples| is_so(samples.sum(IN_FLIGHT, "")));
    wait_for(Deadline::after(PATIENCE), format!("{IN_FLIGHT} to be what it must"), || {
        seen().then_some(())
    })?;
    Ok(())
}
