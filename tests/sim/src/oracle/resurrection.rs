//! Nothing comes back: under each key of a node versions only rise, whatever is forgotten meanwhile.

use super::{Known, Verdict};
use crate::disk::Touch;
use crate::network::At;

/// Its name.
pub const NAME: &str = "nothing comes back";

/// A record was put.
///
/// # Errors
/// When the key has had a newer one.
pub fn put(known: &mut Known, at: At, Touch { key, record }: &Touch) -> Verdict {
    let version = record.version;
    match known.highest.get_mut(key) {
        Some(highest) if *highest > version => {
            Err(format!("n{at} puts {version} under {} after {highest}", key.as_str()))
        }
        Some(highest) => {
            *highest = version;
            Ok(())
        }
        None => {
            known.highest.insert(key.clone(), version);
            Ok(())
        }
    }
}
