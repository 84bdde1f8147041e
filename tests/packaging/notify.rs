//! What a service manager hears of a node, as systemd would hear it.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::mesh::{PATIENCE, builder, ready};

/// The manager's patience: it hears that the node lives three times within it.
const WATCHDOG: Duration = Duration::from_millis(600);

/// The next message with this line; those before it are let go.
fn wait_for(socket: &UnixDatagram, line: &str) {
    let mut bytes = [0; 4_096];
    loop {
        let length = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("no {line}: {error}"));
        let text = String::from_utf8_lossy(&bytes[..length]);
        if text.lines().any(|said| said == line) {
            return;
        }
        assert!(!text.contains("STOPPING=1"), "it stops before {line}");
    }
}

#[test]
fn a_service_manager_hears_that_a_node_is_ready_lives_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let cluster = ready(
        builder(&dir.path().join("cluster"))
            .nodes(1)
            .stores(["main=memory"])
            .env("NOTIFY_SOCKET", path.to_str().unwrap())
            .env("WATCHDOG_USEC", &WATCHDOG.as_micros().to_string()),
    );
    let node = cluster.node(1);
    wait_for(&socket, "READY=1");
    wait_for(&socket, "STATUS=ready");
    for _ in 0..5 {
        wait_for(&socket, "WATCHDOG=1");
    }
    // A node that hangs says nothing: what was said before that is taken first.
    node.pause().unwrap();
    socket.set_read_timeout(Some(WATCHDOG)).unwrap();
    while socket.recv(&mut [0; 64]).is_ok() {}
    node.resume().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    wait_for(&socket, "WATCHDOG=1");
    node.terminate().unwrap();
    wait_for(&socket, "STOPPING=1");
    assert!(node.wait_exit(PATIENCE).unwrap().success(), "{}", node.log_tail(20));
}

#[test]
fn a_service_manager_that_is_not_there_is_no_reason_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere");
    let builder = builder(&dir.path().join("cluster")).nodes(1).stores(["main=memory"]);
    let cluster = ready(builder.env("NOTIFY_SOCKET", nowhere.to_str().unwrap()));
    let log = cluster.node(1).log_tail(50);
    assert!(log.contains("NOTIFY_SOCKET"), "{log}");
}
