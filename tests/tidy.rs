//! The rules of DESIGN section 1 and STYLE, enforced: rooms depend only on what their row names, vendor crates and
//! clocks are named in few files, and every file says what it is for. A checker that finds nothing proves nothing, so
//! most of these tests show it trees in which it must find something.

#![expect(clippy::unwrap_used, reason = "a fixture that can not be made is a failed test")]

#[path = "tidy/checker.rs"]
mod checker;
#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/offence.rs"]
mod offence;
#[path = "tidy/rooms.rs"]
mod rooms;

use std::fs;
use std::path::Path;

use offence::{Offence, Rule};

#[test]
fn this_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(checker::count(root) > 100, "the tree was not looked into");
    let offences: Vec<String> = checker::check(root).iter().map(Offence::to_string).collect();
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// What the checker finds in a tree of these files and the workspace's own list of crates.
fn found(files: &[(&str, &str)]) -> Vec<(Rule, String, String)> {
    let dir = tempfile::tempdir().unwrap();
    let workspace = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    fs::write(dir.path().join("Cargo.toml"), workspace).unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let offences = checker::check(dir.path());
    offences.into_iter().map(|offence| (offence.rule, offence.file, offence.found)).collect()
}

/// What it finds in one documented file.
fn in_code(file: &str, code: &str) -> Vec<(Rule, String)> {
    let found = found(&[(file, &format!("//! A file.\n{code}\n"))]);
    found.into_iter().map(|(rule, _, what)| (rule, what)).collect()
}

fn one(rule: Rule, what: &str) -> Vec<(Rule, String)> {
    vec![(rule, what.to_owned())]
}

#[test]
fn rooms_depend_only_on_what_their_row_names() {
    let table = [
        ("protocol", "[dependencies]\ntokio = \"1\"", "dependencies: tokio"),
        (
            "protocol",
            "[dependencies]\ngridkv-storage.workspace = true",
            "dependencies: gridkv-storage",
        ),
        (
            "protocol",
            "[dev-dependencies]\ngridkv-actors.workspace = true",
            "dev-dependencies: gridkv-actors",
        ),
        (
            "protocol",
            "[dependencies]\nx = { package = \"rand\", version = \"1\" }",
            "dependencies: rand",
        ),
        ("storage", "[dependencies]\nactix.workspace = true", "dependencies: actix"),
        ("storage", "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"", "dependencies: tokio"),
        ("storage", "[build-dependencies]\ncc = \"1\"", "build-dependencies: cc"),
        ("actors", "[dependencies]\nactix-web.workspace = true", "dependencies: actix-web"),
        ("actors", "[dependencies]\nserde_json.workspace = true", "dependencies: serde_json"),
        ("http", "[dependencies]\ngridkv-storage.workspace = true", "dependencies: gridkv-storage"),
        ("http", "[dependencies.gridkv-storage]\nworkspace = true", "dependencies: gridkv-storage"),
    ];
    for (room, manifest, what) in table {
        let file = format!("{room}/Cargo.toml");
        let expected = (Rule::Dependency, file.clone(), what.to_owned());
        assert_eq!(found(&[(&file, manifest)]), [expected], "{manifest}");
    }
    let broken = found(&[("http/Cargo.toml", "[dependencies")]);
    assert!(matches!(broken.as_slice(), [(Rule::Manifest, ..)]), "{broken:?}");
    let allowed =
        "[dependencies]\nserde = \"1\"\n[dev-dependencies]\nproptest = \"1\"\ntempfile = \"3\"";
    assert_eq!(found(&[("protocol/Cargo.toml", allowed)]), []);
}

#[test]
fn rooms_name_only_what_their_row_names() {
    let table = [
        ("protocol/src/a.rs", "use tokio::net::TcpStream;", "tokio::net::TcpStream"),
        ("storage/src/a.rs", "fn f() { actix::System::new(); }", "actix::System::new"),
        (
            "storage/src/a.rs",
            "use gridkv_actors::{node::NodeHandle};",
            "gridkv_actors::node::NodeHandle",
        ),
        ("actors/src/a.rs", "use actix_web::HttpResponse;", "actix_web::HttpResponse"),
        ("actors/src/deep/a.rs", "use serde_json::Value;", "serde_json::Value"),
        ("http/src/a.rs", "use ::gridkv_storage::store;", "gridkv_storage::store"),
    ];
    for (file, code, what) in table {
        assert_eq!(in_code(file, code), one(Rule::Foreign, what), "{code}");
    }
    assert_eq!(in_code("src/a.rs", "use gridkv_storage::store; use tokio::time;"), []);
}

#[test]
fn rooms_never_do_what_is_not_theirs() {
    let table = [
        ("protocol/src/a.rs", "use std::fs;", "std::fs"),
        ("protocol/src/a.rs", "use std::{fmt, net::TcpStream};", "std::net::TcpStream"),
        ("protocol/src/a.rs", "fn f() { std::thread::spawn(g); }", "std::thread::spawn"),
        ("protocol/src/a.rs", "use std::time::SystemTime;", "std::time::SystemTime"),
        ("protocol/src/a.rs", "async\n fn f() {}", "async"),
        ("storage/src/a.rs", "fn f() { g().await; }", ".await"),
        ("storage/src/a.rs", "use std::net::SocketAddr;", "std::net::SocketAddr"),
        ("http/src/a.rs", "struct S(Mutex<u8>);", "Mutex"),
        ("http/src/a.rs", "fn f() { std::fs::read(p); }", "std::fs::read"),
        ("actors/src/a.rs", "fn f() { std::process::exit(1); }", "std::process::exit"),
        ("src/a.rs", "fn f() { println!(); }", "println!"),
    ];
    for (file, code, what) in table {
        assert_eq!(in_code(file, code), one(Rule::Never, what), "{code}");
    }
    let innocent = "// std::fs, async\nconst A: &str = \"std::fs .await\";\nfn std_fs() {}";
    assert_eq!(in_code("protocol/src/a.rs", innocent), []);
    let test = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}";
    assert_eq!(in_code("protocol/src/a.rs", test), []);
    assert_eq!(in_code("protocol/src/a_test.rs", "use std::fs;"), []);
    let fixture = ("protocol/src/fixture.rs", "//! Files.\nuse std::fs;\n");
    let library = |mark| format!("//! A room.\n{mark}\nmod fixture;\n");
    assert_eq!(found(&[fixture, ("protocol/src/lib.rs", &library("#[cfg(test)]"))]), []);
    assert_eq!(found(&[fixture, ("protocol/src/lib.rs", &library(""))]).len(), 1);
}

#[test]
fn vendor_crates_are_named_in_few_files() {
    let table = [
        ("protocol/src/a.rs", "fn f() { rmp_serde::to_vec(x); }", "rmp_serde::to_vec"),
        ("http/src/routes.rs", "use prometheus::Registry;", "prometheus::Registry"),
        ("storage/src/memory.rs", "use scc::HashMap;", "scc::HashMap"),
        ("storage/src/store.rs", "use crossbeam_queue::ArrayQueue;", "crossbeam_queue::ArrayQueue"),
        ("src/banner.rs", "use anyhow::Context;", "anyhow::Context"),
    ];
    for (file, code, what) in table {
        assert_eq!(in_code(file, code), one(Rule::Vendor, what), "{code}");
    }
    for (file, code, _) in [
        ("protocol/src/codec.rs", "fn f() { rmp_serde::to_vec(x); }", ""),
        ("http/src/metrics/names.rs", "use prometheus::Registry;", ""),
        ("storage/src/map.rs", "use scc::HashMap;", ""),
    ] {
        assert_eq!(in_code(file, code), [], "{file}");
    }
}

#[test]
fn clocks_are_read_in_few_files() {
    let read = "fn f() { std::time::Instant::now(); }";
    for file in ["actors/src/a.rs", "http/src/a.rs", "storage/src/a.rs", "src/a.rs", "tests/a.rs"] {
        assert_eq!(in_code(file, read), one(Rule::Clock, "Instant::now"), "{file}");
    }
    let wall = in_code("http/src/a.rs", "fn f() { SystemTime::now(); }");
    assert_eq!(wall, one(Rule::Clock, "SystemTime::now"));
    for file in ["actors/src/clock.rs", "http/src/stopwatch.rs", "tests/cluster/src/deadline.rs"] {
        assert_eq!(in_code(file, read), [], "{file}");
    }
}

#[test]
fn files_say_what_they_are_for() {
    let undocumented = found(&[("src/a.rs", "fn f() {}\n")]);
    assert!(matches!(undocumented.as_slice(), [(Rule::Undocumented, ..)]), "{undocumented:?}");
    let lines = |count: usize| "//\n".repeat(count - 1);
    assert_eq!(in_code("src/a.rs", lines(rooms::MOST_LINES - 1).trim_end()), []);
    let long = in_code("tests/a.rs", &lines(rooms::MOST_LINES));
    assert_eq!(long, one(Rule::TooLong, &format!("{} lines", rooms::MOST_LINES + 1)));
    for file in ["src/util.rs", "tests/helpers/a.rs", "http/src/common_test.rs", "a/manager.rs"] {
        let nameless = in_code(file, "fn f() {}");
        assert!(matches!(nameless.as_slice(), [(Rule::Nameless, _)]), "{file}: {nameless:?}");
    }
}

#[test]
fn nothing_is_left_unfinished_and_no_machine_is_named() {
    for phrase in rooms::UNFINISHED {
        assert_eq!(
            in_code("src/a.rs", &format!("fn f() {{ {phrase}() }}")),
            one(Rule::Unfinished, phrase)
        );
    }
    for start in rooms::MACHINE_PATHS {
        let code = format!("const A: &str = \"{start}x\";");
        assert_eq!(in_code("tests/a.rs", &code), one(Rule::MachinePath, start));
    }
}
