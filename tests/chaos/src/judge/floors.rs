//! What each operation must not fall behind: the newest version that its node had told of before it was asked, in the
//! same life of that node's state.

use std::collections::BTreeMap;

use super::case::KeyCase;
use super::lives::Lives;
use crate::history::Op;

/// Every operation that was done in one life of its node, with the operation that told of the newest version before.
pub(crate) fn floors<'a>(
    key: &KeyCase<'a, '_>,
    lives: &Lives<'_>,
) -> Vec<(&'a Op, Option<&'a Op>)> {
    let mut groups: BTreeMap<(u16, usize), Vec<&'a Op>> = BTreeMap::new();
    for op in key.ops {
        if let Some(life) = lives.life(key.class, op) {
            groups.entry((op.node, life)).or_default().push(op);
        }
    }
    let mut all = Vec::new();
    for asked in groups.into_values() {
        let mut told: Vec<&Op> =
            asked.iter().copied().filter(|op| op.version().is_some()).collect();
        told.sort_by_key(|op| op.returned);
        let mut told = told.into_iter().peekable();
        let mut floor: Option<&Op> = None;
        for op in asked {
            while let Some(before) = told.next_if(|before| before.returned < op.invoked) {
                if floor.is_none_or(|floor| floor.version() <= before.version()) {
                    floor = Some(before);
                }
            }
            all.push((op, floor));
        }
    }
    all
}
