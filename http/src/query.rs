//! The parameters of a query string, in form encoding: `+` and `%20` are a space, `%2B` is a plus.
//!
//! A parameter that the resource does not know, one that is given twice, and one that is not encoded
//! well are refused: a misspelt `ttl` that nobody reads would be a key that never expires.

use std::borrow::Cow;

use gridkv_actors::Durability;
use gridkv_actors::write::Ttl;

use crate::duration;
use crate::key_path::decode;
use crate::parameters::Parameter;
use crate::problem::{Code, Problem};

/// The parameters of one request, each known and given once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query<'a>(Vec<(&'static str, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Parses the raw query string of an endpoint that knows `known`.
    ///
    /// # Errors
    /// 400 `invalid_parameter`.
    pub(crate) fn parse(raw: &'a str, known: &[Parameter]) -> Result<Self, Problem> {
        let mut parameters: Vec<(&'static str, Cow<'a, str>)> = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = form_decode(name)?;
            let Some(known) = known.iter().map(|known| known.name).find(|known| *known == name)
            else {
                return Err(unknown(&name, known));
            };
            if parameters.iter().any(|(given, _)| *given == known) {
                return Err(invalid(known, "is given twice; give it once"));
            }
            parameters.push((known, form_decode(value)?));
        }
        Ok(Self(parameters))
    }

    /// A parameter's value, if it is given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_ref())
    }

    /// `ttl`: a duration, `keep`, or `0` for none.
    ///
    /// # Errors
    /// 400 `invalid_parameter`.
    pub(crate) fn ttl(&self) -> Result<Ttl, Problem> {
        self.get("ttl")
            .map_or(Ok(Ttl::StoreDefault), |text| ttl(text).map_err(|why| invalid("ttl", &why)))
    }

    /// `durability`: what the write must reach at least.
    ///
    /// # Errors
    /// 400 `invalid_parameter`.
    pub(crate) fn durability(&self) -> Result<Option<Durability>, Problem> {
        self.get("durability")
            .map(|text| {
                text.parse().map_err(|_| invalid("durability", "is one of memory, os, fsync"))
            })
            .transpose()
    }

    /// Whether a switch is on: `true` or `1`; off: `false`, `0` or not given.
    ///
    /// # Errors
    /// 400 `invalid_parameter`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            Some("true" | "1") => Ok(true),
            Some("false" | "0") | None => Ok(false),
            Some(_) => Err(invalid(name, "is true or false")),
        }
    }

    /// A whole number from `1` to `most`, `default` when it is not given.
    ///
    /// # Errors
    /// 400 `invalid_parameter`.
    pub(crate) fn count(&self, name: &str, default: usize, most: usize) -> Result<usize, Problem> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|count| digits && (1..=most).contains(count))
            .ok_or_else(|| invalid(name, &format!("is a whole number from 1 to {most}")))
    }
}

/// How long a value shall live, from the text of a `ttl`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn ttl(text: &str) -> Result<Ttl, String> {
    match text {
        "keep" => Ok(Ttl::Keep),
        _ => duration::parse(text).map(ttl_of_ms).map_err(|error| format!("{error}, or keep")),
    }
}

/// How long a value shall live, from milliseconds: none is for ever.
pub(crate) fn ttl_of_ms(ms: u64) -> Ttl {
    if ms == 0 { Ttl::Unlimited } else { Ttl::Ms(ms) }
}

fn form_decode(raw: &str) -> Result<Cow<'_, str>, Problem> {
    let spaced: Cow<'_, str> =
        if raw.contains('+') { raw.replace('+', " ").into() } else { raw.into() };
    if !spaced.contains('%') {
        return Ok(spaced);
    }
    let bytes = decode(&spaced).ok_or_else(not_encoded_well)?;
    String::from_utf8(bytes.into_owned()).map(Cow::Owned).map_err(|_| not_encoded_well())
}

fn not_encoded_well() -> Problem {
    Problem::new(Code::InvalidParameter, "percent-encode the query well, as UTF-8")
}

/// A parameter with a value that is not accepted.
pub(crate) fn invalid(name: &str, why: &str) -> Problem {
    Problem::new(Code::InvalidParameter, format!("`{name}` {why}")).with("parameter", name)
}

fn unknown(name: &str, known: &[Parameter]) -> Problem {
    let known: Vec<&str> = known.iter().map(|known| known.name).collect();
    let nearest = known
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    let problem = match nearest {
        Some(nearest) => {
            let list = known.join(", ");
            invalid(name, &format!("is not known here; did you mean `{nearest}`? Known: {list}"))
                .with("did_you_mean", *nearest)
        }
        None => invalid(name, "is not known: this resource takes no parameters"),
    };
    problem.with("known", known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters as p;

    fn refused(raw: &str) -> String {
        let problem = Query::parse(raw, &[p::TTL, p::DURABILITY]).unwrap_err();
        assert_eq!(problem.code, Code::InvalidParameter);
        problem.detail.into_owned()
    }

    #[test]
    fn values_are_form_encoded() {
        let query =
            Query::parse("prefix=a+b%2Bc%20d%26=&&limit", &[p::PREFIX, p::LIST_LIMIT]).unwrap();
        assert_eq!(query.get("prefix"), Some("a b+c d&="));
        assert_eq!(query.get("limit"), Some(""));
        assert_eq!(query.get("cursor"), None);
        assert_eq!(Query::parse("", &[]).unwrap(), Query::default());
        assert_eq!(Query::parse("t%74l=1", &[p::TTL]).unwrap().get("ttl"), Some("1"));
    }

    #[test]
    fn what_is_unknown_names_the_nearest() {
        assert!(refused("tll=3").contains("did you mean `ttl`"));
        assert!(refused("durabilty=os").contains("did you mean `durability`"));
        let problem = Query::parse("acks=1", &[]).unwrap_err();
        assert!(problem.detail.contains("no parameters"));
    }

    #[test]
    fn twice_and_ill_encoded_are_refused() {
        assert!(refused("ttl=1&ttl=1").contains("twice"));
        for raw in ["ttl=%", "ttl=%zz", "ttl=%FF", "%zz=1"] {
            assert!(refused(raw).contains("percent-encode"), "{raw}");
        }
    }

    #[test]
    fn typed_parameters() {
        let known = &[p::TTL, p::DURABILITY, p::LIST_LIMIT];
        let query = |raw| Query::parse(raw, known).unwrap();
        assert_eq!(query("").ttl(), Ok(Ttl::StoreDefault));
        assert_eq!(query("ttl=keep").ttl(), Ok(Ttl::Keep));
        assert_eq!(query("ttl=0").ttl(), Ok(Ttl::Unlimited));
        assert_eq!(query("ttl=250ms").ttl(), Ok(Ttl::Ms(250)));
        for bad in ["ttl=", "ttl=-1", "ttl=abc", "ttl=KEEP"] {
            assert!(query(bad).ttl().is_err(), "{bad}");
        }
        assert_eq!(query("").durability(), Ok(None));
        assert_eq!(query("durability=os").durability(), Ok(Some(Durability::Os)));
        assert!(query("durability=interval").durability().is_err());
        for (raw, on) in [("", false), ("all=true", true), ("all=1", true), ("all=false", false)] {
            assert_eq!(Query::parse(raw, &[p::ALL_KEYS]).unwrap().flag("all"), Ok(on), "{raw}");
        }
        for bad in ["all", "all=", "all=yes"] {
            assert!(Query::parse(bad, &[p::ALL_KEYS]).unwrap().flag("all").is_err(), "{bad}");
        }
        assert_eq!(query("").count("limit", 100, 1_000), Ok(100));
        assert_eq!(query("limit=1000").count("limit", 100, 1_000), Ok(1_000));
        for bad in ["limit=0", "limit=1001", "limit=", "limit=%2B1", "limit=x", "limit=-1"] {
            assert!(query(bad).count("limit", 100, 1_000).is_err(), "{bad}");
        }
    }
}
