//! An operation that a node goes on with by itself, followed until it is over.

use std::time::Duration;

use anyhow::bail;
use serde_json::Value as Json;

use super::progress::Unit;
use super::{Context, Exit, Progress};
use crate::cli::settings::Format;
use crate::client::{Answer, Call, Patience, Query, encoded};

/// How long one look at an operation waits for its end.
const LOOK: Duration = Duration::from_secs(1);

/// Shows an operation until it is over. `doing` is what it does, for the progress.
///
/// # Errors
/// When it fails, or nobody tells how it goes.
pub(crate) fn follow(
    context: &Context,
    begun: Answer,
    doing: &'static str,
) -> anyhow::Result<Exit> {
    let mut operation = begun.json()?;
    let id = field(&operation, "id").as_str().unwrap_or_default().to_owned();
    let mut progress = Progress::new(&context.output, doing, Unit::Things("records"), Some(0));
    loop {
        let number = |name| field(&operation, name).as_u64().unwrap_or(0);
        progress.set_total(number("total"));
        progress.set(number("done"));
        context.standing.set(format!("operation {id} goes on at the node: {}", progress.words()));
        match field(&operation, "state").as_str() {
            Some("running") => {}
            Some("done") => break,
            _ => {
                progress.end();
                let why = field(&operation, "error").as_str().unwrap_or("no reason was given");
                bail!("{doing} failed: {why}");
            }
        }
        if context.interrupt.is_set() {
            progress.end();
            let words = progress.words();
            context
                .output
                .note(&format!("interrupted; operation {id} goes on at the node: {words}"));
            return Ok(Exit::Interrupted);
        }
        let path = Query::of(format!("/v1/operations/{}", encoded(&id))).with("wait", Some("1s"));
        let call = Call::get(path).patience(Patience::Answer { beyond: LOOK });
        operation = context.client.call(call)?.json()?;
    }
    progress.end();
    context.output.note(&format!("done: {}", progress.words()));
    match context.output.format(Format::Text) {
        Format::Text | Format::Table => context.output.line("done")?,
        Format::Json => context.output.document(&operation)?,
        Format::Ndjson => context.output.line(&operation.to_string())?,
    }
    Ok(Exit::Done)
}

fn field<'a>(json: &'a Json, name: &str) -> &'a Json {
    json.get(name).unwrap_or(&Json::Null)
}
