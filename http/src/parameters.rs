//! The parameters of every query, once: what is accepted is what the document of the API says.

use serde_json::{Value as Json, json};

/// A parameter of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// What its value looks like.
    pub(crate) form: Form,
    /// What it does.
    pub(crate) about: &'static str,
    /// Whether it must be given.
    pub(crate) is_required: bool,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A duration of at most ten minutes.
    Patience,
    /// A duration, `keep`, or `0`.
    Ttl,
    /// A number of peers, `majority` or `all`.
    Acks,
    /// A version.
    Version,
    /// Any text.
    Text,
    /// Text of at least one byte, and at most so many.
    ShortText(usize),
    /// Where a list goes on.
    Cursor,
    /// Where a feed goes on.
    Place,
    /// A whole number from 1 to so many.
    Count(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Some of these words, with commas between them.
    Words(&'static [&'static str]),
    /// Yes or no.
    Flag,
    /// The name of a store.
    Store,
}

impl Parameter {
    const fn new(name: &'static str, form: Form, about: &'static str) -> Self {
        Self { name, form, about, is_required: false }
    }

    const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }
}

pub(crate) const ACKS: Parameter = Parameter::new(
    "acks",
    Form::Acks,
    "how many peers besides this node must have the write before it is answered",
);
pub(crate) const ACK_TIMEOUT: Parameter =
    Parameter::new("ack_timeout", Form::Patience, "how long to wait for them; 5s");
pub(crate) const DURABILITY: Parameter = Parameter::new(
    "durability",
    Form::Word(&["memory", "os", "fsync"]),
    "what the write must survive here, if that is more than the store promises",
);
pub(crate) const TTL: Parameter = Parameter::new(
    "ttl",
    Form::Ttl,
    "how long the value lives; keep: as long as the old one, 0: for ever",
);
pub(crate) const NEW_TTL: Parameter = TTL.required();
pub(crate) const MIN_VERSION: Parameter = Parameter::new(
    "min_version",
    Form::Version,
    "wait until this node has that write, or a newer one of its key",
);
pub(crate) const TIMEOUT: Parameter =
    Parameter::new("timeout", Form::Patience, "how long to wait for min_version; 5s");
pub(crate) const OPERATION_WAIT: Parameter =
    Parameter::new("wait", Form::Patience, "how long to wait until the operation is over");

pub(crate) const WAIT: Parameter = Parameter::new(
    "wait",
    Form::Patience,
    "how long an answer may take that would say nothing new",
);
pub(crate) const PREFIX: Parameter =
    Parameter::new("prefix", Form::Text, "only keys that begin like this");
pub(crate) const ANY_PREFIX: Parameter =
    Parameter { about: "every key that begins like this", ..PREFIX.required() };
pub(crate) const ALL_KEYS: Parameter =
    Parameter::new("all", Form::Flag, "an empty prefix is meant: every key of the store");
pub(crate) const DELIMITER: Parameter = Parameter::new(
    "delimiter",
    Form::ShortText(16),
    "keys that have it after the prefix are rolled up into one common prefix",
);
pub(crate) const LIST_INCLUDE: Parameter = Parameter::new(
    "include",
    Form::Words(&["meta", "value"]),
    "what to show of records beside keys, versions, sizes and deadlines",
);
pub(crate) const FORMAT: Parameter = Parameter::new(
    "format",
    Form::Word(&["raw", "json"]),
    "raw: the value as it was stored; json: with what is known of it",
);
pub(crate) const SINCE: Parameter = Parameter::new(
    "since",
    Form::Place,
    "0: all changes that are known, now: those to come, or the id of the last that was dealt with",
);
pub(crate) const CHANGES_INCLUDE: Parameter =
    Parameter::new("include", Form::Word(&["value"]), "tell values too");
pub(crate) const CHANGES_LIMIT: Parameter = Parameter::new(
    "limit",
    Form::Count(1_000),
    "changes, at most; a stream ends after so many, and may have more",
);
pub(crate) const LIST_LIMIT: Parameter =
    Parameter::new("limit", Form::Count(1_000), "keys and common prefixes of a page; 100");
pub(crate) const CURSOR: Parameter = Parameter::new(
    "cursor",
    Form::Cursor,
    "next_cursor of the page before, with the other parameters as they were",
);
pub(crate) const FULL_SYNC_STORE: Parameter =
    Parameter::new("store", Form::Store, "which store").required();
pub(crate) const FULL_SYNC_MODE: Parameter = Parameter::new(
    "mode",
    Form::Word(&["merge", "rebuild"]),
    "merge: what is here stays; rebuild: it is emptied first, once peers have what it has",
);

pub(crate) const SNAPSHOT_FORMAT: Parameter = Parameter::new(
    "format",
    Form::Word(&["gkv", "msgpack", "ndjson"]),
    "gkv, or msgpack: frames with checksums; ndjson: lines of JSON",
);
pub(crate) const CONFIRM: Parameter =
    Parameter::new("confirm", Form::Store, "the name of the store once more").required();

pub(crate) const SNAPSHOT_MODE: Parameter = Parameter::new(
    "mode",
    Form::Word(&["merge", "missing", "replace"]),
    "merge: what is newer is written; missing: only keys that are absent; replace: other keys are deleted",
);
pub(crate) const DRY_RUN: Parameter =
    Parameter::new("dry_run", Form::Flag, "count, and change nothing");

/// Durations of less than ten minutes, however they are written.
const PATIENCE: &str = "^([0-9]{1,2}s?|[1-5][0-9]{2}s?|[0-9]{1,5}ms|[0-9]m)$";

impl Form {
    /// Its JSON schema.
    pub(crate) fn schema(self) -> Json {
        let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
        match self {
            Self::Patience => text(PATIENCE),
            Self::Ttl => text("^(keep|[0-9]{1,6}(ms|s|m|h)?)$"),
            Self::Acks => text("^([0-9]{1,4}|majority|all)$"),
            Self::Version => text("^[0-9a-f]{16}-[0-9a-f]{16}$"),
            Self::Text => json!({"type": "string"}),
            Self::ShortText(most) => json!({"type": "string", "minLength": 1, "maxLength": most}),
            Self::Cursor => text("^[A-Za-z0-9_-]+$"),
            Self::Place => text("^(0|now|[0-9a-f]{16}-[0-9a-f]{1,16})$"),
            Self::Count(most) => json!({"type": "integer", "minimum": 1, "maximum": most}),
            Self::Word(words) => json!({"type": "string", "enum": words}),
            Self::Words(words) => {
                let any = words.join("|");
                text(&format!("^({any})(,({any}))*$"))
            }
            Self::Flag => json!({"type": "boolean"}),
            Self::Store => json!({"type": "string", "minLength": 1, "maxLength": 64}),
        }
    }
}
