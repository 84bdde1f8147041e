//! The types of values and what each may be: the check between a raw value and a typed one.
//!
//! Why it exists: a file gives TOML values, environment and flags give text; after this check all
//! three are the same typed value. It refuses wrong types and values outside the key's range.

use std::net::SocketAddr;

use toml::Value;

use super::address::{self, HostPort};
use super::duration;
use super::fault::Fault;
use super::keys::Key;
use super::limits;
use super::nearest::nearest;
use super::tokens;
use crate::telemetry::Directive;

/// The type of a key's value, with its range.
#[derive(Debug)]
pub(super) enum Kind {
    /// A name of at most so many bytes; may be empty or not.
    Name {
        /// Most bytes.
        most: usize,
        /// Whether the empty text is allowed.
        empty: bool,
    },
    /// A directory; empty = none. One that the configuration file names is taken from its directory.
    Path,
    /// `true` or `false`.
    Boolean,
    /// A whole number in a range.
    Whole(limits::Whole),
    /// A duration in a range; zero means "none" where allowed.
    Span {
        /// Least and most.
        range: limits::Span,
        /// Whether zero is allowed beside the range.
        zero: bool,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `ip:port` of a listener of this node; port 0 = the system chooses.
    Listen,
    /// `host:port` that peers dial; empty = none.
    Advertise,
    /// A list of `host:port`.
    Seeds,
    /// What is logged.
    Directive,
    /// The name of a backend.
    Backend,
    /// A file to be read; empty = none. One that the configuration file names is taken from its directory.
    File,
    /// A text that is never shown; empty = none.
    Secret,
    /// A list of names of nodes.
    NodeNames,
    /// A list of names of hosts.
    HostNames,
    /// A list of tokens.
    Tokens,
}

/// How a layer spells values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// TOML types, as in the file.
    Typed,
    /// Text, as in the environment and in flags: numbers in digits, lists separated by commas.
    Text,
}

/// Checks a raw value of `key` and returns it in its one canonical form.
pub(super) fn check(
    key: &Key,
    value: &Value,
    spelling: Spelling,
    backends: &[(&str, &str)],
) -> Result<Value, Fault> {
    let refuse = |allowed: String| Fault::Value { allowed, help: key.help };
    match &key.kind {
        Kind::Name { most, empty } => {
            let text = text(value)?;
            if (text.is_empty() && *empty) || is_name(text, *most) {
                return Ok(value.clone());
            }
            Err(refuse(name_form(*most)))
        }
        Kind::Path | Kind::File if text(value)?.contains('\0') => {
            Err(refuse("a path without NUL".to_owned()))
        }
        Kind::Path | Kind::File => Ok(value.clone()),
        Kind::Boolean => boolean(value, spelling),
        Kind::Whole(range) => {
            let number = whole(value, spelling)?;
            let allowed = || refuse(format!("{} to {}", range.start(), range.end()));
            let number = number.filter(|number| range.contains(number)).ok_or_else(allowed)?;
            Ok(Value::Integer(number))
        }
        Kind::Span { range, zero } => span(value, range, *zero).map_err(|wrong| match wrong {
            Some(fault) => fault,
            None => refuse(span_form(range, *zero)),
        }),
        Kind::Choice(choices) => choice(text(value)?, choices),
        Kind::Backend => backend(text(value)?, backends),
        Kind::Listen => match text(value)?.parse::<SocketAddr>() {
            Ok(address) => Ok(Value::String(address.to_string())),
            Err(_) => Err(refuse(
                "ip:port, such as 127.0.0.1:7400 or [::1]:7400; no host name".to_owned(),
            )),
        },
        Kind::Advertise if text(value)?.is_empty() => Ok(value.clone()),
        Kind::Advertise => {
            host_port(text(value)?).map_err(|wrong| refuse(format!("host:port ({wrong})")))
        }
        Kind::Seeds => seeds(value, spelling, key),
        Kind::Secret => {
            let long = text(value)?.chars().count();
            if long == 0 || limits::SECRET_CHARACTERS.contains(&long) {
                return Ok(value.clone());
            }
            let (least, most) =
                (limits::SECRET_CHARACTERS.start(), limits::SECRET_CHARACTERS.end());
            Err(refuse(format!("{least} to {most} characters")))
        }
        Kind::NodeNames => node_names(value, spelling, key),
        Kind::HostNames => host_names(value, spelling, key),
        Kind::Tokens => match (value, spelling) {
            (Value::Array(tokens), _) => tokens::check(tokens),
            (Value::String(list), Spelling::Text) if list.is_empty() => tokens::check(&[]),
            (_, Spelling::Text) => Err(Fault::TokensAsText),
            _ => Err(mistyped("a list of { name, role, sha256 }", value)),
        },
        Kind::Directive => match text(value)?.parse::<Directive>() {
            Ok(directive) => Ok(Value::String(directive.to_string())),
            Err(wrong) => Err(refuse(wrong.to_string())),
        },
    }
}

/// Whether a text can name a node or a cluster: it goes into headers, labels and log lines.
pub(super) fn is_name(text: &str, most: usize) -> bool {
    text.len() <= most
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// What a name is made of, in words.
pub(super) fn name_form(most: usize) -> String {
    format!("1 to {most} letters, digits, '.', '_' and '-', and the first a letter or digit")
}

/// A value of another type than the key's.
pub(super) fn mistyped(expected: &'static str, value: &Value) -> Fault {
    Fault::Type { expected, found: value.type_str() }
}

fn text(value: &Value) -> Result<&str, Fault> {
    value.as_str().ok_or_else(|| mistyped("a string", value))
}

fn boolean(value: &Value, spelling: Spelling) -> Result<Value, Fault> {
    match (value, spelling) {
        (Value::Boolean(_), _) => Ok(value.clone()),
        (Value::String(text), Spelling::Text) => {
            choice(text, &["true", "false"]).map(|_| Value::Boolean(text == "true"))
        }
        _ => Err(mistyped("true or false", value)),
    }
}

/// The number, or `None` when it is a number that fits nowhere.
fn whole(value: &Value, spelling: Spelling) -> Result<Option<i64>, Fault> {
    match (value, spelling) {
        (Value::Integer(number), _) => Ok(Some(*number)),
        (Value::String(text), Spelling::Text) => Ok(digits(text)),
        _ => Err(mistyped("an integer", value)),
    }
}

/// Digits as TOML writes them: `1048576` or `1_048_576`.
fn digits(text: &str) -> Option<i64> {
    let fine = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split('_').all(fine).then(|| text.replace('_', "").parse().ok()).flatten()
}

/// The duration in canonical form; `Err(None)` when it lies outside the range.
fn span(value: &Value, range: &limits::Span, zero: bool) -> Result<Value, Option<Fault>> {
    let written = match value {
        Value::Integer(seconds) => seconds.to_string(),
        Value::String(text) => text.clone(),
        Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => return Err(Some(mistyped("a duration such as \"5s\"", value))),
    };
    let duration = duration::parse(&written).map_err(|_| None)?;
    if range.contains(&duration) || (zero && duration.is_zero()) {
        return Ok(Value::String(duration::format(duration)));
    }
    Err(None)
}

fn span_form(range: &limits::Span, zero: bool) -> String {
    let (least, most) = (duration::format(*range.start()), duration::format(*range.end()));
    let none = if zero { "0s or " } else { "" };
    format!("a duration: {none}{least} to {most}, written 250ms, 5s, 10m, 1h, or bare seconds")
}

fn backend(text: &str, backends: &[(&str, &str)]) -> Result<Value, Fault> {
    match backends.iter().find(|(spelling, _)| *spelling == text) {
        Some((_, name)) => Ok(Value::String((*name).to_owned())),
        None => choice(text, &names(backends)),
    }
}

/// The names of backends, without other spellings of them.
pub(super) fn names<'a>(backends: &[(&'a str, &'a str)]) -> Vec<&'a str> {
    let named = backends.iter().filter(|(spelling, name)| spelling == name);
    named.map(|(_, name)| *name).collect()
}

fn choice(text: &str, choices: &[&str]) -> Result<Value, Fault> {
    if choices.contains(&text) {
        return Ok(Value::String(text.to_owned()));
    }
    let nearest = nearest(text, choices).copied().unwrap_or_default().to_owned();
    Err(Fault::Choice { choices: choices.join(", "), nearest })
}

fn host_port(text: &str) -> Result<Value, super::address::NotHostPort> {
    text.parse::<HostPort>().map(|address| Value::String(address.to_string()))
}

fn seeds(value: &Value, spelling: Spelling, key: &Key) -> Result<Value, Fault> {
    let one = |item: &Value| {
        let seed = text(item)?;
        host_port(seed).map_err(|wrong| Fault::Value {
            allowed: format!("a list of host:port; {seed:?} is {wrong}"),
            help: key.help,
        })
    };
    let given = list(value, spelling, "a list of \"host:port\"")?;
    given.iter().map(one).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn node_names(value: &Value, spelling: Spelling, key: &Key) -> Result<Value, Fault> {
    let one = |item: &Value| {
        if is_name(text(item)?, limits::NODE_NAME) {
            return Ok(item.clone());
        }
        let form = name_form(limits::NODE_NAME);
        Err(Fault::Value { allowed: format!("a list of names of {form}"), help: key.help })
    };
    let given = list(value, spelling, "a list of names")?;
    given.iter().map(one).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn host_names(value: &Value, spelling: Spelling, key: &Key) -> Result<Value, Fault> {
    let one = |item: &Value| {
        let name = text(item)?;
        if address::is_host(name) {
            return Ok(item.clone());
        }
        let allowed = format!("a list of names without a port, such as kv.example; not {name:?}");
        Err(Fault::Value { allowed, help: key.help })
    };
    let given = list(value, spelling, "a list of names")?;
    given.iter().map(one).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// What a list holds, unchecked; as text, it is separated by commas.
fn list(value: &Value, spelling: Spelling, expected: &'static str) -> Result<Vec<Value>, Fault> {
    match (value, spelling) {
        (Value::Array(items), _) => Ok(items.clone()),
        (Value::String(list), Spelling::Text) if list.trim().is_empty() => Ok(Vec::new()),
        (Value::String(list), Spelling::Text) => {
            Ok(list.split(',').map(|item| Value::String(item.trim().to_owned())).collect())
        }
        _ => Err(mistyped(expected, value)),
    }
}
