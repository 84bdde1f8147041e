//! The rule files: which alerts there are, at which thresholds, and copies of them that run faster than real ones.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::yaml;

/// The alerts, from the root of the repository.
pub const ALERTS: &str = "grafana/prometheus/rules/gridkv.alerts.yml";
/// The recording rules, which alerts and dashboards use.
pub const RECORDING: &str = "grafana/prometheus/rules/gridkv.recording.yml";
/// The tests of both.
pub const TESTS: &str = "grafana/prometheus/rules/gridkv.test.yml";

/// Seconds that a shortened `for` or window has at most, and at least: a window needs a few scrapes.
const LONGEST_FOR: u64 = 3;
const WINDOW: &str = "10s";

/// On which side of its threshold an alert fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Above, or at it.
    Above,
    /// Below.
    Below,
    /// Further from 0 than it, to either side.
    Apart,
}

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// To be known.
    Info,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Critical,
}

/// An alert of the rule file.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// Its expression.
    pub expression: String,
    /// The first number outside of parentheses that something is compared with.
    pub limit: f64,
    /// On which side of that it fires.
    pub bound: Bound,
    /// Where in the expression that comparison stands.
    span: Range<usize>,
    /// How urgent it is.
    pub severity: Severity,
    /// Its annotations, as `(name, text)`.
    pub annotations: Vec<(String, String)>,
}

/// All alerts, and both files as they are.
#[derive(Clone, Debug)]
pub struct Rules {
    alerts: Vec<Alert>,
    files: Vec<(&'static str, Value)>,
}

impl Rules {
    /// Reads the rule files below the root of the repository.
    ///
    /// # Errors
    /// When one can not be read, or an alert lacks a part.
    pub fn read(root: &Path) -> Result<Self, Error> {
        let read = |file| Ok((file, yaml::read(&root.join(file))?));
        let files = [RECORDING, ALERTS].into_iter().map(read).collect::<Result<Vec<_>, Error>>()?;
        let all = files.iter().flat_map(|(_, file)| rules_of(file));
        let alerts = all.filter(|rule| rule.get("alert").is_some());
        let alerts = alerts.map(Alert::parse).collect::<Result<_, _>>()?;
        Ok(Self { alerts, files })
    }

    /// All alerts, in the order of the file.
    #[must_use]
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// Every expression of both files, with the name of its rule.
    #[must_use]
    pub fn expressions(&self) -> Vec<(String, String)> {
        let all = self.files.iter().flat_map(|(_, file)| rules_of(file));
        let named = all.map(|rule| {
            let text = |field| rule.get(field).and_then(Value::as_str).unwrap_or_default();
            (format!("{}{}", text("alert"), text("record")), text("expr").to_owned())
        });
        named.collect()
    }

    /// The alert of this name.
    ///
    /// # Panics
    /// When there is none: a mistake in the caller's text.
    pub(crate) fn alert(&self, name: &str) -> &Alert {
        let found = self.alerts.iter().find(|alert| alert.name == name);
        let Some(found) = found else { panic!("{ALERTS} has no alert {name}") };
        found
    }

    /// The file of the alerts with another expression for one of them.
    pub(crate) fn with_expression(&self, name: &str, expression: &str) -> Value {
        let file = self.files.iter().find(|(file, _)| *file == ALERTS);
        let mut changed = file.map(|(_, content)| content.clone()).unwrap_or_default();
        let groups = changed.get_mut("groups").and_then(Value::as_array_mut).into_iter().flatten();
        for group in groups {
            let rules = group.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten();
            for rule in rules.filter(|rule| rule.get("alert").is_some_and(|its| its == name)) {
                rule["expr"] = json!(expression);
            }
        }
        changed
    }

    /// Writes copies to a directory in which minutes are seconds: every `for` is three seconds at most, every window
    /// ten, and rules are evaluated each second. Expressions and thresholds stay as they are. Returns their paths.
    ///
    /// # Errors
    /// When one can not be written.
    pub(crate) fn write_shortened(&self, directory: &Path) -> Result<Vec<PathBuf>, Error> {
        let mut paths = Vec::new();
        for (file, content) in &self.files {
            let name = Path::new(file).file_name().unwrap_or_default();
            let path = directory.join(name);
            // YAML has all of JSON in it.
            let text = shortened(content).to_string();
            fs::write(&path, text).map_err(|source| Error::io("write", &path, source))?;
            paths.push(path);
        }
        Ok(paths)
    }
}

impl Alert {
    fn parse(rule: &Value) -> Result<Self, Error> {
        let text = |field: &str| rule.get(field).and_then(Value::as_str).unwrap_or_default();
        let name = text("alert").to_owned();
        let wrong = |what: &str| Error::Rule { name: name.clone(), what: what.to_owned() };
        let severity = match rule.pointer("/labels/severity").and_then(Value::as_str) {
            Some("info") => Severity::Info,
            Some("warning") => Severity::Warning,
            Some("critical") => Severity::Critical,
            _ => return Err(wrong("its severity is none of info, warning, critical")),
        };
        let expression = text("expr").to_owned();
        let compared = comparison(&expression);
        let Comparison { bound, limit, span } =
            compared.ok_or_else(|| wrong("it compares nothing with a number"))?;
        let annotations = rule.get("annotations").and_then(Value::as_object);
        let annotations = annotations.into_iter().flatten();
        let annotations = annotations
            .filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())))
            .collect();
        Ok(Self { name, expression, limit, bound, span, severity, annotations })
    }

    /// Its threshold as the file has it, such as `>= 1000`.
    pub(crate) fn condition(&self) -> &str {
        self.expression.get(self.span.clone()).unwrap_or_default()
    }

    /// Its expression, when every number is beyond the threshold.
    pub(crate) fn without_limit(&self) -> String {
        let Range { start, end } = self.span;
        let before = self.expression.get(..start).unwrap_or_default();
        let behind = self.expression.get(end..).unwrap_or_default();
        let any = match self.bound {
            Bound::Above | Bound::Apart => ">= -1e18",
            Bound::Below => "<= 1e18",
        };
        format!("{before}{any}{behind}")
    }

    /// The text of an annotation.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.iter().find(|(its, _)| its == name).map(|(_, text)| text.as_str())
    }
}

impl Severity {
    pub(crate) fn color(self) -> &'static str {
        match self {
            Self::Info => "yellow",
            Self::Warning => "orange",
            Self::Critical => "red",
        }
    }
}

fn rules_of(file: &Value) -> impl Iterator<Item = &Value> {
    let groups = file.get("groups").and_then(Value::as_array).into_iter().flatten();
    groups.flat_map(|group| group.get("rules").and_then(Value::as_array).into_iter().flatten())
}

/// A comparison with a number.
#[derive(Clone, Debug, PartialEq)]
struct Comparison {
    bound: Bound,
    limit: f64,
    /// From its sign to the end of the number.
    span: Range<usize>,
}

/// The first comparison with a number that is in no parentheses, selector or text.
fn comparison(expression: &str) -> Option<Comparison> {
    let (mut depth, mut quoted) = (0_usize, false);
    for (start, character) in expression.char_indices() {
        match character {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth = depth.saturating_sub(1),
            '<' | '>' | '=' if depth == 0 => {
                let behind = expression.get(start + 1..)?;
                let number = behind.trim_start_matches('=').trim_start();
                let number = number.split(char::is_whitespace).next()?;
                if let Ok(limit) = number.parse() {
                    let sign = behind.find(number).unwrap_or_default();
                    let span = start..start + 1 + sign + number.len();
                    let compared = expression.get(..start)?.trim_end();
                    let bound = match character {
                        '<' => Bound::Below,
                        _ if is_distance(compared) => Bound::Apart,
                        _ => Bound::Above,
                    };
                    return Some(Comparison { bound, limit, span });
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether all of an expression is within `abs(...)`.
fn is_distance(expression: &str) -> bool {
    let inside = expression.strip_prefix("abs(").and_then(|rest| rest.strip_suffix(')'));
    let Some(inside) = inside else { return false };
    let mut depth = 0;
    inside.chars().all(|character| {
        depth += i32::from(character == '(') - i32::from(character == ')');
        depth >= 0
    })
}

/// The same value in which minutes are seconds.
fn shortened(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(shortened).collect(),
        Value::Object(fields) => {
            let short = fields.iter().map(|(name, value)| {
                let value = match (name.as_str(), value.as_str()) {
                    ("interval", _) => json!("1s"),
                    ("for", Some(time)) => json!(format!("{}s", seconds(time).min(LONGEST_FOR))),
                    ("expr", Some(expression)) => json!(short_windows(expression)),
                    _ => shortened(value),
                };
                (name.clone(), value)
            });
            let mut short: Map<String, Value> = short.collect();
            if short.contains_key("rules") {
                short.insert("interval".to_owned(), json!("1s"));
            }
            Value::Object(short)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Every `[...]` of an expression as `[10s]`.
fn short_windows(expression: &str) -> String {
    let mut short = String::new();
    let mut rest = expression;
    while let Some((before, after)) = rest.split_once('[') {
        short.push_str(before);
        short.push('[');
        short.push_str(WINDOW);
        rest = after.split_once(']').map_or("", |(_, behind)| behind);
        short.push(']');
    }
    short + rest
}

/// `30s`, `5m`, `1h` in seconds; what is none of these is none.
fn seconds(time: &str) -> u64 {
    let number = |unit| time.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok());
    let minutes = number('m').map(|minutes| minutes * 60);
    number('s').or(minutes).or(number('h').map(|hours| hours * 3_600)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_the_first_comparison_outside_of_everything() {
        let table = [
            ("gridkv_sync_buffer_length >= 1000", Some((Bound::Above, 1_000.0))),
            ("a / (b > 0) > 0.9", Some((Bound::Above, 0.9))),
            ("x{code=\"5 > 4\"} < 0.9 and y > 1", Some((Bound::Below, 0.9))),
            ("up{job=\"gridkv\"} == 0", Some((Bound::Above, 0.0))),
            ("a > b", None),
            ("abs(a) > 1", Some((Bound::Apart, 1.0))),
            ("abs(a - max(b)) >= 2", Some((Bound::Apart, 2.0))),
            ("abs(a) / abs(b) > 1", Some((Bound::Above, 1.0))),
        ];
        for (expression, expected) in table {
            let found = comparison(expression).map(|found| (found.bound, found.limit));
            assert_eq!(found, expected, "{expression}");
        }
    }

    #[test]
    fn without_its_threshold_an_alert_fires_at_any_number() {
        let rule = json!({
            "alert": "A", "labels": {"severity": "info"}, "expr": "rate(x[5m]) < 0.9 and y > 1",
        });
        let alert = Alert::parse(&rule).unwrap();
        assert_eq!(alert.condition(), "< 0.9");
        assert_eq!(alert.without_limit(), "rate(x[5m]) <= 1e18 and y > 1");
    }

    #[test]
    fn a_shortened_rule_has_the_same_threshold_and_shorter_times() {
        let rule = json!({"groups": [{"name": "g", "rules": [{
            "alert": "A", "expr": "increase(x[10m]) + rate(y[5m]) > 600", "for": "15m",
        }]}]});
        let expected = json!({"groups": [{"name": "g", "interval": "1s", "rules": [{
            "alert": "A", "expr": "increase(x[10s]) + rate(y[10s]) > 600", "for": "3s",
        }]}]});
        assert_eq!(shortened(&rule), expected);
        assert_eq!([seconds("30s"), seconds("5m"), seconds("2h")], [30, 300, 7_200]);
    }
}
