//! A command of the user's for each change.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use crate::command::{Context, record};
use crate::output::{complain, escape};

/// What is run, and what does not change from one change to the next.
pub(super) struct Hook<'a> {
    command: &'a str,
    store: &'a str,
    url: String,
}

impl<'a> Hook<'a> {
    pub(super) fn new(command: &'a str, context: &'a Context, url: &str) -> Self {
        Self { command, store: &context.store, url: url.to_owned() }
    }

    /// Runs it to its end. That it failed is told, and is no reason to stop following.
    pub(super) fn run(&self, context: &Context, change: &Json) {
        let field = |name: &str| change.get(name).and_then(Json::as_str).unwrap_or_default();
        let value = record::value(change.get("value").unwrap_or(&Json::Null)).unwrap_or_default();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", self.command]).stdin(Stdio::piped());
        let variables = [
            ("GRIDKV_EVENT", field("event")),
            ("GRIDKV_KEY", field("key")),
            ("GRIDKV_VERSION", field("version")),
            ("GRIDKV_SEQ", field("seq")),
            // Those that commands read: what is run asks the same node about the same store.
            ("GRIDKV_STORE", self.store),
            ("GRIDKV_URL", &self.url),
        ];
        command.envs(variables);
        let ended = command.spawn().and_then(|mut child| {
            if let Some(mut stdin) = child.stdin.take() {
                // A command that does not read its input is none that failed.
                stdin.write_all(&value).ok();
            }
            child.wait()
        });
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => {
                context.output.note(&format!("the command for {}: {status}", escape(field("key"))));
            }
            Err(error) => {
                complain(&format!("the command for {} can not run: {error}", escape(field("key"))));
            }
        }
    }
}
