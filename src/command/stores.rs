//! `gridkv stores`: the stores of a node: listed, made and dropped.

use clap::{Args, Subcommand};
use serde_json::{Map, Value as Json, json};

use super::question::confirmed;
use super::{Context, Exit, Run, Usage};
use crate::cli::settings::{Format, Settings};
use crate::client::{Call, Patience, Query, encoded};
use crate::output::{Cell, Report, left, right};

const HELP: &str = "\
Examples:
  gridkv stores
      What a node holds.
  gridkv stores create sessions --backend memory
      A store more on this node, which is there after a restart too.
  gridkv stores create hot --backend moka --set max_memory_mb=256 --set policy=lru
      The keys are those of a store in a configuration.
  gridkv stores rm sessions
      All that this node has of it goes; it asks first, unless -y is given.

A store is made and dropped on one node: do it on each that is to have it.";

/// `gridkv stores`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv stores --help")]
pub(crate) struct StoresArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List them
    #[command(alias = "ls")]
    List {
        #[command(flatten)]
        settings: Settings,
    },
    /// Make one on this node
    Create {
        /// Its name
        name: String,
        /// What keeps its records: memory, file, moka, fjall or fjall-memory
        #[arg(long, value_name = "BACKEND")]
        backend: String,
        /// A key of its section in a configuration, such as `max_memory_mb=256`; repeat for more
        #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
        set: Vec<(String, Json)>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Drop one of this node, with all that is in it
    Rm {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        settings: Settings,
    },
}

/// `KEY=VALUE`: a number, true, false, or text.
fn pair(text: &str) -> Result<(String, Json), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as max_memory_mb=256")?;
    let value = match serde_json::from_str(value) {
        Ok(number @ (Json::Number(_) | Json::Bool(_))) => number,
        Ok(_) | Err(_) => Json::String(value.to_owned()),
    };
    Ok((key.to_owned(), value))
}

impl Run for StoresArgs {
    fn settings(&self) -> Settings {
        let inner = match &self.what {
            None => Settings::default(),
            Some(
                What::List { settings } | What::Create { settings, .. } | What::Rm { settings, .. },
            ) => settings.clone(),
        };
        inner.or(self.settings.clone())
    }

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        match self.what {
            None | Some(What::List { .. }) => list(context),
            Some(What::Create { name, backend, set, .. }) => create(context, &name, backend, set),
            Some(What::Rm { name, yes, .. }) => remove(context, &name, yes),
        }
    }
}

fn list(context: &Context) -> anyhow::Result<Exit> {
    let reply = context.client.call(Call::get("/v1/stores"))?.json()?;
    let stores = reply.get("stores").and_then(Json::as_array).cloned().unwrap_or_default();
    print(context, stores, reply)?;
    Ok(Exit::Done)
}

fn print(context: &Context, stores: Vec<Json>, document: Json) -> anyhow::Result<()> {
    let row = |store: &Json| {
        let field = |name: &str| store.get(name).unwrap_or(&Json::Null);
        let yes = |name: &str| if field(name) == &Json::Bool(true) { "yes" } else { "no" };
        vec![
            Cell::json(field("store")),
            Cell::json(field("backend")),
            Cell::text(yes("persistent")),
            Cell::json(field("durability")),
            Cell::json(field("key_count")),
            Cell::text(if yes("configured") == "yes" { "configuration" } else { "made" }),
        ]
    };
    let report = Report {
        columns: vec![
            left("STORE"),
            left("BACKEND"),
            left("PERSISTENT"),
            left("DURABILITY"),
            right("KEYS"),
            left("BY"),
        ],
        rows: stores.iter().map(row).collect(),
        lines: stores,
        document,
    };
    Ok(context.output.report(&report, Format::Table)?)
}

fn create(
    context: &Context,
    name: &str,
    backend: String,
    set: Vec<(String, Json)>,
) -> anyhow::Result<Exit> {
    let mut definition = Map::from_iter([("backend".to_owned(), Json::String(backend))]);
    for (key, value) in set {
        // A dot leads into a section, as in the configuration.
        let mut keys: Vec<&str> = key.split('.').collect();
        let last = keys.pop().unwrap_or_default();
        let mut table = &mut definition;
        for section in keys {
            let entry = table.entry(section.to_owned()).or_insert_with(|| json!({}));
            let Json::Object(section) = entry else {
                return Err(Usage(format!("--set {key}: {section} is no section")).into());
            };
            table = section;
        }
        table.insert(last.to_owned(), value);
    }
    let path = format!("/v1/stores/{}", encoded(name));
    let call = Call::put(path).json(&Json::Object(definition)).patience(Patience::Long);
    let store = context.client.call(call)?.json()?;
    context.output.note(&format!("the store {name} is made"));
    print(context, vec![store.clone()], store)?;
    Ok(Exit::Done)
}

fn remove(context: &Context, name: &str, yes: bool) -> anyhow::Result<Exit> {
    let question =
        format!("Drop the store {name} of {}, with all that it holds there?", context.client.url());
    if !confirmed(&question, yes)? {
        context.output.note("nothing was dropped");
        return Ok(Exit::Failed);
    }
    let query = Query::of(format!("/v1/stores/{}", encoded(name))).with("confirm", Some(name));
    context.client.call(Call::delete(query).patience(Patience::Long))?;
    context.output.note(&format!("the store {name} is dropped"));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_definition_are_numbers_where_they_look_like_it() {
        let value = |text| pair(text).map(|(_, value)| value);
        assert_eq!(value("a=1"), Ok(json!(1)));
        assert_eq!(value("a=true"), Ok(json!(true)));
        assert_eq!(value("a=5s"), Ok(json!("5s")));
        assert_eq!(value("a=b=c"), Ok(json!("b=c")));
        assert_eq!(value("a=\"1\""), Ok(json!("\"1\"")));
        assert!(value("a").is_err());
    }
}
