//! Power cuts under load: the node's directory is on an ext4 that lives in a file, and from a random moment on nothing
//! reaches that file any more. Then the node is killed, the file system mounted again, and the node started.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::course::Course;
use crate::crash::BUSY;
use crate::durability::Durability;
use crate::mount::{Mount, format_ext4};
use crate::power_cut::{Journal, PowerCut};
use crate::run_error::RunError;
use crate::subject::Subject;

/// The size of the file system: much more than is written.
const DISK_BYTES: u64 = 768 * 1024 * 1024;
/// Ways to mount it; they differ in what a power cut leaves of writes that nobody synced.
const OPTIONS: [&str; 3] = ["defaults", "noauto_da_alloc", "data=writeback"];
/// What a node without a disk answers, for as long as it lives on, at most.
const BLIND: Duration = Duration::from_millis(100);
/// How a write may be refused: before the cut, and after it.
const MAY_REFUSE: [&str; 3] = [BUSY[0], "store_failed", "disk_full"];

/// # Errors
/// [`RunError`] when a write that was acknowledged as on the disk is gone, or something is served that was never
/// written, or the node does not come back.
pub(crate) fn run(course: &mut Course<'_>) -> Result<(), RunError> {
    let (setup, target) = (course.setup, course.target);
    let image = course.directory.join("disk");
    format_ext4(&image, DISK_BYTES)?;
    // Nodes are dropped, and so killed, before what they are on is unmounted.
    let mut mounted = Mount::ext4(&image, &at(course.directory), "defaults")?;
    let mut subject = Subject::new(course)?;
    subject.start(setup.scale.ready_within)?;
    subject.preload(course, setup.scale.keys)?;
    while let Some(cycle) = course.next_cycle()? {
        let mut dice = setup.dice(target, "cut", cycle);
        let delay = setup.load_time(&mut dice);
        let blind = BLIND.mul_f64(dice.f64());
        let journal = if cycle.is_multiple_of(2) { Journal::Written } else { Journal::Dropped };
        let options = dice.choice(OPTIONS).unwrap_or("defaults");
        course.fault = format!("power cut after {delay:.0?}, {journal:?}, then {options}");
        let url = subject.node().base_url();
        let power = PowerCut::arm(&mounted, journal)?;
        let (loaded, cut) = setup.load(target, cycle).during(&url, |answers| {
            thread::sleep(delay);
            // A process would not live on: a sync that is under way now may be told that it succeeded.
            answers.store(false, Ordering::SeqCst);
            let cut = power.fire();
            thread::sleep(blind);
            subject.node().kill()?;
            cut
        });
        cut?;
        subject.take(course, loaded, &MAY_REFUSE)?;
        mounted.unmount()?;
        mounted = Mount::ext4(&image, &at(course.directory), options)?;
        course.summary.ready_after(subject.start(setup.scale.ready_within)?);
        subject.look(course, Durability::Fsync)?;
    }
    Ok(())
}

/// Where the node has its data.
pub(crate) fn at(directory: &Path) -> PathBuf {
    directory.join("n1").join("data")
}
