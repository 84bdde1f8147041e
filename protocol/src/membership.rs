//! Membership: who belongs to the mesh, how a cluster forms, and who is refused.
//!
//! A node that never joined forms a cluster when it has no seeds, when it is told to, or when every
//! seed answered as never joined too and its identity is the lowest of them. Otherwise it joins through
//! a member, which adds it durably before it answers. Until then it mints nothing.

use crate::welcome::{Hello, Member, Members, ProtocolRange, Refusal, StoreInfo, Welcome};
use crate::{Hlc, NodeId, Origin, UnixMs};

mod door;
mod seeds;

use self::seeds::Seeds;

/// What a node knows of its cluster across restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Whether it has ever joined or formed a cluster.
    pub joined: bool,
    /// The member set.
    pub members: Members,
}

/// How a node starts.
#[derive(Clone, Debug)]
pub struct MembershipConfig {
    /// The cluster's name.
    pub cluster: String,
    /// This node.
    pub me: Member,
    /// Addresses to dial, `host:port`.
    pub seeds: Vec<String>,
    /// Form a cluster although seeds are silent.
    pub bootstrap: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The node started; its identity is persisted.
    Started,
    /// A node knocked. `up` lists who is connected now.
    HelloFrom {
        /// Its first frame.
        hello: Hello,
        /// Whether this node is ready: until then it takes in nobody new, for it may not know yet that it
        /// was forgotten, and would bring into the mesh what all others have closed.
        ready: bool,
        /// Nodes with a live link, and in which run they are.
        up: Vec<Origin>,
        /// The greatest point of this node's clock.
        clock: Hlc,
    },
    /// A dialled node answered.
    WelcomeFrom {
        /// The address that was dialled.
        addr: String,
        /// Its answer.
        welcome: Welcome,
    },
    /// A dialled node did not answer, or refused.
    Silent {
        /// The address that was dialled.
        addr: String,
        /// Why, for people.
        reason: String,
    },
    /// One more address is to be dialled, until the node stops.
    Seed(String),
    /// An address is not to be dialled any more, unless it is a member's.
    NoSeed(String),
    /// An operator says that a node is gone for good. Nobody forgets itself.
    Forget(NodeId),
    /// A member reported its member set.
    Reported(Members),
    /// This node goes on under a new epoch.
    NewOrigin(Origin),
    /// The stores that this node holds from now on. Who makes one again that it dropped in this run goes on
    /// under a new epoch first: of the present one nobody gives back what it had minted there.
    NewStores(Vec<StoreInfo>),
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Store the roster durably, before the effects that follow.
    Persist(Roster),
    /// The node is a member now: it may mint.
    Joined {
        /// Whether it formed the cluster itself.
        formed: bool,
        /// Its clock must not mint below this point.
        clock: Hlc,
    },
    /// Answer the node that knocked.
    Welcome(Box<Welcome>),
    /// Refuse the node that knocked.
    Refuse(Refusal),
}

/// The membership of one node.
#[derive(Debug)]
pub struct Membership {
    config: MembershipConfig,
    roster: Roster,
    seeds: Seeds,
}

impl Membership {
    /// The membership of a node with what it persisted.
    #[must_use]
    pub fn new(config: MembershipConfig, roster: Roster) -> Self {
        let seeds = Seeds::new(&config.seeds, &config.me.addr);
        Self { config, roster, seeds }
    }

    /// Takes what happened, and says what is to be done. `now` is physical time.
    pub fn step(&mut self, now: UnixMs, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Started => self.record(self.config.me.clone(), &mut effects),
            Event::HelloFrom { hello, ready, up, clock } => {
                self.knocked(now, &hello, (ready, &up, clock), &mut effects);
            }
            Event::WelcomeFrom { addr, welcome } => self.welcomed(&addr, welcome, &mut effects),
            Event::Silent { addr, reason } => self.seeds.silent(&addr, reason),
            Event::Seed(addr) => self.seeds.add(addr),
            Event::NoSeed(addr) => self.seeds.remove(&addr),
            Event::Forget(id) => self.forget(id, &mut effects),
            Event::Reported(members) => self.unite(&members, &mut effects),
            Event::NewOrigin(origin) => {
                self.config.me.origin = origin;
                self.record(self.config.me.clone(), &mut effects);
            }
            Event::NewStores(stores) => {
                self.config.me.stores = stores;
                self.config.me.revision = self.config.me.revision.saturating_add(1);
                self.record(self.config.me.clone(), &mut effects);
            }
        }
        self.form(&mut effects);
        effects
    }

    fn knocked(
        &mut self,
        now: UnixMs,
        hello: &Hello,
        (ready, up, clock): (bool, &[Origin], Hlc),
        effects: &mut Vec<Effect>,
    ) {
        if let Some(refusal) = self.refusal(hello, up) {
            effects.push(Effect::Refuse(refusal));
            return;
        }
        let id = hello.member.origin.node();
        let known_self = hello.member.origin == self.config.me.origin;
        let admits = ready || self.roster.members.contains(id);
        if self.roster.joined && !known_self && admits {
            let replaced = self.replace(hello);
            if self.roster.members.add(hello.member.clone()) || replaced {
                effects.push(Effect::Persist(self.roster.clone()));
            }
        }
        effects.push(Effect::Welcome(Box::new(Welcome {
            protocol: ProtocolRange::OWN,
            member: self.config.me.clone(),
            joined: self.roster.joined,
            members: self.roster.members.clone(),
            now,
            clock,
        })));
    }

    /// Whose place the node that knocks takes: other identities under its name, and, when it never joined,
    /// at its address, where they can not be any more. Sets that grew apart can bring more than one.
    fn replaced_by(&self, Hello { member, joined, .. }: &Hello) -> Vec<&Member> {
        let known = self.roster.members.iter().chain([&self.config.me]);
        let others = known.filter(|known| known.origin.node() != member.origin.node());
        let same =
            |known: &Member| known.name == member.name || (!joined && known.addr == member.addr);
        others.filter(|known| same(known)).collect()
    }

    /// A new identity in the place of nodes that are not up: they lost their data directory, or had none.
    /// Says whether there were any.
    fn replace(&mut self, hello: &Hello) -> bool {
        let known = self.replaced_by(hello).into_iter();
        let gone: Vec<NodeId> = known.map(|known| known.origin.node()).collect();
        let mut changed = false;
        for id in gone {
            changed |= self.roster.members.forget(id);
        }
        changed
    }

    fn forget(&mut self, id: NodeId, effects: &mut Vec<Effect>) {
        let may = self.roster.joined && id != self.config.me.origin.node();
        if may && self.roster.members.forget(id) {
            effects.push(Effect::Persist(self.roster.clone()));
        }
    }

    fn welcomed(&mut self, addr: &str, welcome: Welcome, effects: &mut Vec<Effect>) {
        let Welcome { member, joined, members, clock, .. } = welcome;
        let myself = member.origin == self.config.me.origin;
        if myself {
            self.seeds.led_to_myself(addr);
        } else {
            self.seeds.answered(addr, member.origin.node(), joined);
        }
        if myself || !joined {
            return;
        }
        if self.roster.joined {
            self.unite(&members, effects);
        } else if members.contains(self.config.me.origin.node()) {
            self.roster.joined = true;
            self.roster.members.unite(&members);
            self.roster.members.add(self.config.me.clone());
            effects.push(Effect::Persist(self.roster.clone()));
            effects.push(Effect::Joined { formed: false, clock });
        }
    }

    fn form(&mut self, effects: &mut Vec<Effect>) {
        if self.roster.joined || !self.may_form() {
            return;
        }
        self.roster.joined = true;
        self.roster.members.add(self.config.me.clone());
        effects.push(Effect::Persist(self.roster.clone()));
        effects.push(Effect::Joined { formed: true, clock: Hlc::ZERO });
    }

    fn may_form(&self) -> bool {
        self.config.bootstrap || self.seeds.may_form(self.config.me.origin.node())
    }

    /// Adds a member durably, or its newer run. A node that never joined has no member set to add to.
    fn record(&mut self, member: Member, effects: &mut Vec<Effect>) {
        if self.roster.joined && self.roster.members.add(member) {
            effects.push(Effect::Persist(self.roster.clone()));
        }
    }

    fn unite(&mut self, members: &Members, effects: &mut Vec<Effect>) {
        if self.roster.joined && self.roster.members.unite(members) {
            effects.push(Effect::Persist(self.roster.clone()));
        }
    }

    /// Whether this node is a member: it may mint.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.roster.joined
    }

    /// The member set.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.roster.members
    }

    /// This node, as it shows itself to others.
    #[must_use]
    pub fn me(&self) -> &Member {
        &self.config.me
    }

    /// The first frame to send to a node that was dialled.
    #[must_use]
    pub fn hello(&self, now: UnixMs) -> Hello {
        Hello {
            protocol: ProtocolRange::OWN,
            cluster: self.config.cluster.clone(),
            member: self.config.me.clone(),
            joined: self.roster.joined,
            now,
        }
    }

    /// Addresses that should have a link: the seeds and the other members, each once.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        let me = self.config.me.origin.node();
        let others = self.roster.members.iter().filter(|member| member.origin.node() != me);
        let mut targets: Vec<String> = others.map(|member| member.addr.clone()).collect();
        targets.extend(self.seeds.to_dial().cloned());
        targets.sort();
        targets.dedup();
        targets.retain(|addr| *addr != self.config.me.addr);
        targets
    }

    /// What a node that has not joined waits for, one line per seed; empty once it joined.
    #[must_use]
    pub fn waits_for(&self) -> Vec<String> {
        if self.roster.joined { Vec::new() } else { self.seeds.waits_for() }
    }

    /// Whether every address that this node was told to dial belongs to it or to somebody it knows. While
    /// one does not, the member set may be an old one, and nothing may be purged by it.
    #[must_use]
    pub fn knows_all_seeds(&self) -> bool {
        self.seeds.all_known(&self.roster.members)
    }
}

// CAVEATS: two clusters that formed apart (with `--bootstrap`, or by seeds that did not name each other)
// are united when they meet. A forgotten node that is up goes on until a report tells it, and takes in who
// knocks; what only those two have is spread by a repair when the newcomer meets the others.

#[cfg(test)]
#[path = "membership_test.rs"]
mod tests;
