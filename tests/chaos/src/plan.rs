//! What will be done to the cluster, drawn from a seed before anything runs: the same seed makes the same plan, though
//! not the same moments.
//!
//! A plan is a row of steps of a few seconds. A quarter of them are quiet; in the others links are bad, or a node is hit, or
//! both. No more nodes are down or stopped at once than leave a majority, so that clients can go on somewhere.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use gridkv_soak::dice;

use crate::deck::Deck;
use crate::fault::Fault;
use crate::weather::Link;

/// How long a step lasts, at least and at most.
const STEP: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(4_500));
/// How long nothing happens to a node before it is hit, at least and at most.
const AFTER: (Duration, Duration) = (Duration::ZERO, Duration::from_millis(1_200));
/// How long a node is down or stopped, at least and at most; then it comes back, often within the same step.
const DOWN: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(2_500));
/// How long a node that was ambushed is left alone once it was started again.
const ALONE: Duration = Duration::from_secs(2);

/// All that will be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// One after the other.
    pub steps: Vec<Step>,
}

/// A few seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How long, if nothing takes longer.
    pub lasts: Duration,
    /// What links are like; those not named are clear.
    pub weather: Vec<(Link, Fault)>,
    /// What is done to nodes, one after the other.
    pub hits: Vec<Hit>,
}

/// What is done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which, counted from 1.
    pub node: u16,
    /// What.
    pub blow: Blow,
    /// After how long, counted from the hit before or from the beginning of the step.
    pub after: Duration,
    /// For how long.
    pub lasts: Duration,
}

/// How a node is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blow {
    /// `kill -9`, and started again.
    Kill,
    /// `kill -9`, its disk is lost, and it is started again with nothing.
    Wipe,
    /// `kill -9`, and started again with its disk as it was at an earlier end, if there was one.
    Rewind,
    /// Asked to stop, and started again.
    Stop,
    /// SIGSTOP, and SIGCONT.
    Pause,
}

/// What a step does.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Nothing.
    Quiet,
    /// Makes links bad.
    Links,
    /// Hits nodes.
    Nodes,
    /// Makes links bad and hits nodes.
    Both,
    /// Kills a node that nobody reaches, so that nobody else has what it took last, nor can give anything back.
    Ambush,
}

/// What links have in common in a step.
#[derive(Clone, Copy, Debug)]
enum Pattern {
    /// The nodes fall into two groups.
    Split,
    /// One node is not heard, or does not hear.
    OneWay,
    /// Two nodes do not reach each other, and all others do.
    Bridge,
    /// Some links have some fault each.
    Some,
    /// All links have the same fault.
    Same,
}

/// What a step does, and how often of so many times.
const KINDS: [Kind; 8] = [
    Kind::Quiet,
    Kind::Quiet,
    Kind::Links,
    Kind::Links,
    Kind::Links,
    Kind::Nodes,
    Kind::Both,
    Kind::Ambush,
];

/// How links are bad: single faults most often, because there are many of them.
const PATTERNS: [Pattern; 8] = [
    Pattern::Split,
    Pattern::OneWay,
    Pattern::Bridge,
    Pattern::Some,
    Pattern::Some,
    Pattern::Some,
    Pattern::Some,
    Pattern::Same,
];

/// How nodes are hit, and how often of so many times.
const BLOWS: [Blow; 8] = [
    Blow::Kill,
    Blow::Kill,
    Blow::Kill,
    Blow::Pause,
    Blow::Pause,
    Blow::Stop,
    Blow::Wipe,
    Blow::Rewind,
];

impl Plan {
    /// Draws a plan for so many nodes that lasts about so long.
    #[must_use]
    pub fn draw(seed: u64, nodes: u16, lasts: Duration) -> Self {
        let mut drawing = Drawing {
            dice: dice(seed, "plan", 0),
            nodes,
            kinds: Deck::new(KINDS),
            patterns: Deck::new(PATTERNS),
            faults: Deck::new(Fault::NAMES),
            blows: Deck::new(BLOWS),
        };
        let mut steps: Vec<Step> = Vec::new();
        let mut planned = Duration::ZERO;
        while planned < lasts {
            let step = drawing.step();
            planned += step.lasts;
            steps.push(step);
        }
        Self { steps }
    }
}

struct Drawing {
    dice: Rng,
    nodes: u16,
    kinds: Deck<Kind>,
    patterns: Deck<Pattern>,
    faults: Deck<&'static str>,
    blows: Deck<Blow>,
}

impl Drawing {
    fn step(&mut self) -> Step {
        let lasts = self.time(STEP);
        let (weather, hits) = match self.kinds.deal(&mut self.dice) {
            Some(Kind::Links) => (self.weather(), Vec::new()),
            Some(Kind::Nodes) => (Vec::new(), self.hits()),
            Some(Kind::Both) => (self.weather(), self.hits()),
            Some(Kind::Ambush) => return self.ambush(lasts),
            Some(Kind::Quiet) | None => (Vec::new(), Vec::new()),
        };
        Step { lasts, weather, hits }
    }

    fn ambush(&mut self, lasts: Duration) -> Step {
        let hit = self.hit().map(|hit| Hit { blow: Blow::Kill, ..hit });
        let hits: Vec<Hit> = hit.into_iter().collect();
        let is_alone =
            |link: &Link| hits.iter().any(|hit| link.from == hit.node || link.to == hit.node);
        let cut = Link::all(self.nodes).into_iter().filter(is_alone);
        let weather = cut.map(|link| (link, Fault::Stall)).collect();
        let hit: Duration = hits.iter().map(|hit| hit.after + hit.lasts).sum();
        Step { lasts: lasts.max(hit + ALONE), weather, hits }
    }

    fn time(&mut self, (least, most): (Duration, Duration)) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.dice.f64())
    }

    fn node(&mut self) -> u16 {
        self.dice.u16(1..=self.nodes.max(1))
    }

    /// One after the other, so one node at a time; some nodes twice.
    fn hits(&mut self) -> Vec<Hit> {
        if self.nodes == 1 {
            // Nobody else is there to serve, but a single node has to come back as well.
            return self.hit().into_iter().collect();
        }
        (0..self.dice.u8(1..=2)).filter_map(|_| self.hit()).collect()
    }

    fn hit(&mut self) -> Option<Hit> {
        let blow = self.blows.deal(&mut self.dice)?;
        // Whoever has no peers would lose all it has with its disk.
        let takes_disk = matches!(blow, Blow::Wipe | Blow::Rewind);
        let blow = if self.nodes == 1 && takes_disk { Blow::Kill } else { blow };
        Some(Hit { node: self.node(), blow, after: self.time(AFTER), lasts: self.time(DOWN) })
    }

    fn weather(&mut self) -> Vec<(Link, Fault)> {
        let links = Link::all(self.nodes);
        let one = self.node();
        let all =
            |links: Vec<Link>, fault: Fault| links.into_iter().map(|link| (link, fault)).collect();
        let only = |is_hit: &dyn Fn(&Link) -> bool| links.iter().copied().filter(is_hit).collect();
        match self.patterns.deal(&mut self.dice) {
            Some(Pattern::Split) => {
                let first: Vec<u16> = (1..=self.nodes)
                    .filter(|node| *node == one || self.dice.u8(0..4) == 0)
                    .collect();
                let split = |link: &Link| first.contains(&link.from) != first.contains(&link.to);
                all(only(&split), Fault::Stall)
            }
            Some(Pattern::OneWay) if self.dice.bool() => {
                all(only(&|link| link.from == one), Fault::OneWay)
            }
            Some(Pattern::OneWay) => all(only(&|link| link.to == one), Fault::OneWay),
            Some(Pattern::Bridge) => {
                let other = one % self.nodes.max(1) + 1;
                let pair = [one, other];
                all(
                    only(&|link| pair.contains(&link.from) && pair.contains(&link.to)),
                    Fault::Stall,
                )
            }
            Some(Pattern::Same) => {
                let fault = self.fault();
                all(links, fault)
            }
            Some(Pattern::Some) | None => {
                let bad: Vec<Link> = links.into_iter().filter(|_| self.dice.u8(0..5) < 3).collect();
                bad.into_iter().map(|link| (link, self.fault())).collect()
            }
        }
    }

    fn fault(&mut self) -> Fault {
        let name = self.faults.deal(&mut self.dice).unwrap_or_default();
        Fault::drawn(name, &mut self.dice)
    }
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill -9",
            Self::Wipe => "kill -9 and disk lost",
            Self::Rewind => "kill -9 and disk of the past",
            Self::Stop => "stop and start",
            Self::Pause => "SIGSTOP",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.weather.is_empty() && self.hits.is_empty() {
            return f.write_str("quiet");
        }
        let weather = self.weather.iter().map(|(link, fault)| format!("{link} {fault}"));
        let hits = self
            .hits
            .iter()
            .map(|hit| format!("n{} {} for {:.1} s", hit.node, hit.blow, hit.lasts.as_secs_f64()));
        f.write_str(&weather.chain(hits).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn the_same_seed_makes_the_same_plan() {
        let plan = Plan::draw(7, 3, MINUTE);
        assert_eq!(plan, Plan::draw(7, 3, MINUTE));
        assert_ne!(plan, Plan::draw(8, 3, MINUTE));
    }

    #[test]
    fn two_minutes_have_all_in_them_and_rests() {
        let steps = Plan::draw(1, 3, MINUTE * 2).steps;
        for name in Fault::NAMES {
            let has = |step: &Step| step.weather.iter().any(|(_, fault)| fault.name() == name);
            assert!(steps.iter().any(has), "{name}");
        }
        for blow in BLOWS {
            assert!(
                steps.iter().any(|step| step.hits.iter().any(|hit| hit.blow == blow)),
                "{blow}"
            );
        }
        let quiet = steps.iter().filter(|step| step.to_string() == "quiet").count();
        assert!(quiet * 5 > steps.len() && quiet * 3 < steps.len(), "{quiet} of {}", steps.len());
    }

    #[test]
    fn only_nodes_that_are_there_are_hit() {
        for nodes in [1, 2, 5] {
            for step in Plan::draw(3, nodes, MINUTE * 3).steps {
                assert!(step.hits.iter().all(|hit| (1..=nodes).contains(&hit.node)));
                for (Link { from, to }, _) in step.weather {
                    assert!(from != to && from.max(to) <= nodes);
                }
            }
        }
    }
}
