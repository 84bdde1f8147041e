//! A node's own counters, from `/metrics`.

use std::error::Error;

use gridkv_cluster::Client;

/// What a node says of itself at one moment.
#[derive(Clone, Debug)]
pub struct Samples {
    text: String,
}

impl Samples {
    /// Asks a node.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn of(client: &Client) -> Result<Self, Box<dyn Error>> {
        let reply = client.request("GET", "/metrics").send()?.expect_status(200)?;
        Ok(Self { text: reply.text().into_owned() })
    }

    /// The sum of a metric's series that have this label; of all of them for an empty one. 0 when there is none.
    #[must_use]
    pub fn sum(&self, metric: &str, label: &str) -> f64 {
        let series = self.text.lines().filter_map(|line| {
            let rest = line.strip_prefix(metric)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once("} ")?,
                None => ("", rest.strip_prefix(' ')?),
            };
            labels.contains(label).then(|| value.trim().parse::<f64>().ok()).flatten()
        });
        series.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_told_apart_by_their_labels() {
        let text = "# HELP a_total A.\na_total{peer=\"n2\",store=\"m\"} 3\na_total{peer=\"n3\"} 4\n\
                    a_total_more 9\nb 1.5\n";
        let samples = Samples { text: text.to_owned() };
        let sum = |metric, label, expected: f64| {
            assert!(
                (samples.sum(metric, label) - expected).abs() < f64::EPSILON,
                "{metric} {label}"
            );
        };
        sum("a_total", "peer=\"n2\"", 3.0);
        sum("a_total", "", 7.0);
        sum("b", "", 1.5);
        sum("c", "", 0.0);
    }
}
