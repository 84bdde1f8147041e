//! All of a store as a file, and such a file put into a store.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gridkv_http::HttpConfig;
use serde_json::json;

use crate::client::Answer;
use crate::node::{Served, serve, serve_spooling, serve_unready};

const FRAMES: &str = "application/vnd.gridkv.snapshot";

/// Keys that a path can hold, and what they hold.
const KEYS: [(&str, &str); 5] =
    [("a", "1"), ("a%2F%2Fb", "2"), ("%00%0A%22", "3"), ("%C3%A9", ""), ("%7B%7D", "{}")];

fn fill(node: &Served, store: &str) {
    for (key, value) in KEYS {
        let path = format!("/v1/kv/{store}/{key}");
        let typed = [("content-type", "text/plain")];
        assert_eq!(node.send("PUT", &path, &typed, value.as_bytes()).status, 201);
    }
    let longest = "k".repeat(1_024);
    node.put(&format!("/v1/kv/{store}/{longest}?ttl=1h"), &[0, 255]);
}

fn save(node: &Served, store: &str, query: &str) -> Answer {
    let answer = node.get(&format!("/v1/stores/{store}/snapshot{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn load(node: &Served, store: &str, query: &str, body: &[u8]) -> Answer {
    node.send("PUT", &format!("/v1/stores/{store}/snapshot{query}"), &[], body)
}

fn counts(answer: &Answer) -> (u64, u64, u64) {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let said = answer.json();
    let count = |name: &str| said[name].as_u64().unwrap();
    (count("applied"), count("skipped_older"), count("expired"))
}

/// Keys, values, types and deadlines: all but the versions.
fn contents(node: &Served, store: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let lines = save(node, store, "?format=ndjson").body;
    let text = String::from_utf8(lines).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    records
        .filter(|line| line.get("key").is_some())
        .map(|line| {
            let rest = json!([line["value"], line.get("content_type"), line.get("expires_at")]);
            (line["key"].to_string().into_bytes(), rest.to_string().into_bytes())
        })
        .collect()
}

#[test]
fn a_store_goes_out_and_comes_back_in_both_formats() {
    let node = serve(HttpConfig::default());
    fill(&node, "main");
    let whole = contents(&node, "main");
    assert_eq!(whole.len(), KEYS.len() + 1);
    for (query, media_type, ending) in
        [("", FRAMES, ".gkvs\""), ("?format=ndjson", "application/x-ndjson", ".ndjson\"")]
    {
        let answer = save(&node, "main", query);
        assert_eq!(answer.header("content-type"), media_type);
        assert_eq!(answer.header("gridkv-key-count"), "6");
        let disposition = answer.header("content-disposition");
        assert!(disposition.starts_with("attachment; filename=\"gridkv-main-2"), "{disposition}");
        assert!(disposition.ends_with(ending), "{disposition}");
        let target = format!("/v1/stores/main/snapshot{query}");
        let head = node.send("HEAD", &target, &[], b"");
        assert_eq!((head.status, head.header("gridkv-key-count")), (200, "6"));
        assert_eq!(head.header("content-type"), media_type);

        // Into an empty store, said by its type or seen by its first byte; then nothing is left to do.
        let typed = [("content-type", media_type)];
        let target = "/v1/stores/disk/snapshot?mode=missing";
        let loaded = node.send("PUT", target, &typed, &answer.body);
        assert_eq!(counts(&loaded), (6, 0, 0));
        assert_eq!(loaded.json(), json!({"applied": 6, "skipped_older": 0, "expired": 0}));
        assert_eq!(counts(&load(&node, "disk", "?mode=merge", &answer.body)), (0, 6, 0));
        assert_eq!(contents(&node, "disk"), whole);
        for (key, _) in KEYS {
            node.delete(&format!("/v1/kv/disk/{key}"));
        }
        assert_eq!(counts(&load(&node, "disk", "?mode=missing", &answer.body)), (5, 1, 0));
        assert_eq!(contents(&node, "disk"), whole);
        // Empties it again for the other format.
        let empty = save(&node, "tiny", query).body;
        let emptied = load(&node, "disk", "?mode=replace", &empty);
        assert_eq!((counts(&emptied), &emptied.json()["deleted"]), ((0, 0, 0), &json!(6)));
        assert_eq!(contents(&node, "disk"), []);
    }
}

#[test]
fn each_mode_writes_what_it_says() {
    let node = serve(HttpConfig::default());
    let put = |key: &str, value: &str| {
        assert!(node.put(&format!("/v1/kv/main/{key}"), value.as_bytes()).status < 300);
    };
    for key in ["changed", "deleted", "expiring", "same"] {
        put(key, "old");
    }
    node.put("/v1/kv/main/expiring?ttl=150ms", b"old");
    let snapshot = save(&node, "main", "").body;
    put("changed", "new");
    put("other", "new");
    std::thread::sleep(Duration::from_millis(200));
    let value = |key: &str| {
        let answer = node.get(&format!("/v1/kv/main/{key}"));
        (answer.status == 200).then(|| String::from_utf8(answer.body).unwrap())
    };
    let state = || ["changed", "deleted", "expiring", "other", "same"].map(value);
    let some = |text: &str| Some(text.to_owned());
    let before = state();
    assert_eq!(before, [some("new"), some("old"), None, some("new"), some("old")]);
    let version = |key: &str| node.get(&format!("/v1/kv/main/{key}")).header("etag").to_owned();
    let untouched = version("same");
    for query in ["?mode=merge&dry_run=true", "", "?mode=missing"] {
        assert_eq!(counts(&load(&node, "main", query, &snapshot)), (0, 3, 1), "{query}");
        assert_eq!(state(), before, "{query}");
    }
    node.delete("/v1/kv/main/deleted");
    for (query, expected) in
        [("?mode=missing&dry_run=true", (1, 2, 1)), ("?mode=replace&dry_run=1", (2, 1, 1))]
    {
        assert_eq!(counts(&load(&node, "main", query, &snapshot)), expected, "{query}");
        assert_eq!(state(), [some("new"), None, None, some("new"), some("old")], "{query}");
    }
    let trial = load(&node, "main", "?mode=replace&dry_run=true", &snapshot);
    assert_eq!(trial.json()["deleted"], 1);
    assert_eq!(counts(&load(&node, "main", "?mode=missing", &snapshot)), (1, 2, 1));
    assert_eq!(state(), [some("new"), some("old"), None, some("new"), some("old")]);
    let replaced = load(&node, "main", "?mode=replace", &snapshot);
    assert_eq!((counts(&replaced), &replaced.json()["deleted"]), ((1, 2, 1), &json!(1)));
    assert_eq!(state(), [some("old"), some("old"), None, None, some("old")]);
    assert_eq!(version("same"), untouched, "what does not differ is not written");
}

#[test]
fn a_damaged_upload_changes_nothing_and_says_where() {
    let node = serve(HttpConfig::default());
    fill(&node, "main");
    node.put("/v1/kv/disk/mine", b"v");
    let before = contents(&node, "disk");
    for format in ["", "?format=ndjson"] {
        let whole = save(&node, "main", format).body;
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x04;
        let cut = whole[..whole.len() - 1].to_vec();
        let twice = [whole.clone(), whole.clone()].concat();
        for bad in [flipped, cut, twice, Vec::new(), b"nonsense".to_vec()] {
            for mode in ["merge", "missing", "replace"] {
                let refused = load(&node, "disk", &format!("?mode={mode}"), &bad);
                assert_eq!(refused.refusal(), (400, "snapshot_corrupt".to_owned()));
                let said = refused.json();
                assert!(said["offset"].as_u64().unwrap() <= bad.len() as u64, "{said}");
                assert!(said["detail"].as_str().unwrap().starts_with("nothing was changed"));
            }
        }
    }
    assert_eq!(contents(&node, "disk"), before);
    // A length of four gigabytes, and a body that stops.
    let mut hostile = b"GKVS\x01\x01\0\0\xff\xff\xff\xff".to_vec();
    hostile.extend([0; 8]);
    assert_eq!(load(&node, "disk", "", &hostile).refusal().1, "snapshot_corrupt");
}

#[test]
fn what_can_not_be_done_is_refused_at_the_door() {
    let node = serve(HttpConfig { max_value_bytes: 1_000, ..HttpConfig::default() });
    let good = save(&node, "main", "").body;
    for (query, parameter) in
        [("?mode=all", "mode"), ("?dry_run=maybe", "dry_run"), ("?format=ndjson", "format")]
    {
        let refused = load(&node, "main", query, &good);
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{query}");
        assert_eq!(refused.json()["parameter"], parameter);
    }
    assert_eq!(node.get("/v1/stores/main/snapshot?format=csv").code(), "invalid_parameter");
    assert_eq!(node.get("/v1/stores/none/snapshot").code(), "store_not_found");
    assert_eq!(load(&node, "none", "", &good).code(), "store_not_found");
    // One at a time: this one has sent its head, and half of its body.
    let mut open = node.client();
    open.raw(
        b"PUT /v1/stores/main/snapshot HTTP/1.1\r\nhost: x\r\ncontent-length: 9000\r\n\r\nGKVS",
    );
    let two = "gridkv_http_requests_in_flight 2";
    while !String::from_utf8(node.get("/metrics").body).unwrap().lines().any(|line| line == two) {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(load(&node, "main", "", &good).refusal(), (409, "restore_running".to_owned()));
    assert_eq!(counts(&load(&node, "disk", "", &good)), (0, 0, 0), "other stores are free");
    drop(open);
    while load(&node, "main", "", &good).status == 409 {
        std::thread::sleep(Duration::from_millis(10));
    }
    // What another node with higher limits made.
    let larger = serve(HttpConfig::default());
    larger.put("/v1/kv/main/large", &[7; 1_001]);
    let refused = load(&node, "main", "", &save(&larger, "main", "").body);
    assert_eq!(refused.refusal(), (413, "value_too_large".to_owned()));
    assert_eq!(refused.json()["key"], "large");
    // A store that may not grow takes what it can, and says so.
    for n in 0..40 {
        larger.put(&format!("/v1/kv/main/k{n}"), &[7; 900]);
    }
    larger.delete("/v1/kv/main/large");
    let refused = load(&node, "tiny", "", &save(&larger, "main", "").body);
    assert_eq!(refused.refusal(), (507, "memory_limit".to_owned()));
    assert_eq!(refused.json()["outcome"], "partial", "{}", refused.json());
    // A drained node refuses before it reads; what is there can still be taken away.
    node.send("POST", "/v1/admin/drain", &[], b"");
    let mut open = node.client();
    open.raw(b"PUT /v1/stores/main/snapshot HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n");
    assert_eq!(open.answer("PUT").refusal(), (503, "draining".to_owned()));
    save(&node, "main", "");
    let unready = serve_unready();
    assert_eq!(load(&unready, "main", "", &good).refusal(), (503, "not_ready".to_owned()));
    assert_eq!(unready.get("/v1/stores/main/snapshot").refusal(), (503, "not_ready".to_owned()));
}

#[test]
fn an_upload_goes_on_beside_writes() {
    let node = serve(HttpConfig::default());
    for n in 0..3_000 {
        assert_eq!(node.put(&format!("/v1/kv/main/k{n:04}"), b"old").status, 201);
    }
    let snapshot = save(&node, "main", "").body;
    let address = node.address;
    let writer = std::thread::spawn(move || {
        let mut client = crate::client::Client::connect(address);
        for n in 0..1_500 {
            let key = format!("/v1/kv/main/k{:04}", n * 2);
            assert_eq!(client.send("PUT", &key, &[], b"new").status, 204);
        }
    });
    let (applied, skipped, expired) = counts(&load(&node, "main", "?mode=merge", &snapshot));
    assert_eq!((applied, skipped, expired), (0, 3_000, 0));
    writer.join().unwrap();
    for n in [0, 2, 2_998] {
        assert_eq!(node.get(&format!("/v1/kv/main/k{n:04}")).body, b"new");
    }
    assert_eq!(node.get("/v1/kv/main/k0001").body, b"old");
}

/// A file system of two megabytes, until this is dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Makes it at `at`, or says why it can not be made.
    fn mount(at: &'a Path) -> Result<Self, String> {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(at).output();
        match mount {
            Ok(done) if done.status.success() => Ok(Self(at)),
            Ok(done) => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0).status());
    }
}

#[test]
fn an_upload_that_has_no_room_to_wait_in_changes_nothing() {
    let spool = tempfile::tempdir().unwrap();
    let _disk = match SmallDisk::mount(spool.path()) {
        Ok(disk) => disk,
        Err(reason) => {
            // Past what keeps the output of tests that pass: it must not look like one that did something.
            let line = format!(
                "an upload without room: SKIPPED: no file system can be mounted: {reason}\n"
            );
            return std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
    };
    let node = serve_spooling(spool.path());
    fill(&node, "disk");
    let small = save(&node, "disk", "").body;
    for n in 0..40 {
        node.put(&format!("/v1/kv/main/k{n:03}"), &vec![n; 100_000]);
    }
    let large = save(&node, "main", "").body;
    let before = contents(&node, "disk");
    for query in ["?mode=merge", "?mode=replace", "?dry_run=true"] {
        let refused = load(&node, "disk", query, &large);
        assert_eq!(refused.refusal(), (507, "disk_full".to_owned()), "{query}");
        assert_eq!(refused.json()["outcome"], "not_applied");
    }
    assert_eq!(contents(&node, "disk"), before);
    assert_eq!(
        counts(&load(&node, "tiny", "", &small)),
        (6, 0, 0),
        "what fits is taken: they let go of the room"
    );
}
