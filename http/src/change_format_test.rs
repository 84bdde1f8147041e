//! Changes as clients of each shape see them.

use actix_web::http::header::HeaderValue;
use gridkv_protocol::record::Live;
use gridkv_protocol::{Key, Origin, UnixMs, Value, Version};
use serde_json::json;

use super::*;

const VERSION: &str = "0000000000000001-0000000200000003";

fn version() -> Version {
    VERSION.parse().unwrap()
}

fn place(number: u64) -> ChangePlace {
    ChangePlace { run: Origin::from_bits(0x0000_0002_0000_0003), number }
}

fn put() -> LoggedChange {
    let kind = ChangeKind::Put { size: 2, expires_at: Some(UnixMs(0)) };
    LoggedChange { number: 10, key: Key::new("a\nb").unwrap(), version: version(), kind }
}

fn live(version: Version) -> Record {
    let content_type = Some(gridkv_protocol::ContentType::new("text/plain").unwrap());
    let live = Live { value: Value::copied(b"hi"), content_type, expires_at: None };
    Record { version, state: State::Live(live) }
}

#[test]
fn a_change_has_what_it_needs_and_the_value_if_it_is_still_there() {
    let bare = json!({
        "event": "put",
        "seq": "0000000200000003-a",
        "key": "a\nb",
        "version": VERSION,
        "size": 2,
        "expires_at": "1970-01-01T00:00:00.000Z",
    });
    let shown = |found| serde_json::to_value(ShownChange::new(&put(), place(12), found)).unwrap();
    assert_eq!(shown(None), bare);
    let later = "0000000000000002-0000000200000003".parse().unwrap();
    assert_eq!(shown(Some(live(later))), bare, "a later one has a change of its own");
    let mut whole = bare;
    whole["value"] = json!("aGk=");
    whole["content_type"] = json!("text/plain");
    assert_eq!(shown(Some(live(version()))), whole);

    let gone = LoggedChange { kind: ChangeKind::Expire, ..put() };
    let gone = serde_json::to_value(ShownChange::new(&gone, place(12), None)).unwrap();
    assert_eq!(
        gone,
        json!({"event": "expire", "seq": "0000000200000003-a", "key": "a\nb", "version": VERSION})
    );
}

#[test]
fn events_and_lines_are_each_one_piece() {
    let shown = ShownChange::new(&put(), place(10), None);
    let event = StreamShape::Events.change(&shown).unwrap();
    let lines: Vec<&str> = event.lines().collect();
    assert_eq!(lines[..2], ["id: 0000000200000003-a", "event: put"]);
    assert!(lines[2].starts_with("data: {") && lines[3].is_empty() && lines.len() == 4);
    let line = StreamShape::Lines.change(&shown).unwrap();
    assert!(line.ends_with("}\n") && line.lines().count() == 1);
    assert_eq!(StreamShape::Events.beginning(place(1)), "retry: 2000\nid: 0000000200000003-1\n\n");
    assert_eq!(StreamShape::Events.ping(place(1)), ": ping\nid: 0000000200000003-1\n\n");
    let end = StreamShape::Lines.end(LastWord::Truncated(place(7)));
    let end: serde_json::Value = serde_json::from_str(&end).unwrap();
    assert_eq!(
        (&end["event"], &end["code"], &end["oldest"]),
        (&json!("truncated"), &json!("changes_truncated"), &json!("0000000200000003-7"))
    );
    assert!(StreamShape::Events.end(LastWord::Bye).starts_with("event: bye\ndata: {"));
}

#[test]
fn the_shape_is_what_the_client_accepts() {
    let of = |accept: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        Shape::of(&headers)
    };
    assert_eq!(Shape::of(&HeaderMap::new()), Ok(Shape::Document));
    let events = Ok(Shape::Stream(StreamShape::Events));
    for (accept, expected) in [
        ("", Ok(Shape::Document)),
        ("*/*", Ok(Shape::Document)),
        ("application/json", Ok(Shape::Document)),
        ("text/event-stream", events.clone()),
        ("Text/Event-Stream; q=0.9, */*", events.clone()),
        ("text/html, text/event-stream", events),
        ("application/x-ndjson", Ok(Shape::Stream(StreamShape::Lines))),
    ] {
        assert_eq!(of(accept), expected, "{accept}");
    }
    assert_eq!(of("text/html").unwrap_err().code, Code::NotAcceptable);
}
