//! Every class of refusal: its place, its key, its value, and what would be allowed.

use super::trial_test::Trial;
use super::*;

/// Loads a file and expects exactly one problem that contains each of the parts.
fn one(trial: Trial, parts: &[&str]) {
    let problems = trial.problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    for part in parts {
        assert!(problems[0].contains(part), "{part:?} is missing in {:?}", problems[0]);
    }
}

fn file(text: &str, parts: &[&str]) {
    one(Trial::default().file(text), parts);
}

#[test]
fn unknown_keys_name_the_nearest_one() {
    let table: [(&str, &[&str]); 11] = [
        ("[http]\n\nlisen = 'x'", &[":3: http.lisen: unknown key", "http.listen"]),
        ("[htpp]\nlisten = 'x'", &[":1: htpp: unknown key", "is http"]),
        ("[store.main]\nbackend = 'file'", &["store: unknown key", "is stores"]),
        ("[http.tsl]\ncert = 'x'", &[":1: http.tsl: unknown key", "is http.tls"]),
        ("['http.tls']\ncert = 'x'", &[":1: http.tls: unknown key"]),
        ("[http.tls]\ncrt = 'x'", &[":2: http.tls.crt: unknown key", "is http.tls.cert"]),
        ("[peers]\nseed = []", &["is peers.seeds"]),
        ("workers = 3", &[":1: workers: unknown key", "is http.workers"]),
        ("[stores.a]\nbackend = 'memory'\nmax_memory = 1", &["is stores.a.max_memory_mb"]),
        (
            "[stores.a]\nbackend = 'memory'\n[stores.a.sync]\nlog_byte = 1",
            &["is stores.a.sync.log_bytes"],
        ),
        ("[auth]\ntoken = []", &["is auth.tokens"]),
    ];
    for (text, parts) in table {
        file(text, parts);
    }
}

#[test]
fn unknown_variables_name_the_nearest_one() {
    let table = [
        ("GRIDKV_HTTP_LISTEN", "GRIDKV_HTTP__LISTEN"),
        ("GRIDKV_http__listen", "GRIDKV_HTTP__LISTEN"),
        ("GRIDKV_STORES__MAIN__BACKENT", "GRIDKV_STORES__MAIN__BACKEND"),
        ("GRIDKV_STORES__BACKEND", "GRIDKV_STORES__"),
        ("GRIDKV_LOGLEVEL", "GRIDKV_LOG__LEVEL"),
        ("GRIDKV_PEERS_SECRET_FILE", "GRIDKV_PEERS__SECRET_FILE"),
        ("GRIDKV_NODE__NAME_FILE", "GRIDKV_NODE__NAME"),
        ("GRIDKV_", "GRIDKV_"),
    ];
    for (variable, nearest) in table {
        let parts =
            [format!("environment variable {variable}: unknown variable"), nearest.to_owned()];
        one(Trial::default().variable(variable, "x"), &[&parts[0], &parts[1]]);
    }
    assert!(Trial::default().variable("GRIDKVX", "x").load().is_ok());
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_text() {
    use std::os::unix::ffi::OsStringExt as _;
    let bad = || OsString::from_vec(vec![b'G', b'R', b'I', b'D', b'K', b'V', b'_', 0xff]);
    let host = OsString::from("GRIDKV_NODE__NAME");
    for (name, value) in [(bad(), OsString::from("x")), (host, bad())] {
        let error = load(Sources {
            file: None,
            environment: [(name, value)],
            flags: Vec::new(),
            backends: &[("file", "file")],
            host_name: OsString::from("h"),
            expose_without_auth: false,
        });
        assert!(error.unwrap_err().to_string().contains("not UTF-8"));
    }
}

#[test]
fn types_are_those_of_the_key() {
    let table: [(&str, &[&str]); 8] = [
        ("[http]\nworkers = '3'", &[":2: http.workers = \"3\": must be an integer, not string"]),
        ("[http]\nlisten = 7400", &["http.listen = 7400: must be a string, not integer"]),
        ("[http]\nhead_timeout = 1.5", &["must be a duration such as \"5s\", not float"]),
        ("[peers]\nbootstrap = 'true'", &["must be true or false, not string"]),
        ("[peers]\nseeds = 'n1:1'", &["must be a list of \"host:port\", not string"]),
        ("[peers]\nseeds = [1]", &["must be a string, not integer"]),
        ("http = 5", &["http = 5: is a section; write it as [http]"]),
        ("[stores]\na = 'memory'", &["stores.a = \"memory\": is a section"]),
    ];
    for (text, parts) in table {
        file(text, parts);
    }
}

#[test]
fn values_lie_in_their_range() {
    let table: [(&str, &str, &[&str]); 22] = [
        ("http", "max_key_bytes = 0", &[":2: http.max_key_bytes = 0: must be 1 to 4096 (bytes of"]),
        ("http", "max_key_bytes = 4097", &["1 to 4096"]),
        ("http", "max_value_bytes = 2097153", &["1 to 2097152"]),
        ("http", "workers = -1", &["0 to 1024"]),
        ("http", "listen = 'localhost:7400'", &["ip:port", "no host name"]),
        ("http", "listen = ':7400'", &["ip:port"]),
        ("http", "listen = '127.0.0.1'", &["ip:port"]),
        ("http", "head_timeout = '5 s'", &["a duration: 100ms to 10m"]),
        ("http", "head_timeout = 0", &["100ms to 10m"]),
        ("http", "head_timeout = -5", &["100ms to 10m"]),
        ("peers", "heartbeat_interval = '9ms'", &["10ms to 10s"]),
        ("peers", "heartbeat_interval = '11s'", &["10ms to 10s"]),
        ("peers", "max_frame_bytes = 67108865", &["2097152 to 67108864"]),
        ("peers", "seeds = ['n1:1', 'n2']", &["\"n2\" is not host:port"]),
        ("peers", "advertise = 'http://n1:1'", &["must be host:port"]),
        ("sync", "buffer_size = 0", &["1 to 1048576"]),
        ("sync", "buffer_size = 1048577", &["1 to 1048576"]),
        ("log", "level = 'inof'", &["\"inof\" is none of them"]),
        ("log", "format = 'jsn'", &["one of auto, text, json; the nearest is json"]),
        ("node", "name = 'a b'", &["1 to 128 letters"]),
        ("node", "cluster = ''", &["1 to 64 letters"]),
        ("node", "data_dir = \"a\\u0000b\"", &["a path without NUL"]),
    ];
    for (section, line, parts) in table {
        file(&format!("[{section}]\n{line}"), parts);
    }
    for value in ["1e3", "0x10", "-1", "+1", "1__0", "_1", "", " 1", "99999999999999999999"] {
        let trial = Trial::default().variable("GRIDKV_HTTP__WORKERS", value);
        one(trial, &["GRIDKV_HTTP__WORKERS: http.workers = ", "0 to 1024"]);
    }
    let trial = Trial::default().variable("GRIDKV_PEERS__BOOTSTRAP", "yes");
    one(trial, &["must be one of true, false"]);
    one(Trial::default().variable("GRIDKV_PEERS__SEEDS", "n1:1,"), &["\"\" is not host:port"]);
}

#[test]
fn stores_are_checked() {
    let table: [(&str, &[&str]); 15] = [
        ("[stores.A]\nbackend = 'file'", &["\"A\" is no store name"]),
        ("[stores.'a.b']\nbackend = 'file'", &["\"a.b\" is no store name"]),
        ("[stores._a]\nbackend = 'file'", &["\"_a\" is no store name"]),
        ("[stores.'']\nbackend = 'file'", &["\"\" is no store name"]),
        ("[stores.a]\nbackend = 'fil'", &["stores.a.backend = \"fil\"", "the nearest is file"]),
        (
            "[stores.a]\nmax_memory_mb = 1",
            &[":2: stores.a.backend: the store needs a backend, one of memory, file"],
        ),
        ("[stores.a]", &["stores.a.backend: the store needs a backend"]),
        (
            "[stores.a]\nbackend = 'memory'\ndurability = 'interval'",
            &[
                ":3: stores.a.durability",
                "does nothing for a store on memory: nothing of such a store survives",
                "only file, fjall",
            ],
        ),
        ("[stores.a]\nbackend = 'file'\ndurability = 'disk'", &["one of os, interval, fsync"]),
        (
            "[stores.a]\nbackend = 'file'\ndurability = 'os'\npersist_interval = '1s'",
            &["would do nothing", "durability = \"os\""],
        ),
        ("[stores.a]\nbackend = 'fjall'\nmax_memory_mb = 1", &["cache_size_mb and hot_cache_mb"]),
        ("[stores.a]\nbackend = 'moka'\nmemory_policy = 'soft'", &["does nothing", "moka"]),
        ("[stores.a]\nbackend = 'file'\ncache_size_mb = 1", &["no log-structured engine"]),
        ("[stores.a]\nbackend = 'moka'\nmax_cost = 1", &["next to nothing", "at least 65536"]),
        ("[stores.a]\nbackend = 'memory'\ndefault_ttl = '500ms'", &["0s or 1s to 87600h"]),
    ];
    for (text, parts) in table {
        file(text, parts);
    }
    one(Trial::default().file(&format!("[stores.{}]", "a".repeat(64))), &["no store name"]);
    one(
        Trial::default().typed(&["--store", "a=mocca"]),
        &["flag --store: stores.a.backend = \"mocca\"", "the nearest is moka"],
    );
    one(Trial::default().typed(&["--store", "=file"]), &["flag --store", "no store name"]);
    let twice = ["--store", "a=file", "--store", "a=memory"];
    one(Trial::default().typed(&twice), &["\"memory\": given twice; the other value is \"file\""]);
}

/// The names of the original design are taken, and become those of this one.
#[test]
fn an_alias_is_its_backend() {
    let config = Trial::default().typed(&["--store", "a=badger"]).config();
    assert_eq!(config.stores["a"].backend, "fjall");
    let named = Trial::default().typed(&["--store", "a=fjall"]).config();
    assert_eq!(config, named);
}

#[test]
fn without_a_directory_only_volatile_stores_live() {
    let parts = ["flag --data-dir: node.data_dir = \"\"", "store main on file needs a directory"];
    one(Trial::default().typed(&["--data-dir", ""]), &parts);
    let memory = Trial::default().typed(&["--data-dir", "", "--store", "a=memory"]).config();
    assert_eq!(memory.node.data_dir, None);
    let both = Trial::default().typed(&["--data-dir", "", "--store", "a=file"]);
    one(both, &["flag --store: stores.a.backend = \"file\"", "put the store on memory"]);
}

#[test]
fn settings_that_contradict_each_other() {
    let table: [(&str, &[&str]); 11] = [
        (
            "[peers]\nmax_frame_bytes = 2097152\n[http]\nmax_value_bytes = 2097152\n[sync]\nbatch_max_bytes = 1024",
            &[":4: http.max_value_bytes", "2163712 bytes", "could never reach a peer"],
        ),
        ("[http]\nmax_body_bytes = 1024", &["http.max_body_bytes = 1024 must be at least"]),
        ("[peers]\nmax_queue_bytes = 4194303", &["at least peers.max_frame_bytes = 4194304"]),
        (
            "[sync]\nbatch_max_bytes = 4194304",
            &[":2: sync.batch_max_bytes", "less than peers.max_frame_bytes"],
        ),
        (
            "[stores.a]\nbackend = 'memory'\nsync.batch_max_bytes = 4194304",
            &["stores.a.sync.batch_max_bytes"],
        ),
        ("[peers]\nsuspect_after = '200ms'", &["more than peers.heartbeat_interval = 200ms"]),
        ("[peers]\ndown_after = '1s'", &["at least peers.suspect_after = 2s"]),
        ("[peers]\nlisten = '127.0.0.1:7400'", &["would be the same port"]),
        ("[peers]\nadvertise = '0.0.0.0:7500'", &["no peer can dial it"]),
        (
            "[http]\nlisten = '192.0.2.1:7400'",
            &["http.listen", "no authentication", "--insecure-expose-without-auth"],
        ),
        ("[peers]\nlisten = '[2001:db8::1]:7500'", &["peers.listen", "no authentication"]),
    ];
    for (text, parts) in table {
        file(text, parts);
    }
}

#[test]
fn listeners_stay_on_the_loopback_unless_the_flag_says_otherwise() {
    for listen in ["127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "127.0.0.1:0"] {
        assert!(Trial::default().typed(&["--listen", listen]).load().is_ok(), "{listen}");
    }
    for listen in ["0.0.0.0:1", "[::]:1", "[::ffff:10.0.0.1]:1", "169.254.0.1:1"] {
        one(Trial::default().typed(&["--listen", listen]), &["flag --listen", "no authentication"]);
        let exposed = ["--listen", listen, "--insecure-expose-without-auth"];
        assert!(Trial::default().typed(&exposed).load().is_ok(), "{listen}");
    }
    let everywhere = ["--peer-listen", "0.0.0.0:7500", "--insecure-expose-without-auth"];
    one(Trial::default().typed(&everywhere), &["set peers.advertise (--advertise)"]);
    let dialled: Vec<&str> = everywhere.into_iter().chain(["--advertise", "n1:7500"]).collect();
    assert!(Trial::default().typed(&dialled).load().is_ok());
    let key = Trial::default().variable("GRIDKV_INSECURE_EXPOSE_WITHOUT_AUTH", "true");
    one(key, &["unknown variable"]);
}

#[test]
fn files_that_cannot_be_read() {
    file("[http]\nworkers = ", &[":2: not TOML"]);
    file("[http]\nworkers = 1\nworkers = 2", &[":3: not TOML", "duplicate"]);
    file("[http]\n[http]", &[":2: not TOML"]);
    file("a = 99999999999999999999", &[":1: not TOML"]);
    file(&" ".repeat(1 << 20).replace(' ', "# "), &["longer than 1048576 bytes"]);
    let missing = load(Sources {
        file: Some(Path::new("/nowhere/gridkv.toml")),
        environment: [(OsString::from("GRIDKV_X"), OsString::new())],
        flags: Vec::new(),
        backends: &[("file", "file")],
        host_name: OsString::from("h"),
        expose_without_auth: false,
    });
    let text = missing.unwrap_err().to_string();
    assert!(text.contains("/nowhere/gridkv.toml: cannot be read"), "{text}");
    assert!(text.contains("GRIDKV_X"), "the other layers are still judged: {text}");
}

#[test]
fn all_problems_are_reported_together_and_in_order() {
    let problems = Trial::default()
        .file("[peers]\nsuspect_after = 'x'\n[http]\nnope = 1\nlisten = '0.0.0.0:1'")
        .variable("GRIDKV_HTTP__WORKERS", "many")
        .typed(&["--log-format", "xml", "--name", "?"])
        .host("also bad?")
        .problems();
    let starts = [
        ":2: peers.suspect_after",
        ":4: http.nope",
        ":5: http.listen",
        "environment variable GRIDKV_HTTP__WORKERS",
        "flag --name",
        "flag --log-format",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem:?} should start with {start:?}");
    }
}

#[test]
fn a_bad_value_is_reported_even_when_a_later_layer_covers_it() {
    let trial = Trial::default().file("[http]\nworkers = -1").typed(&["--listen", "127.0.0.1:1"]);
    one(trial.variable("GRIDKV_HTTP__WORKERS", "2"), &[":2: http.workers = -1"]);
}

#[test]
fn rules_about_a_refused_value_stay_silent() {
    file(
        "[peers]\nmax_frame_bytes = 1\n[http]\nmax_value_bytes = 2097152",
        &["max_frame_bytes = 1"],
    );
}

#[test]
fn one_problem_is_one_line() {
    let long = format!("[node]\nname = \"\"\"a\nb{}\"\"\"", "c".repeat(500));
    let problems = Trial::default().file(&long).problems();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains('…') && problems[0].len() < 400, "{problems:?}");
}

#[test]
fn a_host_name_that_is_no_name() {
    one(Trial::default().host("my box"), &["node.name = \"my box\": the host name cannot be"]);
    one(Trial::default().host(""), &["--name"]);
}
