//! Lines are read as they were written, and in no other way.

use gridkv_protocol::UnixMs;

use super::*;

fn keyed(
    key: &str,
    value: &[u8],
    content_type: Option<&str>,
    expires_at: Option<u64>,
) -> KeyedRecord {
    let live = Live {
        value: Value::copied(value),
        content_type: content_type.map(|text| ContentType::new(text).unwrap()),
        expires_at: expires_at.map(UnixMs),
    };
    let version = "01a208849ad40000-ba928ddb6b043a6d".parse().unwrap();
    KeyedRecord {
        key: Key::new(key).unwrap(),
        record: Record { version, state: State::Live(live) },
    }
}

fn samples() -> Vec<KeyedRecord> {
    vec![
        keyed("\0\n\"", b"", None, None),
        keyed("..", &[0, 255, 128], Some("image/png"), Some(1)),
        keyed("a", b"hello", Some("text/plain"), Some(1_735_689_599_000)),
        keyed("é", b"v", None, None),
        keyed(&"\u{10ffff}".repeat(256), &[7; 300], None, None),
    ]
}

fn written(records: &[KeyedRecord]) -> Vec<u8> {
    let mut writer = LineWriter::default();
    let (first, second) = records.split_at(records.len() / 2);
    let mut bytes = writer.records(first).unwrap();
    bytes.extend(writer.records(second).unwrap());
    bytes.extend(writer.finish().unwrap());
    bytes
}

fn read(bytes: &[u8], piece: usize) -> Result<Vec<KeyedRecord>, LineError> {
    let (mut reader, mut all) = (LineReader::default(), Vec::new());
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while let Some(records) = reader.next_records()? {
            all.extend(records);
        }
    }
    reader.finish()?;
    Ok(all)
}

#[test]
fn what_was_written_is_read_whatever_the_pieces() {
    let bytes = written(&samples());
    for piece in [1, 7, 64, bytes.len()] {
        assert_eq!(read(&bytes, piece).unwrap(), samples(), "{piece}");
    }
    assert_eq!(read(&written(&[]), 5).unwrap(), []);
}

/// The first version of the format, for good.
#[test]
fn the_bytes_of_the_first_version() {
    let golden = concat!(
        "{\"key\":\"..\",\"version\":\"01a208849ad40000-ba928ddb6b043a6d\",\"content_type\":\"image/png\",",
        "\"expires_at\":\"1970-01-01T00:00:00.001Z\",\"value\":\"AP+A\"}\n",
        "{\"key\":\"é\",\"version\":\"01a208849ad40000-ba928ddb6b043a6d\",\"value\":\"dg==\"}\n",
        "{\"footer\":\"gridkv-snapshot\",\"format\":1,\"count\":2,\"checksum\":\"2eb22b3bbe618748\"}\n",
    );
    let samples = [samples()[1].clone(), samples()[3].clone()];
    assert_eq!(String::from_utf8(written(&samples)).unwrap(), golden);
    assert_eq!(read(golden.as_bytes(), 10).unwrap(), samples);
}

#[test]
fn every_flipped_byte_and_every_cut_is_found() {
    let bytes = written(&samples());
    for at in 0..bytes.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut bad = bytes.clone();
            bad[at] ^= flip;
            assert!(read(&bad, 50).is_err(), "{at} ^ {flip}");
        }
        let cut = read(&bytes[..at], 50).unwrap_err();
        let expected = LineError { offset: at as u64, why: "it ends before its footer".to_owned() };
        assert_eq!(cut, expected);
    }
    let trailing = [&bytes[..], b"\n"].concat();
    assert_eq!(read(&trailing, 50).unwrap_err().offset, bytes.len() as u64);
}

#[test]
fn what_is_no_record_is_refused_with_its_place() {
    let good = written(&samples()[2..3]);
    let first = good.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let table = [
        ("{}\n", "a key, a version"),
        ("\n", "EOF"),
        ("{\"key\":\"b\"}\n", "a key, a version"),
        ("{\"key\":\"b\",\"count\":1}\n", "neither"),
        ("{\"key\":\"b\",\"version\":\"1\",\"value\":\"\"}\n", "16 hex digits"),
        ("{\"footer\":\"other\"}\n", "something else"),
        ("{\"footer\":\"gridkv-snapshot\",\"format\":2}\n", "version of the format"),
        ("{\"footer\":\"gridkv-snapshot\",\"format\":1,\"count\":7}\n", "7 records, 1 came"),
        ("{\"footer\":\"gridkv-snapshot\",\"format\":1,\"count\":1}\n", "checksum"),
        ("{\"other\":1}\n", "unknown field"),
    ];
    for (line, why) in table {
        let error = read(&[&good[..first], line.as_bytes()].concat(), 1_000).unwrap_err();
        assert_eq!(error.offset, first as u64, "{line}");
        assert!(error.why.contains(why), "{line}: {}", error.why);
    }
    let record = |key: &str, rest: &str| {
        let version = "01a208849ad40000-ba928ddb6b043a6d";
        format!("{{\"key\":\"{key}\",\"version\":\"{version}\",\"value\":{rest}}}\n")
    };
    for line in [
        record("", "\"\""),
        record(&"k".repeat(MAX_KEY_BYTES + 1), "\"\""),
        record("k", "\"*\""),
        record("k", "5"),
        record("k", "\"\",\"expires_at\":\"tomorrow\""),
        record("k", "\"\",\"content_type\":\"\\n\""),
        record("a", "\"\"") + &record("a", "\"\""),
        record("b", "\"\"") + &record("a", "\"\""),
    ] {
        assert!(read(line.as_bytes(), 10_000).is_err(), "{line}");
    }
}

#[test]
fn a_line_without_an_end_is_not_kept() {
    let mut reader = LineReader::default();
    let piece = vec![b'x'; 1 << 20];
    let mut taken = 0;
    while reader.next_records().is_ok() {
        reader.push(&piece);
        taken += piece.len();
    }
    assert!(taken <= MAX_LINE_BYTES + 2 * piece.len());
}
