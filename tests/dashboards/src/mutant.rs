//! Faults on purpose: a check that does not find them is worth nothing, and says so.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::alarm;
use crate::error::Error;
use crate::fault::Expected;
use crate::finding::Finding;
use crate::question::Question;
use crate::rules::{self, Rules};
use crate::tool;
use crate::yaml;

/// Every question with one thing mistyped: once the first metric, once the legend.
pub(crate) fn questions(
    questions: impl Iterator<Item = Question>,
) -> Vec<(&'static str, Question)> {
    let mut mutants = Vec::new();
    for question in questions {
        let mut mistyped = question.clone();
        mistyped.expression = question.expression.replace("gridkv_", "gridkv_x");
        // One that adds "or vector(0)" has data by intent.
        if mistyped.expression != question.expression && !question.expression.contains("vector(0)")
        {
            mutants.push(("a mistyped metric", mistyped));
        }
        let legend = format!("{} {{{{no_such_label}}}}", question.legend);
        mutants.push(("a legend of a label that is not there", Question { legend, ..question }));
    }
    mutants
}

/// Expectations that do not hold, and what is found of them.
pub(crate) fn expectations(
    fired: &[Value],
    expected: &[Expected],
) -> Vec<(&'static str, Vec<Finding>)> {
    let never = Expected { alert: "GridKVMailboxSaturated", label: "job", value: "gridkv" };
    let all_but_one = expected.get(1..).unwrap_or_default();
    vec![
        ("an alert that never fires", alarm::missing(fired, &[never])),
        ("an alert that nobody expects", alarm::surplus(fired, all_but_one)),
    ]
}

/// Runs the tests of each alert against copies of the rules in which it never fires, or fires at any number.
///
/// # Errors
/// When a file can not be read or written, or promtool is not there.
pub(crate) fn alerts(root: &Path, rules: &Rules) -> Result<Vec<Finding>, Error> {
    let place = tempfile::tempdir();
    let place =
        place.map_err(|source| Error::io("make a directory in", &std::env::temp_dir(), source))?;
    let in_place = |file: &str| place.path().join(Path::new(file).file_name().unwrap_or_default());
    let write = |file: &str, content: &Value| {
        let path = in_place(file);
        // YAML has all of JSON in it.
        let written = fs::write(&path, content.to_string());
        written.map_err(|source| Error::io("write", &path, source))
    };
    write(rules::RECORDING, &yaml::read(&root.join(rules::RECORDING))?)?;
    let tests = yaml::read(&root.join(rules::TESTS))?;
    let mut findings = Vec::new();
    for alert in rules.alerts() {
        // Its own tests only: all of them take seconds.
        write(rules::TESTS, &tests_of(&tests, &alert.name))?;
        let silenced = format!("({}) and vector(0) > 1", alert.expression);
        for (what, expression) in
            [("never fires", silenced), ("fires at any number", alert.without_limit())]
        {
            write(rules::ALERTS, &rules.with_expression(&alert.name, &expression))?;
            let tests = in_place(rules::TESTS);
            let words = ["test".as_ref(), "rules".as_ref(), tests.as_os_str()];
            if tool::promtool(&words, b"")?.is_none() {
                let what = format!("its tests also pass when it {what}: {expression}");
                findings.push(Finding::new(format!("alert {}", alert.name), what));
            }
        }
    }
    Ok(findings)
}

/// A file of tests with those of one alert.
fn tests_of(all: &Value, alert: &str) -> Value {
    let mut some = all.clone();
    if let Some(tests) = some.get_mut("tests").and_then(Value::as_array_mut) {
        tests.retain(|test| {
            let cases = test.get("alert_rule_test").and_then(Value::as_array).into_iter().flatten();
            cases.filter_map(|case| case.get("alertname")?.as_str()).any(|name| name == alert)
        });
    }
    some
}
