//! What happens around every request: its id, who sends it and whether they may, the cap on requests in
//! flight, a panic that becomes a 500, the headers of every response, and its measurement.
//!
//! It is on the road of every request, so it is one service, allocates nothing but the id, and keeps little while
//! the handler works: what goes before is in functions that have ended. Who has no token learns nothing where tokens
//! are needed, not even what there is.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{Error, HttpRequest, HttpResponse};
use futures_util::FutureExt;

use crate::access::Caller;
use crate::body;
use crate::exchange::Exchange;
use crate::headers;
use crate::incoming::Incoming;
use crate::metrics::InFlight;
use crate::pieces;
use crate::problem::{Code, Problem};
use crate::progress::Progress;
use crate::refusal::overloaded;
use crate::role::Role;
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
    let (exchange, endpoint) = open(site, request, endpoint(route, verb));
    let (in_flight, admitted) = admit(&exchange, endpoint, verb);
    let answer = match admitted {
        Ok(endpoint) => {
            let bodies = &exchange.site.metrics.bodies;
            let mut payload = Incoming::new(payload, progress.clone(), bodies);
            let handler = routes::answer(endpoint, &exchange, &mut payload);
            guarded(handler, &exchange.request_id).await
        }
        Err(problem) => Err(problem),
    };
    let took = stopwatch.elapsed();
    let answer = if took > LONG { still_asked_for(&exchange, verb, answer) } else { answer };
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
    exchange.site.metrics.requests.observe(route, verb, response.status(), took);
    exchange.site.metrics.bodies.give(verb, &response);
    drop(in_flight);
    let closes = response.head().connection_type() == ConnectionType::Close;
    if progress.is_some_and(|progress| progress.end(closes)) {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let response = response.map_body(|_, body| pieces::cut(body));
    Ok(ServiceResponse::new(exchange.request, response))
}

/// The request with its id and who sends it; where it leads only if they may send it.
fn open(
    site: Arc<Site>,
    request: HttpRequest,
    endpoint: Result<Endpoint, Problem>,
) -> (Exchange, Result<Endpoint, Problem>) {
    let request_id = site.request_ids.of(request.headers());
    let (endpoint, caller) = match caller(&site, &request, endpoint.as_ref().ok().copied()) {
        Ok(caller) => (endpoint, caller),
        Err(problem) => (Err(problem), Caller::Stranger),
    };
    (Exchange { site, request, request_id, caller }, endpoint)
}

/// Where the request leads.
fn endpoint(route: Option<usize>, verb: Verb) -> Result<Endpoint, Problem> {
    let resource = route
        .and_then(|index| RESOURCES.get(index))
        .ok_or_else(|| Problem::new(Code::RouteNotFound, "GET / links to what there is"))?;
    resource.endpoint(verb)
}

/// After so long it is looked whether who asked still may.
const LONG: Duration = Duration::from_secs(1);

/// The answer, if its reader's token was not taken away while it was waited for. What became of a change is
/// told in any case.
fn still_asked_for(
    exchange: &Exchange,
    verb: Verb,
    answer: Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let access = &exchange.site.operating.access;
    if verb.is_safe() && !access.still_knows(exchange.caller) {
        return Err(access.unknown());
    }
    answer
}

/// Who sends the request, if they may send it. What leads nowhere is told to those who have a token. Where nobody
/// is asked, a browser's page must not be able to have a name lead here.
fn caller(
    site: &Site,
    request: &HttpRequest,
    endpoint: Option<Endpoint>,
) -> Result<Caller, Problem> {
    let role = endpoint.map_or(Some(Role::Metrics), Endpoint::role);
    let (headers, from) = (request.headers(), request.peer_addr());
    let caller = site.operating.access.admit(headers, from, role, || site.node.now())?;
    match site.config.host_names.foreign(request.uri(), headers) {
        Some(name) if caller == Caller::Anyone => Err(foreign_name(name)),
        Some(_) | None => Ok(caller),
    }
}

fn foreign_name(name: &str) -> Problem {
    let detail = "nothing happened: without tokens this node answers only to addresses, localhost and its own names, \
                  because a page may have made another one lead here; call it by 127.0.0.1, name this one in \
                  http.host_names, or give the node tokens";
    Problem::new(Code::Forbidden, detail).with("host", name)
}

/// Counts the request, and says where it leads unless it is refused before anything happens.
fn admit(
    exchange: &Exchange,
    endpoint: Result<Endpoint, Problem>,
    verb: Verb,
) -> (InFlight<'_>, Result<Endpoint, Problem>) {
    let exempt = endpoint.as_ref().map_or(true, |endpoint| endpoint.is_exempt());
    let in_flight = exchange.site.metrics.requests.enter(exempt);
    let most = u64::try_from(exchange.site.config.max_in_flight).unwrap_or(u64::MAX);
    let let_in = |endpoint: Endpoint| {
        if in_flight.count() > most && !exempt {
            return Err(overloaded("too many requests are in flight"));
        }
        if !verb.is_safe() && comes_from_another_site(exchange.headers()) {
            return Err(Problem::new(
                Code::Forbidden,
                "nothing happened: a page of another site may not change anything here",
            ));
        }
        Ok(endpoint)
    };
    let admitted = endpoint.and_then(let_in);
    (in_flight, admitted)
}

/// Whether a browser says that a foreign page made the request; other clients say nothing. A page of another
/// host of the same site is foreign too: it need not be of the same people. A browser that does not tell the
/// site tells where the page is from.
fn comes_from_another_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(&headers::SEC_FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let own = |origin: &HeaderValue| {
        let (scheme, from) = origin.to_str().ok()?.split_once("://")?;
        let default_port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
        let bare =
            |host: &str| host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
        let host = headers.get(header::HOST)?.to_str().ok()?;
        Some(bare(from) == bare(host))
    };
    !own(origin).unwrap_or(false)
}

/// The handler's answer; a panic in it is a 500, and ends the connection: its body may be half read.
fn guarded(
    handler: impl Future<Output = Result<HttpResponse, Problem>>,
    request_id: &HeaderValue,
) -> impl Future<Output = Result<HttpResponse, Problem>> {
    // No `async`: it would keep room for the handler twice, as it came and as it runs.
    AssertUnwindSafe(handler).catch_unwind().map(|answer| {
        answer.unwrap_or_else(|_| {
            let request_id = request_id.to_str().unwrap_or_default();
            tracing::error!(request_id, "a handler panicked");
            let detail = "whether the request had an effect is not known; see the node's log";
            Err(Problem::new(Code::Internal, detail).closing())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_host_is_foreign_and_a_client_that_is_no_browser_is_not() {
        let table: [(&[(&str, &str)], bool); 16] = [
            (&[], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "")], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "http://n2:7400")], false),
            (&[("origin", "http://n1:7400")], false),
            (&[("origin", "https://N1:7400")], false),
            (&[("origin", "http://n2:7400")], true),
            (&[("origin", "http://n1:7401")], true),
            (&[("origin", "http://n1")], true),
            (&[("origin", "http://n1.n1:7400")], true),
            (&[("origin", "n1:7400")], true),
            (&[("origin", "null")], true),
            (&[("origin", "")], true),
        ];
        for (fields, foreign) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in fields.iter().chain(&[("host", "n1:7400")]) {
                let name = header::HeaderName::try_from(*name).unwrap();
                headers.append(name, HeaderValue::try_from(*value).unwrap());
            }
            assert_eq!(comes_from_another_site(&headers), foreign, "{fields:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://n1"));
        assert!(comes_from_another_site(&headers), "without a host there is no own origin");
        headers.insert(header::HOST, HeaderValue::from_static("n1:443"));
        assert!(!comes_from_another_site(&headers));
    }

    /// The framework allocates it for each request, and allocators are quick with what has no more than a kilobyte.
    #[test]
    fn the_future_of_a_request_is_small() {
        fn bytes<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
            size_of::<F>()
        }
        assert!(bytes(serve) <= 1_024, "{} bytes: box what is large and rare", bytes(serve));
    }

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
