//! The pages that peers ask a store for: stretches of a walk, cut where they would get too large.

use std::collections::BTreeSet;

use gridkv_protocol::Origin;
use gridkv_protocol::digest::bucket_of;
use gridkv_protocol::limits::{MAX_PAGE_RECORDS, PAGE_BYTES};
use gridkv_protocol::mutant::{self, Mutant};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::page::{Page, PageCursor, PageRequest, Scope};

use super::StoreReader;
use crate::backend::{BackendError, Walk, by_key};
use crate::map::WALK_CHUNK;

/// Records that one call looks at to fill a catch-up page, at most: a walk over what a frontier covers
/// must not hold a thread for long.
const PAGE_SCAN: usize = 64 * WALK_CHUNK;

impl StoreReader {
    /// The page that a peer asks for: records that its frontier does not cover, or all of a scope. `donor`
    /// is this node's present origin. The page may be empty and still have a next one.
    ///
    /// # Errors
    /// [`BackendError`] when records can not be read, the store was emptied meanwhile, or the cursor is not
    /// this store's.
    pub fn page(&self, request: &PageRequest, donor: Origin) -> Result<Page, BackendError> {
        let page = self.page_as_it_is(request, donor)?;
        // Its floor would be taken for that of who has what lies below.
        let goes_on = self.shared.frontiers.applied().covers_all(&page.frontier);
        if goes_on { Ok(page) } else { Err(BackendError::Emptied) }
    }

    fn page_as_it_is(&self, request: &PageRequest, donor: Origin) -> Result<Page, BackendError> {
        // Before the walk: what comes meanwhile may be in the page, but is not claimed.
        let frontier = self.shared.frontiers.applied();
        let mut page = Page {
            store: request.store.clone(),
            session: request.session,
            cursor: request.cursor.clone(),
            donor,
            floor: self.shared.frontiers.floor(),
            records: Vec::new(),
            next: request.cursor.clone(),
            frontier,
        };
        let nothing_new = request.scope == Scope::Missing
            && request.frontier.covers_all(&page.frontier)
            && self.shared.loose.load().is_empty();
        if nothing_new {
            page.next = None;
            return Ok(page);
        }
        let buckets = buckets_of(&request.scope);
        let (mut bytes, mut scanned, mut limit) = (0, 0, WALK_CHUNK);
        loop {
            let walk = self.shared.read(self.walk(&request.scope, page.next.as_ref(), limit))?;
            scanned += WALK_CHUNK;
            let is_asked = |keyed: &KeyedRecord| is_asked(request, &buckets, keyed);
            let fits = fitting(&walk.records, is_asked, PAGE_BYTES.saturating_sub(bytes));
            if fits < walk.records.len() {
                if fits == 0 && !page.records.is_empty() {
                    return Ok(page);
                }
                if walk.records.len() > 1 {
                    limit = fits.max(1); // only the backend can cut a walk: ask for a shorter one
                    continue;
                }
            }
            page.next = walk.next;
            for keyed in walk.records.into_iter().filter(is_asked) {
                let dead = keyed.record.content_bytes() == 0;
                if dead && mutant::is(Mutant::PagesWithoutTombstones) {
                    continue;
                }
                bytes += keyed.weight();
                page.records.push(keyed);
            }
            let full = limit < WALK_CHUNK
                || bytes >= PAGE_BYTES
                || scanned >= PAGE_SCAN
                || page.records.len() + WALK_CHUNK > MAX_PAGE_RECORDS;
            if full || page.next.is_none() {
                return Ok(page);
            }
        }
    }

    /// A stretch of the walk that a scope needs: where absence is to be seen, in the order of keys.
    fn walk(
        &self,
        scope: &Scope,
        after: Option<&PageCursor>,
        limit: usize,
    ) -> Result<Walk<PageCursor>, BackendError> {
        match scope {
            Scope::Everything => by_key(self.shared.backend.as_ref(), after, limit),
            Scope::Missing | Scope::Buckets(_) => self.shared.backend.page(after, limit),
        }
    }
}

/// Whether a record is one of those that a peer asks for.
fn is_asked(request: &PageRequest, buckets: &BTreeSet<u16>, keyed: &KeyedRecord) -> bool {
    match &request.scope {
        Scope::Missing => !request.frontier.covers(keyed.record.version),
        Scope::Everything => true,
        Scope::Buckets(_) => buckets.contains(&bucket_of(&keyed.key)),
    }
}

/// The buckets of a scope, to be looked up: a peer may ask for thousands.
fn buckets_of(scope: &Scope) -> BTreeSet<u16> {
    match scope {
        Scope::Buckets(buckets) => buckets.iter().copied().collect(),
        Scope::Missing | Scope::Everything => BTreeSet::new(),
    }
}

/// How many of the first records may go into a page that has room for `room` bytes of those asked for.
fn fitting(
    records: &[KeyedRecord],
    is_asked: impl Fn(&KeyedRecord) -> bool,
    mut room: usize,
) -> usize {
    let fits = |keyed: &&KeyedRecord| {
        let bytes = if is_asked(keyed) { keyed.weight() } else { 0 };
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        fits
    };
    records.iter().take_while(fits).count()
}
