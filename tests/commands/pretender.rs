//! Something that pretends to be a node: what commands make of answers that a real one gives rarely, or never.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::desk::{Said, gridkv, said};

/// Answers each connection with the next of these; the last one goes on with a filler for as long as it is read.
fn pretend(answers: Vec<String>, filler: Option<u8>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        let last = answers.len() - 1;
        for (at, answer) in answers.into_iter().enumerate() {
            let (mut stream, _) = listener.accept().unwrap();
            let request = head(&mut stream);
            // Nobody may want to know what was asked.
            sender.send(request).ok();
            stream.write_all(answer.as_bytes()).unwrap();
            let filler = filler.filter(|_| at == last).map(|byte| vec![byte; 65_536]);
            while filler.as_ref().is_some_and(|filler| stream.write_all(filler).is_ok()) {}
        }
    });
    (url, requests)
}

fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

fn run(url: &str, arguments: &[&str]) -> Said {
    let dir = tempfile::tempdir().unwrap();
    let mut command: Command = gridkv(dir.path(), arguments);
    said(command.env("GRIDKV_URL", url))
}

fn forgotten() -> String {
    let body = r#"{"title":"Changes after that place are not known any more","status":410,
        "code":"changes_truncated","detail":"list the keys","oldest":"00000000000000aa-7"}"#;
    format!(
        "HTTP/1.1 410 Gone\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn all_that_is_remembered_begins_with_the_oldest_that_is_known() {
    let stream = "HTTP/1.1 200 OK\r\ngridkv-node: n1\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
        id: 00000000000000aa-8\nevent: put\n\
        data: {\"event\":\"put\",\"seq\":\"00000000000000aa-8\",\"key\":\"k\",\"version\":\"v\"}\n\n";
    let (url, requests) = pretend(vec![forgotten(), stream.to_owned()], None);
    let seen = run(&url, &["watch", "--since", "0", "--limit", "1"]);
    seen.printed("put    k v\n");
    assert!(seen.error.contains("earlier changes are forgotten"), "{}", seen.error);
    assert!(requests.recv().unwrap().contains("since=0"));
    assert!(requests.recv().unwrap().contains("last-event-id: 00000000000000aa-7"));
}

#[test]
fn a_place_that_is_too_old_is_answered_with_the_one_to_take() {
    let (url, _requests) = pretend(vec![forgotten()], None);
    run(&url, &["watch", "--since", "00000000000000aa-1"])
        .failed(1, &["--since 00000000000000aa-7", "changes_truncated"]);
}

#[test]
fn no_answer_fills_the_memory() {
    let ok = "HTTP/1.1 200 OK\r\ngridkv-node: n1\r\nconnection: close\r\n";
    let get = ["get", "k"];
    let endless = |head: &str, filler: u8, arguments: &[&str], code: i32, words: &str| {
        let (url, _requests) = pretend(vec![format!("{ok}{head}")], Some(filler));
        run(&url, arguments).failed(code, &[words]);
    };
    endless("\r\n", b'x', &get, 5, "larger than");
    endless("x: ", b'x', &get, 5, "header is too big");
    endless("transfer-encoding: chunked\r\n\r\n", b'1', &get, 5, "stalled");
    endless("transfer-encoding: chunked\r\n\r\n0\r\nx: ", b'x', &get, 5, "stalled");
    endless("\r\ndata: ", b'x', &["watch"], 1, "a line of more than");
    let bomb = format!("[{}0]", "{},".repeat(600_000));
    let answer = format!("{ok}content-length: {}\r\n\r\n{bomb}", bomb.len());
    let (url, _requests) = pretend(vec![answer], None);
    run(&url, &["stores"]).failed(1, &["answered strangely", "fields and elements"]);
}

/// What something on the way may answer to anything: all is well, and nothing more.
fn empty(headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n")
}

#[test]
fn an_empty_answer_is_no_success() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("in"), "{\"key\":\"a\",\"value\":\"1\"}\n").unwrap();
    let writes: [&[&str]; 8] = [
        &["put", "k", "v"],
        &["put", "..", "v"],
        &["del", "k"],
        &["del", "a", "b"],
        &["del", ".."],
        &["del", "--prefix", "k", "-y"],
        &["import", "in"],
        &["stores", "rm", "main", "-y"],
    ];
    for write in writes {
        // Not a node's, and a node's of which the rest is missing.
        for (headers, may_be_whole) in [("", false), ("gridkv-node: n1\r\n", write[0] == "stores")]
        {
            let (url, _requests) = pretend(vec![empty(headers)], None);
            let said = said(gridkv(dir.path(), write).env("GRIDKV_URL", url));
            if !may_be_whole {
                assert_eq!(said.code, Some(5), "{write:?} {headers}: {}", said.error);
                assert!(said.error.contains("unknown: "), "{write:?} {headers}: {}", said.error);
            }
        }
    }
    for read in [&["get", "k"][..], &["stats"], &["ls"]] {
        let (url, _requests) = pretend(vec![empty("")], None);
        run(&url, read).failed(1, &["something else than a node answered"]);
    }
}

#[test]
fn variables_that_are_no_text_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["GRIDKV_URL", "GRIDKV_TOKEN", "GRIDKV_STORE"] {
        let mut command = gridkv(dir.path(), &["get", "k"]);
        said(command.env(name, OsStr::from_bytes(b"http://\xff")))
            .failed(2, &[name, "is not UTF-8"]);
    }
}

#[test]
fn what_is_named_on_the_command_line_is_not_read_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let url = ["--url", "https://127.0.0.1:1"];
    for (arguments, code, words) in [
        (&["put", "k", "-f", "/dev/zero"][..], 1, "no node takes so long a value"),
        (&["put", "k", "--token-file", "/dev/zero"], 2, "more than 4096 bytes"),
        (&["put", "k", "--ca", "/dev/zero"], 2, "more than 1048576 bytes"),
    ] {
        let arguments =
            if arguments.contains(&"-f") { arguments.to_vec() } else { [arguments, &url].concat() };
        let mut command = gridkv(dir.path(), &arguments);
        said(&mut command).failed(code, &[words]);
    }
}

#[test]
fn a_token_is_shown_to_this_machine_or_inside_tls_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut far = gridkv(dir.path(), &["get", "k", "--url", "http://192.0.2.1:7400"]);
    said(far.env("GRIDKV_TOKEN", "secret"))
        .failed(2, &["in clear", "https://", "nothing was sent"]);
    let mut meant =
        gridkv(dir.path(), &["get", "k", "--url", "http://127.0.0.1:1", "--ca", "ca.pem"]);
    said(meant.env("GRIDKV_TOKEN", "secret")).failed(2, &["in clear", "https://"]);
    let mut near = gridkv(dir.path(), &["get", "k", "--url", "http://127.0.0.1:1"]);
    said(near.env("GRIDKV_TOKEN", "secret")).failed(5, &["connection refused"]);
}
