//! Server-sent events, line by line.

use serde_json::Value as Json;

use crate::client::MAX_LINE_BYTES;

/// What a block of lines means.
#[derive(Debug, PartialEq)]
pub(super) enum Item {
    /// Nothing happened up to here.
    Place(String),
    /// A change.
    Change(Json),
    /// The node stops.
    Bye,
    /// Changes were lost; the first place that can be gone on from.
    Truncated(Option<String>),
}

/// Puts blocks together.
#[derive(Debug, Default)]
pub(super) struct Events {
    id: Option<String>,
    event: String,
    data: String,
}

impl Events {
    /// The next line, with or without its end; what it completes.
    pub(super) fn line(&mut self, line: &str) -> Option<Item> {
        let line = line.trim_end_matches(['\r', '\n']);
        if !line.is_empty() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.id = Some(value.to_owned()),
                "event" => value.clone_into(&mut self.event),
                "data" if self.data.len() + value.len() <= MAX_LINE_BYTES => {
                    self.data.push_str(value);
                }
                // More than any change: not what a node sends, and nothing is made of half of it.
                "data" => self.data.clear(),
                // A comment, or how long to wait before coming back, which is decided here.
                _ => {}
            }
            return None;
        }
        let Self { id, event, data } = std::mem::take(self);
        let json: Option<Json> = serde_json::from_str(&data).ok();
        match (event.as_str(), json) {
            ("bye", _) => Some(Item::Bye),
            ("truncated", json) => {
                let oldest = json.as_ref().and_then(|json| json.get("oldest")?.as_str());
                Some(Item::Truncated(oldest.map(str::to_owned)))
            }
            (_, Some(change)) => Some(Item::Change(change)),
            (_, None) => id.map(Item::Place),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn items(text: &str) -> Vec<Item> {
        let mut events = Events::default();
        text.split_inclusive('\n').filter_map(|line| events.line(line)).collect()
    }

    #[test]
    fn blocks_become_items() {
        let text = "retry: 2000\nid: 1-0\n\nid: 1-1\nevent: put\ndata: {\"event\":\"put\",\"seq\":\"1-1\"}\n\n\
                    : ping\nid: 1-1\n\nevent: truncated\ndata: {\"oldest\":\"1-9\"}\n\nevent: bye\ndata: {}\n\n: x\n\n";
        let expected = [
            Item::Place("1-0".to_owned()),
            Item::Change(json!({"event": "put", "seq": "1-1"})),
            Item::Place("1-1".to_owned()),
            Item::Truncated(Some("1-9".to_owned())),
            Item::Bye,
        ];
        assert_eq!(items(text), expected);
    }

    #[test]
    fn half_a_block_is_nothing() {
        assert_eq!(items("id: 1-1\nevent: put\ndata: {\"seq\":\"1-1\"}\n"), []);
    }
}
