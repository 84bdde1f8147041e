//! Damage at rest, one at a time: alone, where nobody can give back what was lost, and beside healthy peers, who can.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gridkv_cluster::Node;

use crate::course::Course;
use crate::crash::BUSY;
use crate::damage::damage;
use crate::durability::Durability;
use crate::finding::{Finding, Kind};
use crate::ledger::Ledger;
use crate::load::Load;
use crate::mesh::Mesh;
use crate::revival::{Revival, Said, revive};
use crate::run_error::RunError;
use crate::served::{Served, get_one};
use crate::subject::Subject;
use crate::target::STORE;

/// Keys that are in the files that are damaged, beside those of the writers.
const KEYS: u64 = 300;
/// Requests of each writer before the end: enough for several commits behind the image.
const REQUESTS: u64 = 60;
/// A damaged node that is alone is ready again within this time, or never.
const ALONE_WITHIN: Duration = Duration::from_secs(10);
/// A tail that is gone can not be told from one that never was; where peers are, they have it.
const SILENT: &str = "shortened without a word";
/// Once it can not serve, it is started so many times more.
const READS: u32 = 3;

/// How the node ended before it was damaged.
#[derive(Clone, Copy, Debug)]
enum End {
    Stopped,
    Killed,
}

/// The files of a node that has ended, what was written to them, and what an undamaged node makes of them.
struct Template {
    data: PathBuf,
    ledger: Ledger,
    healthy: Served,
}

/// # Errors
/// [`RunError`] when something is served that was never written, a node that peers could repair lacks something, or
/// one neither comes up nor says why.
pub(crate) fn run(course: &mut Course<'_>) -> Result<(), RunError> {
    let mut subject = Subject::new(course)?;
    let stopped = Template::make(course, &mut subject, End::Stopped)?;
    let killed = Template::make(course, &mut subject, End::Killed)?;
    let mut mesh = Mesh::start(course)?;
    while let Some(cycle) = course.next_cycle()? {
        let mut dice = course.setup.dice(course.target, "damage", cycle);
        match cycle % 3 {
            0 => mesh.cycle(course, cycle, &mut dice)?,
            1 => stopped.cycle(course, subject.node(), &mut dice)?,
            _ => killed.cycle(course, subject.node(), &mut dice)?,
        }
    }
    Ok(())
}

/// The load before the end of a node that is damaged then.
pub(crate) fn load(course: &Course<'_>, cycle: u64) -> Load {
    let load = course.setup.load(course.target, cycle);
    Load { writers: 2, keys: 60, large: 4_000, requests: REQUESTS, ..load }
}

impl Template {
    fn make(course: &mut Course<'_>, subject: &mut Subject, end: End) -> Result<Self, RunError> {
        let within = course.setup.scale.ready_within;
        let own = subject.node().data_dir();
        remove(&own)?;
        subject.ledger = Ledger::default();
        subject.start(within)?;
        subject.preload(course, KEYS)?;
        // An image of the first part, and a journal of the second.
        subject.node().stop(within)?;
        subject.start(within)?;
        let loaded = load(course, 0).until_done(&subject.node().base_url());
        subject.take(course, loaded, &BUSY)?;
        match end {
            End::Stopped => subject.node().stop(within)?,
            End::Killed => subject.node().kill()?,
        };
        let data = course.directory.join(format!("template {end:?}"));
        copy(&own, &data)?;
        subject.start(within)?;
        let healthy = Served::read(&subject.client(), STORE, subject.ledger.keys())?;
        let judgement = subject.ledger.judge(&healthy, course.target.promise.min(Durability::Os));
        if !judgement.findings.is_empty() {
            return Err(RunError::Findings(judgement.findings));
        }
        subject.node().kill()?;
        Ok(Self { data, ledger: subject.ledger.clone(), healthy })
    }

    /// Damages a copy, and looks at what the node makes of it.
    fn cycle(
        &self,
        course: &mut Course<'_>,
        node: &Node,
        dice: &mut fastrand::Rng,
    ) -> Result<(), RunError> {
        remove(&node.data_dir())?;
        copy(&self.data, &node.data_dir())?;
        let how = damage(&store_directory(&node.data_dir())?, dice)?;
        let said = Said::since_now(node);
        for _ in 0..READS {
            let revival = revive(node, ALONE_WITHIN).map_err(|error| after(&how, &error))?;
            let category = match revival {
                Revival::Refused => Some("refused"),
                Revival::Ready(time) => {
                    course.summary.ready_after(time);
                    self.category(node, &said).map_err(|error| after(&how, &error))?
                }
            };
            if node.pid().is_some() {
                // It may have ended by itself, which is as good.
                drop(node.kill());
                drop(node.ended());
            }
            if let Some(category) = category {
                if category == SILENT {
                    let what = format!("{}: {category} after {how}", course.summary.name);
                    (course.setup.progress)(&what);
                }
                course.summary.count(format!("alone {category}"), 1);
                return Ok(());
            }
        }
        Err(after(&how, &RunError::Broken(format!("it died of being read {READS} times"))))
    }

    /// What it serves, in a word; `None` when it died before it had served everything.
    fn category(&self, node: &Node, said: &Said) -> Result<Option<&'static str>, RunError> {
        match Served::read(&node.client(), STORE, self.ledger.keys()) {
            Ok(served) => {
                self.only_written(served.records().map(|(key, seen)| (key, Some(seen.clone()))))?;
                if !served.disagreements().is_empty() {
                    return Err(RunError::Findings(served.disagreements().to_vec()));
                }
                Ok(Some(match (served == self.healthy, said.complains(node)) {
                    (true, false) => "harmless",
                    (true, true) => "repaired",
                    (false, true) => "quarantined",
                    (false, false) => SILENT,
                }))
            }
            Err(_) if node.must_run().is_err() => Ok(None),
            Err(RunError::Answer { status: 500.., .. }) => {
                // What can be read one by one must be right; the rest is told with the answer.
                let client = node.client();
                let read = self.ledger.keys().map(|key| (key, get_one(&client, STORE, key)));
                self.only_written(read.filter_map(|(key, seen)| Some((key, seen.ok()?))))?;
                Ok(Some("reported when read"))
            }
            Err(other) => Err(other),
        }
    }

    fn only_written<'a>(
        &self,
        seen: impl Iterator<Item = (&'a str, Option<crate::served::Seen>)>,
    ) -> Result<(), RunError> {
        let wrong = seen.filter(|(key, seen)| {
            seen.as_ref().is_some_and(|seen| !self.ledger.once_written(key, seen))
        });
        let findings: Vec<Finding> =
            wrong.map(|(key, _)| Finding { key: key.to_owned(), kind: Kind::Invented }).collect();
        if findings.is_empty() { Ok(()) } else { Err(RunError::Findings(findings)) }
    }
}

/// An error with the damage that it came after.
pub(crate) fn after(how: &str, error: &RunError) -> RunError {
    RunError::Broken(format!("after {how}: {}", error.chain()))
}

/// The directory of the store below a node's data.
pub(crate) fn store_directory(data: &Path) -> Result<PathBuf, RunError> {
    let mut all = vec![data.to_owned()];
    while let Some(directory) = all.pop() {
        let entries = fs::read_dir(&directory).map_err(RunError::io("read", &directory))?;
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            if entry.file_name() == STORE {
                return Ok(entry.path());
            }
            all.push(entry.path());
        }
    }
    Err(RunError::Broken(format!("there is no {STORE} below {}", data.display())))
}

pub(crate) fn remove(directory: &Path) -> Result<(), RunError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(RunError::io("remove", directory)(error))
        }
        _ => Ok(()),
    }
}

/// Copies a directory with the holes in its files.
fn copy(from: &Path, to: &Path) -> Result<(), RunError> {
    let copied = Command::new("cp").args(["-a", "--sparse=always"]).arg(from).arg(to).status();
    let copied = copied.map_err(RunError::io("copy", from))?;
    if copied.success() {
        Ok(())
    } else {
        Err(RunError::Broken(format!("cannot copy {}: {copied}", from.display())))
    }
}
