//! A dashboard, in the classic model of Grafana that file provisioning takes: variables, links, and panels that flow
//! from left to right below the title of their row.

use serde_json::{Value, json};

use crate::panel::Panel;
use crate::rules::Rules;

/// The columns of Grafana's grid.
pub(crate) const COLUMNS: u64 = 24;
/// The data source that a variable names, so that a file works with any.
pub(crate) const SOURCE: &str = "${datasource}";

/// A dashboard that is being put together.
pub(crate) struct Page<'a> {
    uid: &'static str,
    title: &'static str,
    rules: &'a Rules,
    panels: Vec<Value>,
    /// Where the next panel begins.
    x: u64,
    y: u64,
    /// How high the highest panel of the present line is.
    line: u64,
}

impl<'a> Page<'a> {
    /// An empty one. Thresholds are those of `rules`.
    pub(crate) fn new(uid: &'static str, title: &'static str, rules: &'a Rules) -> Self {
        Self { uid, title, rules, panels: Vec::new(), x: 0, y: 0, line: 0 }
    }

    /// Adds a row with its panels.
    pub(crate) fn row(mut self, title: &str, panels: impl IntoIterator<Item = Panel>) -> Self {
        self.next_line();
        let place = json!({"x": 0, "y": self.y, "w": COLUMNS, "h": 1});
        self.panels.push(json!({
            "type": "row", "id": self.next_id(), "title": title, "collapsed": false, "panels": [],
            "gridPos": place,
        }));
        self.y += 1;
        for panel in panels {
            self.add(&panel);
        }
        self
    }

    fn add(&mut self, panel: &Panel) {
        let (width, height) = panel.size();
        if self.x + width > COLUMNS {
            self.next_line();
        }
        let place = json!({"x": self.x, "y": self.y, "w": width, "h": height});
        let mut drawn = panel.draw(self.rules);
        if let Some(fields) = drawn.as_object_mut() {
            fields.insert("id".to_owned(), json!(self.next_id()));
            fields.insert("gridPos".to_owned(), place);
        }
        self.panels.push(drawn);
        self.x += width;
        self.line = self.line.max(height);
    }

    fn next_line(&mut self) {
        self.y += self.line;
        self.x = 0;
        self.line = 0;
    }

    fn next_id(&self) -> usize {
        self.panels.len() + 1
    }

    /// The whole dashboard.
    pub(crate) fn into_json(self) -> Value {
        json!({
            "uid": self.uid,
            "title": self.title,
            "tags": ["gridkv"],
            "timezone": "browser",
            "schemaVersion": 39,
            "version": 1,
            "editable": true,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": {"from": "now-30m", "to": "now"},
            "annotations": {"list": []},
            "templating": {"list": variables()},
            // Every dashboard with the tag, so that one leads to the others and takes the choice of nodes along.
            "links": [{
                "type": "dashboards", "title": "GridKV", "tags": ["gridkv"], "asDropdown": false,
                "icon": "external link", "includeVars": true, "keepTime": true, "targetBlank": false,
                "tooltip": "", "url": "",
            }],
            "panels": self.panels,
        })
    }
}

fn variables() -> Vec<Value> {
    let source = json!({
        "type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus",
        "hide": 0, "includeAll": false, "multi": false, "options": [], "refresh": 1, "regex": "",
        "skipUrlSync": false,
    });
    // A job is one cluster: never all of them at once.
    let job = variable("job", "Job", "label_values(gridkv_build_info, job)", false);
    // A node that is down has no series of its own any more; Prometheus' own `up` stays.
    let node = "label_values(up{job=\"$job\"}, instance)";
    let node = variable("instance", "Node", node, true);
    let store = "label_values(gridkv_store_keys{job=\"$job\", instance=~\"$instance\"}, store)";
    vec![source, job, node, variable("store", "Store", store, true)]
}

fn variable(name: &str, label: &str, query: &str, many: bool) -> Value {
    let mut variable = json!({
        "type": "query", "name": name, "label": label,
        "datasource": {"type": "prometheus", "uid": SOURCE},
        "query": {"query": query, "refId": "V"},
        "refresh": 2, "sort": 1, "multi": many, "includeAll": many, "options": [], "hide": 0,
        "regex": "", "skipUrlSync": false,
    });
    if let Some(fields) = variable.as_object_mut().filter(|_| many) {
        fields.insert("allValue".to_owned(), json!(".*"));
    }
    variable
}
