//! `/v1/admin`: how much the node logs, and the way out of service before it is stopped.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::exchange::Exchange;
use crate::incoming::Incoming;
use crate::json_body;
use crate::log_control::LogLevel;
use crate::problem::{Code, Problem};
use crate::query::invalid;
use crate::routes::{Endpoint, internal, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLevel {
    level: String,
}

/// `PUT /v1/admin/log-level`
pub(crate) async fn log_level(
    exchange: &Exchange,
    payload: &mut Incoming,
) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::LogLevel)?;
    let NewLevel { level } = json_body::read(exchange, payload, "{\"level\":\"debug\"}").await?;
    let level = LogLevel::of(&level).ok_or_else(|| {
        let allowed = LogLevel::ALL.map(LogLevel::as_str);
        invalid("level", &format!("is one of {}", allowed.join(", "))).with("allowed", allowed)
    })?;
    tracing::info!(level = level.as_str(), "the log goes on at another level");
    if exchange.site.operating.log.set(level).map_err(|error| internal(&error))? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::new(Code::NotSupported, "this node's log stays as it was configured"))
    }
}

/// `POST /v1/admin/drain`
pub(crate) fn drain(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Drain)?;
    exchange.site.node.drain();
    let mut response = json(&json!({
        "draining": true,
        "detail": "writes are refused until the node starts again; /readyz says when peers have everything",
    }))?;
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
