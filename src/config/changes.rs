//! Two configurations beside each other: what of a new one differs, and the present one with a part of it.

use super::{Loaded, PeerTls, TlsFiles};

impl Loaded {
    /// The keys whose values differ in `new`, in order.
    pub(crate) fn differing(&self, new: &Self) -> Vec<String> {
        let (old, new) = (&self.settings, &new.settings);
        let value = |settings: &super::Settings, key: &str| {
            settings.get(key).map(|setting| setting.value.clone())
        };
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let differing = keys.into_iter().filter(|key| value(old, key) != value(new, key));
        differing.cloned().collect()
    }

    /// This one, with what `new` says of these keys: those of tokens, of the log's level and of the files of
    /// certificates. Whether there are certificates at all stays as it is.
    pub(crate) fn with(&self, new: &Self, keys: &[&str]) -> Self {
        let mut all = self.clone();
        let (old, new_one) = (&self.config, &new.config);
        let http_stays = old.http.tls.is_some() == new_one.http.tls.is_some();
        let peers_stay = old.peers.tls.is_some() == new_one.peers.tls.is_some();
        let is_taken = |key: &&&str| {
            (http_stays || !key.starts_with("http.tls."))
                && (peers_stay || !key.starts_with("peers.tls."))
        };
        for key in keys.iter().filter(is_taken) {
            if let Some(setting) = new.settings.get(*key) {
                all.settings.insert((*key).to_owned(), setting.clone());
            }
        }
        let (old, new) = (&mut all.config, &new.config);
        if keys.contains(&"auth.tokens") {
            old.auth = new.auth.clone();
        }
        if keys.contains(&"log.level") {
            old.log.level = new.log.level.clone();
        }
        if keys.contains(&"http.tls.cert") {
            replace::<TlsFiles>(&mut old.http.tls, new.http.tls.as_ref());
        }
        if keys.contains(&"peers.tls.cert") {
            replace::<PeerTls>(&mut old.peers.tls, new.peers.tls.as_ref());
        }
        all
    }
}

fn replace<T: Clone>(old: &mut Option<T>, new: Option<&T>) {
    if let (Some(old), Some(new)) = (old, new) {
        *old = new.clone();
    }
}

#[cfg(test)]
mod tests {
    use crate::config::trial_test::Trial;

    #[test]
    fn what_differs_is_named_and_only_some_of_it_is_taken() {
        let text = "[log]\nlevel = 'info'\n[http]\nworkers = 1\n[stores.a]\nbackend = 'memory'\n";
        let old = Trial::default().file(text).load().unwrap();
        assert!(old.differing(&old).is_empty());
        let new = text.replace("info", "warn").replace("= 1", "= 2").replace(".a]", ".b]");
        let auth = "[auth]\ntokens = [{ name = 'a', role = 'read', sha256 = '";
        let new = Trial::default().file(&format!("{new}{auth}{}' }}]", "0".repeat(64)));
        let new = new.load().unwrap();
        let differing = old.differing(&new);
        for key in
            ["auth.tokens", "http.workers", "log.level", "stores.a.backend", "stores.b.backend"]
        {
            assert!(differing.iter().any(|known| known == key), "{key}: {differing:?}");
        }
        assert!(!differing.iter().any(|key| key == "log.format"), "{differing:?}");

        let taken = old.with(&new, &["auth.tokens", "auth.tokens_file", "log.level"]);
        assert_eq!(taken.config.auth, new.config.auth);
        assert_eq!(taken.config.log, new.config.log);
        assert_eq!(
            (&taken.config.http, &taken.config.stores),
            (&old.config.http, &old.config.stores)
        );
        let shown = taken.to_toml();
        assert!(shown.contains("level = \"warn\"") && shown.contains("workers = 1"), "{shown}");
        assert!(
            !taken.differing(&new).iter().any(|key| key.starts_with("auth") || key == "log.level")
        );
        assert_eq!(old.with(&new, &[]).to_toml(), old.to_toml());
    }

    #[test]
    fn certificates_are_changed_and_neither_made_nor_taken_away() {
        let text = |cert: &str| format!("[http.tls]\ncert = '/{cert}'\nkey = '/k'\n");
        let load = |text: &str| Trial::default().file(text).load().unwrap();
        let (plain, one, other) = (load(""), load(&text("one")), load(&text("other")));
        let keys = ["http.tls.cert", "http.tls.key"];
        let renewed = one.with(&other, &keys);
        assert_eq!(renewed.config.http.tls, other.config.http.tls);
        assert!(renewed.differing(&other).is_empty());
        for (old, new) in [(&plain, &one), (&one, &plain)] {
            let same = old.with(new, &keys);
            assert_eq!(same.config.http.tls, old.config.http.tls);
            assert_eq!(same.differing(new), keys);
        }
    }
}
