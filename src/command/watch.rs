//! `gridkv watch`: the changes of a store as they are committed, for as long as it is wanted.
//!
//! A connection that is cut is made again, and goes on after the last change that was dealt with; that this happened,
//! and when changes can have been missed, is said on standard error.

mod events;
mod hook;

use std::io;
use std::time::Duration;

use clap::Args;
use serde_json::Value as Json;

use self::events::{Events, Item};
use self::hook::Hook;
use super::{Context, Exit, Run, plain_settings, reason};
use crate::cli::settings::{Format, Settings};
use crate::client::{Call, ClientError, Patience, Query, encoded};
use crate::output::{Paint, in_lines};

/// The first pause before a cut connection is made again; each one after it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The place before all changes.
const FROM_THE_OLDEST: &str = "0";

const HELP: &str = "\
Examples:
  gridkv watch
      Every change of the store from now on, one on a line: what, key, version.
  gridkv watch user: --since 0
      Those of keys that begin with user:, beginning with what the node still remembers.
  gridkv watch -o ndjson --values
      One JSON object for each, with the value in base64.
  gridkv watch config/ --exec 'reload-service \"$GRIDKV_KEY\"'
      Runs a command for each change: what in GRIDKV_EVENT (put, delete, expire), key in GRIDKV_KEY, version in
      GRIDKV_VERSION, place in GRIDKV_SEQ, and the value on standard input.
  gridkv watch --limit 1
      Ends after one.

A change may come twice when a connection was cut, and never not at all without a word on standard error.";

/// `gridkv watch`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv watch --help")]
pub(crate) struct WatchArgs {
    /// Only keys that begin like this
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    /// Where to begin: now, 0 for all that the node remembers, or the place of a change
    #[arg(long, value_name = "PLACE", default_value = "now")]
    since: String,
    /// Tell values too
    #[arg(long)]
    values: bool,
    /// Run this command (by sh -c) for each change, instead of printing it
    #[arg(long, value_name = "CMD")]
    exec: Option<String>,
    /// End after so many changes
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    #[command(flatten)]
    settings: Settings,
}

/// How one connection ended.
enum Cut {
    /// All that was wanted has come.
    Enough,
    /// Ctrl-C.
    Interrupted,
    /// The other side ended it, or the network did.
    Ended(String),
}

impl Run for WatchArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let mut place: Option<String> = None;
        let mut pause = FIRST_PAUSE;
        let mut shown = Shown { seen: 0, is_connected: false };
        loop {
            match self.follow(context, &mut place, &mut shown) {
                Ok(Cut::Enough) => return Ok(Exit::Done),
                Ok(Cut::Interrupted) => {
                    context.output.note(&format!("interrupted after {} changes", shown.seen));
                    return Ok(Exit::Interrupted);
                }
                Ok(Cut::Ended(why)) => {
                    let place = place.as_deref().unwrap_or("now");
                    context.output.note(&format!("{why}; going on since {place}"));
                    // The same node first: the place means nothing at another one.
                    pause = FIRST_PAUSE;
                }
                Err(error) => self.survive(context, error, &mut place, shown.is_connected)?,
            }
            if !context.interrupt.sleep(pause) {
                return Ok(Exit::Interrupted);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// What was shown so far.
struct Shown {
    seen: u64,
    /// There was a connection: from then on, a failure is a cut.
    is_connected: bool,
}

impl WatchArgs {
    /// Follows over one connection.
    fn follow(
        &self,
        context: &Context,
        place: &mut Option<String>,
        shown: &mut Shown,
    ) -> anyhow::Result<Cut> {
        let query = Query::of(format!("/v1/stores/{}/changes", encoded(&context.store)))
            .with("prefix", (!self.prefix.is_empty()).then_some(&self.prefix))
            .with("since", place.is_none().then_some(&self.since))
            .with("include", (self.values || self.exec.is_some()).then_some("value"));
        let call = Call::get(query)
            .header("accept", Some("text/event-stream"))
            .header("last-event-id", place.clone())
            .patience(Patience::Stream);
        let answer = context.client.call(call)?;
        if shown.is_connected {
            context.output.note(&format!("connected again to {}", answer.url()));
        } else {
            context.output.detail(|| format!("connected to {}", answer.url()));
        }
        shown.is_connected = true;
        let hook = self.exec.as_deref().map(|command| Hook::new(command, context, answer.url()));
        let mut events = Events::default();
        let url = answer.url().to_owned();
        let mut lines = answer.into_lines();
        loop {
            if context.interrupt.is_set() {
                return Ok(Cut::Interrupted);
            }
            let line = match lines.next() {
                Ok(Some(line)) => String::from_utf8_lossy(line),
                Ok(None) => return Ok(Cut::Ended("the connection was closed".to_owned())),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(ClientError::Strange { url, what: error.to_string() }.into());
                }
                Err(error) => return Ok(Cut::Ended(format!("the connection was cut ({error})"))),
            };
            match events.line(&line) {
                None => {}
                Some(Item::Place(id)) => *place = Some(id),
                Some(Item::Change(change)) => {
                    match &hook {
                        Some(hook) => hook.run(context, &change),
                        None => self.print(context, &change)?,
                    }
                    *place = change.get("seq").and_then(Json::as_str).map(str::to_owned);
                    shown.seen += 1;
                    context.standing.set(format!("after {} changes", shown.seen));
                    if self.limit.is_some_and(|limit| shown.seen >= limit) {
                        return Ok(Cut::Enough);
                    }
                }
                Some(Item::Bye) => return Ok(Cut::Ended("the node stops".to_owned())),
                Some(Item::Truncated(oldest)) => {
                    let why = "changes were missed: this came too slowly, and the node forgot them";
                    *place = oldest.or_else(|| place.take());
                    return Ok(Cut::Ended(why.to_owned()));
                }
            }
        }
    }

    /// A connection that could not be made: reason to go on, once there was one, and when all that a node remembers
    /// is wanted.
    fn survive(
        &self,
        context: &Context,
        error: anyhow::Error,
        place: &mut Option<String>,
        was_connected: bool,
    ) -> anyhow::Result<()> {
        let refused = match error.downcast_ref() {
            Some(ClientError::Refused(problem)) => Some(problem),
            Some(
                ClientError::Unreachable { .. }
                | ClientError::NoAnswer { .. }
                | ClientError::BrokenOff { .. },
            ) if was_connected => None,
            _ => return Err(error),
        };
        let Some(problem) = refused else {
            context.output.note(&format!("{}; trying again", reason(&error)));
            // A node that is silent may stay so; at another one the place means nothing, which is then said.
            context.client.turn();
            return Ok(());
        };
        let oldest = problem.fields.get("oldest").and_then(Json::as_str);
        match (problem.status, oldest) {
            // Another run of the node, or another node: nobody can know what came in between.
            (410, Some(oldest)) if was_connected => {
                context.output.note(
                    "changes may have been missed: the place is not known there any more; going on with the \
                     oldest that is",
                );
                *place = Some(oldest.to_owned());
                Ok(())
            }
            (410, Some(oldest)) if self.since == FROM_THE_OLDEST => {
                context.output.note(&format!(
                    "earlier changes are forgotten; beginning with the oldest that is known, {oldest}"
                ));
                *place = Some(oldest.to_owned());
                Ok(())
            }
            (410, Some(oldest)) => {
                let why = format!("begin with --since {oldest}, the oldest that is known");
                Err(error.context(why))
            }
            (500.., _) if was_connected => {
                context.output.note(&format!("{problem}; trying again"));
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn print(&self, context: &Context, change: &Json) -> anyhow::Result<()> {
        let output = &context.output;
        let field = |name: &str| change.get(name).and_then(Json::as_str).unwrap_or_default();
        match output.format(Format::Text) {
            Format::Ndjson => output.bytes(in_lines(std::slice::from_ref(change)).as_bytes())?,
            Format::Json => output.document(change)?,
            Format::Text | Format::Table => {
                let event = field("event");
                let paint = match event {
                    "put" => Paint::Good,
                    "expire" => Paint::Warning,
                    _ => Paint::Bad,
                };
                let mut line = format!(
                    "{:<6} {} {}",
                    paint.on(event, output.has_colour()),
                    output.shown(field("key")),
                    field("version")
                );
                if self.values && event == "put" {
                    let value = super::record::value(change.get("value").unwrap_or(&Json::Null));
                    let text = value.map(|value| String::from_utf8_lossy(&value).into_owned());
                    line.push(' ');
                    line.push_str(&crate::output::escape(&text.unwrap_or_default()));
                }
                output.line(&line)?;
            }
        }
        Ok(())
    }
}
