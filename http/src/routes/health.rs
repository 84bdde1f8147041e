//! `/livez`, `/readyz`, `/metrics`: what orchestrators and Prometheus ask.
//!
//! `/livez` never depends on peers: a node that is cut off is alive. All three answer however many
//! requests are in flight. Where tokens are needed, `/livez` and `/readyz` answer also without one, and name
//! nothing then.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use gridkv_actors::views::{Check, Readiness};
use serde::Serialize;

use crate::exchange::Exchange;
use crate::problem::{Code, Problem};
use crate::routes::{Endpoint, internal, json};

const TEXT: &str = "text/plain; charset=utf-8";

/// `GET /livez`
pub(crate) fn live(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Live)?;
    let stuck = exchange.site.node.stuck_actors();
    if stuck.is_empty() {
        return Ok(text(StatusCode::OK, TEXT, "ok\n".to_owned()));
    }
    if exchange.caller.is_stranger() {
        let detail = "restart the node: a part of it has not turned for 10 s";
        return Err(Problem::new(Code::ActorStuck, detail));
    }
    let detail = format!("restart the node; these have not turned for 10 s: {}", stuck.join(", "));
    Err(Problem::new(Code::ActorStuck, detail).with("actors", stuck))
}

/// `GET /readyz`
pub(crate) fn ready(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Ready)?;
    let mut readiness = exchange.site.node.readiness();
    if exchange.caller.is_stranger() {
        readiness.checks = without_names(&readiness);
    }
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let accepts = exchange.headers().get_all(header::ACCEPT);
    let wants_json = accepts
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("application/json"));
    if wants_json {
        let mut response = json(&ReadinessJson::from(readiness))?;
        *response.status_mut() = status;
        return Ok(response);
    }
    Ok(text(status, TEXT, lines(&readiness)))
}

/// What those are told who have no token: whether it is ready, and nothing of stores and peers.
fn without_names(readiness: &Readiness) -> Vec<Check> {
    let detail = if readiness.ready { "" } else { "not ready; a token is needed to see why" };
    vec![Check { name: "node".to_owned(), ok: readiness.ready, detail: detail.to_owned() }]
}

/// `GET /metrics`
pub(crate) fn metrics(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Metrics)?;
    let exposition = exchange.site.metrics.exposition().map_err(|error| internal(&error))?;
    Ok(text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", exposition))
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body)
}

/// One line for each check: `[+]name ok`, `[+]name ok (detail)` or `[-]name: detail`.
fn lines(readiness: &Readiness) -> String {
    let line = |check: &Check| {
        let Check { name, ok, detail } = check;
        match (ok, detail.is_empty()) {
            (true, true) => format!("[+]{name} ok\n"),
            (true, false) => format!("[+]{name} ok ({detail})\n"),
            (false, _) => format!("[-]{name}: {detail}\n"),
        }
    };
    readiness.checks.iter().map(line).collect()
}

/// Readiness, as it is shown.
#[derive(Serialize)]
pub(crate) struct ReadinessJson {
    ready: bool,
    checks: Vec<CheckJson>,
}

#[derive(Serialize)]
struct CheckJson {
    name: String,
    ok: bool,
    detail: String,
}

impl From<Readiness> for ReadinessJson {
    fn from(readiness: Readiness) -> Self {
        let check = |Check { name, ok, detail }| CheckJson { name, ok, detail };
        Self { ready: readiness.ready, checks: readiness.checks.into_iter().map(check).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_see_no_names() {
        let check = Check { name: "store:main".to_owned(), ok: false, detail: "n2".to_owned() };
        for (ready, shown) in
            [(true, "[+]node ok\n"), (false, "[-]node: not ready; a token is needed to see why\n")]
        {
            let readiness = Readiness { ready, checks: vec![check.clone()] };
            let checks = without_names(&readiness);
            assert_eq!(lines(&Readiness { ready, checks }), shown);
        }
    }

    #[test]
    fn checks_as_lines() {
        let check = |name: &str, ok, detail: &str| Check {
            name: name.to_owned(),
            ok,
            detail: detail.to_owned(),
        };
        let readiness = Readiness {
            ready: false,
            checks: vec![
                check("store:main", true, ""),
                check("peers", true, "n3 is silent"),
                check("catch-up", false, "2 of 5 stores"),
            ],
        };
        assert_eq!(
            lines(&readiness),
            "[+]store:main ok\n[+]peers ok (n3 is silent)\n[-]catch-up: 2 of 5 stores\n"
        );
    }
}
