//! Who may do what: the tokens that are known, and the judgement of every request by the one it brings.
//!
//! A token comes in `Authorization: Bearer` and nowhere else: a URL ends in logs and histories. Only its
//! SHA-256 is kept, and it is compared with all of them in constant time, so that how long a refusal takes
//! tells nothing. The table is changed as a whole while requests are judged. While it is empty nobody is asked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use arc_swap::ArcSwap;
use gridkv_protocol::UnixMs;
use ring::digest::{SHA256, digest};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::bad_tokens::{BadTokens, PER_SECOND};
use crate::problem::{Code, Problem};
use crate::role::Role;

/// Bytes of a token, at most: it is hashed before anything is known of who sends it.
const MAX_TOKEN_BYTES: usize = 256;

/// What is known of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it allows.
    pub role: Role,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// The listeners that other machines reach without a proof of who they are, or with one in clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposed {
    /// That of HTTP.
    pub http: bool,
    /// That of the peers.
    pub peers: bool,
}

/// Who may do what on one node; clones are the same one.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    tokens: ArcSwap<Vec<Token>>,
    exposed_http: AtomicBool,
    exposed_peers: AtomicBool,
    bad: BadTokens,
    failures: [AtomicU64; Failure::ALL.len()],
}

/// Why a request was refused for who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It had no token.
    Missing,
    /// What it had can be no token.
    Malformed,
    /// Its token is not known.
    Unknown,
    /// So were too many before it.
    RateLimited,
    /// Its token allows less.
    Role,
}

impl Failure {
    /// Every one, in the order of the counters.
    pub(crate) const ALL: [Self; 5] =
        [Self::Missing, Self::Malformed, Self::Unknown, Self::RateLimited, Self::Role];

    /// Its word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::RateLimited => "rate_limited",
            Self::Role => "role",
        }
    }
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Nobody is asked.
    Anyone,
    /// Who has no token that is known, where none is needed.
    Stranger,
    /// Who has this one.
    Holder(Token),
}

impl Caller {
    /// Whether it may do what `role` may.
    pub(crate) fn has(self, role: Role) -> bool {
        match self {
            Self::Anyone => true,
            Self::Stranger => false,
            Self::Holder(token) => token.role >= role,
        }
    }

    /// Whether it has no token although there are some.
    pub(crate) fn is_stranger(self) -> bool {
        self == Self::Stranger
    }
}

impl Access {
    /// Nobody is asked as long as there are no tokens.
    pub fn new(tokens: Vec<Token>, exposed: Exposed) -> Self {
        let access = Self(Arc::new(Inner {
            tokens: ArcSwap::default(),
            exposed_http: AtomicBool::default(),
            exposed_peers: AtomicBool::default(),
            bad: BadTokens::new(),
            failures: Default::default(),
        }));
        access.set(tokens, exposed);
        access
    }

    /// From the next request on, these tokens hold and no other one.
    pub fn set(&self, tokens: Vec<Token>, exposed: Exposed) {
        self.0.tokens.store(Arc::new(tokens));
        self.0.exposed_http.store(exposed.http, Ordering::Relaxed);
        self.0.exposed_peers.store(exposed.peers, Ordering::Relaxed);
    }

    /// Whether there are tokens.
    pub(crate) fn asks(&self) -> bool {
        !self.0.tokens.load().is_empty()
    }

    /// What strangers reach.
    pub(crate) fn exposed(&self) -> Exposed {
        let of = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        Exposed { http: of(&self.0.exposed_http), peers: of(&self.0.exposed_peers) }
    }

    /// Refused requests by reason.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (Failure, u64)> + '_ {
        let counts = self.0.failures.iter().map(|count| count.load(Ordering::Relaxed));
        Failure::ALL.into_iter().zip(counts)
    }

    /// Whether a caller that was let in is still who it was.
    pub(crate) fn still_knows(&self, caller: Caller) -> bool {
        match caller {
            Caller::Holder(token) => find(&self.0.tokens.load(), &token.sha256) == Some(token.role),
            Caller::Anyone => !self.asks(),
            Caller::Stranger => true,
        }
    }

    /// Who sends a request with these headers.
    ///
    /// # Errors
    /// Why that can not be said.
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Failure> {
        let tokens = self.0.tokens.load();
        if tokens.is_empty() {
            return Ok(Caller::Anyone);
        }
        let sha256 = digest(&SHA256, bearer(headers)?);
        let sha256: [u8; 32] = sha256.as_ref().try_into().map_err(|_| Failure::Unknown)?;
        let role = find(&tokens, &sha256).ok_or(Failure::Unknown)?;
        Ok(Caller::Holder(Token { role, sha256 }))
    }

    /// Lets a request in that asks for a role, if its sender has it. `None`: everybody may ask.
    ///
    /// # Errors
    /// 401 `unauthorized`, 403 `forbidden`, 429 `rate_limited`.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        from: Option<SocketAddr>,
        role: Option<Role>,
        now: impl FnOnce() -> UnixMs,
    ) -> Result<Caller, Problem> {
        match (self.caller(headers), role) {
            (Ok(caller), Some(role)) if !caller.has(role) => Err(self.forbidden(role)),
            (Ok(caller), _) => Ok(caller),
            (Err(_), None) => Ok(Caller::Stranger),
            (Err(failure), Some(_)) => Err(self.unauthorized(failure, from, now())),
        }
    }

    /// The refusal of a caller that would have to have another role.
    pub(crate) fn forbidden(&self, role: Role) -> Problem {
        self.note(Failure::Role);
        let role = role.as_str();
        let detail = format!("nothing happened: this needs a token with the role {role} or more");
        Problem::new(Code::Forbidden, detail).with("role", role)
    }

    /// The refusal of a caller whose token is not known any more.
    pub(crate) fn unknown(&self) -> Problem {
        self.challenge(Failure::Unknown)
    }

    fn unauthorized(&self, failure: Failure, from: Option<SocketAddr>, now: UnixMs) -> Problem {
        let from = from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |from| from.ip());
        if failure == Failure::Unknown && self.0.bad.count(from, now) {
            self.note(Failure::RateLimited);
            let detail = format!(
                "nothing happened: more than {PER_SECOND} tokens that are not known came from your address \
                 within a second; try again after it, with one that is"
            );
            return Problem::new(Code::RateLimited, detail).retry_soon().closing();
        }
        self.challenge(failure)
    }

    fn challenge(&self, failure: Failure) -> Problem {
        self.note(failure);
        let detail = match failure {
            Failure::Missing => "send a token: Authorization: Bearer <token>",
            Failure::Malformed => "send one token, once, as Authorization: Bearer <token>",
            Failure::Unknown | Failure::RateLimited | Failure::Role => {
                "the token is not known to this node; ask its operator for one"
            }
        };
        let how = HeaderValue::from_static("Bearer");
        Problem::new(Code::Unauthorized, detail).header(header::WWW_AUTHENTICATE, how)
    }

    fn note(&self, failure: Failure) {
        let place = Failure::ALL.iter().position(|known| *known == failure);
        if let Some(count) = place.and_then(|place| self.0.failures.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({} tokens)", self.0.tokens.load().len())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({})", self.role.as_str())
    }
}

/// The role of a token: all are looked at, whether one was found or not.
fn find(tokens: &[Token], sha256: &[u8; 32]) -> Option<Role> {
    let (mut found, mut place) = (Choice::from(0), 0);
    for token in tokens {
        let same = difference(&token.sha256, sha256).ct_eq(&0);
        place.conditional_assign(&(token.role as u8), same);
        found |= same;
    }
    let role = Role::ALL.get(usize::from(place)).copied();
    if bool::from(found) { role } else { None }
}

/// 0 for equal digests and no others. By words, because what compares them byte for byte takes as long for three
/// tokens as the hash.
fn difference(one: &[u8; 32], other: &[u8; 32]) -> u64 {
    let words = |digest: &[u8; 32]| {
        let (words, _) = digest.as_chunks::<8>();
        [0, 1, 2, 3].map(|place| words.get(place).map_or(0, |word| u64::from_le_bytes(*word)))
    };
    let pairs = words(one).into_iter().zip(words(other));
    pairs.fold(0, |difference, (one, other)| difference | (one ^ other))
}

/// The token of a request.
fn bearer(headers: &HeaderMap) -> Result<&[u8], Failure> {
    const SCHEME: &[u8] = b"bearer ";
    let mut all = headers.get_all(header::AUTHORIZATION);
    let value = all.next().ok_or(Failure::Missing)?.as_bytes();
    let (scheme, token) = value.split_at_checked(SCHEME.len()).ok_or(Failure::Malformed)?;
    let token = token.trim_ascii();
    let is_token = scheme.eq_ignore_ascii_case(SCHEME)
        && (1..=MAX_TOKEN_BYTES).contains(&token.len())
        && token.iter().all(u8::is_ascii_graphic)
        && all.next().is_none();
    if is_token { Ok(token) } else { Err(Failure::Malformed) }
}

#[cfg(test)]
#[path = "access_test.rs"]
mod tests;
