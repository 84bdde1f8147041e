//! A disk that fills up while it is written to, and has space again later.

use std::time::Duration;

use gridkv_cluster::wait_for;

use crate::course::Course;
use crate::crash::BUSY;
use crate::durability::Durability;
use crate::flips::remove;
use crate::load::Load;
use crate::mount::Mount;
use crate::power::at;
use crate::revival::{Revival, revive};
use crate::run_error::RunError;
use crate::subject::Subject;

/// How many times larger the disk is when there is space again: enough for all that was kept in memory meanwhile.
const SPACE: u64 = 8;
/// Values that fill it in a second or two.
const LARGE: usize = 400_000;
/// A writer ends after so many requests if the disk has not filled up by then: each writes some hundred kilobytes, so
/// that all together write several times what the disk has space for.
const BYTES_PER_REQUEST: u64 = 70_000;
/// Writes are taken again within this time after there is space.
const RECOVERED_WITHIN: Duration = Duration::from_secs(20);
/// How a write may be refused for want of space.
const MAY_REFUSE: [&str; 3] = [BUSY[0], "disk_full", "store_failed"];

/// # Errors
/// [`RunError`] when an acknowledged write is gone, a write is refused for another reason, or writes are not taken
/// again once there is space.
pub(crate) fn run(course: &mut Course<'_>) -> Result<(), RunError> {
    while let Some(cycle) = course.next_cycle()? {
        remove(&course.directory.join("n1"))?;
        let disk = Mount::tmpfs(&at(course.directory), course.setup.scale.disk_bytes)?;
        let mut subject = Subject::new(course)?;
        fill(course, &mut subject, cycle)?;
        starve(course, &mut subject, &disk, cycle)?;
        drop(subject);
        disk.unmount()?;
    }
    Ok(())
}

/// Writes until there is no space, or until what was written would have filled the disk several times.
fn fill(course: &mut Course<'_>, subject: &mut Subject, cycle: u64) -> Result<(), RunError> {
    subject.start(course.setup.scale.ready_within)?;
    subject.preload(course, course.setup.scale.keys)?;
    let usual = course.setup.load(course.target, cycle);
    let requests = course.setup.scale.disk_bytes / BYTES_PER_REQUEST;
    let load = Load { writers: 3, large: LARGE, large_of_ten: 6, requests, ..usual };
    // Few keys that are overwritten: then old journals and tables fill the disk, not what is kept.
    let overwrites = course.setup.dice(course.target, "fill", cycle).u8(..3) == 0;
    let (keys, deletes_of_ten) = if overwrites { (12, 2) } else { (1_000_000, 0) };
    let load = Load { keys, deletes_of_ten, ..load };
    let loaded = load.until_done(&subject.node().base_url());
    let refused: u64 = MAY_REFUSE[1..].iter().filter_map(|code| loaded.refused.get(*code)).sum();
    subject.take(course, loaded, &MAY_REFUSE)?;
    if refused == 0 && !overwrites {
        return Err(RunError::Broken("the disk is full, and no write was refused".to_owned()));
    }
    // Reads go on.
    subject.look(course, Durability::Memory)
}

/// The disk stays full for a restart, or not; then there is space again, and all must be as before.
fn starve(
    course: &mut Course<'_>,
    subject: &mut Subject,
    disk: &Mount,
    cycle: u64,
) -> Result<(), RunError> {
    let survives = course.target.promise.min(Durability::Os);
    let within = course.setup.scale.ready_within;
    let restarts = course.setup.dice(course.target, "full", cycle).u8(..3) == 0;
    if restarts {
        subject.node().kill()?;
        match revive(subject.node(), within)? {
            Revival::Ready(_) => {
                course.summary.count("served while full", 1);
                subject.look(course, survives)?;
            }
            Revival::Refused => course.summary.count("refused to start while full", 1),
        }
    }
    disk.resize(SPACE * course.setup.scale.disk_bytes)?;
    if subject.node().pid().is_some() {
        if recovered(course, subject, cycle).is_ok() {
            course.summary.count("wrote again in the same process", 1);
        } else if course.target.recovers {
            let what = format!("no write is taken {RECOVERED_WITHIN:?} after there is space");
            return Err(RunError::Broken(what));
        }
        subject.look(course, Durability::Memory)?;
        subject.node().kill()?;
    }
    course.summary.ready_after(subject.start(within)?);
    subject.look(course, survives)?;
    recovered(course, subject, cycle)?;
    subject.node().kill()?;
    course.summary.ready_after(subject.start(within)?);
    subject.look(course, survives)
}

/// Writes until writes are taken again.
fn recovered(course: &mut Course<'_>, subject: &mut Subject, cycle: u64) -> Result<(), RunError> {
    let patience = if course.target.recovers { RECOVERED_WITHIN } else { Duration::from_secs(1) };
    let usual = course.setup.load(course.target, cycle);
    let mut tries = 0;
    wait_for(patience, "writes to be taken again", || {
        tries += 1;
        // Another number for each try: no two writes may share a value.
        let probe = Load { writers: 1, requests: 20, cycle: cycle + tries * 1_000_000, ..usual };
        let loaded = probe.until_done(&subject.node().base_url());
        let refused = loaded.refused.keys().any(|code| !BUSY.contains(&code.as_str()));
        let taken = subject.take(course, loaded, &MAY_REFUSE);
        match taken {
            Ok(()) => (!refused).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        }
    })?
}
