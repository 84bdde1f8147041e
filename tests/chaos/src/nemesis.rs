//! The nemesis: does to nodes and links what the plan says, notes when nodes lost what they had, and heals all at the end.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gridkv_cluster::{Cluster, ClusterError, Deadline, Node, Stopwatch, wait_until};
use gridkv_soak::RunError;

use crate::finding::{Finding, Property};
use crate::history::{Loss, Micros};
use crate::load::micros;
use crate::past;
use crate::plan::{Blow, Hit, Plan, Step};
use crate::weather::Weather;

/// A node that was started answers, though it may not be ready, within this time; else it is only hit no more.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// A node that is asked to stop, with peers that may be out of reach, has ended within this time.
const STOPS_WITHIN: Duration = Duration::from_secs(40);
/// Lines of a node's log in a finding.
const LOG_LINES: usize = 12;

/// Whoever does it.
pub(crate) struct Nemesis<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) weather: &'a Weather,
    pub(crate) clock: Stopwatch,
    pub(crate) interrupted: &'a AtomicBool,
    /// Is told of each step.
    pub(crate) tell: &'a dyn Fn(&Step),
    done: Done,
    /// When all nodes were last seen running.
    seen_running: Micros,
}

/// What was done, and what nodes did by themselves.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Steps, the quiet ones among them.
    pub(crate) steps: usize,
    pub(crate) quiet: usize,
    pub(crate) blows: BTreeMap<Blow, u64>,
    /// How many times a link had a fault of this name.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) findings: Vec<Finding>,
}

impl<'a> Nemesis<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        weather: &'a Weather,
        clock: Stopwatch,
        interrupted: &'a AtomicBool,
        tell: &'a dyn Fn(&Step),
    ) -> Self {
        let seen_running = micros(&clock);
        Self { cluster, weather, clock, interrupted, tell, done: Done::default(), seen_running }
    }

    /// Does all of the plan, and heals what it did.
    ///
    /// # Errors
    /// [`RunError::Interrupted`], or when a node can not be started, stopped or signalled.
    pub(crate) fn play(mut self, plan: &Plan) -> Result<Done, RunError> {
        let played = plan.steps.iter().try_for_each(|step| self.step(step));
        self.weather.clear();
        played?;
        self.revive_the_fallen()?;
        Ok(self.done)
    }

    fn step(&mut self, step: &Step) -> Result<(), RunError> {
        (self.tell)(step);
        let end = Deadline::after(step.lasts);
        self.done.steps += 1;
        self.done.quiet += usize::from(step.weather.is_empty() && step.hits.is_empty());
        for (_, fault) in &step.weather {
            *self.done.faults.entry(fault.name()).or_default() += 1;
        }
        self.weather.set(step.weather.iter().copied());
        step.hits.iter().try_for_each(|hit| self.hit(hit))?;
        self.rest(end)?;
        self.revive_the_fallen()
    }

    /// Lets things go on as they are.
    fn rest(&self, until: impl Into<Deadline>) -> Result<(), RunError> {
        let until = until.into();
        let over = || until.has_passed() || self.interrupted.load(Ordering::Relaxed);
        // It can not be missed: the condition is the deadline.
        drop(wait_until(until, "a step to pass", over));
        if self.interrupted.load(Ordering::Relaxed) { Err(RunError::Interrupted) } else { Ok(()) }
    }

    fn hit(&mut self, hit: &Hit) -> Result<(), RunError> {
        self.rest(hit.after)?;
        self.revive_the_fallen()?;
        let node = self.cluster.node(usize::from(hit.node));
        if hit.blow == Blow::Pause {
            self.count(hit.blow);
            node.pause()?;
            let rested = self.rest(hit.lasts);
            node.resume()?;
            return rested;
        }
        let from = micros(&self.clock);
        if hit.blow == Blow::Stop {
            if let Err(error) = node.stop(STOPS_WITHIN) {
                let ClusterError::NotStopped { .. } = &error else { return Err(error.into()) };
                self.find(hit.node, "did not stop when asked".to_owned());
                node.kill()?;
            }
        } else {
            node.kill()?;
        }
        let disk = match hit.blow {
            Blow::Wipe => {
                past::drop_copy(node)?;
                let data = node.data_dir();
                fs::remove_dir_all(&data).map_err(RunError::io("remove", &data))?;
                true
            }
            // What it wrote since then is gone with the disk that had it.
            Blow::Rewind => past::bring_back(node)?,
            Blow::Kill | Blow::Stop | Blow::Pause => {
                past::keep(node)?;
                false
            }
        };
        // Without a past it was only killed.
        let only_killed = hit.blow == Blow::Rewind && !disk;
        self.count(if only_killed { Blow::Kill } else { hit.blow });
        let to = micros(&self.clock);
        self.done.losses.push(Loss { node: hit.node, from, to, disk });
        self.rest(hit.lasts)?;
        node.start()?;
        self.await_answer(node);
        self.interruption()
    }

    fn count(&mut self, blow: Blow) {
        *self.done.blows.entry(blow).or_default() += 1;
    }

    /// Until it answers, ready or not: one that dies while it opens its stores is for the long runs with a disk.
    fn await_answer(&self, node: &Node) {
        let client = node.client();
        let answers =
            || client.readyz().is_ok() || node.must_run().is_err() || self.interruption().is_err();
        drop(wait_until(ANSWERS_WITHIN, "an answer", answers));
    }

    fn interruption(&self) -> Result<(), RunError> {
        self.rest(Duration::ZERO)
    }

    /// A node that ended although nobody ended it is found, and started again.
    fn revive_the_fallen(&mut self) -> Result<(), RunError> {
        for (number, node) in (1..).zip(self.cluster.nodes()) {
            let Some(status) = node.ended()? else { continue };
            let what = format!("ended by itself ({status})\n{}", node.log_tail(LOG_LINES));
            self.find(number, what);
            let (from, to) = (self.seen_running, micros(&self.clock));
            self.done.losses.push(Loss { node: number, from, to, disk: false });
            node.start()?;
            self.await_answer(node);
        }
        self.seen_running = micros(&self.clock);
        Ok(())
    }

    fn find(&mut self, node: u16, what: String) {
        let place = format!("n{node}");
        self.done.findings.push(Finding { property: Property::Recovers, place, what });
    }
}
