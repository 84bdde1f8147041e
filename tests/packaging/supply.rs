//! What is depended on, held against `deny.toml` where cargo-deny is not: its list of crates and versions, and where
//! crates come from.

use std::fs;

use crate::document::path;

/// A version as numbers.
type Version = (u64, u64, u64);

fn version(text: &str) -> Version {
    let bare = text.split(['-', '+']).next().unwrap();
    let mut numbers = bare.split('.').map(|number| number.parse().unwrap());
    let mut next = || numbers.next().unwrap_or_default();
    (next(), next(), next())
}

/// What is not to be depended on.
#[derive(Debug)]
struct Banned {
    name: String,
    versions: Versions,
}

#[derive(Debug)]
enum Versions {
    All,
    Before(Version),
    Only(Version),
}

impl Banned {
    fn parse(text: &str) -> Self {
        let (name, versions) = match text.split_once('@') {
            None => (text, Versions::All),
            Some((name, range)) => match (range.strip_prefix('<'), range.strip_prefix('=')) {
                (Some(end), _) => (name, Versions::Before(version(end))),
                (_, Some(only)) => (name, Versions::Only(version(only))),
                (None, None) => panic!("{text}: write name, name@<version or name@=version"),
            },
        };
        Self { name: name.to_owned(), versions }
    }

    fn is(&self, name: &str, found: Version) -> bool {
        self.name == name
            && match self.versions {
                Versions::All => true,
                Versions::Before(end) => found < end,
                Versions::Only(only) => found == only,
            }
    }
}

fn table(name: &str) -> toml::Table {
    fs::read_to_string(path(name)).unwrap().parse().unwrap()
}

#[test]
fn what_is_banned_is_not_in_the_tree() {
    let deny = table("deny.toml");
    let banned: Vec<Banned> = deny["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| Banned::parse(entry["crate"].as_str().unwrap()))
        .collect();
    assert!(banned.len() > 20, "{banned:?}");
    let lock = table("Cargo.lock");
    let packages = lock["package"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let (name, text) =
            (package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        let found: Vec<_> = banned.iter().filter(|banned| banned.is(name, version(text))).collect();
        assert!(found.is_empty(), "{name} {text} is banned by deny.toml: {found:?}");
        if let Some(source) = package.get("source") {
            let source = source.as_str().unwrap();
            assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index", "{name}");
        }
    }
}

#[test]
fn a_ban_means_what_it_says() {
    let all = Banned::parse("openssl");
    assert!(all.is("openssl", (0, 10, 72)) && !all.is("openssl-probe", (0, 1, 0)));
    let before = Banned::parse("bytes@<1.11.1");
    assert!(before.is("bytes", (1, 11, 0)) && before.is("bytes", (0, 99, 9)));
    assert!(!before.is("bytes", (1, 11, 1)) && !before.is("bytes", version("2.0.0-rc.1")));
    let only = Banned::parse("rand@=0.10.0");
    assert!(only.is("rand", (0, 10, 0)) && !only.is("rand", (0, 10, 1)));
    assert_eq!(version("1.2.1+spec-1.1.0"), (1, 2, 1));
}
