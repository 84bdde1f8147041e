use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn store() -> StoreName {
    StoreName::new("main").unwrap()
}

/// A directory of the test's own, in memory; `None` on a machine without.
fn root() -> Option<tempfile::TempDir> {
    let root = tempfile::tempdir_in(ROOT).ok()?;
    MemoryDir::make(root.path(), &store()).ok()?;
    Some(root)
}

#[test]
fn a_directory_is_its_owners_alone_and_goes_with_its_store() {
    let Some(root) = root() else { return };
    let dir = MemoryDir::make(root.path(), &store()).unwrap();
    let path = dir.path().to_owned();
    let found = fs::metadata(&path).unwrap();
    assert!(found.is_dir() && found.permissions().mode() & 0o777 == 0o700);
    fs::write(path.join("file"), "content").unwrap();
    drop(dir);
    assert!(!path.try_exists().unwrap());
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_living_one_stays_and_a_dead_one_goes() {
    let Some(root) = root() else { return };
    let living = MemoryDir::make(root.path(), &store()).unwrap();
    let dead = root.path().join("gridkv-1-0-main");
    fs::create_dir_all(dead.join("deep")).unwrap();
    fs::write(dead.join(LOCK), "").unwrap();
    let other = root.path().join("somebody-elses");
    fs::create_dir(&other).unwrap();
    let second = MemoryDir::make(root.path(), &store()).unwrap();
    assert!(living.path().try_exists().unwrap() && second.path().try_exists().unwrap());
    assert_ne!(living.path(), second.path());
    assert!(!dead.try_exists().unwrap(), "nobody holds its lock");
    assert!(other.try_exists().unwrap());
}

#[test]
fn links_are_not_followed() {
    let Some(root) = root() else { return };
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join(LOCK), "").unwrap();
    fs::write(outside.path().join("precious"), "").unwrap();
    symlink(outside.path(), root.path().join("gridkv-2-0-main")).unwrap();
    // A directory whose lock is a link is not understood, and left alone.
    let odd = root.path().join("gridkv-3-0-main");
    fs::create_dir(&odd).unwrap();
    symlink(outside.path().join(LOCK), odd.join(LOCK)).unwrap();
    drop(MemoryDir::make(root.path(), &store()).unwrap());
    assert!(outside.path().join("precious").try_exists().unwrap());
    assert!(odd.try_exists().unwrap());
}

#[test]
fn a_root_that_is_not_in_memory_is_refused_with_advice() {
    let root = Path::new("/proc");
    let refused = MemoryDir::make(root, &store()).unwrap_err();
    let BackendError::Io { doing, source } = refused else { panic!("{refused}") };
    assert!(doing.contains("/proc") && source.to_string().contains("tmpfs"), "{doing}: {source}");
    let missing = MemoryDir::make(Path::new("/nowhere/at/all"), &store()).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/at/all"));
}
