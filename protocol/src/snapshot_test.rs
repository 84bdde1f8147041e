//! Snapshots are read as they were written, and in no other way.

use std::path::PathBuf;

use super::*;
use crate::codec;
use crate::frame::HEADER_BYTES;
use crate::{ContentType, Hlc, Key, Live, Origin, Record, Value, Version};

fn head() -> SnapshotHead {
    SnapshotHead {
        store: StoreName::new("main").unwrap(),
        node: "n1".to_owned(),
        made_at: UnixMs(1_764_448_736_000),
    }
}

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
    let version = Version { hlc: Hlc::from_bits(0x01a2_0000), origin: Origin::from_bits(7) };
    KeyedRecord {
        key: Key::new(key).unwrap(),
        record: Record { version, state: State::Live(live) },
    }
}

/// Odd keys and values of every shape, in order.
fn samples() -> Vec<KeyedRecord> {
    let longest = "\u{10ffff}".repeat(256);
    vec![
        keyed("\0", b"", None, None),
        keyed(".", b"v", None, Some(u64::MAX)),
        keyed("..", &[0, 255, 128], Some("image/png"), Some(1)),
        keyed("a//b", b"v", Some("text/plain; charset=utf-8"), None),
        keyed("é", "ü".as_bytes(), None, None),
        keyed(&longest, &[7; 3_000], None, None),
    ]
}

fn written(blocks: &[&[KeyedRecord]]) -> Vec<u8> {
    let (mut writer, mut bytes) = SnapshotWriter::start(&head()).unwrap();
    for block in blocks {
        bytes.extend(writer.records(block).unwrap());
    }
    bytes.extend(writer.finish().unwrap());
    bytes
}

/// What is read of bytes that come in pieces of this size.
fn read(bytes: &[u8], piece: usize) -> Result<Vec<KeyedRecord>, SnapshotError> {
    let (mut reader, mut all) = (SnapshotReader::default(), Vec::new());
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while let Some(records) = reader.next_records()? {
            all.extend(records);
        }
    }
    assert_eq!(reader.finish()?, all.len() as u64);
    Ok(all)
}

fn fault(bytes: &[u8]) -> (u64, String) {
    let error = read(bytes, 7).unwrap_err();
    (error.offset, error.fault.to_string())
}

#[test]
fn what_was_written_is_read_whatever_the_pieces() {
    let samples = samples();
    let bytes = written(&[&samples[..2], &samples[2..]]);
    for piece in [1, 2, 19, 20, 21, 1_000, bytes.len()] {
        assert_eq!(read(&bytes, piece).unwrap(), samples, "{piece}");
    }
    assert_eq!(read(&written(&[]), 9).unwrap(), []);
    let many: Vec<_> =
        (0..5_000).map(|n| keyed(&format!("k{n:06}"), &[1; 200], None, None)).collect();
    assert_eq!(read(&written(&[&many]), 60_000).unwrap(), many);
    let large = [keyed("large", &vec![3; MAX_VALUE_BYTES], None, None)];
    assert_eq!(read(&written(&[&large]), 1 << 20).unwrap(), large);
}

#[test]
fn every_flipped_byte_is_found() {
    let bytes = written(&[&samples()[..3], &samples()[3..]]);
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = bytes.clone();
            bad[at] ^= flip;
            let error = read(&bad, 64).unwrap_err();
            assert!(error.offset <= bytes.len() as u64, "{at}: {error}");
        }
    }
}

#[test]
fn whatever_is_cut_is_no_snapshot() {
    let bytes = written(&[&samples()]);
    for length in 0..bytes.len() {
        let error = read(&bytes[..length], 100).unwrap_err();
        assert!(matches!(error.fault, Fault::Truncated), "{length}: {error}");
        assert_eq!(error.offset, length as u64);
    }
    let twice = [bytes.clone(), bytes.clone()].concat();
    assert_eq!(fault(&twice), (bytes.len() as u64, Fault::Trailing.to_string()));
}

#[test]
fn a_frame_that_is_missing_twice_or_elsewhere_is_found() {
    let samples = samples();
    let bytes = written(&[&samples[..1], &samples[1..2], &samples[2..3]]);
    let mut cuts = vec![0];
    while cuts[cuts.len() - 1] < bytes.len() {
        let at = cuts[cuts.len() - 1];
        let header = SNAPSHOT.parse(bytes[at..].first_chunk().unwrap(), 1 << 20).unwrap();
        cuts.push(at + HEADER_BYTES + header.length());
    }
    let frames: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
    let of = |order: &[usize]| order.iter().flat_map(|n| frames[*n].to_vec()).collect::<Vec<u8>>();
    assert_eq!(of(&[0, 1, 2, 3, 4]), bytes);
    for order in [
        &[1, 2, 3, 4][..],
        &[0, 0, 1, 2, 3, 4],
        &[0, 2, 3, 4],
        &[0, 1, 2, 4],
        &[0, 2, 1, 3, 4],
        &[0, 1, 1, 2, 3, 4],
        &[0, 4],
        &[4],
    ] {
        read(&of(order), 50).unwrap_err();
    }
}

#[test]
fn lengths_are_not_believed_and_what_is_refused_says_why() {
    let frame = |kind, payload: &[u8]| SNAPSHOT.wrap(kind, payload, usize::MAX).unwrap();
    let after_head = |frame: &[u8]| [&frame_of_head()[..], frame].concat();
    // A header that claims four gigabytes, and one that claims what a single record may have.
    let mut huge = frame(RECORDS, b"");
    huge[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(fault(&after_head(&huge)).1.contains("payload of 4294967295 bytes"));
    let mut long = frame(RECORDS, b"\x92");
    long[8..12].copy_from_slice(&u32::try_from(MAX_PAYLOAD_BYTES).unwrap().to_be_bytes());
    assert_eq!(fault(&after_head(&long)).1, Fault::Block.to_string());
    // Its content claims four billion records.
    let many = frame(RECORDS, &[0xdd, 0xff, 0xff, 0xff, 0xff]);
    assert!(fault(&after_head(&many)).1.contains("does not hold"));
    let dead = Record { state: State::Deleted, ..keyed("k", b"", None, None).record };
    let dead = vec![KeyedRecord { key: Key::new("k").unwrap(), record: dead }];
    let dead = frame(RECORDS, &codec::encode(&dead).unwrap());
    assert_eq!(fault(&after_head(&dead)).1, Fault::Dead.to_string());
    let footer = codec::encode(&Footer { records: 0, checksum: 5 }).unwrap();
    assert_eq!(fault(&after_head(&frame(FOOTER, &footer))).1, Fault::Checksum.to_string());
    assert_eq!(fault(&frame(9, b"")).1, Fault::Kind.to_string());
    assert_eq!(fault(b"{\"key\":1}").1, Fault::Magic.to_string());
    let later = Format { version: 2, ..SNAPSHOT }.wrap(HEAD, b"", 9).unwrap();
    assert_eq!(fault(&later).1, Fault::Version(2).to_string());
}

fn frame_of_head() -> Vec<u8> {
    SnapshotWriter::start(&head()).unwrap().1
}

/// `tests/golden/snapshot.gkvs` is the first version of the format, for good. After a change that is meant:
/// `GRIDKV_GOLDEN=write cargo test -p gridkv-protocol golden`
#[test]
fn the_golden_file_holds_the_bytes_of_the_first_version() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/snapshot.gkvs");
    let samples = samples();
    let bytes = written(&[&samples[..4], &samples[4..]]);
    if std::env::var("GRIDKV_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&path, &bytes).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert_eq!(read(&golden, 33).unwrap(), samples, "the golden bytes are read");
    assert!(bytes == golden, "the golden bytes are written");
}
