//! Dashboards against the types that Grafana publishes: each becomes a constant of those types, and the compiler of
//! TypeScript says what is wrong with it. The types leave the options of a panel open; those are checked on their own,
//! by the kind of the panel.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::error::Error;
use crate::finding::Finding;
use crate::tool;

/// What joins the published types, from the root of the repository.
const TYPES: &str = "tests/dashboards/schema/dashboards.ts";
/// The compiler, from where the packages are installed.
const COMPILER: &str = "node_modules/.bin/tsc";
const MISSING: Error =
    Error::Missing { program: "tsc", remedy: "`make dashboards-packages` installs it" };
/// Strict, and fields that a type does not have are errors.
const COMPILE: [&str; 8] = [
    "--noEmit",
    "--strict",
    "--exactOptionalPropertyTypes",
    "--skipLibCheck",
    "--target",
    "es2022",
    "--moduleResolution",
    "bundler",
];

/// Succeeds where the packages are installed.
///
/// # Errors
/// When they are not.
pub(crate) fn require(packages: &Path) -> Result<(), Error> {
    if packages.join(COMPILER).is_file() { Ok(()) } else { Err(MISSING) }
}

/// Checks all dashboards with the packages that are installed in `packages`.
///
/// # Errors
/// When there is no compiler, or a file can not be written.
pub(crate) fn check(
    root: &Path,
    packages: &Path,
    dashboards: &[(&str, Value)],
) -> Result<Vec<Finding>, Error> {
    let types = root.join(TYPES);
    let types = fs::read_to_string(&types).map_err(|source| Error::io("read", &types, source))?;
    let all = dashboards.iter().map(|(file, dashboard)| ((*file).to_owned(), dashboard.clone()));
    // A check that can not fail is none: what is wrong on purpose has to be found beside the others.
    let mistyped = mistyped(dashboards);
    let all: Vec<_> = all.chain(mistyped.clone()).collect();
    let mut findings = compile(packages, &types, &all)?;
    let is_found = |what: &str| findings.iter().any(|finding| finding.place.starts_with(what));
    let blind: Vec<_> = mistyped.iter().filter(|(what, _)| !is_found(what)).collect();
    let blind: Vec<_> = blind
        .into_iter()
        .map(|(what, _)| Finding::new("the check of the schema", format!("does not find {what}")))
        .collect();
    findings.retain(|finding| !mistyped.iter().any(|(what, _)| finding.place.starts_with(what)));
    findings.extend(blind);
    Ok(findings)
}

fn compile(
    packages: &Path,
    types: &str,
    dashboards: &[(String, Value)],
) -> Result<Vec<Finding>, Error> {
    let path = packages.join("check.ts");
    let text = program(types, dashboards);
    fs::write(&path, &text).map_err(|source| Error::io("write", &path, source))?;
    let mut compiler = Command::new(COMPILER);
    compiler.args(COMPILE).args(["--module", "esnext"]).arg("check.ts").current_dir(packages);
    let said = tool::run(compiler, b"").map_err(|_| MISSING)?;
    let lines: Vec<&str> = text.lines().collect();
    let errors = said.iter().flat_map(|said| said.lines()).filter(|line| line.contains("error TS"));
    Ok(errors.map(|error| Finding::new(place(&lines, error), error)).collect())
}

/// The constant that an error is in: the last one that begins before its line.
fn place(lines: &[&str], error: &str) -> String {
    let line = error.split(['(', ',']).nth(1).and_then(|line| line.parse().ok()).unwrap_or(0);
    let before = lines.get(..line).unwrap_or_default().iter().rev();
    let named = before.filter_map(|line| line.strip_prefix("// "));
    named.map(ToString::to_string).next().unwrap_or_else(|| "grafana/dashboards".to_owned())
}

fn program(types: &str, dashboards: &[(String, Value)]) -> String {
    let mut text = types.to_owned();
    let mut constant = |place: &str, kind: &str, value: &Value| {
        let number = text.len();
        write!(text, "\n// {place}\nexport const _{number}: {kind} = {value:#};\n")
            .unwrap_or_default(); // a String takes all
    };
    for (file, dashboard) in dashboards {
        constant(file, "Whole", dashboard);
        let panels = dashboard.get("panels").and_then(Value::as_array).into_iter().flatten();
        for panel in panels {
            let text = |field| panel.get(field).and_then(Value::as_str).unwrap_or_default();
            let place = format!("{file}, {:?}", text("title"));
            let Some(options) = panel.get("options") else { continue };
            constant(&place, &format!("Options['{}']", text("type")), options);
            if let Some(custom) = panel.pointer("/fieldConfig/defaults/custom") {
                constant(&place, "Custom", custom);
            }
        }
    }
    text
}

/// The first dashboard with one thing wrong.
fn mistyped(dashboards: &[(&str, Value)]) -> Vec<(String, Value)> {
    let Some((_, whole)) = dashboards.first() else { return Vec::new() };
    let change = |what: &str, pointer: &str, field: &str, value: Value| {
        let mut wrong = whole.clone();
        if let Some(fields) = wrong.pointer_mut(pointer).and_then(Value::as_object_mut) {
            fields.insert(field.to_owned(), value);
        }
        (what.to_owned(), wrong)
    };
    vec![
        change("a value that a field may not have", "", "graphTooltip", Value::from(7)),
        change("a field that there is none of", "/panels/1", "gridpos", Value::from(1)),
        change("an option that a panel has not", "/panels/1/options", "colourMode", "value".into()),
        change("a width that is a text", "/panels/1/gridPos", "w", "4".into()),
    ]
}
