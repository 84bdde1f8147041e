//! `/v1/cluster/peers`: members that are added and forgotten while the node runs.
//!
//! Adding answers once the peer is linked, or says why it is not; then nothing is left behind. Forgetting
//! answers once another member has stored it too.

use actix_web::HttpResponse;
use actix_web::http::header;
use gridkv_actors::member_change::{AddError, ForgetError, PeerAdded, PeerForgotten};
use gridkv_protocol::welcome::is_dialled;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::exchange::Exchange;
use crate::headers;
use crate::incoming::Incoming;
use crate::json_body;
use crate::key_path;
use crate::problem::{Code, Problem};
use crate::query::invalid;
use crate::routes::{Endpoint, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPeer {
    addr: String,
}

#[derive(Serialize)]
struct Added<'a> {
    name: &'a str,
    addr: &'a str,
}

/// `POST`
pub(crate) async fn add(
    exchange: &Exchange,
    payload: &mut Incoming,
) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::AddPeer)?;
    let shape = "{\"addr\":\"host:port\"}";
    let NewPeer { addr } = json_body::read(exchange, payload, shape).await?;
    if !is_dialled(&addr) {
        return Err(invalid("addr", "is the host:port where peers dial the node"));
    }
    let PeerAdded { name, known } = exchange.site.node.add_peer(addr.clone()).await?;
    let mut response = json(&Added { name: &name, addr: &addr })?;
    if !known {
        *response.status_mut() = actix_web::http::StatusCode::CREATED;
        let location = headers::value(format!("/v1/cluster/peers/{name}"));
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// `DELETE`
pub(crate) async fn forget(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::ForgetPeer)?;
    let name = key_path::decode(key_path::last_segment(exchange.path())).unwrap_or_default();
    let name = String::from_utf8_lossy(&name).into_owned();
    let PeerForgotten { id, stored_by, silent } =
        exchange.site.node.forget_peer(name.clone()).await?;
    if silent.is_empty() {
        return Ok(HttpResponse::NoContent().finish());
    }
    let detail = format!(
        "{name} is forgotten here, durably; no other member could be told yet, and each hears of it as \
         soon as it is reached"
    );
    let mut response = json(&json!({
        "forgotten": name, "id": id.to_string(), "stored_by": stored_by, "not_reached": silent,
        "detail": detail,
    }))?;
    *response.status_mut() = actix_web::http::StatusCode::ACCEPTED;
    Ok(response)
}

impl From<AddError> for Problem {
    fn from(error: AddError) -> Self {
        let (code, detail) = match error {
            AddError::Myself => {
                (Code::PeerIsSelf, "give the address of another node".to_owned())
            }
            AddError::Unreachable(reason) => (
                Code::PeerUnreachable,
                format!("nothing was changed: {reason}; start the node and try again"),
            ),
            AddError::Refused(reason) => {
                (Code::PeerRefuses, format!("nothing was changed: {reason}"))
            }
            AddError::NotJoined => (
                Code::PeerNotJoined,
                "nothing was changed: that node waits for its own seeds; start it with --join and this \
                 node's peer address, or add this node's address there"
                    .to_owned(),
            ),
            AddError::Stopping => (Code::NotReady, "nothing was changed: it is stopping".to_owned()),
        };
        Self::new(code, detail)
    }
}

impl From<ForgetError> for Problem {
    fn from(error: ForgetError) -> Self {
        let (code, detail) = match error {
            ForgetError::Myself => {
                (Code::PeerIsSelf, "ask another member to forget this node".to_owned())
            }
            ForgetError::NotFound => {
                (Code::PeerNotFound, "GET /v1/cluster lists the other members".to_owned())
            }
            ForgetError::NotJoined => {
                (Code::NotReady, "nothing was changed: it has not joined a cluster".to_owned())
            }
            ForgetError::Full => (
                Code::TooManyForgotten,
                "nothing was changed: no more identities can be remembered".to_owned(),
            ),
            ForgetError::Stopping => {
                (Code::NotReady, "whether it is forgotten is not known: it is stopping".to_owned())
            }
        };
        Self::new(code, detail)
    }
}
