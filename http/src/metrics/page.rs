//! The page of the documentation: made of the one table, and compared with what is in the tree.
//!
//! With `GRIDKV_RECORD=1` it is written anew.

use std::fmt::Write as _;
use std::path::Path;

use gridkv_actors::histogram::{Buckets, REQUESTS, RUNS, SIZES, TURNS, Unit};
use prometheus::proto::MetricType;

use super::names::{
    ACTOR_WAIT, COMMIT_SIZE, FULL_SYNC_DURATION, Family, Label, PERSIST_DURATION, TOPICS,
};

const BEGINNING: &str = "\
# The metrics

`GET /metrics` of a node gives everything here in the text format of Prometheus. This page is made of the table that the
program itself goes by (`http/src/metrics/names.rs`); a test keeps the two equal.

Counters begin at 0 when the node starts, for every value of a label that is known in advance. Moments are seconds since
1970, by the node's own clock: an age is `time()` minus one. **A series that can not apply is absent, not 0**: nothing is
said of the disk of a store that has none. What belongs to a store goes when the store is dropped, and what belongs to a
peer when it is forgotten.

## Labels

| label | values |
|---|---|
| `store` | the name of a store of this node; `_node` for actors that belong to none |
| `backend` | what keeps the store: `memory`, `file`, `moka`, `fjall`, `fjall-memory` |
| `peer` | the name of another member of the cluster |
| `member` | the name of any member, this node included |
| `route` | a path as `GET /v1/openapi.json` names it, or `unmatched` |
| `method`, `code` | of HTTP; a method that no path has is `other` |

Whatever others fill in is fixed and stands with the family. Which node it is says Prometheus' own label `instance`;
`gridkv_node_info` gives its name: `... * on (instance) group_left (node) gridkv_node_info`. No label ever has a key, a
value, a token or an address of a client.
";

const ENDING: &str = "\
## Process

`process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_virtual_memory_bytes`, `process_open_fds`,
`process_max_fds`, `process_threads` and `process_start_time_seconds`, as every exporter has them.

## What is not there, and why

- How long a read or a write was in the engine alone: `gridkv_store_operation_duration_seconds` is what a client's request
  waits for, and `gridkv_commit_duration_seconds` the part that the disk takes.
- What an actix mailbox says of itself: it has no length and no bound that holds. Who posts counts, and who takes.
- Restarts of the actors without which a node is none: they are not begun anew, the node ends, and `gridkv_peer_up` of its
  peers and `up` tell. `process_start_time_seconds` shows the restart.
- How long a compaction took, and which of them did something: the engine counts all of its runs, and nothing else
  exactly.
- What a donor knows of a session that was given up: it answers pages and keeps no session.
- Acknowledgements by origin, or anything by key: labels have few values.
";

/// The page.
fn page() -> String {
    let mut page = BEGINNING.to_owned();
    for (topic, families) in TOPICS {
        write!(page, "\n## {topic}\n").unwrap();
        for family in *families {
            page.push('\n');
            page.push_str(&paragraph(family));
        }
    }
    page.push_str(
        "\n## Buckets\n\nUpper bounds of the histograms, in seconds or in numbers of things:\n\n",
    );
    let others = "of all others";
    let waits = ACTOR_WAIT.name;
    let runs = format!("of `{}` and `{}`", PERSIST_DURATION.name, FULL_SYNC_DURATION.name);
    let sizes = COMMIT_SIZE.name;
    for (of, buckets) in [
        (others.to_owned(), &REQUESTS),
        (format!("of `{waits}`"), &TURNS),
        (runs, &RUNS),
        (format!("of `{sizes}`"), &SIZES),
    ] {
        writeln!(page, "- {of}: {}", bounds(buckets)).unwrap();
    }
    page.push('\n');
    page.push_str(ENDING);
    page
}

fn paragraph(family: &Family) -> String {
    let kind = match family.kind {
        MetricType::COUNTER => "counter",
        MetricType::HISTOGRAM => "histogram",
        MetricType::GAUGE | MetricType::SUMMARY | MetricType::UNTYPED => "gauge",
    };
    let labels: Vec<String> = family.labels.iter().map(label).collect();
    let of = if labels.is_empty() { String::new() } else { format!(", by {}", labels.join(", ")) };
    let absent = if family.absent.is_empty() {
        String::new()
    } else {
        format!(" Absent: {}.", family.absent)
    };
    format!("**`{}`** ({kind}{of})  \n{}{absent}\n", family.name, family.help)
}

fn label(label: &Label) -> String {
    let values: Vec<String> = label.values.split_whitespace().map(|it| format!("`{it}`")).collect();
    if values.is_empty() {
        format!("`{}`", label.name)
    } else {
        format!("`{}` ({})", label.name, values.join(" "))
    }
}

fn bounds(buckets: &Buckets) -> String {
    let scale = match buckets.unit {
        Unit::Micros => 1e-6,
        Unit::Count => 1.0,
    };
    let shown = |bound: &u64| {
        let bound = u32::try_from(*bound).map(f64::from).unwrap();
        ((bound * scale * 1e6).round() / 1e6).to_string()
    };
    buckets.bounds.iter().map(shown).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_of_the_documentation_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    if std::env::var_os("GRIDKV_RECORD").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page(),
        "docs/metrics.md is another one; GRIDKV_RECORD=1 cargo test -p gridkv-http --lib page writes it anew"
    );
}

#[test]
fn every_label_is_explained() {
    for family in TOPICS.iter().flat_map(|(_, families)| families.iter()) {
        for label in family.labels {
            let explained = BEGINNING.contains(&format!("`{}`", label.name));
            let tells = family.name.ends_with("_info");
            assert!(
                !label.values.is_empty() || explained || tells,
                "{} of {}",
                label.name,
                family.name
            );
        }
    }
}
