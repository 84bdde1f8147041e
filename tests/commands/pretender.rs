//! Something that pretends to be a node: what commands make of answers that a real one gives rarely, or never.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
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
    let stream = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
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
    let ok = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
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
