//! On a terminal: tables that are redrawn in place, bars, questions, and nothing of a store that a terminal would obey.
//!
//! The terminal is tmux; where there is none, this says so and proves nothing.

use std::process::Command;

use gridkv_cluster::wait_until;

use super::desk::{Desk, PATIENCE};

/// A terminal with a shell that talks to a desk's first node. Dropping it ends both.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn open(desk: &Desk) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!("skipped: there is no tmux here");
            return None;
        }
        let terminal = Self { socket: desk.dir.path().join("tmux").to_str().unwrap().to_owned() };
        let shell = format!(
            "env -i TERM=screen PATH=/usr/bin:/bin GRIDKV_URL={} PS1='ready> ' /bin/sh",
            desk.cluster.node(1).base_url()
        );
        let size = ["-x", "110", "-y", "30"];
        terminal.tmux(
            &[&["-f", "/dev/null", "new-session", "-d"], size.as_slice(), &[&shell]].concat(),
        );
        terminal.wait("a shell", |screen| screen.contains("ready>"));
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let ran = Command::new("tmux").args(["-S", &self.socket]).args(arguments).output().unwrap();
        String::from_utf8(ran.stdout).unwrap()
    }

    /// Types a line that runs the program.
    fn run(&self, line: &str) {
        let program = env!("CARGO_BIN_EXE_gridkv");
        self.tmux(&["send-keys", "-l", &format!("clear; {}", line.replace("gridkv", program))]);
        self.tmux(&["send-keys", "Enter"]);
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Waits until the screen shows something.
    fn wait(&self, what: &str, shows: impl Fn(&str) -> bool) -> String {
        let screen = || self.tmux(&["capture-pane", "-p"]);
        let waited = wait_until(PATIENCE, what, || shows(&screen()));
        assert!(waited.is_ok(), "{what} did not come:\n{}", screen());
        screen()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn a_terminal_shows_tables_bars_and_questions() {
    let desk = Desk::with_nodes(2);
    let Some(terminal) = Terminal::open(&desk) else { return };

    terminal.run("gridkv stats --watch 200ms");
    terminal.wait("the table", |screen| screen.contains("READS/S"));
    desk.run(&["put", "k", "v"]);
    // The number moved, so that it was drawn again; one headline, so that it was in place.
    let is_new =
        |screen: &str| screen.lines().any(|line| line.starts_with("main      file        1 "));
    let screen = terminal.wait("the table once more", is_new);
    assert_eq!(screen.matches("READS/S").count(), 1, "{screen}");
    terminal.press("C-c");
    terminal.wait("its end", |screen| screen.trim_end().ends_with("ready>"));

    terminal.run("gridkv peers --watch 200ms");
    terminal.wait("the members", |screen| screen.contains("n2") && screen.contains("up"));
    terminal.press("C-c");

    terminal.run("gridkv bench -t put -n 100000000 -c 2");
    terminal.wait("a bar", |screen| screen.contains("put [") && screen.contains("eta"));
    terminal.press("C-c");
    terminal.wait("what was done", |screen| {
        screen.contains("interrupted") && screen.contains("P99 MS")
    });

    terminal.run("gridkv put typed >/dev/null");
    terminal.wait("what is waited for", |screen| screen.contains("Ctrl-D at the beginning"));
    terminal.press("C-d");
    terminal.wait("its end", |screen| screen.trim_end().ends_with("ready>"));

    desk.run(&["put", "x\x1b[2Jy", "v\x1b[2J"]);
    terminal.run("gridkv ls x; gridkv get k; gridkv del --prefix x");
    let screen = terminal.wait("a question", |screen| screen.contains("[y/N]"));
    assert!(screen.starts_with("x\\u{1b}[2Jy\nv\nDelete all keys"), "{screen}");
    terminal.tmux(&["send-keys", "y", "Enter"]);
    terminal.wait("the count", |screen| screen.lines().any(|line| line == "1"));
    desk.run(&["ls", "x"]).printed("");
}
