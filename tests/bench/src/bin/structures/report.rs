//! Turns samples into markdown.

use std::io;
use std::iter;

use gridkv_bench::figure;
use gridkv_bench::screen;
use gridkv_bench::table::Table;

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
pub(crate) fn print(results: &[SizeResult]) -> io::Result<()> {
    for result in results {
        for (title, columns) in
            [("speed and memory", &SPEED[..]), ("order and consistency", &WALK[..])]
        {
            screen::line(format_args!("\n### {} keys: {title}\n", result.keys))?;
            screen::line(table(result, columns))?;
        }
    }
    Ok(())
}

fn table(result: &SizeResult, columns: &[Column]) -> Table {
    let headings: Vec<&str> =
        iter::once("structure").chain(columns.iter().map(|column| column.heading)).collect();
    let mut table = Table::new(&headings);
    let best: Vec<Option<f64>> =
        columns.iter().map(|column| best(&result.candidates, column)).collect();
    for (kind, samples) in &result.candidates {
        let cells = columns.iter().zip(&best).map(|(column, best)| cell(samples, column, *best));
        table.row(iter::once(kind.name().to_owned()).chain(cells));
    }
    table
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
    samples.get(figure).map(|values| figure::median(values))
}
