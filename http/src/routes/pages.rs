//! `/console/`: the pages that show a node to people, as files that are part of the program.
//!
//! They hold no data, so they are for everybody; what they ask the node for needs what it always needs. A browser keeps
//! them and asks each time whether they are still the same: with names that change with their content a build step would
//! have to write them, and a node that was replaced could leave half of the old pages in use.

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use bytes::Bytes;
use ring::digest::{SHA256, digest};

use crate::condition;
use crate::exchange::Exchange;
use crate::headers;
use crate::problem::{Code, Problem};
use crate::routes::Endpoint;
use crate::routes::node::CONSOLE;

/// Nothing comes from elsewhere, nothing is framed, nothing that is shown can run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The headers of every file.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-cache"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// A file of the console.
struct File {
    /// Its path below `/console/`.
    name: &'static str,
    content: &'static [u8],
}

macro_rules! files {
    ($($name:literal)*) => {
        /// Every file, the page first.
        const FILES: &[File] = &[$(
            File { name: $name, content: include_bytes!(concat!("../../console/", $name)) },
        )*];
    };
}

files! {
    "index.html"
    "app.js"
    "board.js"
    "call.js"
    "chart.js"
    "door.js"
    "drawer.js"
    "editor.js"
    "events.js"
    "figures.js"
    "findings-peer.js"
    "findings-store.js"
    "findings.js"
    "footer.js"
    "forget.js"
    "history.js"
    "html.js"
    "icon.svg"
    "key.js"
    "levels.js"
    "matrix.js"
    "new-key.js"
    "page-actors.js"
    "page-changes.js"
    "page-cluster.js"
    "page-convergence.js"
    "page-keys.js"
    "page-operations.js"
    "page-stores.js"
    "parts.js"
    "restore.js"
    "route.js"
    "session.js"
    "shown.js"
    "style.css"
    "theme.js"
    "value.js"
    "vendor/htm-LICENSE.txt"
    "vendor/htm-preact-standalone.module.js"
    "vendor/preact-LICENSE.txt"
    "vendor/uPlot-LICENSE.txt"
    "vendor/uPlot.iife.min.js"
    "vendor/uPlot.min.css"
    "watch.js"
}

/// `GET`, `HEAD /console/{file}`
pub(crate) fn file(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Console)?;
    let name = exchange.path().splitn(3, '/').nth(2).unwrap_or_default();
    let name = if name.is_empty() { "index.html" } else { name };
    let place = FILES.iter().position(|file| file.name == name);
    let (file, tag) = place
        .and_then(|place| Some((FILES.get(place)?, tags().get(place)?)))
        .ok_or_else(|| Problem::new(Code::RouteNotFound, "the console is at /console/"))?;
    let is_known = condition::is_none_match_of(exchange.headers(), tag.as_bytes())?;
    let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = HttpResponse::build(status);
    for (name, value) in HEADERS {
        response.insert_header((name, HeaderValue::from_static(value)));
    }
    response.insert_header((header::ETAG, headers::value(format!("\"{tag}\""))));
    if is_known {
        return Ok(response.finish());
    }
    response.insert_header((header::CONTENT_TYPE, media_type(file.name)));
    Ok(response.body(Bytes::from_static(file.content)))
}

/// `GET`, `HEAD /console`, which is no directory for the links of its page.
pub(crate) fn door(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::ConsoleDoor)?;
    Ok(HttpResponse::PermanentRedirect().insert_header((header::LOCATION, CONSOLE)).finish())
}

/// The tags of all files, made of what is in them.
fn tags() -> &'static [String] {
    static TAGS: OnceLock<Vec<String>> = OnceLock::new();
    TAGS.get_or_init(|| FILES.iter().map(|file| hex(file.content, 16)).collect())
}

/// The beginning of a digest.
fn hex(content: &[u8], bytes: usize) -> String {
    let digest = digest(&SHA256, content);
    let bytes = digest.as_ref().iter().take(bytes);
    bytes.fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn media_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some(_) | None => "text/plain; charset=utf-8",
    })
}

#[cfg(test)]
#[path = "pages_test.rs"]
mod tests;
