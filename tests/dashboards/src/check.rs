//! The whole proof: the files, then a real Prometheus that scrapes a real cluster through calm, trouble and recovery.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gridkv_cluster::{Deadline, Stopwatch, wait_for};
use serde_json::Value;

use crate::alarm;
use crate::error::Error;
use crate::fault::{self, BUSY, COLD, EXPECTED};
use crate::finding::Finding;
use crate::load;
use crate::mutant;
use crate::pages;
use crate::question::{self, Question};
use crate::rules::Rules;
use crate::schema;
use crate::screen::Screen;
use crate::server::{self, Prometheus};
use crate::tool;
use crate::trial::Trial;

/// What the nodes' series are of, in the configuration.
const JOB: &str = "gridkv";
/// Four scrapes, as Grafana has it.
const RATE_INTERVAL: &str = "4s";
/// How long nothing is wrong: longer than the longest window, and `for` beside it.
const CALM: Duration = Duration::from_secs(16);
/// How long alerts may take: a lag of ten seconds has to grow first.
const ALERTS_LIMIT: Duration = Duration::from_mins(2);
/// How long they may take to end once all is mended.
const MENDED_LIMIT: Duration = Duration::from_mins(2);

/// Where everything is.
pub struct Check {
    /// The root of the repository.
    pub root: PathBuf,
    /// The node program.
    pub gridkv: PathBuf,
    /// Where packages of npm are installed.
    pub packages: PathBuf,
    /// Where nodes and Prometheus have their data and logs, in a directory of their own.
    pub directory: PathBuf,
    /// Set when somebody asks to stop.
    pub interrupted: std::sync::Arc<AtomicBool>,
}

impl Check {
    /// Checks everything, and returns all that is wrong.
    ///
    /// # Errors
    /// When the check can not be made: a program is missing, a node does not start, somebody pressed Ctrl-C.
    pub fn run(&self, screen: &Screen) -> Result<Vec<Finding>, Error> {
        self.require()?;
        let rules = Rules::read(&self.root)?;
        let dashboards = pages::read(&self.root)?;
        let mut findings = Vec::new();
        screen.step("promtool: the configuration, the rules, and their tests");
        findings.extend(tool::check_files(&self.root)?);
        self.must_go_on()?;
        screen.step(
            "promtool: each alert silenced, and each without its threshold, must fail its tests",
        );
        findings.extend(mutant::alerts(&self.root, &rules)?);
        self.must_go_on()?;
        screen.step("@grafana/schema: every dashboard");
        findings.extend(schema::check(&self.root, &self.packages, &dashboards)?);
        self.must_go_on()?;
        if findings.is_empty() {
            let place = self.fresh_place()?;
            findings.extend(self.live(&place, (&rules, &dashboards), screen)?);
            if !findings.is_empty() {
                screen.note(&format!("what nodes and Prometheus said is in {}", place.display()));
            }
        }
        Ok(findings)
    }

    /// Says at once what is missing, instead of after a minute.
    fn require(&self) -> Result<(), Error> {
        if !self.gridkv.is_file() {
            let why = io::Error::from(io::ErrorKind::NotFound);
            return Err(Error::io("run", &self.gridkv, why));
        }
        tool::require("prometheus", server::REMEDY)?;
        tool::require("promtool", server::REMEDY)?;
        schema::require(&self.packages)
    }

    /// An empty directory; what the run before left there is removed.
    fn fresh_place(&self) -> Result<PathBuf, Error> {
        let place = std::path::absolute(self.directory.join("trial"))
            .map_err(|source| Error::io("resolve", &self.directory, source))?;
        match fs::remove_dir_all(&place) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &place, source));
            }
            Ok(()) | Err(_) => {}
        }
        fs::create_dir_all(&place).map_err(|source| Error::io("make", &place, source))?;
        Ok(place)
    }

    fn live(
        &self,
        place: &Path,
        (rules, dashboards): (&Rules, &[(&str, Value)]),
        screen: &Screen,
    ) -> Result<Vec<Finding>, Error> {
        screen.step("three nodes with TLS and tokens");
        let trial = Trial::start(&self.gridkv, place)?;
        load::warm_up(&trial)?;
        let config = place.join("prometheus.yml");
        trial.scrape(rules.write_shortened(place)?).write(&self.root, &config)?;
        let prometheus = Prometheus::start(&config, place, None)?;
        let live = Live { check: self, trial: &trial, prometheus, screen };
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            load::start(scope, &trial, &over);
            let found = live.stages(dashboards);
            over.store(true, Ordering::Relaxed);
            found
        })
    }

    fn must_go_on(&self) -> Result<(), Error> {
        if self.interrupted.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }
}

struct Live<'a> {
    check: &'a Check,
    trial: &'a Trial,
    prometheus: Prometheus,
    screen: &'a Screen,
}

impl Live<'_> {
    fn stages(mut self, dashboards: &[(&str, Value)]) -> Result<Vec<Finding>, Error> {
        let whole = Stopwatch::start();
        self.screen.step("under load, and all is well: no alert may fire");
        self.wait_until_over(CALM)?;
        let mut findings = alarm::surplus(&alarm::fired(&self.prometheus, seconds(&whole))?, &BUSY);
        self.screen.step("promtool check metrics: each node, under load");
        findings.extend(self.check_metrics()?);
        self.screen.step(
            "a node is killed, one drains, rings overflow, a cache misses, a store is full, certificates end",
        );
        findings.extend(self.trouble()?);
        self.screen.step("all is mended: every alert must end");
        fault::mend(self.trial, MENDED_LIMIT)?;
        findings.extend(self.wait_for_silence()?);
        let fired = alarm::fired(&self.prometheus, seconds(&whole))?;
        findings.extend(alarm::surplus(&fired, &[&EXPECTED[..], &BUSY, &COLD].concat()));
        self.screen.step("every expression, legend and variable of every dashboard");
        let asked = self.ask(dashboards, seconds(&whole))?;
        findings.extend(asked);
        self.screen.step("the check itself: what is mistyped on purpose must be found");
        findings.extend(self.mutants(dashboards, &fired, seconds(&whole))?);
        Ok(findings)
    }

    fn must_go_on(&mut self) -> Result<(), Error> {
        self.check.must_go_on()?;
        self.prometheus.must_run()
    }

    /// Lets time pass: it is what Prometheus measures with.
    fn wait_until_over(&mut self, time: Duration) -> Result<(), Error> {
        let deadline = Deadline::after(time);
        let over = wait_for(time + time, "time to pass", || {
            self.must_go_on().err().map(Err).or_else(|| deadline.has_passed().then_some(Ok(())))
        });
        over?
    }

    fn trouble(&mut self) -> Result<Vec<Finding>, Error> {
        let (over, watch, trial) = (AtomicBool::new(false), Stopwatch::start(), self.trial);
        thread::scope(|scope| {
            let begun = fault::begin(scope, trial, &over);
            let fired = begun.and_then(|()| self.wait_for_alerts(&watch));
            over.store(true, Ordering::Relaxed);
            fired
        })
    }

    fn wait_for_alerts(&mut self, watch: &Stopwatch) -> Result<Vec<Finding>, Error> {
        let mut missing = Vec::new();
        let waited = wait_for(ALERTS_LIMIT, "alerts", || {
            let fired =
                self.must_go_on().and_then(|()| alarm::fired(&self.prometheus, seconds(watch)));
            fired
                .map(|fired| {
                    missing = alarm::missing(&fired, &EXPECTED);
                    missing.is_empty()
                })
                .map_or_else(|error| Some(Err(error)), |all| all.then_some(Ok(())))
        });
        match waited {
            Ok(all) => all.map(|()| Vec::new()),
            Err(_) => Ok(missing),
        }
    }

    fn wait_for_silence(&mut self) -> Result<Vec<Finding>, Error> {
        let mut firing = Vec::new();
        let waited = wait_for(MENDED_LIMIT, "silence", || {
            let now = self.must_go_on().and_then(|()| alarm::firing(&self.prometheus));
            now.map(|now| firing = now)
                .map_or_else(|error| Some(Err(error)), |()| firing.is_empty().then_some(Ok(())))
        });
        match waited {
            Ok(silent) => silent.map(|()| Vec::new()),
            Err(_) => Ok(alarm::surplus(&firing, &[])),
        }
    }

    fn check_metrics(&self) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        for (node, text) in self.trial.exposed()? {
            let said = tool::promtool(&["check", "metrics"], text.as_bytes())?;
            findings.extend(said.map(|said| Finding::new(format!("/metrics of {node}"), said)));
        }
        Ok(findings)
    }

    /// Asks everything that the dashboards would ask, for the time since the beginning.
    fn ask(&self, dashboards: &[(&str, Value)], time: u64) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        let mut count = 0_usize;
        for (file, dashboard) in dashboards {
            let (choices, wrong) = question::choices(file, dashboard);
            findings.extend(wrong);
            for choice in choices {
                let selector = question::substitute(&choice.selector, JOB, RATE_INTERVAL);
                let values = match selector {
                    Ok(selector) => self.prometheus.label_values(&selector, &choice.label)?,
                    Err(unknown) => {
                        findings.push(Finding::new(choice.place, unknown));
                        continue;
                    }
                };
                if values.is_empty() {
                    findings.push(Finding::new(
                        choice.place,
                        format!("no values: {}", choice.selector),
                    ));
                }
            }
            for question in question::questions(file, dashboard) {
                findings.extend(self.judge(&question, time)?);
                count += 1;
            }
        }
        self.screen.note(&format!("{count} expressions in {} dashboards", dashboards.len()));
        Ok(findings)
    }

    fn judge(&self, question: &Question, time: u64) -> Result<Option<Finding>, Error> {
        let expression = match question::substitute(&question.expression, JOB, RATE_INTERVAL) {
            Ok(expression) => expression,
            Err(unknown) => return Ok(Some(Finding::new(&question.place, unknown))),
        };
        let answer = if question.instant {
            self.prometheus.query(&expression)
        } else {
            self.prometheus.query_over(&expression, time)
        };
        match answer {
            Ok(result) => Ok(question::judge(question, &result)),
            Err(Error::Refused { said, .. }) => {
                Ok(Some(Finding::new(&question.place, format!("{said}: {expression}"))))
            }
            Err(error) => Err(error),
        }
    }

    /// What is wrong with this check: faults on purpose that it did not find.
    fn mutants(
        &self,
        dashboards: &[(&str, Value)],
        fired: &[Value],
        time: u64,
    ) -> Result<Vec<Finding>, Error> {
        let mut blind = Vec::new();
        let questions =
            dashboards.iter().flat_map(|(file, dashboard)| question::questions(file, dashboard));
        for (what, question) in mutant::questions(questions) {
            if self.judge(&question, time)?.is_none() {
                blind.push(Finding::new(
                    "the check itself",
                    format!("does not find {what} in {}", question.place),
                ));
            }
        }
        for (what, found) in mutant::expectations(fired, &EXPECTED) {
            if found.is_empty() {
                blind.push(Finding::new("the check itself", format!("does not find {what}")));
            }
        }
        Ok(blind)
    }
}

/// The time since the start in whole seconds, none of it cut off.
fn seconds(since: &Stopwatch) -> u64 {
    since.elapsed().as_secs() + 1
}

/// Where the repository is: beside the package, wherever it was built.
#[must_use]
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}
