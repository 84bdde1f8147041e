//! docs/cli.md is true: each command of it is run against live nodes, and prints what stands there.
//!
//! What differs from run to run (versions, times, ids, cursors) is compared by its form; in a block that is marked
//! `console numbers`, numbers are too. With `GRIDKV_RECORD=1` the document is written anew with what was printed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use super::desk::Desk;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md");
const FENCE: &str = "```";
/// Ports as the document has them, before the number of the node.
const HTTP: &str = "740";
const PEERS: &str = "750";

#[test]
fn the_walk_through_is_true() {
    let text = fs::read_to_string(DOCUMENT).unwrap();
    let desk = Desk::with_nodes(2);
    let program = desk.dir.path().join("bin");
    fs::create_dir(&program).unwrap();
    symlink(env!("CARGO_BIN_EXE_gridkv"), program.join("gridkv")).unwrap();
    let walked = walk(&text, &Shell::new(&desk, &program));
    if std::env::var_os("GRIDKV_RECORD").is_some() {
        fs::write(DOCUMENT, &walked).unwrap();
    }
    let (expected, found) = (forms(&text), forms(&walked));
    for (line, (expected, found)) in expected.iter().zip(&found).enumerate() {
        assert_eq!(expected, found, "docs/cli.md, line {} or near it:\n{walked}", line + 1);
    }
    assert_eq!(expected.len(), found.len(), "{walked}");
}

/// Where the commands of the document are run.
struct Shell<'a> {
    directory: &'a Path,
    path: String,
    /// What the document calls an address, and what it is here.
    addresses: BTreeMap<String, String>,
}

impl<'a> Shell<'a> {
    fn new(desk: &'a Desk, program: &Path) -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut addresses = BTreeMap::new();
        for (number, node) in (1..).zip(desk.cluster.nodes()) {
            let address = node.address();
            addresses
                .insert(format!("127.0.0.1:{HTTP}{number}"), format!("127.0.0.1:{}", address.http));
            addresses.insert(
                format!("127.0.0.1:{PEERS}{number}"),
                format!("127.0.0.1:{}", address.peers),
            );
        }
        Self {
            directory: desk.dir.path(),
            path: format!("{}:{path}", program.display()),
            addresses,
        }
    }

    /// What a command prints, both outputs together.
    fn run(&self, command: &str) -> String {
        let mut command = command.to_owned();
        for (shown, real) in &self.addresses {
            command = command.replace(shown, real);
        }
        let url = self.addresses.get(&format!("127.0.0.1:{HTTP}1")).unwrap();
        let ran = Command::new("/bin/bash")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(self.directory)
            .env_clear()
            .env("PATH", &self.path)
            .env("GRIDKV_URL", format!("http://{url}"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let mut out = String::from_utf8(ran.stdout).unwrap();
        for (shown, real) in &self.addresses {
            out = out.replace(real, shown);
        }
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out
    }
}

/// The document with what its commands print now.
fn walk(text: &str, shell: &Shell<'_>) -> String {
    let mut walked = String::new();
    let (mut is_console, mut lines) = (false, text.lines().peekable());
    while let Some(line) = lines.next() {
        if line.starts_with(FENCE) {
            is_console = !is_console && line.starts_with("```console");
        }
        if let (true, Some(command)) = (is_console, line.strip_prefix("$ ")) {
            let mut whole = command.to_owned();
            walked.push_str(line);
            walked.push('\n');
            while whole.ends_with('\\') {
                let more = lines.next().unwrap();
                walked.push_str(more);
                walked.push('\n');
                whole =
                    format!("{}{}", whole.trim_end_matches('\\'), more.trim_start_matches("> "));
            }
            walked.push_str(&shell.run(&whole));
        } else if !is_console || line.starts_with(FENCE) {
            walked.push_str(line);
            walked.push('\n');
        }
    }
    walked
}

/// The lines of the document, and in consoles only their forms.
fn forms(text: &str) -> Vec<String> {
    let (mut is_console, mut of_numbers) = (false, false);
    text.lines()
        .map(|line| {
            if line.starts_with(FENCE) {
                is_console = !is_console && line.starts_with("```console");
                of_numbers = line.ends_with(" numbers");
            } else if is_console {
                return form(line, of_numbers);
            }
            line.to_owned()
        })
        .collect()
}

/// A line with what differs from run to run replaced by what it is.
fn form(line: &str, of_numbers: bool) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '_');
    let mut out = String::new();
    let mut rest = line;
    if line.ends_with(" GMT") {
        return format!("{} DATE", line.split_whitespace().next().unwrap());
    }
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_part(c) != is_part(first)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        if is_part(first) {
            out.push_str(&word(piece, of_numbers));
        } else {
            // Columns are as wide as what is in them.
            let is_gap = piece.chars().all(char::is_whitespace);
            out.push_str(if is_gap { " " } else { piece });
        }
    }
    out.trim_end().to_owned()
}

fn word(piece: &str, of_numbers: bool) -> String {
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
    };
    let is_version =
        piece.split_once('-').is_some_and(|(time, origin)| is_hex(time, 16) && is_hex(origin, 16));
    let is_place = piece.split_once('-').is_some_and(|(run, _)| is_hex(run, 16));
    let is_time = piece.len() == 24 && piece.ends_with('Z') && piece.contains('T');
    let is_cursor = piece.len() > 16 && piece.starts_with("Ag");
    let is_number = piece.parse::<f64>().is_ok();
    let form = if is_version {
        "VERSION"
    } else if is_place {
        "PLACE"
    } else if is_time {
        "TIME"
    } else if is_hex(piece, 8) {
        "ID"
    } else if is_cursor {
        "CURSOR"
    } else if of_numbers && is_number {
        "N"
    } else if of_numbers && matches!(piece, "B" | "KiB" | "MiB") {
        "UNIT"
    } else if of_numbers && matches!(piece, "yes" | "no") {
        "ANSWER"
    } else {
        piece
    };
    form.to_owned()
}

#[test]
fn forms_are_of_what_differs_only() {
    assert_eq!(form("k  01a22a7361a00000-f5beb25b6b0cea54", false), "k VERSION");
    assert_eq!(form("up 2026-11-30T03:15:34.650Z a7f81920 5", false), "up TIME ID 5");
    assert_eq!(form("memory   1.2 KiB  -5", true), "memory N UNIT N");
}
