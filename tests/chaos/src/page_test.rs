//! Pages: what stands on them.

use std::path::PathBuf;
use std::time::Duration;

use super::Page;
use crate::finding::{Property, Verdict};
use crate::history::{Asked, History, Op, Outcome};
use crate::nemesis::Done;
use crate::plan::Blow;
use crate::setup::Setup;
use crate::weather::Weather;

fn setup() -> Setup {
    Setup {
        gridkv: PathBuf::from("gridkv"),
        config: Some(PathBuf::from("my.toml")),
        nodes: 3,
        clients: 16,
        rest: Duration::ZERO,
        lasts: Duration::from_mins(1),
        recovers_within: Duration::ZERO,
        seed: 7,
        out: None,
        interrupted: std::sync::Arc::default(),
        progress: |_| (),
    }
}

fn page(verdict: Verdict) -> Page {
    let op = |outcome| Op {
        client: 1,
        node: 1,
        store: "main".to_owned(),
        key: "k".to_owned(),
        asked: Asked::Get,
        invoked: 0,
        returned: 1,
        outcome,
    };
    let refused = Outcome::Refused("not_ready".to_owned());
    let ops = vec![op(Outcome::Nothing), op(Outcome::Nothing), op(refused)];
    let history = History { ops, ..History::default() };
    let done = Done { steps: 9, quiet: 2, blows: [(Blow::Kill, 4)].into(), ..Done::default() };
    let took = Duration::from_millis(1_250);
    Page::new(&setup(), &history, (&done, &Weather::default()), verdict, took)
}

#[test]
fn a_page_says_what_was_done_checked_and_found() {
    let mut verdict = Verdict::default();
    (0..12).for_each(|_| verdict.look(Property::Keeps));
    (0..18).for_each(|_| verdict.look(Property::Proven));
    let passed = page(verdict.clone());
    assert!(passed.passed());
    let text = passed.to_string();
    for part in [
        "GridKV under chaos: PASSED",
        "3 nodes, with my.toml, for 60 s",
        "9 steps, 2 of them quiet",
        "nodes hit: kill -9 4",
        "read                          2        1        0",
        "1 refused, not_ready",
        "nothing acknowledged is lost                 12        0",
        "nodes know that they hold the same           18        0",
        "What was found\n  nothing",
        "--seed 7 --seconds 60 --nodes 3 --clients 16 --config my.toml",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    (0..9).for_each(|number| verdict.find(Property::Keeps, format!("main/{number}"), "is gone"));
    let failed = page(verdict);
    assert_eq!((failed.passed(), failed.findings().len()), (false, 9));
    let text = failed.to_string();
    assert!(text.contains("FAILED"));
    assert!(text.contains("nothing acknowledged is lost: main/4: is gone"));
    assert!(text.contains("nothing acknowledged is lost: 4 more"));
    assert!(!text.contains("main/5"));
}
