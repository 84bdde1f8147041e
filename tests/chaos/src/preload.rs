//! What is there before anything happens: so much that a node which has to catch up is given it in several pages, while
//! others write.

use gridkv_cluster::{Cluster, Stopwatch};
use gridkv_soak::RunError;

use crate::answer;
use crate::history::{Asked, History, Op, Outcome, Safety};
use crate::load::micros;
use crate::request::{self, Ask};
use crate::stamp::Stamp;

/// Who wrote it, in histories.
const NOBODY: u16 = 0;
/// Keys of each store, beside those that clients use.
const KEYS: u64 = 700;
/// Bytes of a value: with so many keys more than two pages of catch-up, which have a mebibyte.
const BYTES: usize = 3_500;
/// Keys of a batch.
const BATCH: u64 = 100;

/// Writes it, to one node after the other.
///
/// # Errors
/// [`RunError`] when a batch is not taken, or a part of it is not.
pub(crate) fn preload(
    cluster: &Cluster,
    history: &History,
    clock: Stopwatch,
) -> Result<Vec<Op>, RunError> {
    let mut ops = Vec::new();
    let mut serial = 0;
    let nodes: Vec<_> = (1..).zip(cluster.nodes()).collect();
    let mut turns = nodes.iter().cycle();
    // A cache is not filled by its peers, so there is nothing to catch up with.
    for (store, _) in history.stores.iter().filter(|(_, class)| !class.cache) {
        for _ in 0..KEYS / BATCH {
            let Some((node, one)) = turns.next() else { return Ok(ops) };
            let asks: Vec<Ask> = (0..BATCH).map(|_| ask(&mut serial)).collect();
            let invoked = micros(&clock);
            let reply = request::send(&one.client(), store, &asks, true);
            let returned = micros(&clock);
            let outcomes = answer::outcomes(&asks, true, &reply);
            if let Some(other) = outcomes.iter().find(|one| !matches!(one, Outcome::Written { .. }))
            {
                let (what, body) = ("the first batches".to_owned(), format!("{other:?}"));
                return Err(RunError::Answer { what, status: reply?.status, body });
            }
            ops.extend(asks.into_iter().zip(outcomes).map(|(ask, outcome)| Op {
                client: NOBODY,
                node: *node,
                store: store.clone(),
                key: ask.key,
                asked: ask.asked,
                invoked,
                returned,
                outcome,
            }));
        }
    }
    Ok(ops)
}

fn ask(serial: &mut u64) -> Ask {
    *serial += 1;
    let (stamp, safety) = (Stamp::new(NOBODY, *serial), Safety::default());
    let asked = Asked::Put { stamp, ttl_ms: None, condition: None, safety };
    Ask { key: format!("first/{:04}", *serial % KEYS), asked, bytes: BYTES }
}
