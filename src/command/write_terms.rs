//! What a write is to survive before it is answered: the same options for every command that writes.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::settings::duration;
use crate::client::{Patience, Query};

/// How long a node waits for peers when nobody says.
const DEFAULT_ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// What a write survives on the node that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// It is in the node's memory
    Memory,
    /// The operating system has it
    Os,
    /// It is on the disk
    Fsync,
}

/// When a write counts as made.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct WriteTerms {
    /// Peers besides the node that must have it first: a number, majority, or all
    #[arg(long, value_name = "N", value_parser = acks)]
    acks: Option<String>,
    /// How long to wait for them [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "acks")]
    ack_timeout: Option<Duration>,
    /// What it must survive on the node itself [default: what the store promises]
    #[arg(long, value_name = "WHAT")]
    durability: Option<Durability>,
}

impl WriteTerms {
    /// The query with these terms.
    pub(crate) fn on(&self, query: Query) -> Query {
        let durability = self.durability.map(|durability| match durability {
            Durability::Memory => "memory",
            Durability::Os => "os",
            Durability::Fsync => "fsync",
        });
        query
            .with("acks", self.acks.as_deref())
            .with("ack_timeout", self.ack_timeout.map(in_words))
            .with("durability", durability)
    }

    /// How much longer an answer may take because of them.
    pub(crate) fn patience(&self) -> Patience {
        let wait = self.ack_timeout.unwrap_or(DEFAULT_ACK_TIMEOUT);
        Patience::Answer { beyond: if self.acks.is_some() { wait } else { Duration::ZERO } }
    }
}

/// A duration as nodes read it.
pub(crate) fn in_words(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

fn acks(text: &str) -> Result<String, String> {
    if matches!(text, "majority" | "all") || text.parse::<u32>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err("a number of peers, majority, or all".to_owned())
    }
}

/// A time to live: a duration, `0` for none, or `keep`.
pub(crate) fn ttl(text: &str) -> Result<String, String> {
    if text == "keep" {
        return Ok(text.to_owned());
    }
    duration(text).map(in_words).map_err(|error| format!("{error}; or keep"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_become_parameters() {
        let terms = WriteTerms {
            acks: Some("majority".to_owned()),
            ack_timeout: Some(Duration::from_secs(2)),
            durability: Some(Durability::Fsync),
        };
        let path = String::from(terms.on(Query::of("/p")));
        assert_eq!(path, "/p?acks=majority&ack_timeout=2000ms&durability=fsync");
        assert_eq!(String::from(WriteTerms::default().on(Query::of("/p"))), "/p");
        assert!(acks("2").is_ok() && acks("-1").is_err() && acks("some").is_err());
        assert_eq!(ttl("1m").as_deref(), Ok("60000ms"));
        assert!(ttl("keep").is_ok() && ttl("x").is_err());
    }
}
