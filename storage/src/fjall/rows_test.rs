use gridkv_protocol::{Epoch, NodeId};

use super::*;

fn version() -> Version {
    Version {
        hlc: Hlc::from_bits(0x0102_0304_0506_0708),
        origin: Origin::new(NodeId(0x0a0b_0c0d), Epoch(0x0e0f_1011)),
    }
}

fn live(value: &[u8], content_type: Option<&str>, expires_at: Option<u64>) -> State {
    State::Live(Live {
        value: Value::copied(value),
        content_type: content_type.map(|text| ContentType::new(text).unwrap()),
        expires_at: expires_at.map(UnixMs),
    })
}

fn states() -> Vec<State> {
    vec![
        live(b"", None, None),
        live(b"value", None, None),
        live(b"value", Some("text/plain"), None),
        live(b"", None, Some(7)),
        live(&[0; 300], Some(&"t".repeat(255)), Some(u64::MAX)),
        live(b"due at once", None, Some(0)),
        State::Deleted,
        State::Expired { expires_at: UnixMs(9) },
    ]
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// These bytes are on disks: a change of them is a new version of the seal, and a migration.
#[test]
fn rows_are_frozen() {
    let row_key = record_key("é");
    let row = |state| write_record(&row_key, &Record { version: version(), state });
    let of = frontier_key(version().origin);
    let counts =
        Counts { keys: 1, tombstones: 2, bytes: 3, greatest: Hlc::from_bits(4), loose: true };
    let state = |counts| write_state(&StateRow { floor: Hlc::from_bits(5), counts });
    let written = [
        row_key.clone(),
        row(live(b"v", None, None)),
        row(live(b"v", Some("a/b"), Some(5))),
        row(State::Deleted),
        row(State::Expired { expires_at: UnixMs(5) }),
        deadline_key(UnixMs(5), &Key::new("k").unwrap()),
        of.clone(),
        write_frontier(&of, version().hlc),
        STATE_KEY.to_vec(),
        state(Some(counts)),
        state(None),
    ];
    let frozen = [
        "72c3a9",
        "64098c070001020304050607080a0b0c0d0e0f101176",
        "d53af1250101020304050607080a0b0c0d0e0f101101000000000000000503612f6276",
        "43c9f2230201020304050607080a0b0c0d0e0f1011",
        "85b968bf0301020304050607080a0b0c0d0e0f10110000000000000005",
        "6400000000000000056b",
        "660a0b0c0d0e0f1011",
        "3e466b770102030405060708",
        "73",
        concat!(
            "ce469c840000000000000005010000000000000001000000000000000200000000",
            "00000003000000000000000401"
        ),
        "15a13a5e000000000000000500",
    ];
    assert_eq!(written.map(|row| hex(&row)), frozen);
}

#[test]
fn what_is_written_is_read() {
    let row_key = record_key("key");
    for state in states() {
        let record = Record { version: version(), state };
        let row = write_record(&row_key, &record);
        assert_eq!(read_record(&row_key, &row).unwrap(), record);
    }
    let key = Key::new("key").unwrap();
    let row = deadline_key(UnixMs(77), &key);
    assert_eq!(read_deadline_key(&row).unwrap(), (UnixMs(77), key.clone()));
    assert_eq!(read_record_key(&row_key).unwrap(), key);
    let row_key = frontier_key(version().origin);
    let row = write_frontier(&row_key, version().hlc);
    assert_eq!(read_frontier(&row_key, &row).unwrap(), (version().origin, version().hlc));
    for counts in [None, Some(Counts { keys: 9, ..Counts::default() })] {
        let state = StateRow { floor: Hlc::from_bits(8), counts };
        assert_eq!(read_state(&write_state(&state)).unwrap(), state);
    }
}

#[test]
fn no_flip_and_no_cut_of_a_row_is_another_record() {
    let row_key = record_key("key");
    for state in states() {
        let row = write_record(&row_key, &Record { version: version(), state });
        for length in 0..row.len() {
            assert!(read_record(&row_key, &row[..length]).is_err());
        }
        for bit in 0..row.len() * 8 {
            let mut flipped = row.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read_record(&row_key, &flipped).is_err());
        }
        assert!(read_record(&record_key("kez"), &row).is_err(), "it belongs to its key");
    }
    for garbage in [&[][..], b"f", b"f1234567", b"d", b"d1234567", b"d12345678", b"r", b"r\xff"] {
        assert!(read_record_key(garbage).is_err());
        assert!(read_deadline_key(garbage).is_err());
        assert!(read_frontier(garbage, garbage).is_err());
        assert!(read_state(garbage).is_err());
    }
}
