//! One record of a data set: how it is asked to be written, and what must come back.

use crate::reply::Reply;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use std::str;

/// One record to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// The content type stored with the value.
    pub content_type: String,
}

impl Record {
    /// The operation of a batch that writes it.
    pub(crate) fn as_put(&self) -> Value {
        let (value, encoding) = match str::from_utf8(&self.value) {
            Ok(text) => (text.to_owned(), "utf8"),
            Err(_) => (BASE64.encode(&self.value), "base64"),
        };
        json!({
            "op": "put", "key": self.key, "value": value, "encoding": encoding,
            "content_type": self.content_type,
        })
    }

    /// How the answer to a GET of this record differs from it.
    pub(crate) fn difference(&self, reply: &Reply) -> Option<String> {
        let key = &self.key;
        if reply.status != 200 {
            return Some(format!("  {key}: {} {}", reply.status, reply.quoted()));
        }
        if reply.body != self.value {
            let (ours, theirs) = (&self.value, &reply.body);
            let same = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
            let lengths = format!("{} bytes instead of {}", theirs.len(), ours.len());
            return Some(format!("  {key}: {lengths}, the first difference at byte {same}"));
        }
        let content_type = reply.header("content-type").unwrap_or("none");
        (content_type != self.content_type).then(|| {
            format!("  {key}: content type {content_type} instead of {}", self.content_type)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::HeaderMap;

    fn record(key: &str, value: &[u8]) -> Record {
        Record { key: key.to_owned(), value: value.to_vec(), content_type: "a/b".to_owned() }
    }

    fn reply(status: u16, body: &str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "a/b".parse().unwrap());
        Reply { status, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn bytes_that_are_not_text_travel_as_base64() {
        let put = record("k", &[0xff, 0x00]).as_put();
        assert_eq!(put["encoding"], "base64");
        assert_eq!(put["value"], "/wA=");
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let wanted = record("k", b"value");
        assert_eq!(wanted.difference(&reply(200, "value")), None);
        let told = |status, body| wanted.difference(&reply(status, body)).unwrap();
        assert!(told(404, "gone").contains("404 gone"));
        assert!(told(200, "vague").contains("first difference at byte 2"));
        let other_type = Record { content_type: "c/d".to_owned(), ..wanted.clone() };
        assert!(other_type.difference(&reply(200, "value")).unwrap().contains("content type a/b"));
    }
}
