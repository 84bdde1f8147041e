//! The document of the API, OpenAPI 3.1: paths and methods from the table of routes, parameters as they are
//! parsed, codes as they are refused. Only the shapes of bodies are written down beside it (`schemas.json`).
//!
//! Answers that the HTTP parser makes itself, to a head that is malformed or too large, are not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::http::header;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use crate::exchange::Exchange;
use crate::media_type::OCTET_STREAM;
use crate::parameters::Parameter;
use crate::problem::{Code, Problem};
use crate::routes::node::VERSION;
use crate::routes::{Endpoint, RESOURCES, Resource, Verb};
use crate::snapshot_upload::{FRAMES, LINES};

mod endpoints;
mod operating;

/// The shapes of bodies.
const SCHEMAS: &str = include_str!("openapi/schemas.json");

/// What an endpoint takes and answers.
#[derive(Debug)]
pub(crate) struct Description {
    /// What it is for.
    pub(crate) summary: &'static str,
    /// The parameters of its query.
    pub(crate) query: &'static [Parameter],
    /// Headers that it looks at, and what they do.
    headers: &'static [RequestHeader],
    body: Body,
    answers: &'static [Answer],
    /// Why it refuses, beside what every endpoint may refuse for.
    problems: &'static [&'static [Code]],
}

/// A header that an endpoint looks at.
#[derive(Debug)]
struct RequestHeader {
    name: &'static str,
    about: &'static str,
    /// What its value looks like, if not any text will do.
    pattern: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    None,
    /// Bytes of any type.
    Value,
    /// JSON of this shape.
    Json(&'static str),
    /// A batch, in either of its formats.
    Batch,
    /// A snapshot, in either of its formats.
    Snapshot,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    about: &'static str,
    headers: &'static [&'static str],
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    /// JSON of this shape.
    Json(&'static str),
    /// Bytes of any type.
    Raw,
    /// Text of this type.
    Text(&'static str),
    /// Lines, or JSON.
    Readiness,
    /// A document, lines, or events.
    Changes,
    /// JSON of which nothing is said here.
    Document,
    /// A snapshot, in either of its formats.
    Snapshot,
    /// Events of which each has a shape.
    States,
}

/// `GET /v1/openapi.json`
pub(crate) fn openapi(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    exchange.query(Endpoint::OpenApi)?;
    let document = DOCUMENT.get_or_init(|| Bytes::from(document().to_string()));
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(document.clone()))
}

/// The document.
pub(crate) fn document() -> Json {
    let paths: Map<String, Json> =
        RESOURCES.iter().map(|resource| (resource.pattern.to_owned(), path(resource))).collect();
    let mut schemas: Json = serde_json::from_str(SCHEMAS).unwrap_or_default();
    if let Some(code) = schemas.pointer_mut("/Problem/properties/code") {
        set(code, "enum", Code::ALL.iter().map(|code| code.as_str()).collect());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "GridKV",
            "version": VERSION,
            "description": "A replicated key-value node. Every answer names the node and the request; every \
                refusal is application/problem+json with a stable code.",
        },
        "paths": paths,
        "components": {"schemas": schemas, "headers": headers(), "securitySchemes": {"bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "Needed where the node's configuration has tokens. A token has one role; each has what \
                those before it have: metrics, read, write, admin.",
        }}},
    })
}

/// Sets a field of an object.
fn set(object: &mut Json, name: &str, value: Json) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

fn path(resource: &Resource) -> Json {
    let mut item = Map::new();
    let parameters: Vec<Json> = in_path(resource.pattern).collect();
    if !parameters.is_empty() {
        item.insert("parameters".to_owned(), parameters.into());
    }
    for (verb, endpoint) in resource.methods {
        item.insert(verb.as_str().to_ascii_lowercase(), operation(resource, *verb, *endpoint));
    }
    item.into()
}

/// Parameters of a path.
fn in_path(pattern: &str) -> impl Iterator<Item = Json> + '_ {
    let names = pattern.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let (schema, about) = match name {
            "store" => (json!({"type": "string", "minLength": 1}), "a store of this node"),
            "key" => (
                json!({"type": "string", "minLength": 1, "not": {"enum": [".", ".."]}}),
                "1 to 1,024 bytes of UTF-8, percent-encoded once; slashes may stand as they are",
            ),
            "version" => (
                json!({"type": "string", "pattern": "^[0-9a-f]{16}-[0-9a-f]{16}$"}),
                "a version, as it was answered",
            ),
            "file" => (json!({"type": "string", "minLength": 1}), "its path below /console/"),
            "id" => (json!({"type": "string", "minLength": 1}), "its id"),
            _ => (json!({"type": "string", "minLength": 1}), "the name of a member"),
        };
        json!({"name": name, "in": "path", "required": true, "description": about, "schema": schema})
    })
}

fn operation(resource: &Resource, verb: Verb, endpoint: Endpoint) -> Json {
    let description = endpoint.describe();
    let mut operation = json!({
        "operationId": id(resource, verb, endpoint),
        "summary": description.summary,
        "description": who_may(endpoint),
        "security": if endpoint.role().is_some() { json!([{}, {"bearer": []}]) } else { json!([]) },
        "responses": responses(verb, endpoint),
    });
    let query = description.query.iter().map(|parameter| {
        let Parameter { name, about, is_required, form } = parameter;
        json!({"name": name, "in": "query", "required": is_required, "description": about, "schema": form.schema()})
    });
    let headers = description.headers.iter().map(|RequestHeader { name, about, pattern }| {
        let mut schema = json!({"type": "string"});
        if let Some(pattern) = pattern {
            set(&mut schema, "pattern", json!(pattern));
        }
        json!({"name": name, "in": "header", "required": false, "description": about, "schema": schema})
    });
    let parameters: Vec<Json> = query.chain(headers).collect();
    if !parameters.is_empty() {
        set(&mut operation, "parameters", parameters.into());
    }
    if let Some(body) = description.body.document() {
        set(&mut operation, "requestBody", body);
    }
    operation
}

/// Who may ask it, in words.
fn who_may(endpoint: Endpoint) -> String {
    match (endpoint, endpoint.role()) {
        (_, None) => "Everybody may ask, also without a token.".to_owned(),
        (Endpoint::Batch, Some(_)) => {
            "Where tokens are needed: one with the role read for operations that only get, else write."
                .to_owned()
        }
        (_, Some(role)) => {
            format!("Where tokens are needed: one with the role {} or more.", role.as_str())
        }
    }
}

/// A name for programs that are made from the document.
fn id(resource: &Resource, verb: Verb, endpoint: Endpoint) -> String {
    let name = format!("{endpoint:?}");
    let name = match resource.pattern {
        "/v1/stats" => "Stats".to_owned(),
        "/console/{file}" => "ConsoleFile".to_owned(),
        _ => name,
    };
    if verb == Verb::Head {
        return format!("head{name}");
    }
    let (first, rest) = name.split_at(1);
    first.to_ascii_lowercase() + rest
}

impl Body {
    fn document(self) -> Option<Json> {
        let bytes = || json!({"schema": {"type": "string", "format": "binary"}});
        let content = match self {
            Self::None => return None,
            Self::Value => {
                json!({"application/octet-stream": bytes(), "text/plain": {"schema": {"type": "string"}}})
            }
            Self::Json(name) => json!({"application/json": {"schema": reference(name)}}),
            Self::Batch => json!({
                "application/json": {"schema": reference("Batch")},
                "application/x-msgpack": bytes(),
            }),
            Self::Snapshot => json!({FRAMES: bytes(), LINES: bytes(), OCTET_STREAM: bytes()}),
        };
        Some(json!({"required": self != Self::Value, "content": content}))
    }
}

impl Content {
    fn document(self) -> Json {
        match self {
            Self::Nothing => json!({}),
            Self::Json(name) => json!({"application/json": {"schema": reference(name)}}),
            Self::Raw => json!({"*/*": {}}),
            Self::Text(media_type) => json!({media_type: {"schema": {"type": "string"}}}),
            Self::Readiness => json!({
                "text/plain; charset=utf-8": {"schema": {"type": "string"}},
                "application/json": {"schema": reference("Readiness")},
            }),
            Self::Changes => json!({
                "application/json": {"schema": reference("Changes")},
                "application/x-ndjson": {"schema": {"type": "string"}},
                "text/event-stream": {"schema": {"type": "string"}},
            }),
            Self::Snapshot => json!({FRAMES: {}, LINES: {}}),
            Self::States => json!({"text/event-stream": {"schema": {
                "type": "string",
                "description": "Each event has a line `event:`, and `data:` with JSON of the shape of that event.",
                "contentMediaType": "text/event-stream",
                "contentSchema": reference("StreamEvent"),
            }}}),
            Self::Document => json!({"application/json": {"schema": {"type": "object"}}}),
        }
    }
}

fn reference(schema: &str) -> Json {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn responses(verb: Verb, endpoint: Endpoint) -> Json {
    let mut responses = Map::new();
    for answer in endpoint.describe().answers {
        let names = answer.headers.iter().chain(&EVERYWHERE).copied();
        let headers: Map<String, Json> = names.map(shared_header).collect();
        let mut response = json!({"description": answer.about, "headers": headers});
        if verb != Verb::Head && answer.content != Content::Nothing {
            set(&mut response, "content", answer.content.document());
        }
        responses.insert(answer.status.to_string(), response);
    }
    for (status, codes) in refusals(endpoint) {
        let titles: Vec<String> =
            codes.iter().map(|code| format!("{}: {}", code.as_str(), code.title())).collect();
        let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
        let schema = json!({
            "allOf": [reference("Problem"), {"properties": {"code": {"enum": words}}}],
        });
        let retry = Some("Retry-After").filter(|_| RETRIED.contains(&status));
        let challenge = Some("WWW-Authenticate").filter(|_| status == 401);
        let headers = EVERYWHERE.into_iter().chain(retry).chain(challenge);
        let headers: Map<String, Json> = headers.map(shared_header).collect();
        let mut response = json!({"description": titles.join("; "), "headers": headers});
        if verb != Verb::Head {
            set(&mut response, "content", json!({"application/problem+json": {"schema": schema}}));
        }
        // What /readyz answers with 503 is no problem body, and stays.
        responses.entry(status.to_string()).or_insert(response);
    }
    responses.into()
}

/// Codes by their status.
fn refusals(endpoint: Endpoint) -> BTreeMap<u16, Vec<Code>> {
    let always = [Code::InvalidParameter, Code::Forbidden, Code::Overloaded, Code::Internal];
    let who = [Code::Unauthorized, Code::RateLimited].into_iter();
    let who = who.filter(|_| endpoint.role().is_some());
    let own = endpoint.describe().problems.iter().flat_map(|codes| codes.iter().copied());
    let mut seen = BTreeSet::new();
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in own.chain(always).chain(who) {
        if seen.insert(code.as_str()) {
            by_status.entry(code.status()).or_default().push(code);
        }
    }
    by_status
}

/// Statuses of refusals that may be over in a moment.
const RETRIED: [u16; 4] = [409, 429, 503, 507];

/// Headers of every answer.
const EVERYWHERE: [&str; 2] = ["GridKV-Node", "X-Request-Id"];

fn shared_header(name: &str) -> (String, Json) {
    (name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")}))
}

fn headers() -> Json {
    let version = "^[0-9a-f]{16}-[0-9a-f]{16}$";
    let header = |about: &str, schema: Json| json!({"description": about, "schema": schema});
    let text = || json!({"type": "string"});
    json!({
        "GridKV-Node": header("the node that answered", text()),
        "X-Request-Id": header("the request, for logs; as it came, or made here", text()),
        "ETag": header("the version, in quotes", json!({"type": "string", "pattern": format!("^\"{}\"$", &version[1..version.len() - 1])})),
        "GridKV-Version": header("the version", json!({"type": "string", "pattern": version})),
        "Last-Modified": header("when the version was written", text()),
        "Cache-Control": header("values are to be asked for again", text()),
        "GridKV-Durability": header("what the write survives here", json!({"enum": ["memory", "os", "fsync"]})),
        "GridKV-Acks": header("peers that have it, and peers that were asked for", json!({"type": "string", "pattern": "^[0-9]+/[0-9]+$"})),
        "GridKV-Existed": header("whether there was a value", json!({"enum": ["true", "false"]})),
        "Location": header("where it is", text()),
        "GridKV-Expires-At": header("when the value goes by itself, if it does", text()),
        "GridKV-TTL": header("seconds until then", json!({"type": "string", "pattern": "^[0-9]+$"})),
        "GridKV-Changes-Since": header("where a stream begins", text()),
        "Content-Security-Policy": header("so that no browser runs what is stored", text()),
        "Retry-After": header("seconds after which it is worth another try, where that may help", text()),
        "WWW-Authenticate": header("how to say who asks", json!({"const": "Bearer"})),
        "Content-Disposition": header("a file, and its name", text()),
        "GridKV-Key-Count": header("how many keys there are", json!({"type": "string", "pattern": "^[0-9]+$"})),
    })
}

#[cfg(test)]
#[path = "openapi_test.rs"]
mod tests;
