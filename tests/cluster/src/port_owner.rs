//! Who has a port: so that "port 7401 is taken" can be followed by the name of a process to stop, and a connection by
//! the node that made it.
//!
//! Linux only, from `/proc`, with the rights of the caller: the socket table tells everybody the socket's number, but
//! which process holds it is visible only for one's own processes. Elsewhere and otherwise the owner stays unknown, and
//! the message says so.

use std::fmt;
use std::fs;
use std::path::Path;

/// The state column of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortOwner {
    /// Its process id.
    pub pid: u32,
    /// Its command name, as the kernel keeps it: up to 15 bytes.
    pub command: String,
}

impl PortOwner {
    /// The process that listens on this TCP port; `None` when nothing does, or when it cannot be seen from here.
    #[must_use]
    pub fn of(port: u16) -> Option<Self> {
        let sockets: Vec<u64> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .flat_map(|table| listening_sockets(&table, port))
            .collect();
        if sockets.is_empty() {
            return None;
        }
        let processes = fs::read_dir("/proc").ok()?;
        processes.flatten().find_map(|process| {
            let pid: u32 = process.file_name().to_str()?.parse().ok()?;
            holds_any(&process.path().join("fd"), &sockets).then(|| Self {
                pid,
                command: fs::read_to_string(process.path().join("comm"))
                    .map_or_else(|_| "?".to_owned(), |name| name.trim_end().to_owned()),
            })
        })
    }
}

/// Whether a process has the end of a TCP connection that goes from one port to another. `false` also when the process
/// is gone or cannot be looked into.
#[must_use]
pub fn holds_connection(pid: u32, from: u16, to: u16) -> bool {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].iter();
    let sockets: Vec<u64> = tables
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| connected_sockets(&table, from, to))
        .collect();
    !sockets.is_empty() && holds_any(&Path::new("/proc").join(pid.to_string()).join("fd"), &sockets)
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.command, self.pid)
    }
}

/// Inode numbers of the sockets that listen on `port`, from the text of `/proc/net/tcp` or `/proc/net/tcp6`.
///
/// A line: `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...`, addresses as hex `IP:PORT`.
fn listening_sockets(table: &str, port: u16) -> Vec<u64> {
    table.lines().skip(1).filter_map(|line| listening_socket(line, port)).collect()
}

fn listening_socket(line: &str, port: u16) -> Option<u64> {
    let mut columns = line.split_ascii_whitespace();
    let (_, local_port) = columns.nth(1)?.rsplit_once(':')?;
    let state = columns.nth(1)?;
    let inode = columns.nth(5)?.parse().ok()?;
    let is_it = state == LISTENING && u16::from_str_radix(local_port, 16) == Ok(port);
    is_it.then_some(inode)
}

/// Inode numbers of the sockets with these ports at their own and at their other end.
fn connected_sockets(table: &str, from: u16, to: u16) -> Vec<u64> {
    let port = |address: &str| {
        address.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok())
    };
    let socket = |line: &str| {
        let mut columns = line.split_ascii_whitespace();
        let ends = (port(columns.nth(1)?)?, port(columns.next()?)?);
        let inode = columns.nth(6)?.parse().ok()?;
        (ends == (from, to)).then_some(inode)
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// Whether a directory `/proc/PID/fd` has a link to one of these sockets.
fn holds_any(descriptors: &Path, sockets: &[u64]) -> bool {
    let Ok(links) = fs::read_dir(descriptors) else { return false };
    links
        .flatten()
        .filter_map(|link| fs::read_link(link.path()).ok())
        .filter_map(|target| socket_of_link(target.to_str()?))
        .any(|inode| sockets.contains(&inode))
}

/// The inode of `socket:[12345]`.
fn socket_of_link(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1CE9 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 81234 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1CE9 0100007F:D2A4 01 00000000:00000000 00:00000000 00000000  1000        0 81299 1 0000000000000000 20 4 30 10 -1
   2: 00000000:1CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 90001 1 0000000000000000 100 0 0 10 0
";
    const TABLE6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:1CE9 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0
";

    #[test]
    fn a_listening_socket_is_found_by_its_port() {
        assert_eq!(listening_sockets(TABLE, 7401), [81234]);
        assert_eq!(listening_sockets(TABLE, 7402), [90001]);
        assert_eq!(listening_sockets(TABLE6, 7401), [77]);
        assert!(listening_sockets(TABLE, 7403).is_empty());
    }

    #[test]
    fn lines_that_are_not_understood_are_passed_over() {
        assert!(listening_sockets("head\nnonsense\n1: x y\n", 1).is_empty());
    }

    #[test]
    fn only_links_to_sockets_count() {
        assert_eq!(socket_of_link("socket:[81234]"), Some(81234));
        assert_eq!(socket_of_link("pipe:[81234]"), None);
        assert_eq!(socket_of_link("/dev/null"), None);
    }

    #[test]
    fn a_connection_is_told_apart_by_both_ports() {
        assert_eq!(connected_sockets(TABLE, 0x1ce9, 0xd2a4), [81299]);
        assert!(connected_sockets(TABLE, 0xd2a4, 0x1ce9).is_empty());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ends = (stream.local_addr().unwrap().port(), stream.peer_addr().unwrap().port());
        assert!(holds_connection(std::process::id(), ends.0, ends.1));
        assert!(!holds_connection(1, ends.0, ends.1));
    }

    #[test]
    fn our_own_listener_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let owner = PortOwner::of(listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(owner.pid, std::process::id());
    }
}
