//! A panel: what it asks, how it is drawn, and at which alerts' thresholds it changes colour.

use std::iter;

use serde_json::{Map, Value, json};

use crate::page::SOURCE;
use crate::rules::{Alert, Bound, Rules};

/// What every panel about nodes selects by.
const NODE: &str = r#"job="$job", instance=~"$instance""#;
/// And every panel about stores.
const STORE: &str = r#"job="$job", instance=~"$instance", store=~"$store""#;
/// The interval that Grafana makes wide enough for four scrapes.
const RATE: &str = "[$__rate_interval]";

/// How a panel is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Stat,
    Graph,
    Heatmap,
    States,
    Table,
}

/// A question and the name of its answers.
#[derive(Clone, Debug)]
struct Query {
    expression: String,
    legend: String,
}

/// A panel that is being put together.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    kind: Kind,
    title: &'static str,
    about: &'static str,
    unit: &'static str,
    width: u64,
    height: u64,
    queries: Vec<Query>,
    alerts: Vec<&'static str>,
    fields: Map<String, Value>,
}

/// One number, coloured by the thresholds of its alerts.
pub(crate) fn stat(title: &'static str, unit: &'static str, about: &'static str) -> Panel {
    Panel::new(Kind::Stat, title, unit, about).wide(4).high(4)
}

/// Lines over time.
pub(crate) fn graph(title: &'static str, unit: &'static str, about: &'static str) -> Panel {
    Panel::new(Kind::Graph, title, unit, about)
}

/// The buckets of a histogram over time.
pub(crate) fn heatmap(title: &'static str, unit: &'static str, about: &'static str) -> Panel {
    Panel::new(Kind::Heatmap, title, unit, about)
}

/// When something was so and when not: 1 or 0 over time.
pub(crate) fn states(title: &'static str, yes: &str, no: &str, about: &'static str) -> Panel {
    let shown = |text: &str, color: &str| json!({"text": text, "color": color, "index": 0});
    let mappings = json!([{
        "type": "value", "options": {"0": shown(no, "red"), "1": shown(yes, "green")},
    }]);
    Panel::new(Kind::States, title, "none", about).with("mappings", mappings)
}

/// One row for each set of labels, one column for each query: its legend is the heading.
pub(crate) fn table(title: &'static str, unit: &'static str, about: &'static str) -> Panel {
    Panel::new(Kind::Table, title, unit, about).wide(24)
}

impl Panel {
    fn new(kind: Kind, title: &'static str, unit: &'static str, about: &'static str) -> Self {
        Self {
            kind,
            title,
            about,
            unit,
            width: 8,
            height: 8,
            queries: Vec::new(),
            alerts: Vec::new(),
            fields: Map::new(),
        }
    }

    pub(crate) fn wide(self, width: u64) -> Self {
        Self { width, ..self }
    }

    pub(crate) fn high(self, height: u64) -> Self {
        Self { height, ..self }
    }

    /// Asks this. `@node` and `@store` stand for the selectors of the variables, `@rate` for the interval of rates.
    pub(crate) fn ask(mut self, expression: &str, legend: &str) -> Self {
        let expression =
            expression.replace("@node", NODE).replace("@store", STORE).replace("@rate", RATE);
        self.queries.push(Query { expression, legend: legend.to_owned() });
        self
    }

    /// Has a line where this alert has its threshold.
    pub(crate) fn alert(mut self, name: &'static str) -> Self {
        self.alerts.push(name);
        self
    }

    /// Sets a field of the values' configuration, such as `min`.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }

    /// Width and height, in cells of Grafana's grid.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.width, self.height)
    }

    /// The panel as Grafana reads it, without its number and place.
    ///
    /// # Panics
    /// When it names an alert that the rules do not have: a mistake in this package, which its tests find.
    pub(crate) fn draw(&self, rules: &Rules) -> Value {
        let alerts: Vec<&Alert> = self.alerts.iter().map(|name| rules.alert(name)).collect();
        let mut panel = json!({
            "type": self.kind.name(),
            "title": self.title,
            "description": self.description(&alerts),
            "datasource": {"type": "prometheus", "uid": SOURCE},
            "fieldConfig": {"defaults": self.defaults(&alerts), "overrides": []},
            "options": self.options(),
            "targets": self.targets(),
        });
        if let Some(fields) = panel.as_object_mut().filter(|_| self.kind == Kind::Table) {
            fields.insert("transformations".to_owned(), self.columns());
        }
        panel
    }

    fn description(&self, alerts: &[&Alert]) -> String {
        let said = alerts.iter().map(|alert| {
            let side = if alert.bound == Bound::Apart { " to either side" } else { "" };
            format!(" Alert {}: {}{side}.", alert.name, alert.condition())
        });
        self.about.to_owned() + &said.collect::<String>()
    }

    fn defaults(&self, alerts: &[&Alert]) -> Value {
        let by_threshold = matches!(self.kind, Kind::Stat | Kind::States | Kind::Table);
        let mut defaults = json!({
            "unit": self.unit,
            "color": {"mode": if by_threshold { "thresholds" } else { "palette-classic" }},
            "thresholds": {"mode": "absolute", "steps": steps(alerts)},
            "mappings": [],
        });
        if let Some(fields) = defaults.as_object_mut() {
            fields.extend(self.fields.clone());
            if self.kind == Kind::Graph {
                let style = if alerts.is_empty() { "off" } else { "line" };
                let custom = json!({
                    "lineWidth": 1, "fillOpacity": 8, "showPoints": "never",
                    "thresholdsStyle": {"mode": style},
                });
                fields.insert("custom".to_owned(), custom);
            }
        }
        defaults
    }

    fn options(&self) -> Value {
        let legend = json!({
            "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [],
        });
        match self.kind {
            Kind::Stat => json!({
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
                "colorMode": "value", "graphMode": "area", "textMode": "auto",
                "justifyMode": "auto", "orientation": "auto", "wideLayout": true,
                "percentChangeColorMode": "standard", "showPercentChange": false,
            }),
            Kind::Graph => {
                json!({"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}})
            }
            Kind::Heatmap => json!({
                "calculate": false, "yAxis": {"unit": self.unit}, "legend": {"show": true},
                "color": {
                    "mode": "scheme", "scheme": "Oranges", "steps": 64, "fill": "dark-orange",
                    "exponent": 0.5, "reverse": false,
                },
                "exemplars": {"color": "rgba(255,0,255,0.7)"}, "showValue": "never",
                "tooltip": {"mode": "single"},
            }),
            Kind::States => json!({
                "showValue": "never", "rowHeight": 0.9, "mergeValues": true, "legend": legend,
                "tooltip": {"mode": "single", "sort": "none"},
            }),
            Kind::Table => json!({"showHeader": true, "cellHeight": "sm", "frameIndex": 0}),
        }
    }

    fn targets(&self) -> Vec<Value> {
        let references = ('A'..='Z').zip(&self.queries);
        let targets = references.map(|(reference, query)| {
            let at_once = self.kind == Kind::Table;
            let format = match self.kind {
                Kind::Table => "table",
                Kind::Heatmap => "heatmap",
                Kind::Stat | Kind::Graph | Kind::States => "time_series",
            };
            json!({
                "refId": reference.to_string(),
                "datasource": {"type": "prometheus", "uid": SOURCE},
                "expr": query.expression,
                "legendFormat": query.legend,
                "editorMode": "code",
                "format": format,
                "instant": at_once,
                "range": !at_once,
            })
        });
        targets.collect()
    }

    /// Puts the queries of a table side by side.
    fn columns(&self) -> Value {
        let names = ('A'..='Z').zip(&self.queries);
        let names = names.map(|(reference, query)| {
            (format!("Value #{reference}"), Value::from(query.legend.as_str()))
        });
        json!([
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {
                "excludeByName": {"Time": true, "job": true},
                "renameByName": names.collect::<Map<_, _>>(),
            }},
        ])
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Graph => "timeseries",
            Self::Heatmap => "heatmap",
            Self::States => "state-timeline",
            Self::Table => "table",
        }
    }
}

/// Green where no alert fires, and the colour of the alert where one does.
fn steps(alerts: &[&Alert]) -> Vec<Value> {
    let below = limits(alerts, |alert| match alert.bound {
        Bound::Below => Some(alert.limit),
        Bound::Apart => Some(-alert.limit),
        Bound::Above => None,
    });
    let above = limits(alerts, |alert| match alert.bound {
        Bound::Above | Bound::Apart => Some(least(alert)),
        Bound::Below => None,
    });
    let from = iter::once(None).chain(below.iter().map(|(limit, _)| Some(*limit)));
    let steps = from.zip(below.iter().map(|(_, color)| *color).chain(["green"]));
    let steps = steps.chain(above.into_iter().map(|(limit, color)| (Some(limit), color)));
    steps.map(|(from, color)| json!({"color": color, "value": from})).collect()
}

/// Where the alerts have a limit, with their colours, from the lowest on.
fn limits(alerts: &[&Alert], limit: impl Fn(&Alert) -> Option<f64>) -> Vec<(f64, &'static str)> {
    let all = alerts.iter().filter_map(|alert| Some((limit(alert)?, alert.severity.color())));
    let mut all: Vec<_> = all.collect();
    all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    all
}

/// From where on an alert's colour is shown. A step has its own number too, so what fires above 0, which are counts, is
/// coloured from 1 on: none is green.
fn least(alert: &Alert) -> f64 {
    if alert.limit > 0.0 { alert.limit } else { 1.0 }
}
