//! What each endpoint takes and answers, for the document of the API. The parameters are those that the
//! handlers parse by. What operators ask for is in [`super::operating`].

use super::Content::{Changes, Json, Nothing, Raw};
use super::{Answer, Body, Content, Description, RequestHeader, operating};
use crate::parameters::{self as p, Parameter};
use crate::problem::Code;
use crate::routes::Endpoint;

/// What a store in the path can lead to.
pub(super) const STORE: &[Code] = &[Code::StoreNotFound];
/// What a key in the path can lead to.
pub(super) const KEY: &[Code] = &[Code::InvalidKey];
/// What reading can lead to.
const READ: &[Code] = &[Code::StoreUnreadable];
/// What reading a body can lead to.
pub(super) const BODY: &[Code] = &[Code::BodyIncomplete, Code::BodyTimeout];
/// What writing can lead to.
pub(super) const WRITE: &[Code] = &[
    Code::AckTimeout,
    Code::ClockFenced,
    Code::DiskFull,
    Code::Draining,
    Code::DurabilityUnavailable,
    Code::MemoryLimit,
    Code::NotCommitted,
    Code::NotEnoughPeers,
    Code::NotReady,
    Code::OutcomeUnknown,
    Code::StoreFailed,
    Code::StoreUnreadable,
];
/// What watching can lead to.
const WATCH: &[Code] = &[Code::TooManyWatchers, Code::NotReady];

/// Headers of every record that is read.
const RECORD: &[&str] = &[
    "ETag",
    "GridKV-Version",
    "Last-Modified",
    "Cache-Control",
    "GridKV-Expires-At",
    "GridKV-TTL",
    "Content-Security-Policy",
    "Content-Disposition",
];
/// Headers of every write that is acknowledged.
const WRITTEN: &[&str] =
    &["ETag", "GridKV-Version", "GridKV-Durability", "GridKV-Acks", "GridKV-Expires-At"];
const DELETED: &[&str] = &["GridKV-Version", "GridKV-Durability", "GridKV-Acks", "GridKV-Existed"];

/// Headers of answers that say what became of several keys.
const WRITTEN_TOGETHER: &[&str] = &["GridKV-Durability", "GridKV-Acks"];

const CONDITIONS: &[RequestHeader] = &[
    RequestHeader {
        name: "If-Match",
        about: "only if the key has this version, in quotes; *: any",
        pattern: None,
    },
    RequestHeader {
        name: "If-None-Match",
        about: "only if the key does not have this version; *: only if it has no value",
        pattern: None,
    },
];
const LAST_EVENT_ID: &[RequestHeader] = &[RequestHeader {
    name: "Last-Event-ID",
    about: "the id of the last change that was dealt with; wins over since",
    pattern: Some("^[0-9a-f]{16}-[0-9a-f]{1,16}$"),
}];

pub(super) const fn answer(status: u16, about: &'static str, content: Content) -> Answer {
    Answer { status, about, headers: &[], content }
}

const GET_KEY: Description = Description {
    summary: "Read a key",
    query: &[p::FORMAT, p::MIN_VERSION, p::TIMEOUT, p::WAIT],
    headers: CONDITIONS,
    body: Body::None,
    answers: &[
        Answer { status: 200, about: "the value, as it was stored", headers: RECORD, content: Raw },
        Answer {
            status: 304,
            about: "the version is that of If-None-Match",
            headers: RECORD,
            content: Nothing,
        },
    ],
    problems: &[
        STORE,
        KEY,
        READ,
        WATCH,
        &[Code::KeyNotFound, Code::PreconditionFailed, Code::VersionNotReached],
    ],
};

const PUT_KEY: Description = Description {
    summary: "Write a key",
    query: &[p::TTL, p::DURABILITY, p::ACKS, p::ACK_TIMEOUT],
    headers: CONDITIONS,
    body: Body::Value,
    answers: &[
        Answer { status: 201, about: "it had no value", headers: WRITTEN, content: Nothing },
        Answer { status: 204, about: "it had another value", headers: WRITTEN, content: Nothing },
    ],
    problems: &[STORE, KEY, BODY, WRITE, &[Code::PreconditionFailed, Code::ValueTooLarge]],
};

const DELETE_KEY: Description = Description {
    summary: "Delete a key",
    query: &[p::DURABILITY, p::ACKS, p::ACK_TIMEOUT],
    headers: CONDITIONS,
    body: Body::None,
    answers: &[Answer {
        status: 204,
        about: "it has no value now",
        headers: DELETED,
        content: Nothing,
    }],
    problems: &[STORE, KEY, WRITE, &[Code::PreconditionFailed]],
};

const LIST_KEYS: Description = Description {
    summary: "List keys in byte order",
    query: &[p::PREFIX, p::DELIMITER, p::LIST_LIMIT, p::CURSOR, p::LIST_INCLUDE],
    headers: &[],
    body: Body::None,
    answers: &[answer(200, "a page of them", Json("KeyList"))],
    problems: &[STORE, READ, &[Code::BadCursor]],
};

const TOUCH_KEY: Description = Description {
    summary: "Change only the deadline of a key",
    query: &[p::NEW_TTL, p::DURABILITY, p::ACKS, p::ACK_TIMEOUT],
    headers: CONDITIONS,
    body: Body::None,
    answers: &[Answer {
        status: 204,
        about: "its value lives until then",
        headers: WRITTEN,
        content: Nothing,
    }],
    problems: &[
        STORE,
        KEY,
        BODY,
        WRITE,
        &[Code::KeyNotFound, Code::MalformedBody, Code::PreconditionFailed],
    ],
};

const DELETE_PREFIX: Description = Description {
    summary: "Delete every key with a prefix, some at a time",
    query: &[p::ANY_PREFIX, p::ALL_KEYS, p::DURABILITY, p::ACKS, p::ACK_TIMEOUT],
    headers: &[],
    body: Body::None,
    answers: &[Answer {
        status: 200,
        about: "how many had a value",
        headers: WRITTEN_TOGETHER,
        content: Json("Deleted"),
    }],
    problems: &[STORE, WRITE],
};

const BATCH: Description = Description {
    summary: "Do several operations",
    query: &[p::DURABILITY, p::ACKS, p::ACK_TIMEOUT],
    headers: &[],
    body: Body::Batch,
    answers: &[Answer {
        status: 200,
        about: "what became of each, in order",
        headers: WRITTEN_TOGETHER,
        content: Json("BatchResults"),
    }],
    problems: &[
        STORE,
        BODY,
        WRITE,
        &[Code::BodyTooLarge, Code::MalformedBody, Code::UnsupportedMediaType],
    ],
};

const CHANGES: Description = Description {
    summary: "Follow the changes of a store",
    query: &[p::SINCE, p::PREFIX, p::CHANGES_INCLUDE, p::CHANGES_LIMIT, p::WAIT],
    headers: LAST_EVENT_ID,
    body: Body::None,
    answers: &[Answer {
        status: 200,
        about: "changes, in the form that Accept asks for",
        headers: &["GridKV-Changes-Since"],
        content: Changes,
    }],
    problems: &[STORE, READ, WATCH, &[Code::ChangesTruncated, Code::NotAcceptable]],
};

impl Endpoint {
    /// The parameters of its query.
    pub(crate) fn query(self) -> &'static [Parameter] {
        self.describe().query
    }

    /// What it takes and answers.
    pub(crate) fn describe(self) -> &'static Description {
        match self {
            Self::GetKey => &GET_KEY,
            Self::PutKey => &PUT_KEY,
            Self::DeleteKey => &DELETE_KEY,
            Self::TouchKey => &TOUCH_KEY,
            Self::ListKeys => &LIST_KEYS,
            Self::DeletePrefix => &DELETE_PREFIX,
            Self::Batch => &BATCH,
            Self::Changes => &CHANGES,
            Self::Stores => &operating::STORES,
            Self::StoreStats => &operating::STORE_STATS,
            Self::Convergence => &operating::CONVERGENCE,
            Self::Differing => &operating::DIFFERING,
            Self::Receipts => &operating::RECEIPTS,
            Self::SaveSnapshot => &operating::SAVE_SNAPSHOT,
            Self::MakeStore => &operating::MAKE_STORE,
            Self::DropStore => &operating::DROP_STORE,
            Self::LoadSnapshot => &operating::LOAD_SNAPSHOT,
            Self::Persist => &operating::PERSIST,
            Self::Compact => &operating::COMPACT,
            Self::LogLevel => &operating::LOG_LEVEL,
            Self::Drain => &operating::DRAIN,
            Self::Node => &operating::NODE,
            Self::Cluster => &operating::CLUSTER,
            Self::AddPeer => &operating::ADD_PEER,
            Self::ForgetPeer => &operating::FORGET_PEER,
            Self::FullSync => &operating::FULL_SYNC,
            Self::Operations => &operating::OPERATIONS,
            Self::Operation => &operating::OPERATION,
            Self::Live => &operating::LIVE,
            Self::Ready => &operating::READY,
            Self::Metrics => &operating::METRICS,
            Self::OpenApi => &operating::OPEN_API,
            Self::Root => &operating::ROOT,
            Self::Stream => &operating::STREAM,
            Self::Console => &operating::CONSOLE,
            Self::ConsoleDoor => &operating::CONSOLE_DOOR,
        }
    }
}
