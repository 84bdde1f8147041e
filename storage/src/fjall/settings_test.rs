//! Settings reach the engine, or are said to stay as they were.

use std::fs;

use super::tests::*;
use super::*;
use crate::settings::Compression;

#[test]
fn sizes_reach_the_engine() {
    let files_of = |memtable: u64, table: u64, journal: u64| {
        let mut disk = Disk::new();
        let lsm = &mut disk.request.settings.lsm;
        (lsm.memtable_bytes, lsm.table_bytes, lsm.journal_bytes) = (memtable, table, journal);
        lsm.level_zero_tables = 2;
        let backend = disk.open();
        disk.fill(&backend, 4_000, 4_000, 200);
        backend.engine.settle();
        let tables = files(&disk.database().join("keyspaces/1/tables"));
        let sizes = tables.iter().map(|path| fs::metadata(path).unwrap().len());
        (sizes.clone().count(), sizes.max().unwrap_or(0))
    };
    let large = files_of(64 << 20, 1 << 20, 512 << 20);
    let small = files_of(64 << 10, 64 << 10, 512 << 20);
    let short = files_of(64 << 20, 1 << 20, 256 << 10);
    assert_eq!(large.0, 0, "nothing was sealed");
    assert!(small.0 > 3 && small.1 < 256 << 10, "{small:?}");
    assert!(short.0 > 0, "a short journal seals memtables early");
}

#[test]
fn compression_and_cache_reach_the_engine() {
    let bytes_with = |compression| {
        let mut disk = Disk::new();
        disk.request.settings.compression = compression;
        let backend = disk.open();
        disk.fill(&backend, 2_000, 2_000, 500);
        backend.engine.settle();
        assert!(backend.footprint().disk_bytes.is_some_and(|bytes| bytes > 0));
        drop(backend);
        drop(disk.comes_back());
        let tables = files(&disk.database().join("keyspaces/1/tables"));
        tables.iter().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>()
    };
    let (plain, small) = (bytes_with(Compression::None), bytes_with(Compression::Lz4));
    assert!(small * 2 < plain, "{small} of {plain}");

    let cached_with = |bytes| {
        let mut disk = Disk::new();
        disk.request.settings.lsm.block_cache_bytes = bytes;
        let backend = disk.open();
        disk.fill(&backend, 2_000, 2_000, 500);
        backend.engine.settle();
        assert_eq!(all(&backend).len(), 2_000);
        backend.engine.cached_bytes()
    };
    let (none, some) = (cached_with(0), cached_with(8 << 20));
    assert!(none < 64 << 10 && some > 500 << 10, "{none} {some}");
}

#[test]
fn settings_that_stay_with_a_database_are_said_when_they_change() {
    let mut disk = Disk::new();
    drop(disk.open());
    disk.request.settings.compression = Compression::Lz4;
    disk.request.settings.lsm.memtable_bytes *= 2;
    let (_, recovered) = disk.try_open().unwrap();
    let [warning] = &recovered.warnings[..] else { panic!("{recovered:?}") };
    assert!(warning.contains("compression None") && warning.contains("compression Lz4"));
}

#[test]
fn the_tables_of_the_engine_are_told() {
    let mut disk = Disk::new();
    let backend = disk.open();
    disk.fill(&backend, 10, 10, 10);
    assert!(backend.rewrite().unwrap());
    let shape = backend.lsm().unwrap();
    assert_eq!((shape.tables.len(), shape.tables.iter().sum::<u64>()), (7, 1), "{shape:?}");
    assert_eq!(shape.sealed_memtables, 0);
    assert!(shape.compactions >= 1, "the one that was asked for");
}
