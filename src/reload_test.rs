//! What a configuration that is read again changes, and that a bad one changes nothing.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use super::*;
use crate::config::trial_test::Trial;

const TOKENS: &[&str] = &["auth.tokens", "auth.tokens_file"];
const LEVEL: &[&str] = &["log.level"];

fn tokens(names: &[&str]) -> String {
    let one = |(number, name): (usize, &&str)| {
        format!("{{ name = '{name}', role = 'read', sha256 = '{number:064x}' }}")
    };
    let all: Vec<String> = names.iter().enumerate().map(one).collect();
    format!("[auth]\ntokens = [{}]\n", all.join(", "))
}

/// What the parts were given, in order.
type Told = Arc<Mutex<Vec<String>>>;

struct Bench {
    file: Arc<Mutex<String>>,
    flags: &'static [&'static str],
    reloader: Reloader,
    told: Told,
}

fn tell(told: &Told, what: impl Into<String>) {
    told.lock().unwrap().push(what.into());
}

/// A node that runs by `text` and `flags`, whose level can not be `trace`.
fn bench(text: &str, flags: &'static [&'static str]) -> Bench {
    let (told, file) = (Told::default(), Arc::new(Mutex::new(text.to_owned())));
    let holds = Trial::default().file(text).typed(flags).load().unwrap();
    let read = {
        let file = Arc::clone(&file);
        move || Trial::default().file(&file.lock().unwrap()).typed(flags).load()
    };
    let shown = Arc::clone(&told);
    let show = move |loaded: &Loaded| {
        let text = loaded.to_toml();
        let workers = text.lines().find(|line| line.starts_with("workers")).unwrap_or_default();
        tell(&shown, workers.split('#').next().unwrap_or_default().trim());
    };
    let (names, levels) = (Arc::clone(&told), Arc::clone(&told));
    let reloader = Reloader::new(read, holds, show)
        .with(Part::new("tokens", TOKENS, move |config| {
            let all: Vec<&str> =
                config.auth.tokens.iter().map(|token| token.name.as_str()).collect();
            let (all, names) = (all.join("+"), Arc::clone(&names));
            Ok(Box::new(move || tell(&names, all)))
        }))
        .with(Part::new("log level", LEVEL, move |config| {
            let (level, levels) = (config.log.level.to_string(), Arc::clone(&levels));
            if level == "trace" {
                return Err("too much".into());
            }
            Ok(Box::new(move || tell(&levels, level)))
        }));
    Bench { file, flags, reloader, told }
}

impl Bench {
    /// Reads this, and gives what was refused or what needs a restart, and what the parts were given.
    fn read(&mut self, text: &str) -> (Result<Vec<String>, String>, Vec<String>) {
        *self.file.lock().unwrap() = text.to_owned();
        let result = self.reloader.try_reload().map_err(|error| error.to_string());
        (result, std::mem::take(&mut self.told.lock().unwrap()))
    }
}

#[test]
fn parts_take_what_they_can_and_the_rest_is_named() {
    let mut bench = bench(&tokens(&["a"]), &[]);
    let text = format!("{}[log]\nlevel = 'debug'\n", tokens(&["a", "b"]));
    let (waiting, told) = bench.read(&text);
    assert_eq!(waiting, Ok(vec![]));
    assert_eq!(told, ["a+b", "debug", "workers = 0"]);
    let (waiting, told) = bench.read(&format!("{text}format = 'json'\n[http]\nworkers = 3\n"));
    assert_eq!(waiting, Ok(vec!["http.workers".to_owned(), "log.format".to_owned()]));
    assert_eq!(told, ["a+b", "debug", "workers = 0"], "what is shown is what holds");
    let (waiting, _) = bench.read(&text);
    assert_eq!(waiting, Ok(vec![]), "and it is compared with what holds");
    assert_eq!(bench.flags, [""; 0]);
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut bench = bench(&tokens(&["a"]), &[]);
    let whole = format!("{}[log]\nlevel = 'trace'\n", tokens(&["a", "b"]));
    for (text, part) in [
        ("[auth", "gridkv.toml:1: not TOML"),
        ("[auth]\ntokens = [1]\n", "gridkv.toml:2: auth.tokens: must be a list"),
        ("[http]\nworkers = 2\nnope = 1\n[auth]\ntokens = []\n", "http.nope: unknown key"),
        (whole.as_str(), "log level: too much"),
    ] {
        let (refused, told) = bench.read(text);
        let refused = refused.unwrap_err();
        assert!(refused.contains(part) && !refused.contains('\n'), "{refused}");
        assert_eq!(told, [""; 0], "{text}");
    }
    assert_eq!(
        bench.read(&tokens(&["a"])),
        (Ok(vec![]), vec!["a".into(), "info".into(), "workers = 0".into()])
    );
}

#[test]
fn who_is_asked_is_asked_until_a_restart() {
    let mut asked = bench(&tokens(&["a"]), &["--insecure-expose-without-auth"]);
    let (refused, told) = asked.read("");
    assert!(
        refused.unwrap_err().starts_with("it has no tokens, so that everybody could do everything")
    );
    assert_eq!(told, [""; 0]);
    let mut open = bench("", &[]);
    let (waiting, told) = open.read(&tokens(&["a"]));
    assert_eq!(
        (waiting, told[0].as_str()),
        (Ok(vec![]), "a"),
        "the other way round there is no danger"
    );
}

#[test]
fn another_file_of_tokens_is_noticed_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens.toml");
    let put = |name: &str| {
        let new = dir.path().join("new");
        fs::write(&new, tokens(&[name]).replace("[auth]\n", "")).unwrap();
        fs::set_permissions(&new, Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, &path).unwrap();
    };
    put("one");
    let text = format!("[auth]\ntokens_file = '{}'\n", path.display());
    let load = move || Trial::default().file(&text).load();
    let mut reloader = Reloader::new(load.clone(), load().unwrap(), |_| {});
    let mut news = || reloader.has_other_tokens();
    assert!(!news());
    put("two");
    assert_eq!((news(), news()), (true, false));
    fs::remove_file(&path).unwrap();
    assert!(!news(), "it may come back");
    put("two");
    assert_eq!((news(), news()), (true, false));
    put("three");
    reloader.reload();
    assert!(!reloader.has_other_tokens(), "it was read");
}
