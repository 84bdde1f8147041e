//! What the endpoints of stores, the mesh and the node itself take and answer.

use super::Content::{Json, Nothing, Text};
use super::endpoints::{BODY, KEY, STORE, WRITE, answer};
use super::{Answer, Body, Content, Description};
use crate::parameters as p;
use crate::problem::Code;

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

pub(super) const STORES: Description = view!("Statistics of all stores", Json("AllStores"), &[]);

pub(super) const MAKE_STORE: Description = Description {
    summary: "Make a store on this node",
    query: &[],
    headers: &[],
    body: Body::Json("StoreDefinition"),
    answers: &[Answer {
        status: 201,
        about: "it is made, and there after a restart too",
        headers: &["Location"],
        content: Json("Store"),
    }],
    problems: &[
        BODY,
        &[
            Code::BodyTooLarge,
            Code::CacheMismatch,
            Code::DiskFull,
            Code::InvalidDefinition,
            Code::InvalidParameter,
            Code::MalformedBody,
            Code::NotReady,
            Code::NotSupported,
            Code::StoreExists,
            Code::StoreFailed,
            Code::StoreInUse,
            Code::TooManyStores,
            Code::UnsupportedMediaType,
        ],
    ],
};

pub(super) const DROP_STORE: Description = Description {
    summary: "Drop a store that was made on this node; peers keep theirs",
    query: &[p::CONFIRM],
    headers: &[],
    body: Body::None,
    answers: &[answer(204, "this node has nothing of it any more", Nothing)],
    problems: &[
        STORE,
        &[
            Code::DiskFull,
            Code::NotReady,
            Code::PeersBehind,
            Code::StoreConfigured,
            Code::StoreFailed,
            Code::StoreInUse,
        ],
    ],
};

pub(super) const STORE_STATS: Description = view!("Statistics of a store", Json("Store"), &[STORE]);

pub(super) const CONVERGENCE: Description = view!(
    "Since when a store holds the same here and at each peer",
    Json("Convergence"),
    &[STORE, &[Code::NotSupported]]
);

pub(super) const DIFFERING: Description = view!(
    "In which keys a store differed from that of a peer",
    Json("Differing"),
    &[STORE, &[Code::NotReady, Code::NotSupported, Code::PeerNotFound]]
);

pub(super) const RECEIPTS: Description =
    view!("Which nodes have a write", Json("Receipts"), &[STORE]);

pub(super) const SAVE_SNAPSHOT: Description = Description {
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

pub(super) const LOAD_SNAPSHOT: Description = Description {
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

pub(super) const PERSIST: Description = Description {
    summary: "Bring a store to the disk",
    query: &[],
    headers: &[],
    body: Body::None,
    answers: &[answer(200, "it is there", Json("Persisted"))],
    problems: &[STORE, &[Code::DiskFull, Code::NotSupported, Code::StoreFailed]],
};

pub(super) const COMPACT: Description = Description {
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

pub(super) const LOG_LEVEL: Description = Description {
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

pub(super) const DRAIN: Description = Description {
    summary: "Take no more writes until the node starts again",
    query: &[],
    headers: &[],
    body: Body::None,
    answers: &[answer(202, "none are taken; peers are given what is left", Json("Draining"))],
    problems: &[],
};

pub(super) const NODE: Description =
    view!("This node, and its effective configuration", Json("Node"), &[]);

pub(super) const CLUSTER: Description =
    view!("The mesh, as this node sees it", Json("Cluster"), &[]);

pub(super) const ADD_PEER: Description = Description {
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

pub(super) const FORGET_PEER: Description = Description {
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

pub(super) const FULL_SYNC: Description = Description {
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

pub(super) const OPERATIONS: Description =
    view!("What operators began", Json("AllOperations"), &[]);

pub(super) const OPERATION: Description = Description {
    summary: "One of them",
    query: &[p::OPERATION_WAIT],
    headers: &[],
    body: Body::None,
    answers: &[answer(200, "as it is now", Json("Operation"))],
    problems: &[&[Code::InvalidParameter, Code::OperationNotFound, Code::TooManyWatchers]],
};

pub(super) const LIVE: Description =
    view!("Whether the node lives", Text("text/plain; charset=utf-8"), &[&[Code::ActorStuck]]);

pub(super) const READY: Description = Description {
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

pub(super) const METRICS: Description =
    view!("Metrics for Prometheus", Text("text/plain; version=0.0.4; charset=utf-8"), &[]);

pub(super) const OPEN_API: Description = view!("This document", Content::Document, &[]);

pub(super) const ROOT: Description = Description {
    summary: "What there is",
    query: &[],
    headers: &[],
    body: Body::None,
    answers: &[
        answer(200, "as it is now", Json("Root")),
        Answer {
            status: 303,
            about: "for who accepts HTML: the console",
            headers: &["Location"],
            content: Nothing,
        },
    ],
    problems: &[],
};

pub(super) const STREAM: Description = Description {
    summary: "The node and what it knows of the others, once a second",
    query: &[],
    headers: &[],
    body: Body::None,
    answers: &[answer(
        200,
        "events: first `reader`, then `state` at once and each second, and `bye` when the node stops",
        Content::States,
    )],
    problems: &[&[Code::TooManyWatchers]],
};

pub(super) const CONSOLE: Description = Description {
    summary: "The console, for browsers",
    query: &[],
    headers: &[],
    body: Body::None,
    answers: &[
        Answer {
            status: 200,
            about: "a file of it",
            headers: &["Cache-Control", "Content-Security-Policy"],
            content: Content::Raw,
        },
        Answer {
            status: 304,
            about: "the file is that of If-None-Match",
            headers: &["Cache-Control", "Content-Security-Policy"],
            content: Nothing,
        },
    ],
    problems: &[&[Code::RouteNotFound]],
};

pub(super) const CONSOLE_DOOR: Description = Description {
    summary: "Where the console is",
    query: &[],
    headers: &[],
    body: Body::None,
    answers: &[Answer {
        status: 308,
        about: "it is at /console/",
        headers: &["Location"],
        content: Nothing,
    }],
    problems: &[],
};
