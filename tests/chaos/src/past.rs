//! Disks as they once were: the directory of a node is copied while its process is gone, and put back later, as a
//! restored virtual machine or a wrong backup does.

use std::fs;
use std::path::{Path, PathBuf};

use gridkv_cluster::Node;
use gridkv_soak::RunError;

/// Where the copy of a node's disk is.
fn copy_of(node: &Node) -> PathBuf {
    node.directory().join("past")
}

/// Keeps the disk of a node that does not run, if none of it was kept.
///
/// # Errors
/// [`RunError::Io`].
pub(crate) fn keep(node: &Node) -> Result<(), RunError> {
    let copy = copy_of(node);
    if is_there(&copy)? { Ok(()) } else { copy_all(&node.data_dir(), &copy) }
}

/// Puts the disk of a node that does not run back to what was kept; whether there was anything.
///
/// # Errors
/// [`RunError::Io`].
pub(crate) fn bring_back(node: &Node) -> Result<bool, RunError> {
    let (copy, data) = (copy_of(node), node.data_dir());
    if !is_there(&copy)? {
        return Ok(false);
    }
    fs::remove_dir_all(&data).map_err(RunError::io("remove", &data))?;
    fs::rename(&copy, &data).map_err(RunError::io("put back", &copy))?;
    Ok(true)
}

/// Drops what was kept: the identity on it is forgotten once its node came back with an empty disk.
///
/// # Errors
/// [`RunError::Io`].
pub(crate) fn drop_copy(node: &Node) -> Result<(), RunError> {
    let copy = copy_of(node);
    if is_there(&copy)? {
        fs::remove_dir_all(&copy).map_err(RunError::io("remove", &copy))?;
    }
    Ok(())
}

fn is_there(path: &Path) -> Result<bool, RunError> {
    path.try_exists().map_err(RunError::io("look for", path))
}

fn copy_all(from: &Path, to: &Path) -> Result<(), RunError> {
    fs::create_dir_all(to).map_err(RunError::io("make", to))?;
    for entry in fs::read_dir(from).map_err(RunError::io("read", from))? {
        let entry = entry.map_err(RunError::io("read", from))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_all(&path, &copy)?;
        } else {
            fs::copy(&path, &copy).map_err(RunError::io("copy", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gridkv_cluster::Cluster;

    use super::*;

    #[test]
    fn the_first_that_was_kept_comes_back_once() {
        let dir = tempfile::tempdir().unwrap();
        let cluster = Cluster::builder("x", dir.path()).nodes(1).build().unwrap();
        let node = cluster.node(1);
        let file = node.data_dir().join("stores/main/journal");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "old").unwrap();
        assert!(!bring_back(node).unwrap());
        keep(node).unwrap();
        fs::write(&file, "new").unwrap();
        keep(node).unwrap();
        fs::write(node.data_dir().join("more"), "").unwrap();
        assert!(bring_back(node).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        assert!(!is_there(&node.data_dir().join("more")).unwrap());
        assert!(!bring_back(node).unwrap());
        keep(node).unwrap();
        drop_copy(node).unwrap();
        drop_copy(node).unwrap();
        assert!(!bring_back(node).unwrap());
    }
}
