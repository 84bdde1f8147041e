//! Which alerts fire, and how that differs from what has to.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::Error;
use crate::fault::Expected;
use crate::finding::Finding;
use crate::server::Prometheus;

/// The alerts that fired in the last seconds: one set of labels each.
pub(crate) fn fired(prometheus: &Prometheus, seconds: u64) -> Result<Vec<Value>, Error> {
    let series = format!("max_over_time(ALERTS{{alertstate=\"firing\"}}[{seconds}s])");
    Ok(labels(&prometheus.query(&series)?))
}

/// The alerts that fire now.
pub(crate) fn firing(prometheus: &Prometheus) -> Result<Vec<Value>, Error> {
    Ok(labels(&prometheus.query("ALERTS{alertstate=\"firing\"}")?))
}

fn labels(result: &Value) -> Vec<Value> {
    let series = result.as_array().into_iter().flatten();
    series.filter_map(|series| series.get("metric").cloned()).collect()
}

/// Those of the expected alerts that did not fire.
pub(crate) fn missing(fired: &[Value], expected: &[Expected]) -> Vec<Finding> {
    let names: BTreeSet<&str> = fired.iter().filter_map(name).collect();
    let silent = expected.iter().filter(|expected| !names.contains(expected.alert));
    silent
        .map(|expected| {
            Finding::new(format!("alert {}", expected.alert), "it had to fire, and did not")
        })
        .collect()
}

/// Those that fired and were not expected to, by name or by label.
pub(crate) fn surplus(fired: &[Value], expected: &[Expected]) -> Vec<Finding> {
    let is_expected = |labels: &Value| {
        expected.iter().any(|expected| {
            name(labels) == Some(expected.alert)
                && labels.get(expected.label).and_then(Value::as_str) == Some(expected.value)
        })
    };
    let wrong = fired.iter().filter(|labels| !is_expected(labels));
    wrong
        .map(|labels| {
            let place = format!("alert {}", name(labels).unwrap_or_default());
            Finding::new(place, format!("it fired, and nothing was done that it is for: {labels}"))
        })
        .collect()
}

fn name(labels: &Value) -> Option<&str> {
    labels.get("alertname")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const EXPECTED: [Expected; 1] = [Expected { alert: "Down", label: "instance", value: "n3" }];

    #[test]
    fn an_alert_that_stays_silent_is_told() {
        let fired = [json!({"alertname": "Down", "instance": "n3"})];
        assert_eq!(missing(&fired, &EXPECTED), []);
        assert_eq!(missing(&[], &EXPECTED)[0].place, "alert Down");
    }

    #[test]
    fn an_alert_that_nothing_was_done_for_is_told() {
        let right = json!({"alertname": "Down", "instance": "n3"});
        let wrong = json!({"alertname": "Down", "instance": "n1"});
        let other = json!({"alertname": "Lag", "instance": "n3"});
        assert_eq!(surplus(std::slice::from_ref(&right), &EXPECTED), []);
        assert_eq!(surplus(&[right, wrong, other], &EXPECTED).len(), 2);
    }
}
