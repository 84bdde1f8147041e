//! What happens around every request: its id, the cap on requests in flight, a panic that becomes a
//! 500, the headers of every response, and its measurement.
//!
//! It is on the road of every request, so it is one service, and allocates nothing but the id.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{Error, HttpResponse};
use futures_util::FutureExt;

use crate::body;
use crate::exchange::Exchange;
use crate::headers;
use crate::incoming::Incoming;
use crate::problem::{Code, Problem};
use crate::progress::Progress;
use crate::refusal::overloaded;
use crate::routes::{self, Endpoint, RESOURCES, Verb};
use crate::site::Site;
use crate::stopwatch::Stopwatch;

/// Answers a request, whatever it is.
pub(crate) async fn serve(
    site: Arc<Site>,
    request: ServiceRequest,
) -> Result<ServiceResponse, Error> {
    let stopwatch = Stopwatch::start();
    let (request, payload) = request.into_parts();
    let progress = request.conn_data::<Progress>().cloned();
    if let Some(progress) = &progress {
        progress.begin();
    }
    let verb = Verb::of(request.method());
    let route = routes::find(request.path());
    let request_id = site.request_ids.of(request.headers());
    let exchange = Exchange { site, request, request_id };
    let requests = &exchange.site.metrics.requests;
    let endpoint = endpoint(route, verb);
    let in_flight = requests.enter(endpoint.as_ref().map_or(true, |endpoint| endpoint.is_exempt()));

    let answer = match endpoint.and_then(|it| admit(&exchange, it, verb, in_flight.count())) {
        Ok(endpoint) => {
            let payload = Incoming::new(payload, progress.clone());
            let handler = routes::answer(endpoint, &exchange, payload);
            guarded(handler, &exchange.request_id).await
        }
        Err(problem) => Err(problem),
    };
    let mut response = answer.unwrap_or_else(|problem| {
        let id = exchange.request_id.to_str().unwrap_or_default();
        let last = body::may_follow(exchange.headers());
        let problem = if last { problem.closing() } else { problem };
        problem.into_response(exchange.path(), id)
    });

    let response_headers = response.headers_mut();
    response_headers.insert(headers::GRIDKV_NODE, exchange.site.node_header.clone());
    response_headers.insert(headers::X_REQUEST_ID, exchange.request_id.clone());
    response_headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    requests.observe(route, verb, response.status(), stopwatch.elapsed());
    drop(in_flight);
    let closes = response.head().connection_type() == ConnectionType::Close;
    if progress.is_some_and(|progress| progress.end(closes)) {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(ServiceResponse::new(exchange.request, response))
}

/// Where the request leads.
fn endpoint(route: Option<usize>, verb: Verb) -> Result<Endpoint, Problem> {
    let resource = route
        .and_then(|index| RESOURCES.get(index))
        .ok_or_else(|| Problem::new(Code::RouteNotFound, "GET / links to what there is"))?;
    resource.endpoint(verb)
}

/// Where the request leads, unless it is refused before anything happens.
fn admit(
    exchange: &Exchange,
    endpoint: Endpoint,
    verb: Verb,
    in_flight: u64,
) -> Result<Endpoint, Problem> {
    let most = u64::try_from(exchange.site.config.max_in_flight).unwrap_or(u64::MAX);
    if in_flight > most && !endpoint.is_exempt() {
        return Err(overloaded("too many requests are in flight"));
    }
    if !verb.is_safe() && comes_from_another_site(exchange) {
        return Err(Problem::new(
            Code::Forbidden,
            "nothing happened: a page of another site may not change anything here",
        ));
    }
    Ok(endpoint)
}

/// What a browser says of a request that a foreign page made; other clients say nothing.
fn comes_from_another_site(exchange: &Exchange) -> bool {
    exchange.headers().get(&headers::SEC_FETCH_SITE).is_some_and(|site| site == "cross-site")
}

/// The handler's answer; a panic in it is a 500, and ends the connection: its body may be half read.
async fn guarded(
    handler: impl Future<Output = Result<HttpResponse, Problem>>,
    request_id: &HeaderValue,
) -> Result<HttpResponse, Problem> {
    AssertUnwindSafe(handler).catch_unwind().await.unwrap_or_else(|_| {
        let request_id = request_id.to_str().unwrap_or_default();
        tracing::error!(request_id, "a handler panicked");
        let detail = "whether the request had an effect is not known; see the node's log";
        Err(Problem::new(Code::Internal, detail).closing())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_problem_that_tells_nothing() {
        let handler = async { panic!("a secret") };
        let id = HeaderValue::from_static("r-1");
        let answer = guarded(handler, &id).now_or_never().unwrap();
        let problem = answer.unwrap_err();
        assert_eq!(problem.code, Code::Internal);
        assert!(!format!("{problem:?}").contains("secret"));
    }
}
