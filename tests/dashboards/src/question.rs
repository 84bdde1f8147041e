//! What a dashboard asks: its panels' expressions and its variables, and what is wrong with an answer.

use serde_json::Value;

use crate::finding::Finding;

/// An expression of a panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The dashboard, the panel, and which of its queries.
    pub place: String,
    /// The expression, with variables in it.
    pub expression: String,
    /// What the answers are called, with labels in `{{}}`.
    pub legend: String,
    /// Whether it is asked for this moment only.
    pub instant: bool,
}

/// A variable that lists the values of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The dashboard and the variable.
    pub place: String,
    /// Which series.
    pub selector: String,
    /// Which label.
    pub label: String,
}

/// Every question of a dashboard, those of collapsed rows too.
#[must_use]
pub fn questions(file: &str, dashboard: &Value) -> Vec<Question> {
    let mut found = Vec::new();
    let mut open: Vec<&Value> = list(dashboard, "panels");
    while let Some(panel) = open.pop() {
        open.extend(list(panel, "panels"));
        for target in list(panel, "targets") {
            found.push(Question {
                place: format!("{file}, {:?} [{}]", text(panel, "title"), text(target, "refId")),
                expression: text(target, "expr").to_owned(),
                legend: text(target, "legendFormat").to_owned(),
                instant: target.get("instant").and_then(Value::as_bool).unwrap_or_default(),
            });
        }
    }
    found.sort_by(|one, other| one.place.cmp(&other.place));
    found
}

/// Every variable of a dashboard that asks for something, and what is wrong with those that ask wrongly.
#[must_use]
pub fn choices(file: &str, dashboard: &Value) -> (Vec<Choice>, Vec<Finding>) {
    let (mut choices, mut findings) = (Vec::new(), Vec::new());
    let variables = dashboard.get("templating").map(|all| list(all, "list")).unwrap_or_default();
    for variable in variables.into_iter().filter(|variable| text(variable, "type") == "query") {
        let place = format!("{file}, variable {}", text(variable, "name"));
        let query = variable.get("query").map(|query| text(query, "query")).unwrap_or_default();
        let asked = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        match asked.and_then(|inner| inner.rsplit_once(',')) {
            Some((selector, label)) => choices.push(Choice {
                place,
                selector: selector.trim().to_owned(),
                label: label.trim().to_owned(),
            }),
            None => findings
                .push(Finding::new(place, format!("{query} is no label_values(SERIES, LABEL)"))),
        }
    }
    (choices, findings)
}

/// The expression as Grafana would send it with "All" chosen.
///
/// # Errors
/// The variable that is not known.
pub fn substitute(expression: &str, job: &str, interval: &str) -> Result<String, String> {
    let known =
        [("$__rate_interval", interval), ("$job", job), ("$instance", ".*"), ("$store", ".*")];
    let filled =
        known.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
    match filled.split_once('$') {
        None => Ok(filled),
        Some((_, rest)) => {
            let word = rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '{').next();
            Err(format!("no variable ${}", word.unwrap_or_default()))
        }
    }
}

/// What is wrong with an answer of Prometheus to a question: the `result` of a vector or matrix.
#[must_use]
pub fn judge(question: &Question, result: &Value) -> Option<Finding> {
    let series: Vec<&Value> = result.as_array().into_iter().flatten().collect();
    let wrong = |what: String| {
        Some(Finding::new(&question.place, format!("{what}: {}", question.expression)))
    };
    if series.is_empty() {
        return wrong("no data".to_owned());
    }
    if !series.iter().any(|series| numbers(series).any(f64::is_finite)) {
        return wrong("nothing but NaN".to_owned());
    }
    let lacks = |label: &str| {
        let has = |series: &&Value| series.pointer(&format!("/metric/{label}")).is_some();
        !series.iter().all(has)
    };
    let missing = labels(&question.legend).into_iter().find(|label| lacks(label));
    missing.and_then(|label| wrong(format!("the legend names {label}, which not every answer has")))
}

/// The labels that a legend names.
fn labels(legend: &str) -> Vec<&str> {
    let parts = legend.split("{{").skip(1);
    parts.filter_map(|part| part.split_once("}}").map(|(label, _)| label.trim())).collect()
}

/// The numbers of a series of a vector (`value`) or a matrix (`values`).
fn numbers(series: &Value) -> impl Iterator<Item = f64> {
    let of_matrix = series.get("values").and_then(Value::as_array).into_iter().flatten();
    let pairs = of_matrix.chain(series.get("value"));
    pairs.filter_map(|pair| pair.get(1)?.as_str()?.parse().ok())
}

fn list<'a>(value: &'a Value, field: &str) -> Vec<&'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten().collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(legend: &str) -> Question {
        let (place, expression) = ("p".to_owned(), "e".to_owned());
        Question { place, expression, legend: legend.to_owned(), instant: false }
    }

    #[test]
    fn an_answer_is_wrong_when_it_has_no_data_or_lacks_a_label_of_the_legend() {
        let series = |value: &str| json!([{"metric": {"peer": "n2"}, "values": [[1, value]]}]);
        let what = |legend, result| judge(&asked(legend), &result).map(|finding| finding.what);
        assert_eq!(what("to {{peer}}", series("1")), None);
        assert_eq!(what("", json!([])).as_deref(), Some("no data: e"));
        assert_eq!(what("", series("NaN")).as_deref(), Some("nothing but NaN: e"));
        assert!(what("{{per}}", series("1")).unwrap().starts_with("the legend names per,"));
        let instant = json!([{"metric": {}, "value": [1, "0"]}]);
        assert_eq!(what("", instant), None);
    }

    #[test]
    fn variables_are_replaced_and_unknown_ones_told() {
        let filled =
            substitute("rate(x{job=\"$job\", store=~\"$store\"}[$__rate_interval])", "g", "4s");
        assert_eq!(filled.unwrap(), "rate(x{job=\"g\", store=~\".*\"}[4s])");
        assert_eq!(substitute("x{a=\"$nod\"}", "g", "4s").unwrap_err(), "no variable $nod");
    }

    #[test]
    fn questions_and_variables_are_found_where_grafana_keeps_them() {
        let dashboard = json!({
            "templating": {"list": [
                {"type": "datasource", "name": "datasource"},
                {"type": "query", "name": "store", "query": {"query": "label_values(x{job=\"$job\"}, store)"}},
                {"type": "query", "name": "odd", "query": {"query": "metrics(x)"}},
            ]},
            "panels": [{"type": "row", "panels": [
                {"title": "T", "targets": [{"refId": "A", "expr": "x", "legendFormat": "{{a}}", "instant": true}]},
            ]}],
        });
        let found = questions("f", &dashboard);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].place.as_str(), found[0].instant), ("f, \"T\" [A]", true));
        let (choices, findings) = choices("f", &dashboard);
        assert_eq!(
            (choices[0].selector.as_str(), choices[0].label.as_str()),
            ("x{job=\"$job\"}", "store")
        );
        assert_eq!(findings.len(), 1);
    }
}
