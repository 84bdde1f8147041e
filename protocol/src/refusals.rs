//! Who refuses this node: a node that its cluster does not take in must not take clients.

use std::collections::BTreeMap;

use crate::welcome::RefusalReason;

/// The addresses that refused the last time that they were dialled.
#[derive(Debug, Default)]
pub struct Refusals {
    by_addr: BTreeMap<String, (RefusalReason, String)>,
}

impl Refusals {
    /// Notes what became of dialling an address. Says whether it is a refusal that is news.
    pub fn note(&mut self, addr: &str, refused: Option<(RefusalReason, &str)>) -> bool {
        let Some((reason, words)) = refused else {
            self.by_addr.remove(addr);
            return false;
        };
        let known = self.by_addr.insert(addr.to_owned(), (reason, words.to_owned()));
        known.is_none_or(|(known, _)| known != reason)
    }

    /// Drops addresses that are not dialled any more.
    pub fn keep(&mut self, dialled: &[String]) {
        self.by_addr.retain(|addr, _| dialled.contains(addr));
    }

    /// Why the node must not become ready, in words for people; empty when nothing stands against it.
    /// What is said of its identity always counts; another reason only when nobody takes the node in.
    #[must_use]
    pub fn against(&self, linked: bool) -> Vec<String> {
        let all = self.by_addr.iter();
        all.filter(|(_, (reason, _))| !linked || reason.is_of_identity())
            .map(|(addr, (_, words))| format!("{addr} ({words})"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: Option<(RefusalReason, &str)> = Some((RefusalReason::OtherCluster, "c"));
    const NAME: Option<(RefusalReason, &str)> = Some((RefusalReason::NameInUse, "n"));

    #[test]
    fn a_refusal_is_news_once_and_stands_until_the_address_says_otherwise() {
        let mut refusals = Refusals::default();
        assert!(refusals.note("a:1", NAME) && !refusals.note("a:1", NAME));
        assert!(refusals.note("a:1", CLUSTER), "another reason");
        assert_eq!(refusals.against(false), ["a:1 (c)"]);
        assert!(!refusals.note("a:1", None));
        assert!(refusals.against(false).is_empty());
    }

    #[test]
    fn a_stray_seed_does_not_keep_a_node_from_its_cluster_but_its_identity_does() {
        let mut refusals = Refusals::default();
        refusals.note("a:1", CLUSTER);
        assert!(refusals.against(true).is_empty());
        refusals.note("b:1", NAME);
        assert_eq!(refusals.against(true), ["b:1 (n)"]);
        refusals.keep(&["a:1".to_owned()]);
        assert!(refusals.against(true).is_empty());
    }
}
