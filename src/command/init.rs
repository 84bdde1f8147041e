//! `gridkv init`: what may be typed, and what is said of what was made.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use gridkv_actors::clock::ClockSource;
use gridkv_protocol::UnixMs;

use super::Exit;
use crate::init::{self, Cluster, Days, Grown, Growth, NodePlan, Plan, Wanted};
use crate::output::Output;

const INIT_HELP: &str = "\
Examples:
  gridkv init --dir grid --cluster prod --node n1=10.0.0.1 --node n2=10.0.0.2 --node n3=10.0.0.3
      Three nodes, each on a machine of its own: copy grid/n1 to the first one, and so on.
  gridkv init --dir grid --node n1 --node n2 --node n3
      Three nodes on this machine, on ports that follow each other.
  gridkv init --dir grid --node n1=10.0.0.1,kv.example.org --node n2=10.0.0.2,kv.example.org
      Clients reach both by one name more, such as that of a load balancer.
  gridkv init --dir grid --add n4=10.0.0.4
      One more node for the cluster in grid, which may run meanwhile: copy grid/n4 and start it.
  gridkv init --dir grid --renew n1
      A new certificate for n1. A node that runs takes it within half a minute, or at once on SIGHUP.

Made are: ca.pem and ca.key, the authority (keep the key away from the nodes); a token for each role in tokens/;
and for each node a directory with its certificate and key, and a configuration. All of it can be read by you alone.
--add touches no file of the other nodes: they hear of a new one from it and from each other, and need not start again.";

/// `gridkv init`.
#[derive(Debug, Args)]
#[command(after_long_help = INIT_HELP, after_help = "More, with examples: gridkv init --help")]
pub(crate) struct InitArgs {
    /// The directory to make, with all files of the cluster in it
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Name of the cluster
    #[arg(long, value_name = "NAME", default_value = "gridkv", conflicts_with_all = ["renew", "add"])]
    cluster: String,
    /// A node, and the address or name by which others reach it; without one it is reached from this machine only.
    /// More hosts are names that its certificate has as well. Repeat for more nodes
    #[arg(
        long,
        value_name = "NAME[=HOST[,HOST]...]",
        required_unless_present_any = ["renew", "add"],
        conflicts_with_all = ["renew", "add"],
        value_parser = NodePlan::parse
    )]
    node: Vec<NodePlan>,
    /// Add this node to the cluster that is in DIR; its seeds are the nodes there. Repeat for more
    #[arg(
        long,
        value_name = "NAME[=HOST[,HOST]...]",
        conflicts_with = "renew",
        value_parser = NodePlan::parse
    )]
    add: Vec<NodePlan>,
    /// Make a new certificate for this node of a cluster that is in DIR; repeat for more
    #[arg(long, value_name = "NAME")]
    renew: Vec<String>,
    /// How many days the nodes' certificates are valid
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=3_652))]
    days: u64,
    /// Port for clients of the first node on each host; those after it have the next free one
    /// [default: 7400; with --add, that of the cluster's first node]
    #[arg(long, value_name = "PORT", conflicts_with = "renew", value_parser = clap::value_parser!(u16).range(1..))]
    http_port: Option<u16>,
    /// Port for peers of the first node on each host; those after it have the next free one
    /// [default: 7500; with --add, that of the cluster's first node]
    #[arg(long, value_name = "PORT", conflicts_with = "renew", value_parser = clap::value_parser!(u16).range(1..))]
    peer_port: Option<u16>,
}

/// Makes, or renews, and says what.
///
/// # Errors
/// What could not be made, and why.
pub(crate) fn run(args: InitArgs, output: &Output) -> anyhow::Result<Exit> {
    let (days, now) = (Days(args.days), ClockSource::start().now());
    let ports = Wanted { http: args.http_port, peers: args.peer_port };
    let said = if !args.renew.is_empty() {
        let mut said = String::new();
        init::check_known(&args.dir, &args.renew)?;
        for name in &args.renew {
            let ends = init::renew(&args.dir, name, days, now)?;
            said.push_str(&renewed(&args.dir, name, ends));
        }
        said
    } else if args.add.is_empty() {
        let InitArgs { dir, cluster, node: nodes, .. } = args;
        made(&init::make(&Plan { dir, cluster, nodes, days, ports }, now)?)
    } else {
        let InitArgs { dir, add: nodes, .. } = args;
        added(&init::add(&Growth { dir, nodes, days, ports }, now)?)
    };
    output.bytes(said.as_bytes())?;
    Ok(Exit::Done)
}

fn renewed(dir: &Path, name: &str, ends: UnixMs) -> String {
    let (dir, ends) = (dir.join(name), init::day(ends));
    format!(
        "{name}: {dir}/node.pem and node.key are new, valid until {ends}. Where the node runs elsewhere, copy both there.\n\
         It takes them within half a minute; at once on SIGHUP.\n",
        dir = dir.display()
    )
}

fn made(cluster: &Cluster) -> String {
    let Cluster { name, dir, authority_ends, .. } = cluster;
    let mut text = format!(
        "Cluster {name} in {dir}:\n\
         \x20 ca.pem, ca.key   the authority, until {}; keep ca.key away from the nodes\n\
         \x20 tokens/          a token for each role: admin, write, read, metrics\n",
        init::day(*authority_ends),
        dir = dir.display()
    );
    nodes(&mut text, cluster, "Start all nodes");
    text
}

fn added(grown: &Grown) -> String {
    let Grown { cluster, choosy } = grown;
    let mut text = format!("Added to the cluster {} in {}:\n", cluster.name, cluster.dir.display());
    nodes(&mut text, cluster, "Start what is new");
    text.push_str("\nThe other nodes stay as they are: they hear of it when it joins.\n");
    if !choosy.is_empty() {
        writeln!(
            text,
            "But these let in only whom their peers.tls.allow names: {}. Put the new names there, and send SIGHUP.",
            choosy.join(", ")
        )
        .unwrap_or_default(); // a String takes all
    }
    text
}

/// What the nodes were given, how they are started, and how one is asked.
fn nodes(text: &mut String, cluster: &Cluster, start: &str) {
    let Cluster { dir, ends, urls, .. } = cluster;
    let dir = dir.display();
    for (node, _) in urls {
        writeln!(
            text,
            "  {:<16} certificate until {}, key, tokens' digests, configuration",
            format!("{node}/"),
            init::day(*ends)
        )
        .unwrap_or_default(); // a String takes all
    }
    writeln!(
        text,
        "\n{start}, each where it is to run, with its directory copied there (its data will be in it, unless data_dir says\n\
         otherwise):"
    )
    .unwrap_or_default();
    for (node, _) in urls {
        writeln!(text, "  gridkv serve -c {dir}/{node}/gridkv.toml").unwrap_or_default();
    }
    if let Some((_, url)) = urls.first() {
        write!(
            text,
            "\nThen ask one of them:\n  \
             gridkv --url {url} --ca {dir}/ca.pem --token-file {dir}/tokens/admin.token peers\n"
        )
        .unwrap_or_default();
    }
}
