//! The HTTP client of the commands: nodes by their URLs, a token, deadlines, and refusals as they were meant.
//!
//! Why it exists: commands say what they want and get an answer or an error that says what happened to the state.
//! A node that can not be connected to is passed over for the next one, because nothing was sent to it. Once a
//! request may have arrived, it is never sent again, here or elsewhere: a write whose outcome is not known is told
//! as unknown, and who asked decides. It follows no redirects and uses no proxy.

mod call;
mod client_error;
mod json;
mod lines;
mod path;
mod problem;
mod token;
mod trust;
mod variable;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ureq::http::{Request, Response, StatusCode, header};
use ureq::{Agent, Body, RequestExt as _, SendBody};

pub(crate) use call::{Answer, Call, Patience, Payload};
pub(crate) use client_error::{ClientError, SetupError};
pub(crate) use lines::MAX_LINE_BYTES;
pub(crate) use path::{Query, encoded, key_path, needs_batch};
pub(crate) use problem::Problem;
pub(crate) use variable::variable;

use crate::cli::settings::Settings;

/// Where a node is when nobody says.
const DEFAULT_URL: &str = "http://127.0.0.1:7400";
/// Longest time for a request when nobody says.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time to connect: a node that does not take a connection by then is passed over.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence of a stream: a node sends something every 15 s.
const STREAM_SILENCE: Duration = Duration::from_mins(1);
/// Bytes of a refusal that are looked at.
const MAX_PROBLEM_BYTES: u64 = 64 * 1_024;
/// Bytes of the headers of an answer, at most.
const MAX_HEADER_BYTES: usize = 64 * 1_024;

/// What is said of an answer that is not a node's own.
const NO_NODE: &str = "something else than a node answered: there is no GridKV-Node in it";

/// Talks to nodes.
pub(crate) struct Client {
    agent: Agent,
    urls: Vec<String>,
    /// The URL that answered last: where the next request begins.
    current: AtomicUsize,
    token: Option<String>,
    timeout: Option<Duration>,
}

impl Client {
    /// A client as the options and the environment say. Nothing is connected to.
    ///
    /// # Errors
    /// [`SetupError`] when an option can not be used.
    pub(crate) fn new(settings: &Settings) -> Result<Self, SetupError> {
        let urls = urls(settings)?;
        let token = token::find(settings.token_file.as_deref())?;
        let of_environment = || std::env::var_os("GRIDKV_CA").filter(|name| !name.is_empty());
        let ca = settings.ca.clone().or_else(|| of_environment().map(Into::into));
        let needs_trust = urls.iter().any(|url| url.starts_with("https://"));
        if let (Some(_), Some(url)) = (&token, in_clear(&urls, ca.is_some())) {
            return Err(SetupError::TokenInClear(url.clone()));
        }
        let tls = match (ca, needs_trust) {
            (Some(ca), true) => Some(trust::only(&ca)?),
            (None, true) => return Err(SetupError::NoAuthority),
            (_, false) => None,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_response_header_size(MAX_HEADER_BYTES)
            .user_agent(concat!("gridkv/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections_per_host(1);
        let config = if let Some(tls) = tls { config.tls_config(tls) } else { config };
        Ok(Self {
            agent: config.build().new_agent(),
            urls,
            current: AtomicUsize::new(0),
            token,
            timeout: settings.timeout,
        })
    }

    /// The node that answered last, or is asked first.
    pub(crate) fn url(&self) -> &str {
        let current = self.current.load(Ordering::Relaxed);
        self.urls.get(current).map_or(DEFAULT_URL, String::as_str)
    }

    /// Goes on to the next node.
    pub(crate) fn turn(&self) {
        let next = self.current.load(Ordering::Relaxed) + 1;
        self.current.store(next % self.urls.len().max(1), Ordering::Relaxed);
    }

    /// Asks, and gives an answer that is no refusal.
    ///
    /// # Errors
    /// [`ClientError`], which says what happened to the state.
    pub(crate) fn call(&self, mut call: Call<'_>) -> Result<Answer, ClientError> {
        let mut tried = Vec::new();
        for _ in &self.urls {
            let url = self.url().to_owned();
            match self.send(&url, &mut call) {
                // A refusal without a body does not say what is refused.
                Ok(response) if call.is_bare_refusal(&response) => {
                    return self.call(call.with_body());
                }
                Ok(response) => return accept(url, response, call.changes()),
                Err(error) if nothing_was_sent(&error) => tried.push((url, said(&error))),
                Err(error) => return Err(broken(url, &error, call.changes())),
            }
            self.turn();
        }
        Err(ClientError::Unreachable { tried })
    }

    fn send(&self, base: &str, call: &mut Call<'_>) -> Result<Response<Body>, ureq::Error> {
        let mut request =
            Request::builder().method(call.method.clone()).uri(format!("{base}{}", call.path));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        match &mut call.payload {
            Payload::None => self.run(request.body(())?, call.patience),
            Payload::Bytes(bytes) => self.run(request.body(bytes.as_slice())?, call.patience),
            Payload::Reader { from, length } => {
                if let Some(length) = length {
                    request = request.header(header::CONTENT_LENGTH, *length);
                }
                self.run(request.body(SendBody::from_reader(&mut **from))?, call.patience)
            }
        }
    }

    fn run(
        &self,
        request: Request<impl ureq::AsSendBody>,
        patience: Patience,
    ) -> Result<Response<Body>, ureq::Error> {
        let request = request.with_agent(&self.agent).configure();
        let connect = self.timeout.map_or(CONNECT_TIMEOUT, |given| given.min(CONNECT_TIMEOUT));
        let request = request.timeout_connect(Some(connect)).timeout_resolve(Some(connect));
        let request = match patience {
            Patience::Answer { beyond } => {
                let timeout = self.timeout.unwrap_or(DEFAULT_TIMEOUT).saturating_add(beyond);
                request.timeout_global(Some(timeout))
            }
            Patience::Stream => request
                .timeout_recv_response(Some(self.timeout.unwrap_or(DEFAULT_TIMEOUT)))
                .timeout_per_read(Some(STREAM_SILENCE)),
            Patience::Long => request.timeout_global(self.timeout),
        };
        request.run()
    }
}

/// The URLs of the options, else of the environment, else the default; each without a slash at its end.
fn urls(settings: &Settings) -> Result<Vec<String>, SetupError> {
    let mut given = settings.url.clone();
    if given.is_empty() {
        let variable = variable("GRIDKV_URL")?.unwrap_or_default();
        given = variable.split(',').map(str::to_owned).filter(|url| !url.is_empty()).collect();
    }
    if given.is_empty() {
        given.push(DEFAULT_URL.to_owned());
    }
    given.iter().map(|url| path::base(url)).collect()
}

/// The first address to which a token would go in clear: over a network, or although there is an authority, so that
/// TLS is meant.
fn in_clear(urls: &[String], has_authority: bool) -> Option<&String> {
    let is_open = |url: &&String| has_authority || !path::is_loopback(url);
    urls.iter().filter(|url| url.starts_with("http://")).find(is_open)
}

fn accept(url: String, response: Response<Body>, changes: bool) -> Result<Answer, ClientError> {
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        // Whatever says that all is well, and is no node, did nothing that a node does.
        return match (response.headers().contains_key("gridkv-node"), changes) {
            (true, _) => Ok(Answer::new(url, response)),
            (false, true) => Err(ClientError::Unknown { url, why: NO_NODE.to_owned() }),
            (false, false) => Err(ClientError::Strange { url, what: NO_NODE.to_owned() }),
        };
    }
    let (parts, mut body) = response.into_parts();
    let body = body.with_config().limit(MAX_PROBLEM_BYTES).read_to_vec();
    let body = body.unwrap_or_default();
    let retry_after = parts.headers.get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    let problem = Problem::read(status.as_u16(), &body);
    let problem = Problem { retry_after, url, changes, ..problem };
    Err(ClientError::Refused(Box::new(problem)))
}

/// Whether no byte of the request can have reached a node.
fn nothing_was_sent(error: &ureq::Error) -> bool {
    let is_refusal = |io: &io::Error| io.kind() == io::ErrorKind::ConnectionRefused;
    matches!(error, ureq::Error::HostNotFound | ureq::Error::ConnectionFailed)
        || is_slow_to_connect(error)
        || matches!(error, ureq::Error::Io(io) if is_refusal(io))
}

fn is_slow_to_connect(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve))
}

/// Why, without the framework's words for where.
fn said(error: &ureq::Error) -> String {
    if is_slow_to_connect(error) {
        return "no connection in time".to_owned();
    }
    if matches!(error, ureq::Error::Timeout(_)) {
        return "no answer in time".to_owned();
    }
    if let ureq::Error::Io(io) = error {
        let is_refusal = io.kind() == io::ErrorKind::ConnectionRefused;
        return if is_refusal { "connection refused".to_owned() } else { io.to_string() };
    }
    error.to_string()
}

fn broken(url: String, error: &ureq::Error, changes: bool) -> ClientError {
    let mut why = said(error);
    if url.starts_with("http://") && matches!(error, ureq::Error::Protocol(_)) {
        why.push_str("; it may speak TLS: write https:// and name its authority with --ca FILE");
    }
    if is_handshake(error) {
        ClientError::Untrusted { url, why }
    } else if matches!(error, ureq::Error::Http(_) | ureq::Error::BadUri(_)) {
        ClientError::Malformed { why }
    } else if changes {
        ClientError::Unknown { url, why }
    } else {
        ClientError::NoAnswer { url, why }
    }
}

/// Whether it failed before the request could be sent: while both sides agreed on TLS.
fn is_handshake(error: &ureq::Error) -> bool {
    let early = |error: &rustls::Error| {
        use rustls::Error::{InvalidCertificate, InvalidMessage, PeerIncompatible};
        matches!(error, InvalidCertificate(_) | InvalidMessage(_) | PeerIncompatible(_))
    };
    if let ureq::Error::Io(io) = error {
        return io.get_ref().and_then(|inner| inner.downcast_ref()).is_some_and(early);
    }
    if let ureq::Error::Rustls(tls) = error {
        return early(tls);
    }
    matches!(error, ureq::Error::Tls(_) | ureq::Error::TlsRequired)
}
