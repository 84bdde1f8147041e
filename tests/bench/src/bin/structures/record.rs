//! The key and the record every candidate stores: those of the node.

pub(crate) use gridkv_protocol::{Key, Record};

use gridkv_protocol::record::Live;
use gridkv_protocol::{Hlc, Origin, State, UnixMs, Value, Version};

/// Bytes in each stored value.
pub(crate) const VALUE_BYTES: usize = 100;

/// A key and its record with a fresh 100-byte value, as a request would make them; `None` when the text
/// is no key, which shows as a lost read.
pub(crate) fn fresh(key: &str, hlc: u64) -> Option<(Key, Record)> {
    let fill = hlc.to_le_bytes().first().copied().unwrap_or_default();
    let value = Value::copied(&[fill; VALUE_BYTES]);
    let version = Version { hlc: Hlc::from_bits(hlc), origin: Origin::from_bits(1) };
    let state = State::Live(Live { value, content_type: None, expires_at: None });
    Some((Key::new(key).ok()?, Record { version, state }))
}

/// A number that depends on the record, so that reads are not optimised away.
pub(crate) fn checksum(record: &Record) -> u64 {
    let (length, typed, expires) = match &record.state {
        State::Live(live) => {
            (live.value.len(), live.content_type.is_some(), live.expires_at.is_some())
        }
        State::Expired { expires_at: UnixMs(at) } => (0, *at > 0, true),
        State::Deleted => (0, false, false),
    };
    let version = record.version.hlc.bits() ^ record.version.origin.bits();
    version ^ (length as u64) ^ u64::from(typed) ^ u64::from(expires)
}
