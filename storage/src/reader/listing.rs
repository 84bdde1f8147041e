//! The lists that clients ask for: live keys in order, rolled up at a delimiter, a page at a time.
//!
//! A page is made of short stretches of the backend's walk. Past a group the walk goes on by seeking,
//! so what a group costs does not depend on how many keys it has.

use std::ops::{Bound, ControlFlow};

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Key, Record, State, UnixMs};

use super::StoreReader;
use crate::backend::{BackendError, Walk};
use crate::list::{After, LIST_SCAN, ListQuery, Listed, Listing, past};
use crate::map::WALK_CHUNK;

/// Records of the first stretch, and of the first past a group, where the next group may begin. Each further
/// one has twice as many: tombstones should not take a call for each few.
const FIRST_STRETCH: usize = 8;

/// A page under way.
#[derive(Debug)]
pub struct ListWalk {
    query: ListQuery,
    listing: Listing,
    /// Where the next stretch begins; `None`: nowhere.
    from: Option<Bound<String>>,
    /// What was shown or passed over last.
    last: Option<After>,
    value_bytes: usize,
    /// Records that may still be looked at.
    left: usize,
    stretch: usize,
}

impl StoreReader {
    /// A page of live keys.
    ///
    /// # Errors
    /// [`BackendError`] when they can not be read.
    pub fn list(&self, query: &ListQuery, now: UnixMs) -> Result<Listing, BackendError> {
        let mut walk = Self::begin_list(query.clone());
        while self.list_on(&mut walk, now)?.is_continue() {}
        self.shared.operations.list.add(1);
        Ok(walk.into_listing())
    }

    /// Begins a page. [`Self::list_on`] fills it, in short steps; who asks for those counts the list.
    pub fn begin_list(query: ListQuery) -> ListWalk {
        ListWalk::new(query)
    }

    /// Goes on with a page for at most [`WALK_CHUNK`] records, until it breaks because the page is done.
    ///
    /// # Errors
    /// [`BackendError`] when records can not be read.
    pub fn list_on(
        &self,
        walk: &mut ListWalk,
        now: UnixMs,
    ) -> Result<ControlFlow<()>, BackendError> {
        let Some(from) = &walk.from else { return Ok(ControlFlow::Break(())) };
        let from = from.as_ref().map(String::as_str);
        let stretch = self.shared.backend.list(from, walk.want());
        let Walk { records, next } = self.shared.read(stretch)?;
        walk.left = walk.left.saturating_sub(records.len());
        for keyed in records {
            if walk.take(keyed, now).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(walk.pass(next))
    }
}

impl ListWalk {
    fn new(query: ListQuery) -> Self {
        let prefix = &query.prefix;
        let from = match &query.after {
            Some(After::Key(key)) if key.as_str() >= prefix.as_str() => {
                Some(Bound::Excluded(key.as_str().to_owned()))
            }
            Some(After::Group(group)) if group >= prefix => past(group).map(Bound::Included),
            Some(_) | None => Some(Bound::Included(prefix.clone())),
        };
        Self {
            last: query.after.clone(),
            query,
            listing: Listing::default(),
            from,
            value_bytes: 0,
            left: LIST_SCAN,
            stretch: FIRST_STRETCH,
        }
    }

    /// What was found.
    #[must_use]
    pub fn into_listing(self) -> Listing {
        self.listing
    }

    fn limit(&self) -> usize {
        self.query.limit.max(1)
    }

    fn shown(&self) -> usize {
        self.listing.records.len() + self.listing.groups.len()
    }

    /// Records to ask for. Where nothing is rolled up, one more than are missing: it tells whether more follow.
    fn want(&self) -> usize {
        let missing = self.limit().saturating_add(1).saturating_sub(self.shown());
        if self.query.delimiter.is_some() { self.stretch } else { missing.max(self.stretch) }
    }

    /// Whether a key belongs to the group that was shown last.
    fn is_passed(&self, key: &Key) -> bool {
        matches!(&self.last, Some(After::Group(group)) if key.as_str().starts_with(group.as_str()))
    }

    fn take(&mut self, keyed: KeyedRecord, now: UnixMs) -> ControlFlow<()> {
        let KeyedRecord { key, record: Record { version, state } } = keyed;
        if !key.as_str().starts_with(&self.query.prefix) {
            return ControlFlow::Break(());
        }
        if self.is_passed(&key) {
            return ControlFlow::Continue(());
        }
        let live = match state {
            State::Live(live) if !live.is_due(now) => live,
            State::Live(_) | State::Expired { .. } | State::Deleted => {
                self.last = Some(After::Key(key));
                return ControlFlow::Continue(());
            }
        };
        if self.shown() == self.limit() {
            return self.cut();
        }
        if let Some(group) = self.query.group_of(&key) {
            self.listing.groups.push(group.to_owned());
            self.last = Some(After::Group(group.to_owned()));
            return ControlFlow::Continue(());
        }
        if let Some(most) = self.query.value_bytes {
            self.value_bytes = self.value_bytes.saturating_add(live.value.len());
            if self.value_bytes > most && self.shown() > 0 {
                return self.cut();
            }
        }
        self.last = Some(After::Key(key.clone()));
        let with_value = self.query.value_bytes.is_some();
        self.listing.records.push(Listed::new(key, version, live, with_value));
        ControlFlow::Continue(())
    }

    /// A stretch is at its end; the next one begins after `next`, or past the group that it is in.
    fn pass(&mut self, next: Option<Key>) -> ControlFlow<()> {
        let Some(next) = next.filter(|next| next.as_str().starts_with(&self.query.prefix)) else {
            return ControlFlow::Break(());
        };
        match &self.last {
            Some(After::Group(group)) if self.is_passed(&next) => {
                self.from = past(group).map(Bound::Included);
                self.stretch = FIRST_STRETCH;
            }
            Some(_) | None => {
                self.from = Some(Bound::Excluded(next.as_str().to_owned()));
                self.last = Some(After::Key(next));
                self.stretch = self.stretch.saturating_mul(2).min(WALK_CHUNK);
            }
        }
        if self.left == 0 { self.cut() } else { ControlFlow::Continue(()) }
    }

    /// The page ends, and the list goes on.
    fn cut(&mut self) -> ControlFlow<()> {
        self.listing.next.clone_from(&self.last);
        ControlFlow::Break(())
    }
}

// CAVEATS: a list is not a point in time. Of a group that died while its page was made, the page may
// still tell.

#[cfg(test)]
#[path = "listing_test.rs"]
mod tests;
