//! `gridkv peers`: the other members of the cluster as one node sees them; added, forgotten and synced.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value as Json, json};

use super::question::confirmed;
use super::stats::watch;
use super::{Context, Exit, Run, operation};
use crate::cli::settings::{Format, Settings, duration};
use crate::client::{Call, ClientError, Patience, Query, encoded};
use crate::output::{Cell, Paint, Report, left, right};

const HELP: &str = "\
Examples:
  gridkv peers
      Each other member: whether it is up, what it does not have yet, and why it is not reached.
  gridkv peers --stores
      A line for each of its stores.
  gridkv peers --watch 1s
      Again every second; Ctrl-C ends it.
  gridkv peers add 10.0.0.4:7500
      A new member, by the address where peers dial it.
  gridkv peers rm n4
      Forgets a member for good; it asks first, unless -y is given.
  gridkv peers sync n2 --store main
      Fetches from n2 all that this node lacks of the store; a bar shows how far that is.";

/// `gridkv peers`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv peers --help")]
pub(crate) struct PeersArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    view: View,
    #[command(flatten)]
    settings: Settings,
}

/// How the list is shown.
#[derive(Debug, Clone, Default, Args)]
struct View {
    /// A line for each store of each member
    #[arg(long)]
    stores: bool,
    /// Show it again and again, so far apart [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = duration, num_args = 0..=1, default_missing_value = "2s")]
    watch: Option<Duration>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List them
    #[command(alias = "ls")]
    List {
        #[command(flatten)]
        view: View,
        #[command(flatten)]
        settings: Settings,
    },
    /// Add a member
    Add {
        /// Where peers dial it
        #[arg(value_name = "HOST:PORT")]
        addr: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Forget a member for good
    Rm {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Fetch all of a store from a member
    Sync {
        /// Its name
        name: String,
        /// merge: what is missing or older here; rebuild: empty the store here first, once peers have what it holds
        #[arg(long, value_name = "MODE", default_value = "merge")]
        mode: Mode,
        /// Do not ask before a rebuild
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Merge,
    Rebuild,
}

impl Run for PeersArgs {
    fn settings(&self) -> Settings {
        let inner = match &self.what {
            None => Settings::default(),
            Some(
                What::List { settings, .. }
                | What::Add { settings, .. }
                | What::Rm { settings, .. }
                | What::Sync { settings, .. },
            ) => settings.clone(),
        };
        inner.or(self.settings.clone())
    }

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        match self.what {
            None => list(context, &self.view),
            Some(What::List { view, .. }) => list(
                context,
                &View {
                    stores: view.stores || self.view.stores,
                    watch: view.watch.or(self.view.watch),
                },
            ),
            Some(What::Add { addr, .. }) => add(context, &addr),
            Some(What::Rm { name, yes, .. }) => forget(context, &name, yes),
            Some(What::Sync { name, mode, yes, .. }) => sync(context, &name, mode, yes),
        }
    }
}

fn list(context: &Context, view: &View) -> anyhow::Result<Exit> {
    let ask = || -> Result<Report, ClientError> {
        let mesh = context.client.call(Call::get("/v1/cluster"))?.json()?;
        if !view.stores {
            return Ok(by_peer(mesh));
        }
        let stores = context.client.call(Call::get("/v1/stores"))?.json()?;
        Ok(by_store(mesh, &stores))
    };
    if let Some(every) = view.watch {
        return watch(context, every, || Ok(context.output.rendered(&ask()?, Format::Table)));
    }
    let report = ask()?;
    context.output.report(&report, Format::Table)?;
    for peer in peers_of(&report.document) {
        if let Some(why) = field(field(&peer, "trouble"), "detail").as_str() {
            let name = field(&peer, "name").as_str().unwrap_or_default();
            context.output.note(&format!("{name}: {why}"));
        }
    }
    Ok(Exit::Done)
}

fn peers_of(mesh: &Json) -> Vec<Json> {
    mesh.get("peers").and_then(Json::as_array).cloned().unwrap_or_default()
}

fn field<'a>(json: &'a Json, name: &str) -> &'a Json {
    json.get(name).unwrap_or(&Json::Null)
}

fn state(peer: &Json) -> Cell {
    let state = field(peer, "state").as_str().unwrap_or("?");
    let paint = match state {
        "up" => Paint::Good,
        "suspect" => Paint::Warning,
        _ => Paint::Bad,
    };
    Cell::painted(state, paint)
}

/// Why the node does not reach it, in a word.
fn trouble(peer: &Json) -> Cell {
    let reason = field(field(peer, "trouble"), "reason");
    reason.as_str().map_or_else(|| Cell::json(reason), |word| Cell::painted(word, Paint::Bad))
}

fn stores_of(peer: &Json) -> impl Iterator<Item = (&String, &Json)> {
    field(peer, "stores").as_object().into_iter().flatten()
}

fn by_peer(mesh: Json) -> Report {
    let peers = peers_of(&mesh);
    let row = |peer: &Json| {
        let pending: u64 =
            stores_of(peer).filter_map(|(_, store)| field(store, "pending").as_u64()).sum();
        let lags = stores_of(peer).filter_map(|(_, store)| field(store, "lag_seconds").as_f64());
        let lag = lags.fold(0.0, f64::max);
        vec![
            Cell::json(field(peer, "name")),
            Cell::json(field(peer, "id")),
            state(peer),
            Cell::json(field(peer, "addr")),
            Cell::json(field(peer, "last_contact")),
            Cell::json(field(peer, "clock_skew_ms")),
            Cell::text(pending.to_string()),
            Cell::text(lag.to_string()),
            trouble(peer),
        ]
    };
    Report {
        columns: vec![
            left("PEER"),
            left("ID"),
            left("STATE"),
            left("ADDRESS"),
            left("LAST CONTACT"),
            right("SKEW MS"),
            right("PENDING"),
            right("LAG S"),
            left("TROUBLE"),
        ],
        rows: peers.iter().map(row).collect(),
        lines: peers,
        document: mesh,
    }
}

/// A line for each store of each member, and for each store of the node that a member lacks.
fn by_store(mesh: Json, stores: &Json) -> Report {
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for peer in peers_of(&mesh) {
        for (name, store) in stores_of(&peer) {
            let covered = field(store, "frontier_covered") == &Json::Bool(true);
            rows.push(vec![
                Cell::json(field(&peer, "name")),
                state(&peer),
                Cell::text(name),
                Cell::json(field(store, "key_count")),
                Cell::json(field(store, "pending")),
                Cell::json(field(store, "lag_seconds")),
                Cell::text(if covered { "yes" } else { "no" }),
            ]);
            lines.push(json!({
                "peer": field(&peer, "name"), "state": field(&peer, "state"), "store": name,
                "key_count": field(store, "key_count"), "pending": field(store, "pending"),
                "lag_seconds": field(store, "lag_seconds"), "frontier_covered": covered,
            }));
        }
        let own = field(stores, "stores").as_array().into_iter().flatten();
        let names = own.filter_map(|store| field(store, "store").as_str());
        let is_up = field(&peer, "state").as_str() == Some("up");
        // Of one that is down, nobody knows.
        for name in names.filter(|name| is_up && stores_of(&peer).all(|(has, _)| has != name)) {
            let none = || Cell::json(&Json::Null);
            let lacks = Cell::painted("no such store", Paint::Bad);
            let (who, state) = (Cell::json(field(&peer, "name")), state(&peer));
            rows.push(vec![who, state, Cell::text(name), none(), none(), none(), lacks]);
            lines.push(json!({
                "peer": field(&peer, "name"), "state": field(&peer, "state"), "store": name, "lacks_store": true,
            }));
        }
    }
    Report {
        columns: vec![
            left("PEER"),
            left("STATE"),
            left("STORE"),
            right("KEYS"),
            right("PENDING"),
            right("LAG S"),
            left("HAS ALL"),
        ],
        rows,
        lines,
        document: mesh,
    }
}

fn add(context: &Context, addr: &str) -> anyhow::Result<Exit> {
    let call =
        Call::post("/v1/cluster/peers").json(&json!({ "addr": addr })).patience(Patience::Long);
    let answer = context.client.call(call)?;
    let is_new = answer.status() == 201;
    let added = answer.json()?;
    let name = field(&added, "name").as_str().unwrap_or_default().to_owned();
    context
        .output
        .note(&format!("{name} at {addr} is a member{}", if is_new { "" } else { " already" }));
    print(context, &name, &added)?;
    Ok(Exit::Done)
}

fn print(context: &Context, line: &str, json: &Json) -> anyhow::Result<()> {
    match context.output.format(Format::Text) {
        Format::Text | Format::Table => context.output.line(line)?,
        Format::Json => context.output.document(json)?,
        Format::Ndjson => context.output.line(&json.to_string())?,
    }
    Ok(())
}

fn forget(context: &Context, name: &str, yes: bool) -> anyhow::Result<Exit> {
    let question =
        format!("Forget the member {name} for good? It can only come back as a new node.");
    if !confirmed(&question, yes)? {
        context.output.note("nothing was forgotten");
        return Ok(Exit::Failed);
    }
    let path = format!("/v1/cluster/peers/{}", encoded(name));
    let answer = context.client.call(Call::delete(path).patience(Patience::Long));
    let answer = answer.map_err(|error| about(error, name))?;
    if answer.status() == 202 {
        let reply = answer.json()?;
        context.output.note(field(&reply, "detail").as_str().unwrap_or_default());
    } else {
        context.output.note(&format!("{name} is forgotten"));
    }
    Ok(Exit::Done)
}

/// A refusal that says which member it is about.
fn about(error: ClientError, name: &str) -> ClientError {
    let ClientError::Refused(mut problem) = error else { return error };
    problem.fields.insert("peer".to_owned(), name.into());
    ClientError::Refused(problem)
}

fn sync(context: &Context, name: &str, mode: Mode, yes: bool) -> anyhow::Result<Exit> {
    let store = &context.store;
    if mode == Mode::Rebuild {
        let at = context.client.url();
        let question = format!("Empty the store {store} at {at}, and fill it from {name}?");
        if !confirmed(&question, yes)? {
            context.output.note("nothing was begun");
            return Ok(Exit::Failed);
        }
    }
    let mode = if mode == Mode::Rebuild { "rebuild" } else { "merge" };
    let path = Query::of(format!("/v1/cluster/peers/{}/full-sync", encoded(name)))
        .with("store", Some(store))
        .with("mode", Some(mode));
    let begun = context.client.call(Call::post(path).patience(Patience::Long));
    let begun = begun.map_err(|error| about(error, name))?;
    operation::follow(context, begun, "syncing")
}
