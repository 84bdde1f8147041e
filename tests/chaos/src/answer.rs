//! What an answer means: done, certainly not done, or nobody knows. A node that says more than it knows is found out here:
//! what it calls refused must never be seen.

use gridkv_cluster::{ClientError, Reply};
use serde_json::Value;

use crate::history::{Asked, Outcome};
use crate::request::Ask;
use crate::stamp::Stamp;

/// The outcome of each operation that was sent, in order.
pub(crate) fn outcomes(
    asks: &[Ask],
    is_batch: bool,
    reply: &Result<Reply, ClientError>,
) -> Vec<Outcome> {
    let all = |outcome: &dyn Fn() -> Outcome| asks.iter().map(|_| outcome()).collect();
    match reply {
        Err(error) if error.nobody_listened() => {
            all(&|| Outcome::Refused("nobody listened".to_owned()))
        }
        Err(error) => all(&|| Outcome::Unknown(brief(error))),
        Ok(reply) if (200..300).contains(&reply.status) && is_batch => batch(asks, reply),
        Ok(reply) if (200..300).contains(&reply.status) => {
            asks.iter().map(|ask| one(&ask.asked, reply)).collect()
        }
        Ok(reply) => {
            let code = reply.code().unwrap_or_else(|| format!("status {}", reply.status));
            asks.iter().map(|ask| refused(&ask.asked, &code)).collect()
        }
    }
}

/// What went wrong underneath, without the address.
fn brief(error: &ClientError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn one(asked: &Asked, reply: &Reply) -> Outcome {
    let Some(version) = reply.version().map(str::to_owned) else {
        return Outcome::Unknown("an answer without a version".to_owned());
    };
    match asked {
        Asked::Get => Outcome::Found { version, stamp: Stamp::read(&reply.body) },
        Asked::Put { .. } | Asked::Delete { .. } => written(version, reply),
    }
}

fn written(version: String, reply: &Reply) -> Outcome {
    let durability = reply.header("gridkv-durability").and_then(|word| word.parse().ok());
    let acks = reply.header("gridkv-acks").and_then(|acks| acks.split('/').next()?.parse().ok());
    Outcome::Written { version, durability, acks: acks.unwrap_or(0) }
}

fn batch(asks: &[Ask], reply: &Reply) -> Vec<Outcome> {
    let answer = reply.json().unwrap_or_default();
    let results = answer.get("results").and_then(Value::as_array);
    let result = |index: usize| results.and_then(|results| results.get(index));
    let outcome = |(index, ask): (usize, &Ask)| {
        let text = |name| result(index).and_then(|one| one.get(name)).and_then(Value::as_str);
        let status = result(index).and_then(|one| one.get("status")).and_then(Value::as_u64);
        match (status, text("version"), &ask.asked) {
            (Some(200..300), Some(version), Asked::Get) => {
                let stamp = Stamp::read(text("value").unwrap_or_default().as_bytes());
                Outcome::Found { version: version.to_owned(), stamp }
            }
            (Some(200..300), Some(version), _) => written(version.to_owned(), reply),
            (Some(300..), ..) => refused(&ask.asked, text("code").unwrap_or("status unknown")),
            _ => Outcome::Unknown("a result without status or version".to_owned()),
        }
    };
    asks.iter().enumerate().map(outcome).collect()
}

/// An answer that is no success. Only codes that say that nothing happened are taken for a refusal.
fn refused(asked: &Asked, code: &str) -> Outcome {
    let leaves_open = matches!(
        code,
        "store_failed" | "outcome_unknown" | "ack_timeout" | "internal" | "actor_stuck"
    );
    match asked {
        Asked::Get if code == "key_not_found" => Outcome::Nothing,
        _ if leaves_open || code.starts_with("status") => Outcome::Unknown(code.to_owned()),
        Asked::Get | Asked::Put { .. } | Asked::Delete { .. } => Outcome::Refused(code.to_owned()),
    }
}

#[cfg(test)]
#[path = "answer_test.rs"]
mod answer_test;
