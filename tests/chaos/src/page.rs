//! One page: what was done to the cluster, what was checked, how many operations, what was found.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::finding::{Finding, PROPERTIES, Property, Verdict};
use crate::history::{Asked, History, Op, Outcome};
use crate::nemesis::Done;
use crate::setup::Setup;
use crate::weather::Weather;

/// No more findings of one property are on the page; the history has all that they were found in.
const SHOWN: usize = 5;

/// The page of a run.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    done: Vec<String>,
    operations: Vec<String>,
    checked: Vec<(Property, u64, usize)>,
    findings: Vec<Finding>,
    recovered: Duration,
    repeat: String,
}

impl Page {
    pub(crate) fn new(
        setup: &Setup,
        history: &History,
        (done, weather): (&Done, &Weather),
        verdict: Verdict,
        recovered: Duration,
    ) -> Self {
        let stores =
            history.stores.iter().map(|(name, class)| format!("{name} ({})", class.backend));
        let stores = stores.collect::<Vec<_>>().join(", ");
        let of = setup.config.as_ref().map_or("with a store of every kind".to_owned(), |config| {
            format!("with {}", config.display())
        });
        let Setup { nodes, clients, lasts, seed, .. } = setup;
        let title = format!(
            "{nodes} nodes, {of}, for {} s\nstores: {stores}\nclients: {clients}\nseed: {seed}",
            lasts.as_secs()
        );
        let config = setup.config.as_ref().map(|config| format!(" --config {}", config.display()));
        let repeat = format!(
            "--seed {seed} --seconds {} --nodes {nodes} --clients {clients}{}",
            lasts.as_secs(),
            config.unwrap_or_default()
        );
        let looked = |property| (property, verdict.looked_at(property), verdict.found(property));
        Self {
            title,
            done: done_lines(done, weather),
            operations: operation_lines(&history.ops),
            checked: PROPERTIES.map(looked).to_vec(),
            findings: verdict.findings,
            recovered,
            repeat,
        }
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }

    /// What was found.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many things were looked at for a property.
    #[must_use]
    pub fn looked_at(&self, property: Property) -> u64 {
        let mut checked = self.checked.iter();
        checked.find(|(one, ..)| *one == property).map_or(0, |(_, looked_at, _)| *looked_at)
    }
}

fn done_lines(done: &Done, weather: &Weather) -> Vec<String> {
    let counted = |counts: Vec<(String, u64)>| {
        let counts: Vec<String> =
            counts.into_iter().map(|(what, count)| format!("{what} {count}")).collect();
        if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
    };
    let blows = done.blows.iter().map(|(blow, count)| (blow.to_string(), *count)).collect();
    let faults = done.faults.iter().map(|(fault, count)| ((*fault).to_owned(), *count)).collect();
    vec![
        format!("{} steps, {} of them quiet", done.steps, done.quiet),
        format!("nodes hit: {}", counted(blows)),
        format!("links made bad, each for a step: {}", counted(faults)),
        format!("through the proxies: {}", weather.toll),
    ]
}

/// A row for each kind of operation, one for all, and what was refused or stayed unknown, by its reason.
fn operation_lines(ops: &[Op]) -> Vec<String> {
    let mut rows: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for op in ops {
        let (column, reason) = match &op.outcome {
            Outcome::Found { .. } | Outcome::Nothing | Outcome::Written { .. } => (0, None),
            Outcome::Refused(code) => (1, Some(format!("refused, {code}"))),
            Outcome::Unknown(why) => (2, Some(format!("unknown, {why}"))),
        };
        for row in [kind(op), "all"] {
            if let Some(cell) = rows.entry(row).or_default().get_mut(column) {
                *cell += 1;
            }
        }
        if let Some(reason) = reason {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let head = format!("{:<22}{:>9}{:>9}{:>9}", "", "done", "refused", "unknown");
    let row = |(kind, [done, refused, unknown]): (&str, [u64; 3])| {
        format!("{kind:<22}{done:>9}{refused:>9}{unknown:>9}")
    };
    let rows = rows.into_iter().map(row);
    let reasons = reasons.into_iter().map(|(reason, count)| format!("{count:>9} {reason}"));
    [head].into_iter().chain(rows).chain(reasons).collect()
}

fn kind(op: &Op) -> &'static str {
    match &op.asked {
        Asked::Get => "read",
        Asked::Put { condition: Some(_), .. } => "put if",
        Asked::Put { ttl_ms: Some(_), .. } => "put with a deadline",
        Asked::Put { .. } => "put",
        Asked::Delete { condition: Some(_), .. } => "delete if",
        Asked::Delete { .. } => "delete",
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = if self.passed() { "PASSED" } else { "FAILED" };
        writeln!(f, "GridKV under chaos: {result}\n\n{}\n\nWhat was done", self.title)?;
        self.done.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        writeln!(f, "\nOperations of clients")?;
        self.operations.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        writeln!(f, "\nWhat was checked {:>32}{:>9}", "looked at", "found")?;
        for (property, looked_at, found) in &self.checked {
            writeln!(f, "  {:<38}{looked_at:>9}{found:>9}", property.to_string())?;
        }
        let recovered = self.recovered.as_secs_f64();
        writeln!(f, "  all nodes held the same {recovered:.1} s after the looks began")?;
        writeln!(f, "\nWhat was found")?;
        if self.passed() {
            writeln!(f, "  nothing")?;
        }
        for property in PROPERTIES {
            let of = |finding: &&Finding| finding.property == property;
            self.findings
                .iter()
                .filter(of)
                .take(SHOWN)
                .try_for_each(|one| writeln!(f, "  {one}"))?;
            let more = self.findings.iter().filter(of).count().saturating_sub(SHOWN);
            if more > 0 {
                writeln!(f, "  {property}: {more} more")?;
            }
        }
        writeln!(f, "\nThe same again: {}", self.repeat)
    }
}

#[cfg(test)]
#[path = "page_test.rs"]
mod page_test;
