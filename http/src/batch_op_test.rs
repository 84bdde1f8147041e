//! The operations of a batch: every field, every way to get it wrong.

use gridkv_actors::write::Matcher;

use super::*;
use crate::problem::Code;

fn judged(json: &str) -> Result<Checked<Op>, Malformed> {
    let config = HttpConfig { max_key_bytes: 4, max_value_bytes: 4, ..HttpConfig::default() };
    check(serde_json::from_str(json).unwrap(), &config)
}

fn write(json: &str) -> Write {
    match judged(json).unwrap().unwrap().item {
        BatchItem::Write(write) => write,
        BatchItem::Get(_) => panic!("a read"),
    }
}

fn put_of(json: &str) -> (Vec<u8>, Option<String>, Ttl) {
    match write(json).action {
        Action::Put { value, content_type, ttl } => {
            (value.to_vec(), content_type.map(|text| text.as_str().to_owned()), ttl)
        }
        Action::Delete | Action::Touch { .. } => panic!("no put"),
    }
}

#[test]
fn puts() {
    let plain = put_of(r#"{"op":"put","key":"k","value":"é"}"#);
    assert_eq!(plain, ("é".as_bytes().to_vec(), None, Ttl::StoreDefault));
    let full = put_of(
        r#"{"op":"put","key":"k","value":"/w==","encoding":"base64","content_type":"a/b","ttl":"5s"}"#,
    );
    assert_eq!(full, (vec![0xff], Some("a/b".to_owned()), Ttl::Ms(5_000)));
    let unpadded = put_of(r#"{"op":"put","key":"k","value":"/w","encoding":"base64","ttl":2}"#);
    assert_eq!((unpadded.0, unpadded.2), (vec![0xff], Ttl::Ms(2_000)));
}

#[test]
fn the_other_operations() {
    let read = judged(r#"{"op":"get","key":"..","encoding":"base64"}"#).unwrap().unwrap();
    assert!(matches!(&read.item, BatchItem::Get(key) if key.as_str() == ".."));
    assert_eq!(read.encoding, Encoding::Base64);
    assert!(matches!(write(r#"{"op":"delete","key":"k"}"#).action, Action::Delete));
    let touch = write(r#"{"op":"touch","key":"k","ttl":"keep","if_match":"*"}"#);
    assert!(matches!(touch.action, Action::Touch { ttl: Ttl::Keep }));
    assert_eq!(touch.condition.if_match, Some(Matcher::Any));
}

#[test]
fn a_wrong_shape_refuses_the_batch() {
    for json in [
        "{}",
        r#"{"op":"set","key":"k","value":""}"#,
        r#"{"op":1,"key":"k"}"#,
        r#"{"op":"get"}"#,
        r#"{"op":"get","key":1}"#,
        r#"{"op":"get","key":"k","value":"v"}"#,
        r#"{"op":"delete","key":"k","ttl":1}"#,
        r#"{"op":"put","key":"k"}"#,
        r#"{"op":"put","key":"k","value":null}"#,
        r#"{"op":"put","key":"k","value":1}"#,
        r#"{"op":"put","key":"k","value":"","encoding":"hex"}"#,
        r#"{"op":"put","key":"k","value":"","ttl":-1}"#,
        r#"{"op":"put","key":"k","value":"","if_match":7}"#,
        r#"{"op":"put","key":"k","value":"","x":7}"#,
        r#"{"op":"touch","key":"k"}"#,
    ] {
        assert!(judged(json).is_err(), "{json}");
    }
}

#[test]
fn a_value_that_is_not_taken_refuses_its_operation() {
    let table = [
        (r#"{"op":"get","key":""}"#, Code::InvalidKey),
        (r#"{"op":"get","key":"12345"}"#, Code::InvalidKey),
        (r#"{"op":"put","key":"k","value":"12345"}"#, Code::ValueTooLarge),
        (r#"{"op":"put","key":"k","value":"!","encoding":"base64"}"#, Code::InvalidParameter),
        (r#"{"op":"put","key":"k","value":"","ttl":"soon"}"#, Code::InvalidParameter),
        (r#"{"op":"touch","key":"k","ttl":99999999999999}"#, Code::InvalidParameter),
        (r#"{"op":"delete","key":"k","if_match":"\"a,\"b\""}"#, Code::InvalidParameter),
        (r#"{"op":"touch","key":"k","ttl":1,"if_none_match":"x"}"#, Code::InvalidParameter),
        (r#"{"op":"put","key":"k","value":"","content_type":"ü"}"#, Code::InvalidParameter),
    ];
    for (json, code) in table {
        assert_eq!(judged(json).unwrap().unwrap_err().code, code, "{json}");
    }
}
