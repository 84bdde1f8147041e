//! Turns samples into markdown.

use std::fmt::Write;

use crate::candidate::Kind;
use crate::rounds::{Samples, SizeResult};

/// One column: its heading, the figure it shows, decimals, and whether ratios make sense.
struct Column {
    heading: &'static str,
    figure: &'static str,
    decimals: usize,
    ratio: bool,
}

const fn column(
    heading: &'static str,
    figure: &'static str,
    decimals: usize,
    ratio: bool,
) -> Column {
    Column { heading, figure, decimals, ratio }
}

const SPEED: [Column; 11] = [
    column("get ns", "get", 0, true),
    column("get ns, two readers of one key", "get_hot", 0, true),
    column("get ns beside writer (commits of 1)", "get_beside1", 0, true),
    column("put ns meanwhile", "put_beside1", 0, true),
    column("get ns beside writer (commits of 64)", "get_beside64", 0, true),
    column("put ns meanwhile (64)", "put_beside64", 0, true),
    column("put ns alone (1)", "put1", 0, true),
    column("put ns alone (64)", "put64", 0, true),
    column("insert ns new key (1)", "insert", 0, true),
    column("RSS B/key loaded", "rss", 0, true),
    column("RSS B/key after 200k overwrites", "rss_after", 0, true),
];

const WALK: [Column; 12] = [
    column("walk ms", "walk_ms", 2, true),
    column("first page ms", "page_first_ms", 3, false),
    column("last page ms", "page_last_ms", 3, false),
    column("longest write alone us", "blocked_alone_us", 0, false),
    column("longest write beside walk us", "blocked_walk_us", 0, false),
    column("p99.9 write alone us", "p999_alone_us", 1, false),
    column("p99.9 write beside walk us", "p999_walk_us", 1, false),
    column("longest commit of 64 while growing us", "grow_longest_us", 0, false),
    column("lost reads", "lost_reads", 0, false),
    column("lost in walks", "lost_walk", 0, false),
    column("picture of one instant us", "snapshot_us", 2, false),
    column("else copy, writer stopped, ms", "copy_ms", 2, false),
];

/// Two tables per size: speed and memory, then order and consistency.
pub fn render(results: &[SizeResult]) -> String {
    let mut text = String::new();
    for result in results {
        table(&mut text, result, "speed and memory", &SPEED);
        table(&mut text, result, "order and consistency", &WALK);
    }
    text
}

fn table(text: &mut String, result: &SizeResult, title: &str, columns: &[Column]) {
    let headings: Vec<&str> = columns.iter().map(|column| column.heading).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n### {} keys: {title}\n", result.keys);
    let _ = writeln!(text, "| structure | {} |", headings.join(" | "));
    let _ = writeln!(text, "|---|{}", "---:|".repeat(columns.len()));
    let best: Vec<Option<f64>> =
        columns.iter().map(|column| best(&result.candidates, column)).collect();
    for (kind, samples) in &result.candidates {
        let _ = write!(text, "| {} |", kind.name());
        for (column, best) in columns.iter().zip(&best) {
            let _ = write!(text, " {} |", cell(samples, column, *best));
        }
        text.push('\n');
    }
}

fn best(candidates: &[(Kind, Samples)], column: &Column) -> Option<f64> {
    candidates
        .iter()
        .filter_map(|(_, samples)| median(samples, column.figure))
        .min_by(f64::total_cmp)
        .filter(|_| column.ratio)
}

fn cell(samples: &Samples, column: &Column, best: Option<f64>) -> String {
    let Some(figure) = median(samples, column.figure) else {
        return "-".to_owned();
    };
    let shown = format!("{figure:.*}", column.decimals);
    match best {
        Some(best) if best > 0.0 => format!("{shown} ({:.1})", figure / best),
        _ => shown,
    }
}

fn median(samples: &Samples, figure: &str) -> Option<f64> {
    let mut values = samples.get(figure)?.clone();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied()?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = values.get(middle.checked_sub(1)?).copied()?;
    Some(f64::midpoint(lower, upper))
}
