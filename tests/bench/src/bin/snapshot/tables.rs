//! What all rounds came to.

use std::time::Duration;

use gridkv_bench::figure::{bytes, median, median_ratio, millis};
use gridkv_bench::load::Tally;
use gridkv_bench::report::against;
use gridkv_bench::table::Table;

use crate::case::{Outcome, Turn, Writes};

/// Bytes that a node may take meanwhile, above the data.
const AIM_BYTES: f64 = 64.0 * MIB;

const MIB: f64 = 1024.0 * 1024.0;

/// A backend, and its rounds.
pub(crate) type Backend = (String, Vec<Outcome>);

/// One of the lists of turns that a round has.
pub(crate) type Turns = fn(&Outcome) -> &[Turn];

/// One turn of each round.
struct Row<'a> {
    name: String,
    turns: Vec<&'a Turn>,
}

/// Seconds, bytes and memory.
pub(crate) fn transfers(backends: &[Backend], turns: Turns) -> Table {
    let mut table = Table::new(&[
        "",
        "seconds",
        "MB",
        "MB/s",
        "MiB at rest",
        "above",
        "most",
        "aim",
        "equal after, s",
    ]);
    for row in rows(backends, turns) {
        let seconds = row.of(|turn| turn.took.as_secs_f64());
        let at_rest = row.of(|turn| bytes(turn.memory.at_rest));
        let above = row.of(|turn| bytes(turn.memory.most) - bytes(turn.memory.at_rest));
        let size = row.of(|turn| bytes(turn.size) / 1e6);
        let speed = row.of(|turn| bytes(turn.size) / turn.took.as_secs_f64() / 1e6);
        let most = above.iter().copied().fold(f64::MIN, f64::max);
        let equal = row.turns.iter().filter_map(|turn| turn.equal).map(|it| it.as_secs_f64());
        let equal: Vec<f64> = equal.collect();
        let equal =
            if equal.is_empty() { "-".to_owned() } else { format!("{:.2}", median(&equal)) };
        table.row([
            row.name,
            format!("{:.2}", median(&seconds)),
            format!("{:.0}", median(&size)),
            format!("{:.0}", median(&speed)),
            format!("{:.0}", median(&at_rest) / MIB),
            format!("{:.1}", median(&above) / MIB),
            against(format!("{:.1}", most / MIB), most <= AIM_BYTES),
            format!("{:.0}", AIM_BYTES / MIB),
            equal,
        ]);
    }
    table
}

/// What a steady writer felt.
pub(crate) fn writers(backends: &[Backend], lists: &[Turns]) -> Table {
    let mut table = Table::new(&[
        "",
        "writes/s",
        "refused",
        "p50 ms before",
        "meanwhile",
        "ratio",
        "p99 ms before",
        "meanwhile",
        "ratio",
        "longest",
    ]);
    for row in lists.iter().flat_map(|turns| rows(backends, *turns)) {
        let writes: Vec<&Writes> = row.turns.iter().filter_map(|it| it.writes.as_ref()).collect();
        if writes.is_empty() {
            continue;
        }
        let rate: Vec<f64> = writes.iter().map(|it| it.during.rate()).collect();
        let refused: usize = writes.iter().map(|it| it.during.refused).sum();
        let longest = writes.iter().map(|it| it.during.times.longest()).max();
        let mut cells = vec![row.name, format!("{:.0}", median(&rate)), refused.to_string()];
        for rank in [500, 990] {
            let of = |phase: fn(&Writes) -> &Tally| -> Vec<f64> {
                let times = writes.iter().map(|it| phase(it).times.per_mille(rank));
                times.map(|time| time.as_secs_f64()).collect()
            };
            let (before, during) = (of(|it| &it.before), of(|it| &it.during));
            let shown = [&before, &during].map(|times| time(median(times)));
            cells.extend(shown);
            cells.push(format!("{:.2}", median_ratio(&during, &before)));
        }
        cells.push(millis(longest.unwrap_or_default()));
        table.row(cells);
    }
    table
}

/// Where the flipped bit was, and where the node said.
pub(crate) fn refusals(backends: &[Backend]) -> Table {
    let mut table = Table::new(&["", "byte flipped", "named", "seconds"]);
    for (backend, outcomes) in backends {
        for refusal in outcomes.first().iter().flat_map(|outcome| &outcome.refusals) {
            table.row([
                format!("`{backend}`, {}", refusal.name),
                refusal.flipped.to_string(),
                refusal.named.to_string(),
                format!("{:.2}", refusal.took.as_secs_f64()),
            ]);
        }
    }
    table
}

fn rows(backends: &[Backend], turns: Turns) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (backend, outcomes) in backends {
        let first = outcomes.first().map_or(&[] as &[Turn], turns);
        rows.extend(first.iter().enumerate().map(|(place, first)| Row {
            name: format!("`{backend}`, {}", first.name),
            turns: outcomes.iter().filter_map(|outcome| turns(outcome).get(place)).collect(),
        }));
    }
    rows
}

impl Row<'_> {
    fn of(&self, figure: fn(&Turn) -> f64) -> Vec<f64> {
        self.turns.iter().map(|turn| figure(turn)).collect()
    }
}

fn time(seconds: f64) -> String {
    millis(Duration::from_secs_f64(seconds.max(0.0)))
}
