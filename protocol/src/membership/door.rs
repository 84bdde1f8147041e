//! Who is not let in: nodes of other clusters and protocols, forgotten ones, copies of one that is up, and who would
//! have a name, a place or a kind of store that does not fit.

use super::Membership;
use crate::limits::{MAX_MEMBERS, MAX_TEXT_BYTES};
use crate::mutant::{self, Mutant};
use crate::welcome::{Hello, Member, ProtocolRange, Refusal, RefusalReason, StoreInfo};
use crate::{Origin, StoreName};

impl Membership {
    /// Why the node that knocks is not served, if it is not.
    pub(super) fn refusal(&self, hello: &Hello, up: &[Origin]) -> Option<Refusal> {
        const OWN: ProtocolRange = ProtocolRange::OWN;
        let Hello { protocol, cluster, member, .. } = hello;
        let id = member.origin.node();
        let refuse = |reason, detail| Some(Refusal { reason, detail: shortened(detail) });
        if *cluster != self.config.cluster && !mutant::is(Mutant::OpenDoor) {
            let detail = format!("this is cluster {:?}, not {cluster:?}", self.config.cluster);
            return refuse(RefusalReason::OtherCluster, detail);
        }
        if let (ProtocolRange { least, most }, None) = (protocol, protocol.common(OWN)) {
            let detail = format!(
                "this node speaks versions {} to {} of the protocol, not {least} to {most}; update \
                 the older of the two",
                OWN.least, OWN.most
            );
            return refuse(RefusalReason::OtherProtocol, detail);
        }
        if self.roster.members.is_forgotten(id) {
            let detail =
                format!("identity {id} was forgotten; come back with an empty data directory");
            return refuse(RefusalReason::Forgotten, detail);
        }
        let me = self.config.me.origin;
        if self.is_copy(member, up) {
            let detail = format!(
                "a node with identity {id} is up; two nodes run on copies of one data directory"
            );
            return refuse(RefusalReason::IdentityInUse, detail);
        }
        // By identity: the run in the member set may be older than the one that is up.
        let is_up = |id| id == me.node() || up.iter().any(|origin| origin.node() == id);
        let displaced = self.replaced_by(hello);
        if let Some(known) = displaced.iter().find(|known| is_up(known.origin.node())) {
            let detail = if known.name == member.name {
                format!("a node named {:?} is up; names are unique in a cluster", member.name)
            } else {
                format!("{:?} is up at {}, where this one wants to be", known.name, member.addr)
            };
            return refuse(RefusalReason::NameInUse, detail);
        }
        let replaces = !displaced.is_empty();
        let members = &self.roster.members;
        if members.len() >= MAX_MEMBERS && !members.contains(id) && !replaces {
            let detail = format!("the cluster has {MAX_MEMBERS} members, as many as it takes");
            return refuse(RefusalReason::TooMany, detail);
        }
        if let Some(store) = self.cache_mismatch(member) {
            let store = store.as_str();
            let detail = format!("store {store:?} is a cache on one node and none on the other");
            return refuse(RefusalReason::CacheMismatch, detail);
        }
        member.fault().and_then(|fault| refuse(RefusalReason::UnexpectedMessage, fault.into()))
    }

    /// A store that is a cache on one side only.
    #[must_use]
    pub fn cache_mismatch(&self, member: &Member) -> Option<&StoreName> {
        let differs = |mine: &StoreInfo, theirs: &StoreInfo| {
            mine.name == theirs.name && mine.cache != theirs.cache
        };
        let mut mine = self.config.me.stores.iter();
        let found = mine.find(|mine| member.stores.iter().any(|theirs| differs(mine, theirs)));
        found.map(|store| &store.name)
    }

    /// Whether `member` has the identity of another process that lives: of this one, or of one in
    /// `up`. Copies of one data directory may even come to the same epoch; then their addresses differ.
    #[must_use]
    pub fn is_copy(&self, member: &Member, up: &[Origin]) -> bool {
        let id = member.origin.node();
        let me = &self.config.me;
        if id == me.origin.node() {
            return member.origin != me.origin || member.addr != me.addr;
        }
        let elsewhere = |known: &Member| known.origin == member.origin && known.addr != member.addr;
        up.iter().any(|origin| origin.node() == id && *origin != member.origin)
            || (up.contains(&member.origin) && self.roster.members.get(id).is_some_and(elsewhere))
    }
}

/// As much of a text as fits a frame's text: what a peer calls itself may fill one alone.
fn shortened(mut text: String) -> String {
    let most = text.len().min(MAX_TEXT_BYTES);
    let fits = (0..=most).rev().find(|length| text.is_char_boundary(*length));
    text.truncate(fits.unwrap_or(0));
    text
}
