//! `gridkv del`: keys, or all keys with a prefix, deleted.

use clap::Args;
use serde_json::{Value as Json, json};

use super::put::quoted;
use super::question::confirmed;
use super::record::by_batch;
use super::write_terms::WriteTerms;
use super::{Context, Exit, Run, Usage, plain_settings, reason};
use crate::cli::settings::{Format, Settings};
use crate::client::{Call, ClientError, Patience, Query, encoded, key_path, needs_batch};
use crate::output::{complain, escape};

const HELP: &str = "\
Examples:
  gridkv del greeting
      Prints how many of the keys had a value: 1, or 0.
  gridkv del a b c
      Several.
  gridkv del config --if-match 018f3c...-0000000100000001
      Only when it still has this version; exit code 4 when it has another one.
  gridkv del --prefix session:
      Every key that begins like this; it asks first, unless -y is given.
  gridkv del --all
      Everything in the store; it asks first, unless -y is given.

Exit codes: 0 deleted, also when there was nothing, 4 the condition does not hold, 5 no node answered, 6 some were
deleted and some not.";

/// `gridkv del`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv del --help")]
pub(crate) struct DelArgs {
    /// The keys
    #[arg(required_unless_present_any = ["prefix", "all"], conflicts_with_all = ["prefix", "all"])]
    keys: Vec<String>,
    /// Every key that begins like this
    #[arg(long, value_name = "PREFIX", conflicts_with = "if_match")]
    prefix: Option<String>,
    /// Every key of the store
    #[arg(long, conflicts_with = "if_match")]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Only if the key has this version
    #[arg(long, value_name = "VERSION")]
    if_match: Option<String>,
    #[command(flatten)]
    terms: WriteTerms,
    #[command(flatten)]
    settings: Settings,
}

impl Run for DelArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        if self.all || self.prefix.is_some() {
            return self.with_prefix(context, self.prefix.as_deref().unwrap_or_default());
        }
        if self.if_match.is_some() && self.keys.len() > 1 {
            return Err(Usage("--if-match is about one key".to_owned()).into());
        }
        context.standing.hold();
        let (mut deleted, mut done, mut failed) = (0_u64, 0_usize, None);
        for key in &self.keys {
            if context.interrupt.is_set() {
                context
                    .output
                    .note(&format!("interrupted after {done} of {} keys", self.keys.len()));
                failed = Some(Exit::Interrupted);
                break;
            }
            match self.one(context, key) {
                Ok(existed) => {
                    deleted += u64::from(existed);
                    done += 1;
                }
                Err(error) => {
                    let exit = Exit::of(&error);
                    if self.keys.len() == 1 {
                        return Err(error);
                    }
                    complain(&format!("{}: {}", escape(key), reason(&error)));
                    failed = Some(exit);
                    // Who can not be reached will not be for the next key either.
                    if exit == Exit::Unreachable {
                        break;
                    }
                }
            }
        }
        print(context, deleted)?;
        Ok(match failed {
            None => Exit::Done,
            Some(Exit::Interrupted) => Exit::Interrupted,
            Some(_) if done > 0 => Exit::Partial,
            Some(exit) => exit,
        })
    }
}

impl DelArgs {
    fn one(&self, context: &Context, key: &str) -> anyhow::Result<bool> {
        let condition = self.if_match.as_deref().map(quoted);
        if needs_batch(key) {
            let mut op = json!({"op": "delete", "key": key});
            if let (Some(op), Some(condition)) = (op.as_object_mut(), condition) {
                op.insert("if_match".to_owned(), condition.into());
            }
            let (client, store) = (&context.client, &context.store);
            let result =
                by_batch(client, store, &op, |query| self.terms.on(query), self.terms.patience())?;
            return Ok(result.get("existed").and_then(Json::as_bool).unwrap_or(false));
        }
        let call = Call::delete(self.terms.on(Query::of(key_path(&context.store, key))))
            .header("if-match", condition)
            .patience(self.terms.patience());
        let answer = context.client.call(call)?;
        context.output.detail(|| {
            let header = |name| answer.header(name).unwrap_or("?");
            let version = header("gridkv-version");
            format!("{} at {}: version {version}", escape(key), header("gridkv-node"))
        });
        Ok(answer.said("gridkv-existed")? == "true")
    }

    fn with_prefix(&self, context: &Context, prefix: &str) -> anyhow::Result<Exit> {
        if prefix.is_empty() && !self.all {
            let why = "an empty prefix is every key of the store; add --all if that is meant";
            return Err(Usage(why.to_owned()).into());
        }
        let (store, url) = (&context.store, context.client.url());
        let which = if prefix.is_empty() {
            "all keys".to_owned()
        } else {
            format!("all keys that begin with `{}`", escape(prefix))
        };
        let question = format!("Delete {which} in the store {store} at {url}?");
        if !confirmed(&question, self.yes)? {
            context.output.note("nothing was deleted");
            return Ok(Exit::Failed);
        }
        let query = Query::of(format!("/v1/kv/{}", encoded(store)))
            .with("prefix", Some(prefix))
            .with("all", prefix.is_empty().then_some("true"));
        context
            .standing
            .set("how many were deleted is unknown; the same command goes on".to_owned());
        let answer =
            context.client.call(Call::delete(self.terms.on(query)).patience(Patience::Long))?;
        let url = answer.url().to_owned();
        let deleted = answer.json().map(|reply| reply.get("deleted").and_then(Json::as_u64));
        let Ok(Some(deleted)) = deleted else {
            let why = "the answer does not say how many were deleted".to_owned();
            return Err(ClientError::Unknown { url, why }.into());
        };
        print(context, deleted)?;
        Ok(Exit::Done)
    }
}

fn print(context: &Context, deleted: u64) -> anyhow::Result<()> {
    match context.output.format(Format::Text) {
        Format::Text | Format::Table => context.output.line(&deleted.to_string())?,
        Format::Json => context.output.document(&json!({ "deleted": deleted }))?,
        Format::Ndjson => context.output.line(&json!({ "deleted": deleted }).to_string())?,
    }
    Ok(())
}
