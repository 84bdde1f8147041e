//! What a token allows, and what each endpoint asks for: the table of roles.
//!
//! Each role has all that those before it have. `/livez`, `/readyz`, the document of the API, the files of the console
//! and `/` are for everybody; what they say to strangers is their own business.

use crate::routes::Endpoint;

/// What the holder of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// See metrics and statistics.
    Metrics,
    /// And read all data, and all there is to know of the node.
    Read,
    /// And change keys.
    Write,
    /// And everything else.
    Admin,
}

impl Role {
    /// Every one, the least first.
    pub const ALL: [Self; 4] = [Self::Metrics, Self::Read, Self::Write, Self::Admin];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The role of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

impl Endpoint {
    /// The least role that may ask it; `None`: everybody may.
    pub(crate) fn role(self) -> Option<Role> {
        match self {
            Self::Live
            | Self::Ready
            | Self::OpenApi
            | Self::Root
            | Self::Console
            | Self::ConsoleDoor => None,
            Self::Metrics | Self::Stores | Self::StoreStats => Some(Role::Metrics),
            // A batch that only reads is a read; what else is in it is asked for when it was decoded.
            Self::Batch
            | Self::GetKey
            | Self::ListKeys
            | Self::Changes
            | Self::Convergence
            | Self::Differing
            | Self::Receipts
            | Self::Node
            | Self::Cluster
            | Self::Operations
            | Self::Operation
            | Self::SaveSnapshot
            | Self::Stream => Some(Role::Read),
            Self::PutKey | Self::DeleteKey | Self::TouchKey | Self::DeletePrefix => {
                Some(Role::Write)
            }
            Self::MakeStore
            | Self::DropStore
            | Self::AddPeer
            | Self::ForgetPeer
            | Self::FullSync
            | Self::Persist
            | Self::Compact
            | Self::LoadSnapshot
            | Self::LogLevel
            | Self::Drain => Some(Role::Admin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::{RESOURCES, Verb};

    #[test]
    fn roles_are_ordered_as_they_are_listed() {
        assert!(Role::ALL.is_sorted());
        let words = Role::ALL.map(Role::as_str);
        assert_eq!(words, ["metrics", "read", "write", "admin"]);
        assert_eq!(words.map(Role::of), Role::ALL.map(Some));
        assert_eq!((Role::of("Admin"), Role::of("")), (None, None));
    }

    #[test]
    fn whatever_changes_something_asks_for_more_than_reading() {
        for resource in &RESOURCES {
            for (verb, endpoint) in resource.methods {
                let role = endpoint.role();
                let changes = !verb.is_safe() && *endpoint != Endpoint::Batch;
                assert_eq!(role >= Some(Role::Write), changes, "{verb:?} {}", resource.pattern);
                let is_data = resource.pattern.starts_with("/v1/kv/");
                assert!(!is_data || role >= Some(Role::Read), "{}", resource.pattern);
            }
        }
        assert_eq!(Verb::ALL.iter().filter(|verb| verb.is_safe()).count(), 3);
    }
}
