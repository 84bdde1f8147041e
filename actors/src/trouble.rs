//! Why a peer is not reached, in one word for programs and one sentence for people.
//!
//! Whoever is told should know what to do: a process that is gone is started, one that hangs is looked at, a network
//! is mended. Words and sentences are fixed: nothing that a peer or a library said is in them; the log has that.

use std::borrow::Cow;
use std::io;

use gridkv_protocol::welcome::RefusalReason;
use gridkv_protocol::{NodeId, UnixMs};

use crate::tls_fault::TlsFault;

/// What came of dialling an address, or of a link that was there, if not what should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing listens there.
    ConnectionRefused,
    /// The name of the address is not known.
    NameUnknown,
    /// No connection comes about.
    Unreachable,
    /// Connections are taken, and nothing is said over them.
    Hung,
    /// The link is open, and nothing comes over it.
    Silent,
    /// Connections end before they are of use.
    Cut,
    /// There is no safe connection.
    NotSafe(TlsFault),
    /// It does not take this node in.
    Refused(RefusalReason),
    /// Another node answers there.
    OtherNode(NodeId),
    /// What answers there is not taken for a peer.
    Unfit,
}

/// The trouble with a peer, and since when it is this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerTrouble {
    /// Which.
    pub what: Trouble,
    /// Since when, in this node's physical time.
    pub since: UnixMs,
}

impl Trouble {
    /// What it means that no connection came about.
    pub(crate) fn of_dialling(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            return Self::ConnectionRefused;
        }
        Self::Unreachable
    }

    /// The word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ConnectionRefused => "connection_refused",
            Self::NameUnknown => "name_unknown",
            Self::Unreachable => "unreachable",
            Self::Hung => "hung",
            Self::Silent => "silent",
            Self::Cut => "cut",
            Self::NotSafe(_) => "not_safe",
            Self::Refused(_) => "refused",
            Self::OtherNode(_) => "other_node",
            Self::Unfit => "unfit",
        }
    }

    /// What is so, and what to do.
    pub fn sentence(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::ConnectionRefused => {
                "its address refuses connections: the process does not run, or does not listen there; start it"
            }
            Self::NameUnknown => {
                "the name of its address is not known: its machine is gone, or names are not resolved here"
            }
            Self::Unreachable => {
                "no connection to its address comes about: its machine is off, or the network or a firewall is between"
            }
            Self::Hung => {
                "it takes connections and says nothing: the process hangs or is stopped; look at its CPU and its disk, and restart it if that stays"
            }
            Self::Silent => {
                "its connection is open and nothing comes over it: the process hangs, or its machine or the network is gone"
            }
            Self::Cut => {
                "its connection was cut: it stops, or something between the two cuts it; its log says which"
            }
            Self::NotSafe(fault) => {
                return format!("there is no safe connection to it: {}", fault.in_short()).into();
            }
            Self::Refused(reason) => {
                return format!("it does not take this node in: {}", words(*reason)).into();
            }
            Self::OtherNode(_) => {
                "another node answers at its address, which leads elsewhere now: look where its name and port lead; if it is gone for good, forget it"
            }
            Self::Unfit => {
                "what answers at its address is not taken for a peer; the log of this node says why"
            }
        };
        fixed.into()
    }

    /// Why the node that was dialled does not take this one in, if it said so itself.
    pub(crate) fn refusal(&self) -> Option<RefusalReason> {
        match self {
            Self::Refused(reason) => Some(*reason),
            Self::NotSafe(fault) => fault.is_refusal().then_some(RefusalReason::NotCertified),
            Self::ConnectionRefused
            | Self::NameUnknown
            | Self::Unreachable
            | Self::Hung
            | Self::Silent
            | Self::Cut
            | Self::OtherNode(_)
            | Self::Unfit => None,
        }
    }
}

fn words(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::OtherCluster => "it is of another cluster",
        RefusalReason::OtherProtocol => "it speaks another version of the protocol",
        RefusalReason::Forgotten => {
            "this node was forgotten; with an empty directory it is a new one"
        }
        RefusalReason::IdentityInUse => "a node with this one's identity is up; stop the copy",
        RefusalReason::NameInUse => "another node has this one's name; give it another one",
        RefusalReason::CacheMismatch => "a store is a cache on one side only",
        RefusalReason::UnexpectedMessage => "it did not understand what this node said",
        RefusalReason::Stopping => "it stops",
        RefusalReason::TooMany => "it has as many members or connections as it takes",
        RefusalReason::NotCertified => "this node's certificate is not that of the node that it is",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_fixed_short_and_says_what_is_meant() {
        let library = "https://example.org/errors#7".to_owned();
        let all = [
            Trouble::ConnectionRefused,
            Trouble::NameUnknown,
            Trouble::Unreachable,
            Trouble::Hung,
            Trouble::Silent,
            Trouble::Cut,
            Trouble::NotSafe(TlsFault::Other(library.clone())),
            Trouble::NotSafe(TlsFault::BadCertificate(library)),
            Trouble::NotSafe(TlsFault::NoProof),
            Trouble::Refused(RefusalReason::Forgotten),
            Trouble::OtherNode(NodeId(7)),
            Trouble::Unfit,
        ];
        for trouble in all {
            let (word, sentence) = (trouble.word(), trouble.sentence());
            assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{word}");
            assert!(sentence.len() < 200 && !sentence.ends_with('.'), "{sentence}");
            assert!(!sentence.contains("://"), "{sentence}");
        }
    }

    #[test]
    fn a_port_without_a_process_is_not_a_machine_that_is_off() {
        let of = |kind: io::ErrorKind| Trouble::of_dialling(&kind.into());
        assert_eq!(of(io::ErrorKind::ConnectionRefused), Trouble::ConnectionRefused);
        assert_eq!(of(io::ErrorKind::HostUnreachable), Trouble::Unreachable);
        assert_eq!(of(io::ErrorKind::TimedOut), Trouble::Unreachable);
    }

    #[test]
    fn only_who_says_so_refuses() {
        let refused = Trouble::Refused(RefusalReason::NameInUse);
        assert_eq!(refused.refusal(), Some(RefusalReason::NameInUse));
        let certificate = Trouble::NotSafe(TlsFault::RefusesOurs("it has expired"));
        assert_eq!(certificate.refusal(), Some(RefusalReason::NotCertified));
        assert_eq!(Trouble::NotSafe(TlsFault::NotTls).refusal(), None);
        assert_eq!(Trouble::Hung.refusal(), None);
    }
}
