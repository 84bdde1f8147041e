//! A frontier covers nothing whose effect is missing: a frontier that lies is how replicas diverge for good.

use gridkv_protocol::frontier::Closing;
use gridkv_protocol::{Frontier, Hlc, Key, Origin, Version};

use super::{Known, Memory, Sight, Verdict};
use crate::history::History;
use crate::node::StoreAt;

/// Its name.
pub const NAME: &str = "a frontier covers only what is there";

/// A frontier moved.
///
/// # Errors
/// When it now covers an op whose effect is missing.
pub fn moved(sight: &Sight<'_>, known: &Known, history: &History) -> Verdict {
    for (origin, point) in sight.applied.iter() {
        let upto = Closing::of(point).map_or(point, |closing| closing.at);
        let before = known.applied.get(origin);
        if before < upto {
            covers(sight, history, (origin, before, upto))?;
        }
    }
    Ok(())
}

fn covers(sight: &Sight<'_>, history: &History, (origin, after, upto): Stretch) -> Verdict {
    for (hlc, key) in history.between(origin, after, upto) {
        let version = Version { hlc: *hlc, origin };
        let held = sight.held.get(key).map(|record| record.version);
        if !history.honours(held, key, version) && !history.is_doubted(version) {
            let (at, held) = (sight.at, shown(held));
            return Err(format!(
                "n{at} covers {version} of {} and holds {held} there",
                key.as_str()
            ));
        }
    }
    Ok(())
}

type Stretch = (Origin, Hlc, Hlc);

/// An op was minted: nobody can cover it yet, unless the others have closed its origin because its node, which
/// does not know yet, was forgotten.
///
/// # Errors
/// When somebody does.
pub fn minted(memory: &Memory, store: StoreAt, key: &Key, version: Version) -> Verdict {
    let covers = |applied: &Frontier| applied.covers(version) && !applied.is_closed(version.origin);
    let covering = memory.all(store).find(|(_, known)| covers(&known.applied));
    covering.map_or(Ok(()), |(at, _)| {
        Err(format!("n{at} covers {version} of {} before it is committed", key.as_str()))
    })
}

/// A version, or that there is none.
pub(super) fn shown(version: Option<Version>) -> String {
    version.map_or_else(|| "nothing".into(), |version| version.to_string())
}
