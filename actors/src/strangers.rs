//! The strangers: connections that have proved nothing yet, and which of them goes when there are too many.
//!
//! Nobody is turned away at the door: a member that comes back looks like anybody else. When all places are taken,
//! the oldest connection goes of the address that has most of them. Who takes all places by that pushes out its own
//! connections only, and not those of members at other addresses. Members behind the same address stay until as
//! many have come after them as there are places, and saying who one is takes milliseconds. A bound for each address
//! would do the opposite: it shuts out the members beside an attacker, and an attacker with many addresses passes it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gridkv_protocol::limits::MAX_STRANGERS;
use tokio::sync::oneshot;

/// Who has proved nothing yet, and how many went without having done so.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<Crowd>);

#[derive(Debug, Default)]
struct Crowd {
    came: u64,
    here: usize,
    /// Those of each address, in the order that they came. Dropping one's sender sends it away.
    by_addr: BTreeMap<IpAddr, BTreeMap<u64, oneshot::Sender<()>>>,
    gone: Option<Gone>,
}

/// Those that went since it was last told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) connections: u64,
    /// Where the last one came from, and why it went.
    pub(crate) last: String,
    pub(crate) reason: String,
}

/// A place among the strangers; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    strangers: Arc<Strangers>,
    addr: IpAddr,
    number: u64,
    sent_away: oneshot::Receiver<()>,
}

impl Strangers {
    /// Gives a place to a connection from `addr`. Another one may have to go for it.
    pub(crate) fn take_in(self: &Arc<Self>, addr: IpAddr) -> Place {
        let addr = network_of(addr);
        let (stay, sent_away) = oneshot::channel();
        let mut crowd = self.crowd();
        if crowd.here >= MAX_STRANGERS {
            crowd.send_one_away();
        }
        crowd.came += 1;
        crowd.here += 1;
        let number = crowd.came;
        crowd.by_addr.entry(addr).or_default().insert(number, stay);
        Place { strangers: Arc::clone(self), addr, number, sent_away }
    }

    /// Notes that a connection went without having proved anything.
    pub(crate) fn went(&self, last: impl fmt::Display, reason: impl fmt::Display) {
        let mut crowd = self.crowd();
        let connections = crowd.gone.as_ref().map_or(0, |gone| gone.connections) + 1;
        let (last, reason) = (last.to_string(), reason.to_string());
        crowd.gone = Some(Gone { connections, last, reason });
    }

    /// Those that went since this was last asked; `None` when there were none.
    pub(crate) fn tell(&self) -> Option<Gone> {
        self.crowd().gone.take()
    }

    // Nothing panics while it holds this lock, and what it guards is whole at every moment.
    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Crowd {
    /// The oldest of the address that has most; of two with as many, of that whose oldest came first.
    fn send_one_away(&mut self) {
        let oldest = |those: &BTreeMap<u64, _>| those.keys().next().copied();
        let most = self.by_addr.iter().max_by_key(|(_, them)| (them.len(), Reverse(oldest(them))));
        let Some((addr, Some(number))) = most.map(|(addr, them)| (*addr, oldest(them))) else {
            return;
        };
        self.leave(addr, number);
    }

    fn leave(&mut self, addr: IpAddr, number: u64) {
        let Some(those) = self.by_addr.get_mut(&addr) else { return };
        if those.remove(&number).is_some() {
            self.here -= 1;
        }
        if those.is_empty() {
            self.by_addr.remove(&addr);
        }
    }
}

impl Place {
    /// Returns when this connection has to go.
    pub(crate) async fn sent_away(&mut self) {
        // Nothing is ever sent: it ends when the other end is dropped.
        drop((&mut self.sent_away).await);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.strangers.crowd().leave(self.addr, self.number);
    }
}

/// What counts as one address: who has one of version 6 has the 2^64 of its network.
fn network_of(addr: IpAddr) -> IpAddr {
    match addr.to_canonical() {
        IpAddr::V4(addr) => addr.into(),
        IpAddr::V6(addr) => Ipv6Addr::from_bits(addr.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn addr(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn has_to_go(place: &mut Place) -> bool {
        place.sent_away().now_or_never().is_some()
    }

    fn crowd(strangers: &Arc<Strangers>, from: &str, count: usize) -> Vec<Place> {
        (0..count).map(|_| strangers.take_in(addr(from))).collect()
    }

    #[test]
    fn who_takes_all_places_pushes_out_its_own_connections() {
        let strangers = Arc::<Strangers>::default();
        let mut member = strangers.take_in(addr("10.0.0.2"));
        let mut crowd = crowd(&strangers, "10.6.6.6", 3 * MAX_STRANGERS);
        let mut late = strangers.take_in(addr("10.0.0.3"));
        assert!(!has_to_go(&mut member) && !has_to_go(&mut late));
        let kept = crowd.iter_mut().map(|place| !has_to_go(place)).collect::<Vec<_>>();
        let first_kept = 2 * MAX_STRANGERS + 2;
        assert!(kept.iter().enumerate().all(|(n, kept)| *kept == (n >= first_kept)));
    }

    #[test]
    fn beside_an_attacker_the_oldest_goes_first() {
        let strangers = Arc::<Strangers>::default();
        let mut before = crowd(&strangers, "10.0.0.1", MAX_STRANGERS);
        let mut member = strangers.take_in(addr("10.0.0.1"));
        assert!(has_to_go(&mut before[0]) && !has_to_go(&mut before[1]));
        let mut after = crowd(&strangers, "10.0.0.1", MAX_STRANGERS - 1);
        assert!(!has_to_go(&mut member) && before.iter_mut().skip(1).all(has_to_go));
        let _one_more = strangers.take_in(addr("10.0.0.1"));
        assert!(has_to_go(&mut member) && !after.iter_mut().any(has_to_go));
    }

    #[test]
    fn places_are_free_again_and_nobody_is_counted_twice() {
        let strangers = Arc::<Strangers>::default();
        let mut stays = strangers.take_in(addr("::1"));
        for _ in 0..3 {
            drop(crowd(&strangers, "10.0.0.1", MAX_STRANGERS + 5));
        }
        assert!(!has_to_go(&mut stays));
        assert_eq!(strangers.crowd().here, 1);
        drop(stays);
        let crowd = strangers.crowd();
        assert_eq!((crowd.here, crowd.by_addr.len()), (0, 0));
    }

    #[test]
    fn a_network_of_version_six_counts_as_one_address() {
        assert_eq!(network_of(addr("2001:db8:0:1:2:3:4:5")), addr("2001:db8:0:1::"));
        assert_ne!(network_of(addr("2001:db8:0:2::5")), addr("2001:db8:0:1::"));
        assert_eq!(network_of(addr("::ffff:10.0.0.1")), addr("10.0.0.1"));
    }

    #[test]
    fn those_that_went_are_told_together() {
        let strangers = Strangers::default();
        assert_eq!(strangers.tell(), None);
        for reason in ["garbage", "silence"] {
            strangers.went("10.0.0.1:7", reason);
        }
        let gone = strangers.tell().unwrap();
        assert_eq!((gone.connections, gone.last.as_str()), (2, "10.0.0.1:7"));
        assert_eq!(gone.reason, "silence");
        assert_eq!(strangers.tell(), None);
    }
}
