//! A map by store that everything looks into all the time, and that hardly ever changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gridkv_protocol::StoreName;

/// What is kept of each store. Nobody waits for anybody: who looks sees all of it as it was at that moment.
#[derive(Debug)]
pub(crate) struct ByStore<T>(ArcSwap<BTreeMap<StoreName, T>>);

impl<T: Clone> ByStore<T> {
    pub(crate) fn get(&self, store: &str) -> Option<T> {
        self.0.load().get(store).cloned()
    }

    /// All of it, in order of name, as it is now.
    pub(crate) fn all(&self) -> Arc<BTreeMap<StoreName, T>> {
        self.0.load_full()
    }

    pub(crate) fn insert(&self, store: &StoreName, value: &T) {
        self.0.rcu(|map| {
            let mut map = BTreeMap::clone(map);
            map.insert(store.clone(), value.clone());
            map
        });
    }

    pub(crate) fn remove(&self, store: &str) {
        self.0.rcu(|map| {
            let mut map = BTreeMap::clone(map);
            map.remove(store);
            map
        });
    }
}

impl<T> FromIterator<(StoreName, T)> for ByStore<T> {
    fn from_iter<I: IntoIterator<Item = (StoreName, T)>>(entries: I) -> Self {
        Self(ArcSwap::from_pointee(entries.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looked_before_a_change_sees_what_was_there() {
        let name = |name| StoreName::new(name).unwrap();
        let map: ByStore<u32> = [(name("b"), 2)].into_iter().collect();
        let before = map.all();
        map.insert(&name("a"), &1);
        map.insert(&name("b"), &3);
        assert_eq!((map.get("a"), map.get("b"), map.get("c")), (Some(1), Some(3), None));
        map.remove("a");
        assert_eq!(before.values().copied().collect::<Vec<_>>(), [2]);
        assert_eq!(map.all().values().copied().collect::<Vec<_>>(), [3]);
    }
}
