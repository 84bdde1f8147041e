//! A node that keeps all promises of the documentation which this package reads, and breaks some on request.
//!
//! The fake is the test program itself: a script starts it again with the node's command line in an environment
//! variable, and the test `serve` then serves instead of testing. All fakes of a cluster keep their records in one
//! directory, which is what perfect replication looks like.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, OnceLock};
use std::thread;

const COMMAND_LINE: &str = "FAKE_NODE_COMMAND_LINE";

/// The fake as a program. Written once, before any process is started: a file that is still open for writing in a
/// child of another thread cannot be executed.
pub(crate) fn fake_binary() -> &'static Path {
    static SCRIPT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = SCRIPT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gridkv");
        let this = std::env::current_exe().unwrap();
        let script = format!(
            "#!/bin/sh\n{COMMAND_LINE}=\"$*\" exec '{}' --exact fake_node::serve --nocapture\n",
            this.display()
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        (dir, path)
    });
    path
}

/// Not a test: the fake's main function, which does nothing when the program was started to test.
#[test]
fn serve() {
    if let Ok(line) = std::env::var(COMMAND_LINE) {
        Fake::from_command_line(&line).serve();
    }
}

struct Fake {
    name: String,
    listen: String,
    stores: Vec<(String, String)>,
    peers: Vec<String>,
    records: PathBuf,
    ready: bool,
}

struct Request {
    method: String,
    path: String,
    content_type: String,
    body: Vec<u8>,
}

struct Answer(u16, String, Vec<u8>);

impl Fake {
    fn from_command_line(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let values = |option: &str| -> Vec<String> {
            let pairs = words.windows(2).filter(|pair| pair[0] == option);
            pairs.map(|pair| pair[1].to_owned()).collect()
        };
        let value = |option: &str| values(option).pop().unwrap();
        assert_eq!(words[0], "serve");
        let name = value("--name");
        if words.contains(&"--fake-exit") {
            println!("fake node {name} gives up");
            process::exit(3);
        }
        // Names are n1, n2, ... and a node joins all others.
        let count = values("--join").len() + 1;
        let peers = (1..=count).map(|number| format!("n{number}")).filter(|peer| *peer != name);
        let data = PathBuf::from(value("--data-dir"));
        Self {
            peers: peers.collect(),
            name,
            listen: value("--listen"),
            stores: values("--store")
                .iter()
                .map(|store| store.split_once('=').unwrap())
                .map(|(name, backend)| (name.to_owned(), backend.to_owned()))
                .collect(),
            records: data.ancestors().nth(2).unwrap().join("records"),
            ready: !words.contains(&"--fake-unready"),
        }
    }

    fn serve(self) {
        let mut signals = Signals::new([SIGTERM]).unwrap();
        thread::spawn(move || {
            signals.forever().next();
            process::exit(0);
        });
        let listener = TcpListener::bind(&self.listen).unwrap();
        println!("fake node {} serves", self.name);
        let mut own: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
        own.retain(|name| name.starts_with("GRIDKV_"));
        own.sort();
        println!("environment: {}", own.join(" "));
        let fake = Arc::new(self);
        for stream in listener.incoming() {
            let (fake, stream) = (Arc::clone(&fake), stream.unwrap());
            // A client that hangs up in the middle is none of our business.
            thread::spawn(move || fake.converse(&stream).ok());
        }
    }

    fn converse(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(request) = Request::read(&mut reader)? {
            let Answer(status, content_type, body) = self.answer(&request);
            let length = body.len();
            let mut head = format!("HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n");
            write!(head, "Content-Length: {length}\r\nGridKV-Node: {}\r\n\r\n", self.name).unwrap();
            stream.write_all(&[head.as_bytes(), &body].concat())?;
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Answer {
        let path = request.path.split('?').next().unwrap();
        let path = percent_decode_str(path).decode_utf8().unwrap();
        let parts: Vec<&str> = path.splitn(5, '/').collect();
        match (request.method.as_str(), &parts[1..]) {
            ("GET", ["readyz"]) if self.ready => text(200, "[+]store:main ok"),
            ("GET", ["readyz"]) => text(503, "[-]store:main loading"),
            ("GET", ["v1", "stats"]) => self.stats(),
            ("GET", ["v1", "cluster"]) => {
                let peers = self.peers.iter().map(|name| json!({"name": name, "state": "up"}));
                json(&json!({"self": {"name": self.name}, "peers": peers.collect::<Vec<_>>()}))
            }
            ("POST", ["v1", "stores", store, "batch"]) => self.batch(store, request),
            ("GET", ["v1", "kv", store]) => self.list(store, &request.path),
            ("GET", ["v1", "kv", store, key]) => self.get(store, key),
            ("PUT", ["v1", "kv", store, key]) => {
                self.put(store, key, &request.content_type, &request.body);
                text(201, "")
            }
            _ => text(404, "{\"code\":\"route_not_found\"}"),
        }
    }

    fn stats(&self) -> Answer {
        let stores = self.stores.iter().map(|(name, backend)| {
            json!({"name": name, "backend": backend, "key_count": self.keys(name).len()})
        });
        json(&json!({"stores": stores.collect::<Vec<_>>()}))
    }

    /// One page, and the prefix is all that is understood of the query.
    fn list(&self, store: &str, path: &str) -> Answer {
        let prefix = path.split_once("prefix=").map_or("", |(_, rest)| rest);
        let prefix = prefix.split('&').next().unwrap().replace("%2F", "/");
        let mut keys = self.keys(store);
        keys.retain(|key| key.starts_with(&prefix));
        let keys: Vec<Value> = keys.iter().map(|key| json!({"key": key})).collect();
        json(&json!({"store": store, "keys": keys, "next_cursor": null}))
    }

    fn batch(&self, store: &str, request: &Request) -> Answer {
        let batch: Value = serde_json::from_slice(&request.body).unwrap();
        let ops = batch["ops"].as_array().unwrap();
        for op in ops {
            let field = |name: &str| op[name].as_str().unwrap();
            self.put(store, field("key"), field("content_type"), field("value").as_bytes());
        }
        let results: Vec<Value> = ops.iter().map(|_| json!({"status": 201})).collect();
        json(&json!({"errors": 0, "results": results}))
    }

    fn file(&self, store: &str, key: &str) -> PathBuf {
        self.records.join(store).join(key.replace('/', "+"))
    }

    fn keys(&self, store: &str) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.records.join(store)) else { return Vec::new() };
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.map(|name| name.replace('+', "/")).collect()
    }

    /// A file is the content type, a newline, and the value.
    fn put(&self, store: &str, key: &str, content_type: &str, value: &[u8]) {
        fs::create_dir_all(self.records.join(store)).unwrap();
        let bytes = [content_type.as_bytes(), b"\n", value].concat();
        fs::write(self.file(store, key), bytes).unwrap();
    }

    fn get(&self, store: &str, key: &str) -> Answer {
        let Ok(bytes) = fs::read(self.file(store, key)) else { return text(404, "not found") };
        let cut = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let content_type = String::from_utf8(bytes[..cut].to_vec()).unwrap();
        Answer(200, content_type, bytes[cut + 1..].to_vec())
    }
}

impl Request {
    fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let (mut length, mut content_type) = (0, "application/octet-stream".to_owned());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "content-type" => value.clone_into(&mut content_type),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        Ok(Some(Self { method, path, content_type, body }))
    }
}

fn text(status: u16, body: &str) -> Answer {
    Answer(status, "text/plain".to_owned(), body.as_bytes().to_vec())
}

fn json(body: &Value) -> Answer {
    Answer(200, "application/json".to_owned(), body.to_string().into_bytes())
}
