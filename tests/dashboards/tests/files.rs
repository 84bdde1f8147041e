//! The files of `grafana/`, without a Prometheus: that they are as they are written, name only what is there, and tell
//! of everything.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeSet;
use std::fs;

use gridkv_dashboards::rules::{self, Rules};
use gridkv_dashboards::{operator, pages, question, root};

/// Where every family of metrics is listed, from the root of the repository. It is made of the node's own table.
const FAMILIES: &str = "docs/metrics.md";
const RUNBOOK: &str = "docs/alerts.md";
const CONSOLE: &str = "http/console";

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn rules() -> Rules {
    Rules::read(&root()).unwrap()
}

/// The words of a text that begin like a metric of a node.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words.filter(|word| word.starts_with("gridkv_")).collect()
}

/// Every expression of dashboards and rules, with where it stands.
fn expressions() -> Vec<(String, String)> {
    let dashboards = pages::read(&root()).unwrap();
    let asked = dashboards.iter().flat_map(|(file, dashboard)| {
        let (choices, wrong) = question::choices(file, dashboard);
        assert_eq!(wrong, []);
        let choices = choices.into_iter().map(|choice| (choice.place, choice.selector));
        let questions = question::questions(file, dashboard);
        let questions = questions.into_iter().map(|asked| (asked.place, asked.expression));
        choices.chain(questions).collect::<Vec<_>>()
    });
    asked.chain(rules().expressions()).collect()
}

/// The family that a name in an expression is of.
fn family<'a>(name: &'a str, known: &BTreeSet<&str>) -> &'a str {
    let parts = ["_bucket", "_sum", "_count"].iter().filter_map(|part| name.strip_suffix(part));
    parts.into_iter().find(|family| known.contains(family)).unwrap_or(name)
}

#[test]
fn the_dashboards_are_as_they_are_written() {
    for (name, dashboard) in pages::all(&rules()) {
        let same = read(&format!("{}/{name}", pages::DIRECTORY)) == pages::text(&dashboard);
        assert!(same, "{name} is not what tests/dashboards writes: make dashboards");
    }
    let files = fs::read_dir(root().join(pages::DIRECTORY)).unwrap();
    assert_eq!(files.count(), pages::all(&rules()).len(), "a file that nobody writes");
}

#[test]
fn the_rules_for_the_operator_are_as_they_are_written() {
    let same = read(operator::FILE) == operator::text(&root()).unwrap();
    assert!(same, "{} is not what tests/dashboards writes: make dashboards", operator::FILE);
}

#[test]
fn where_there_is_none_of_what_alerts_are_for_it_is_green() {
    let mut steps = 0_usize;
    for (file, dashboard) in pages::read(&root()).unwrap() {
        for panel in dashboard["panels"].as_array().unwrap() {
            let all = panel.pointer("/fieldConfig/defaults/thresholds/steps");
            for step in all.and_then(|all| all.as_array()).into_iter().flatten() {
                assert_ne!(step["value"].as_f64(), Some(0.0), "{file}, {}", panel["title"]);
                steps += 1;
            }
        }
    }
    assert!(steps > 100, "{steps}");
}

#[test]
fn expressions_name_only_families_that_a_node_has() {
    let known = read(FAMILIES);
    let known = metrics(&known);
    for (place, expression) in expressions() {
        for name in metrics(&expression) {
            assert!(known.contains(family(name, &known)), "{place}: {name} is not in {FAMILIES}");
        }
    }
}

#[test]
fn every_family_is_on_a_dashboard() {
    let known = read(FAMILIES);
    let known = metrics(&known);
    let asked: Vec<_> = expressions();
    let shown = asked.iter().flat_map(|(_, expression)| metrics(expression));
    let shown: BTreeSet<&str> = shown.map(|name| family(name, &known)).collect();
    let hidden: Vec<_> = known.difference(&shown).collect();
    assert!(hidden.is_empty(), "no dashboard and no rule shows {hidden:?}");
}

#[test]
fn recorded_series_are_asked_for_by_the_names_that_they_have() {
    let all = expressions();
    let recorded: BTreeSet<&str> =
        all.iter().map(|(name, _)| name.as_str()).filter(|name| name.contains(':')).collect();
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        words.filter(|word| word.contains(":gridkv_")).map(str::to_owned).collect()
    };
    let asked: BTreeSet<String> =
        all.iter().flat_map(|(_, expression)| words(expression)).collect();
    let asked: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
    assert_eq!(asked, recorded);
}

#[test]
fn every_alert_says_what_is_seen_what_it_means_and_what_to_do() {
    let runbook = read(RUNBOOK);
    let sections: Vec<(&str, &str)> =
        runbook.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    let rules = rules();
    let names: Vec<&str> = rules.alerts().iter().map(|alert| alert.name.as_str()).collect();
    let titles: Vec<&str> = sections.iter().map(|(title, _)| *title).collect();
    assert_eq!(titles, names, "the sections of {RUNBOOK}");
    for (title, text) in sections {
        for part in ["- **See:** ", "- **Means:** ", "- **Do:** "] {
            assert_eq!(text.matches(part).count(), 1, "{RUNBOOK}, {title}: {part}");
        }
    }
    for alert in rules.alerts() {
        let anchor = format!("{RUNBOOK}#{}", alert.name.to_lowercase());
        assert_eq!(alert.annotation("runbook"), Some(anchor.as_str()), "{}", alert.name);
        for name in ["summary", "description"] {
            assert!(alert.annotation(name).is_some_and(|text| text.len() > 20), "{}", alert.name);
        }
    }
}

#[test]
fn the_console_names_no_alert_that_is_not_there() {
    let rules = rules();
    let known: BTreeSet<&str> = rules.alerts().iter().map(|alert| alert.name.as_str()).collect();
    let mut named = 0_usize;
    for entry in fs::read_dir(root().join(CONSOLE)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "js") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        for word in words.filter(|word| word.len() > "GridKV".len() && word.starts_with("GridKV")) {
            assert!(known.contains(word), "{}: {word}", path.display());
            named += 1;
        }
    }
    assert!(named > 15, "{named}");
}

#[test]
fn every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() {
    let tests = read(rules::TESTS);
    for alert in rules().alerts() {
        let name = &alert.name;
        let cases = tests.split("alertname: ").skip(1).filter_map(|case| {
            case.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('\n'))
        });
        let silent = |case: &str| case.trim_start().starts_with("exp_alerts: []");
        let (silent, firing): (Vec<&str>, Vec<&str>) = cases.partition(|case| silent(case));
        assert!(!silent.is_empty() && !firing.is_empty(), "{name}");
    }
}

#[test]
fn a_mistyped_metric_is_in_no_list() {
    let known = read(FAMILIES);
    let known = metrics(&known);
    assert!(known.contains(family("gridkv_http_request_duration_seconds_bucket", &known)));
    assert!(!known.contains(family("gridkv_http_request_duration_second_bucket", &known)));
}
