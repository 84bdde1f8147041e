//! What each endpoint takes and answers, for the document of the API. The parameters are those that the
//! handlers parse by.

use super::Content::{Changes, Json, Nothing, Raw, Text};
use super::{Answer, Body, Content, Description, RequestHeader};
use crate::parameters::{self as p, Parameter};
use crate::problem::Code;
use crate::routes::Endpoint;

/// What a store in the path can lead to.
const STORE: &[Code] = &[Code::StoreNotFound];
/// What a key in the path can lead to.
const KEY: &[Code] = &[Code::InvalidKey];
/// What reading can lead to.
const READ: &[Code] = &[Code::StoreUnreadable];
/// What reading a body can lead to.
const BODY: &[Code] = &[Code::BodyIncomplete, Code::BodyTimeout];
/// What writing can lead to.
const WRITE: &[Code] = &[
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
const RECORD: &[&str] = &["ETag", "GridKV-Version", "Last-Modified", "Cache-Control"];
/// Headers of every write that is acknowledged.
const WRITTEN: &[&str] = &["ETag", "GridKV-Version", "GridKV-Durability", "GridKV-Acks"];
const DELETED: &[&str] = &["GridKV-Version", "GridKV-Durability", "GridKV-Acks", "GridKV-Existed"];

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

const fn answer(status: u16, about: &'static str, content: Content) -> Answer {
    Answer { status, about, headers: &[], content }
}

/// A resource that is only looked at.
macro_rules! view {
    ($summary:literal, $content:expr, $problems:expr) => {
        Description {
            summary: $summary,
            query: &[],
            headers: &[],
            body: Body::None,
            answers: &[answer(200, "as it is now", $content)],
            problems: $problems,
        }
    };
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
    answers: &[answer(200, "how many had a value", Json("Deleted"))],
    problems: &[STORE, WRITE],
};

const BATCH: Description = Description {
    summary: "Do several operations",
    query: &[p::DURABILITY, p::ACKS, p::ACK_TIMEOUT],
    headers: &[],
    body: Body::Batch,
    answers: &[answer(200, "what became of each, in order", Json("BatchResults"))],
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
    answers: &[answer(200, "changes, in the form that Accept asks for", Changes)],
    problems: &[STORE, READ, WATCH, &[Code::ChangesTruncated, Code::NotAcceptable]],
};

const STORES: Description = view!("Statistics of all stores", Json("AllStores"), &[]);

const STORE_STATS: Description = view!("Statistics of a store", Json("Store"), &[STORE]);

const CONVERGENCE: Description = view!(
    "Since when a store holds the same here and at each peer",
    Json("Convergence"),
    &[STORE, &[Code::NotSupported]]
);

const DIFFERING: Description = view!(
    "In which keys a store differed from that of a peer",
    Json("Differing"),
    &[STORE, &[Code::NotReady, Code::NotSupported, Code::PeerNotFound]]
);

const RECEIPTS: Description = view!("Which nodes have a write", Json("Receipts"), &[STORE]);

const SAVE_SNAPSHOT: Description = Description {
    summary: "All of a store as one file",
    query: &[p::SNAPSHOT_FORMAT],
    headers: &[],
    body: Body::None,
    answers: &[Answer {
        status: 200,
        about: "the file; without its footer it is not whole",
        headers: &["GridKV-Key-Count", "Content-Disposition"],
        content: Content::Snapshot,
    }],
    problems: &[STORE, &[Code::NotReady]],
};

const LOAD_SNAPSHOT: Description = Description {
    summary: "Put such a file into a store",
    query: &[p::SNAPSHOT_MODE, p::DRY_RUN],
    headers: &[],
    body: Body::Snapshot,
    answers: &[answer(200, "what was done", Json("Restored"))],
    problems: &[
        STORE,
        BODY,
        WRITE,
        KEY,
        &[
            Code::BodyTooLarge,
            Code::RestoreRunning,
            Code::SnapshotCorrupt,
            Code::UnsupportedMediaType,
            Code::ValueTooLarge,
        ],
    ],
};

const PERSIST: Description = Description {
    summary: "Bring a store to the disk",
    query: &[],
    headers: &[],
    body: Body::None,
    answers: &[answer(200, "it is there", Json("Persisted"))],
    problems: &[STORE, &[Code::DiskFull, Code::NotSupported, Code::StoreFailed]],
};

const COMPACT: Description = Description {
    summary: "Rewrite what a store keeps on the disk",
    query: &[],
    headers: &[],
    body: Body::None,
    answers: &[Answer {
        status: 202,
        about: "it was begun",
        headers: &["Location"],
        content: Json("Operation"),
    }],
    problems: &[STORE, &[Code::NotSupported, Code::OperationRunning]],
};

const LOG_LEVEL: Description = Description {
    summary: "Let the node log more or less",
    query: &[],
    headers: &[],
    body: Body::Json("NewLevel"),
    answers: &[answer(204, "it does", Nothing)],
    problems: &[
        BODY,
        &[Code::BodyTooLarge, Code::MalformedBody, Code::NotSupported, Code::UnsupportedMediaType],
    ],
};

const DRAIN: Description = Description {
    summary: "Take no more writes until the node starts again",
    query: &[],
    headers: &[],
    body: Body::None,
    answers: &[answer(202, "none are taken; peers are given what is left", Json("Draining"))],
    problems: &[],
};

const NODE: Description = view!("This node, and its effective configuration", Json("Node"), &[]);

const CLUSTER: Description = view!("The mesh, as this node sees it", Json("Cluster"), &[]);

const ADD_PEER: Description = Description {
    summary: "Add a member by the address where peers dial it",
    query: &[],
    headers: &[],
    body: Body::Json("NewPeer"),
    answers: &[
        answer(200, "it was a member already", Json("Peer")),
        Answer {
            status: 201,
            about: "it is linked",
            headers: &["Location"],
            content: Json("Peer"),
        },
    ],
    problems: &[
        BODY,
        &[
            Code::BodyTooLarge,
            Code::MalformedBody,
            Code::NotReady,
            Code::PeerIsSelf,
            Code::PeerNotJoined,
            Code::PeerRefuses,
            Code::PeerUnreachable,
            Code::UnsupportedMediaType,
        ],
    ],
};

const FORGET_PEER: Description = Description {
    summary: "Forget a member that is gone for good",
    query: &[],
    headers: &[],
    body: Body::None,
    answers: &[
        answer(202, "forgotten here; no other member could be told yet", Json("Forgotten")),
        answer(204, "another member has stored it too", Nothing),
    ],
    problems: &[&[Code::NotReady, Code::PeerIsSelf, Code::PeerNotFound, Code::TooManyForgotten]],
};

const FULL_SYNC: Description = Description {
    summary: "Get all that a peer has of a store",
    query: &[p::FULL_SYNC_STORE, p::FULL_SYNC_MODE],
    headers: &[],
    body: Body::None,
    answers: &[Answer {
        status: 202,
        about: "it was begun",
        headers: &["Location"],
        content: Json("Operation"),
    }],
    problems: &[
        STORE,
        &[
            Code::FullSyncRunning,
            Code::NotReady,
            Code::NotSupported,
            Code::PeerNotFound,
            Code::PeerUnreachable,
        ],
    ],
};

const OPERATIONS: Description = view!("What operators began", Json("AllOperations"), &[]);

const OPERATION: Description =
    view!("One of them", Json("Operation"), &[&[Code::OperationNotFound]]);

const LIVE: Description =
    view!("Whether the node lives", Text("text/plain; charset=utf-8"), &[&[Code::ActorStuck]]);

const READY: Description = Description {
    summary: "Whether the node takes clients, and why not",
    query: &[],
    headers: &[],
    body: Body::None,
    answers: &[
        answer(200, "it does", Content::Readiness),
        answer(503, "it does not", Content::Readiness),
    ],
    problems: &[],
};

const METRICS: Description =
    view!("Metrics for Prometheus", Text("text/plain; version=0.0.4; charset=utf-8"), &[]);

const OPEN_API: Description = view!("This document", Content::Document, &[]);

const ROOT: Description = view!("What there is", Json("Root"), &[]);

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
            Self::Stores => &STORES,
            Self::StoreStats => &STORE_STATS,
            Self::Convergence => &CONVERGENCE,
            Self::Differing => &DIFFERING,
            Self::Receipts => &RECEIPTS,
            Self::SaveSnapshot => &SAVE_SNAPSHOT,
            Self::LoadSnapshot => &LOAD_SNAPSHOT,
            Self::Persist => &PERSIST,
            Self::Compact => &COMPACT,
            Self::LogLevel => &LOG_LEVEL,
            Self::Drain => &DRAIN,
            Self::Node => &NODE,
            Self::Cluster => &CLUSTER,
            Self::AddPeer => &ADD_PEER,
            Self::ForgetPeer => &FORGET_PEER,
            Self::FullSync => &FULL_SYNC,
            Self::Operations => &OPERATIONS,
            Self::Operation => &OPERATION,
            Self::Live => &LIVE,
            Self::Ready => &READY,
            Self::Metrics => &METRICS,
            Self::OpenApi => &OPEN_API,
            Self::Root => &ROOT,
        }
    }
}
