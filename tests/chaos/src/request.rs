//! Requests as a client writes them: one key by its path, several in a batch.

use gridkv_cluster::{Client, ClientError, Reply, Request};
use serde_json::{Map, Value, json};

use crate::history::{Asked, Condition, Safety};

/// One operation to be.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) key: String,
    pub(crate) asked: Asked,
    /// About how many bytes a value has.
    pub(crate) bytes: usize,
}

/// Sends it: alone, or all in a batch.
///
/// # Errors
/// [`ClientError`] when no answer came.
pub(crate) fn send(
    client: &Client,
    store: &str,
    asks: &[Ask],
    is_batch: bool,
) -> Result<Reply, ClientError> {
    match asks {
        [ask] if !is_batch => send_one(client, store, ask),
        asks => {
            let ops: Vec<Value> = asks.iter().map(op).collect();
            let request = client
                .request("POST", &format!("/v1/stores/{store}/batch"))
                .header("Content-Type", "application/json")
                .body(json!({ "ops": ops }).to_string().as_bytes());
            let safety = asks.iter().find_map(|ask| safety(&ask.asked)).unwrap_or_default();
            safe(request, safety).send()
        }
    }
}

fn send_one(client: &Client, store: &str, ask: &Ask) -> Result<Reply, ClientError> {
    let Ask { key, asked, bytes } = ask;
    match asked {
        Asked::Get => client.get(store, key),
        Asked::Put { stamp, ttl_ms, condition, safety } => {
            let put = client.at_key("PUT", store, key).body(stamp.value(*bytes).as_bytes());
            // Without one, the store's own deadline would hold, which nobody here knows.
            let put = put.query("ttl", &format!("{}ms", ttl_ms.unwrap_or(0)));
            safe(conditional(put, condition.as_ref()), *safety).send()
        }
        Asked::Delete { condition, safety } => {
            let delete = client.at_key("DELETE", store, key);
            safe(conditional(delete, condition.as_ref()), *safety).send()
        }
    }
}

fn conditional<'a>(request: Request<'a>, condition: Option<&Condition>) -> Request<'a> {
    match condition {
        None => request,
        Some(Condition::Absent) => request.header("If-None-Match", "*"),
        Some(Condition::Version(version)) => request.header("If-Match", &format!("\"{version}\"")),
    }
}

fn safe(request: Request<'_>, safety: Safety) -> Request<'_> {
    let request = match safety.durability {
        Some(durability) => request.query("durability", &durability.to_string()),
        None => request,
    };
    if safety.acks == 0 { request } else { request.query("acks", &safety.acks.to_string()) }
}

fn safety(asked: &Asked) -> Option<Safety> {
    match asked {
        Asked::Get => None,
        Asked::Put { safety, .. } | Asked::Delete { safety, .. } => Some(*safety),
    }
}

/// The operation of a batch.
fn op(ask: &Ask) -> Value {
    let mut op = Map::new();
    let mut field = |name: &str, value: Value| drop(op.insert(name.to_owned(), value));
    field("key", json!(ask.key));
    let condition = match &ask.asked {
        Asked::Get => {
            field("op", json!("get"));
            None
        }
        Asked::Put { stamp, ttl_ms, condition, .. } => {
            field("op", json!("put"));
            field("value", json!(stamp.value(ask.bytes)));
            field("ttl", json!(format!("{}ms", ttl_ms.unwrap_or(0))));
            condition.as_ref()
        }
        Asked::Delete { condition, .. } => {
            field("op", json!("delete"));
            condition.as_ref()
        }
    };
    match condition {
        None => {}
        Some(Condition::Absent) => field("if_none_match", json!("*")),
        Some(Condition::Version(version)) => field("if_match", json!(version)),
    }
    Value::Object(op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;

    #[test]
    fn an_operation_of_a_batch_says_what_a_request_would() {
        let asked = Asked::Put {
            stamp: Stamp::new(1, 2),
            ttl_ms: Some(700),
            condition: Some(Condition::Version("3-4".to_owned())),
            safety: Safety::default(),
        };
        let put = op(&Ask { key: "k".to_owned(), asked, bytes: 0 });
        let expected =
            json!({"op": "put", "key": "k", "value": "c1.2 0 ", "ttl": "700ms", "if_match": "3-4"});
        assert_eq!(put, expected);
        let asked = Asked::Delete { condition: Some(Condition::Absent), safety: Safety::default() };
        let delete = op(&Ask { key: "k".to_owned(), asked, bytes: 0 });
        assert_eq!(delete, json!({"op": "delete", "key": "k", "if_none_match": "*"}));
    }
}
