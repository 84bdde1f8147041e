//! `kill -9` under load, again and again, over one directory.

use std::thread;

use crate::course::Course;
use crate::durability::Durability;
use crate::run_error::RunError;
use crate::subject::Subject;

/// A busy node may refuse; nothing else may happen to a write.
pub(crate) const BUSY: [&str; 1] = ["overloaded"];

/// # Errors
/// [`RunError`] when an acknowledged write is gone that had to survive, or the node does not come back.
pub(crate) fn run(course: &mut Course<'_>) -> Result<(), RunError> {
    let (setup, target) = (course.setup, course.target);
    let mut subject = Subject::new(course)?;
    subject.start(setup.scale.ready_within)?;
    subject.preload(course, setup.scale.preloaded)?;
    let survives = target.promise.min(Durability::Os);
    while let Some(cycle) = course.next_cycle()? {
        let delay = setup.load_time(&mut setup.dice(target, "kill", cycle));
        course.fault = format!("killed after {delay:.0?}");
        let url = subject.node().base_url();
        let (loaded, killed) = setup.load(target, cycle).during(&url, |_| {
            thread::sleep(delay); // a part of the fault: nothing is waited for
            subject.node().kill()
        });
        killed?;
        subject.take(course, loaded, &BUSY)?;
        course.summary.ready_after(subject.start(setup.scale.ready_within)?);
        subject.look(course, survives)?;
    }
    Ok(())
}
