//! Durations: every unit, every refusal, and that writing and reading agree.

use super::*;

#[test]
fn reads_each_unit() {
    let table = [
        ("250ms", 250),
        ("5s", 5_000),
        ("10m", 600_000),
        ("1h", 3_600_000),
        ("5", 5_000),
        ("0", 0),
        ("0s", 0),
        ("007s", 7_000),
    ];
    for (text, millis) in table {
        assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
    }
}

#[test]
fn refuses_what_has_no_obvious_reading() {
    let shapes = [
        "", "s", "ms", "5 s", " 5s", "5s ", "1.5s", "-5s", "+5s", "1h30m", "5S", "5d", "5us", "٥s",
    ];
    for text in shapes {
        assert_eq!(parse(text), Err(DurationError::Shape), "{text}");
    }
    for text in ["18446744073709551615s", "99999999999999999999ms"] {
        assert_eq!(parse(text), Err(DurationError::Overflow), "{text}");
    }
}

#[test]
fn writes_what_it_reads() {
    let table = [
        ("0", "0s"),
        ("1ms", "1ms"),
        ("1500ms", "1500ms"),
        ("1000ms", "1s"),
        ("90s", "90s"),
        ("120", "2m"),
        ("60m", "1h"),
        ("87600h", "87600h"),
    ];
    for (text, written) in table {
        let duration = parse(text).unwrap();
        assert_eq!(format(duration), written);
        assert_eq!(parse(written), Ok(duration));
    }
}
