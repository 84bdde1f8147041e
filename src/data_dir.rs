//! The data directory of a node that may be another one than it was.
//!
//! Why it exists: a relative `data_dir` of a configuration file is taken from the directory of that file. It used to be
//! taken from where the node was started, and a node that looks in another place than before starts empty, under a new
//! identity. It refuses to guess which is meant, and moves nothing.

use std::path::{Path, PathBuf, absolute};

use gridkv_actors::identity;

use crate::config::Loaded;

/// Says so in the log when nothing is in the data directory and a node is where it would be from `here`, the directory in
/// which this one was started.
pub(crate) fn warn_of_another(loaded: &Loaded, here: &Path) {
    if let Some((taken, other)) = another(loaded, here) {
        tracing::warn!(
            data_dir = %taken.display(),
            other = %other.display(),
            "the node starts empty: there is nothing in data_dir, which is taken from the directory of the configuration \
             file; there is a node's data in the other place, where it would be from the directory that this one was \
             started in. To go on with that, stop the node and move the other directory there, or name it by --data-dir"
        );
    }
}

/// The empty place that is taken, and another one that is not.
fn another(loaded: &Loaded, here: &Path) -> Option<(PathBuf, PathBuf)> {
    let (taken, other) = loaded.data_dir_from(here)?;
    let is_another = !identity::is_in(taken) && identity::is_in(&other);
    let whole = |path: &Path| absolute(path).unwrap_or_else(|_| path.to_owned());
    is_another.then(|| (whole(taken), whole(&other)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::trial_test::Trial;

    /// A directory in which a node was, as far as it shows.
    fn was_in(dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("node"), "").unwrap();
    }

    #[test]
    fn a_node_that_looks_beside_its_file_tells_of_one_where_it_was_started() {
        let here = tempfile::tempdir().unwrap();
        let other = here.path().join("kept");
        let file = "[node]\ndata_dir = 'kept'\n";
        let loaded = |text: &str| Trial::default().file(text).load().unwrap();
        assert_eq!(another(&loaded(file), here.path()), None, "nothing is anywhere");
        was_in(&other);
        let relative = loaded(file);
        let (taken, found) = another(&relative, here.path()).unwrap();
        assert_eq!(found, other);
        assert_eq!(Some(&taken), relative.config.node.data_dir.as_ref());
        was_in(&taken);
        assert_eq!(another(&relative, here.path()), None, "both: the one beside the file holds");
        fs::remove_dir_all(taken.parent().unwrap()).unwrap();
    }

    #[test]
    fn only_a_relative_one_of_a_file_may_be_meant_otherwise() {
        let here = tempfile::tempdir().unwrap();
        was_in(&here.path().join("kept"));
        let file = || Trial::default().file("[node]\ndata_dir = 'kept'\n");
        let whole = here.path().join("nothing").display().to_string();
        for loaded in [
            file().variable("GRIDKV_NODE__DATA_DIR", "elsewhere").load(),
            file().typed(&["--data-dir", "elsewhere"]).load(),
            Trial::default().file(&format!("[node]\ndata_dir = '{whole}'\n")).load(),
            Trial::default().file("[node]\ndata_dir = ''\n[stores.a]\nbackend = 'memory'\n").load(),
            Trial::default().load(),
        ] {
            assert_eq!(another(&loaded.unwrap(), here.path()), None);
        }
    }
}
