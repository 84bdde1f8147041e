//! Records of every kind come back from under their keys.

use std::hash::BuildHasher as _;

use gridkv_protocol::limits::{MAX_CONTENT_TYPE_BYTES, MAX_KEY_BYTES};

use super::*;

fn version() -> Version {
    Version { hlc: Hlc::from_bits(u64::MAX - 1), origin: Origin::from_bits(7) }
}

fn states() -> Vec<State> {
    let types = [
        None,
        ContentType::new("a").ok(),
        ContentType::new(&"t".repeat(MAX_CONTENT_TYPE_BYTES)).ok(),
    ];
    let mut states = vec![State::Deleted, State::Expired { expires_at: UnixMs(u64::MAX) }];
    for value in [&[][..], b"v", &vec![0xff; 70_000]] {
        for content_type in types.clone() {
            for expires_at in [None, Some(UnixMs(0)), Some(UnixMs(5))] {
                let (value, content_type) = (Value::copied(value), content_type.clone());
                states.push(State::Live(Live { value, content_type, expires_at }));
            }
        }
    }
    states
}

#[test]
fn every_record_comes_back_from_under_its_key() {
    let hasher = std::collections::hash_map::RandomState::new();
    for key in ["k".to_owned(), "ключ".to_owned(), "x".repeat(MAX_KEY_BYTES)] {
        let key = Key::new(&key).unwrap();
        for state in states() {
            let record = Record { version: version(), state };
            let packed = Packed::new(&key, &record);
            assert_eq!(packed.record().as_ref(), Some(&record));
            assert_eq!(packed.key(), key.as_str().as_bytes());
            assert_eq!(packed.0.len(), length(&key, &record), "as it was foreseen");
            assert_eq!(hasher.hash_one(&packed), hasher.hash_one(key.as_str().as_bytes()));
        }
    }
}

#[test]
fn records_are_equal_when_their_keys_are() {
    let pack = |key: &str, state: &State| {
        Packed::new(&Key::new(key).unwrap(), &Record { version: version(), state: state.clone() })
    };
    let states = states();
    for (one, other) in states.iter().zip(states.iter().rev()) {
        assert!(pack("a", one) == pack("a", other));
        assert!(pack("a", one) != pack("ab", other));
    }
}

#[test]
fn a_common_record_fills_an_allocation_of_160_bytes() {
    let live = Live { value: Value::copied(&[1; 100]), content_type: None, expires_at: None };
    let record = Record { version: version(), state: State::Live(live) };
    assert_eq!(bytes(&Key::new("user:00000000001").unwrap(), &record), 160);
}
