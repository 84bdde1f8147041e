//! Small caches to try things on.

use std::sync::Arc;

use crate::registry::Registry;
use crate::settings::{CachePolicy, CacheSettings};
use crate::store::StoreConfig;
use crate::test_store::{TestStore, config};

/// A store on a cache with these settings.
pub(crate) fn cache(settings: CacheSettings) -> TestStore {
    cache_with(settings, config("small"))
}

/// Likewise, with a configuration of the backend `small`.
pub(crate) fn cache_with(settings: CacheSettings, config: StoreConfig) -> TestStore {
    let (mut registry, built_in) = (Registry::with_built_in(), Registry::with_built_in());
    registry.register(
        "small",
        Arc::new(move |request| {
            let mut request = request.clone();
            request.settings.cache = settings;
            let (_, backend, recovered) = built_in.open("moka", &request)?;
            Ok((backend, recovered))
        }),
    );
    TestStore::of(registry, config)
}

/// A store on a cache of so many bytes.
pub(crate) fn small(max_bytes: u64, policy: CachePolicy) -> TestStore {
    cache(CacheSettings { max_bytes, policy, time_to_idle_ms: None })
}
