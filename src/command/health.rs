//! `gridkv health`: whether a node is ready, for people and for container health checks.

use clap::Args;
use serde_json::Value as Json;

use super::{Context, Exit, Run, plain_settings};
use crate::cli::settings::{Format, Settings};
use crate::client::{Call, ClientError, Problem};
use crate::output::{Cell, Paint, Report, left};

const HELP: &str = "\
Examples:
  gridkv health
      Each check of the node, and whether it passes.
  gridkv health -q || echo not ready
      In a script, or as the health check of a container.
  gridkv health --live
      Whether its parts still turn: it never depends on other nodes.

Exit codes: 0 ready, 1 not ready, 5 no node answered.";

/// `gridkv health`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv health --help")]
pub(crate) struct HealthArgs {
    /// Ask whether it is alive instead of ready
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Run for HealthArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        if self.live {
            context.client.call(Call::get("/livez"))?;
            if !context.settings.quiet {
                context.output.line("ok")?;
            }
            return Ok(Exit::Done);
        }
        let call = Call::get("/readyz").header("accept", Some("application/json"));
        let (ready, report) = match context.client.call(call) {
            Ok(answer) => (true, answer.json()?),
            Err(ClientError::Refused(problem)) if problem.status == 503 => {
                (false, not_ready(*problem)?)
            }
            Err(error) => return Err(error.into()),
        };
        if !context.settings.quiet {
            print(context, &report)?;
        }
        Ok(if ready { Exit::Done } else { Exit::Failed })
    }
}

/// A node that is not ready says why in its own shape, not as a refusal.
fn not_ready(problem: Problem) -> Result<Json, ClientError> {
    let report: Option<Json> =
        problem.body.as_deref().and_then(|body| serde_json::from_slice(body).ok());
    match report {
        Some(report) if report.get("ready") == Some(&Json::Bool(false)) => Ok(report),
        _ => Err(ClientError::Refused(Box::new(problem))),
    }
}

fn print(context: &Context, report: &Json) -> anyhow::Result<()> {
    let checks = report.get("checks").and_then(Json::as_array).cloned().unwrap_or_default();
    let field = |check: &Json, name: &str| {
        check.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let row = |check: &Json| {
        let ok = check.get("ok") == Some(&Json::Bool(true));
        let (word, paint) = if ok { ("ok", Paint::Good) } else { ("not ok", Paint::Bad) };
        vec![
            Cell::text(field(check, "name")),
            Cell::painted(word, paint),
            Cell::text(field(check, "detail")),
        ]
    };
    let report = Report {
        columns: vec![left("CHECK"), left("STATE"), left("DETAIL")],
        rows: checks.iter().map(row).collect(),
        document: report.clone(),
        lines: checks,
    };
    Ok(context.output.report(&report, Format::Table)?)
}
