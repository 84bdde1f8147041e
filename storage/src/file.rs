//! The `file` backend: a map in memory, and an image of it on disk every persist interval.
//!
//! An image is a stream of checksummed frames, written beside the old one, brought to the disk, and
//! renamed over it: a power cut leaves the old image or the new one, never a mixture. Writes go on
//! while an image is written: the walk is not a point in time, but the frontier in the image was taken
//! before it, and every record that it covers is in the image.

use std::fs;
use std::io::{self, Write as _};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gridkv_protocol::page::PageCursor;
use gridkv_protocol::{Frontier, Hlc, Key, Record};

use crate::backend::{
    Backend, BackendError, Commit, CommitError, Footprint, Promises, Recovered, Walk,
};
use crate::durability::Durability;
use crate::image::{self, ImageError, ImageWriter};
use crate::map::{RecordMap, WALK_CHUNK};
use crate::registry::{OpenError, OpenRequest};

const IMAGE: &str = "image";
const UNFINISHED: &str = "image.tmp";

/// Records in memory, with an image on disk.
struct File {
    map: RecordMap,
    dir: PathBuf,
    image_bytes: AtomicU64,
    /// Held while an image is written: two writers would share one temporary file.
    writing: Mutex<()>,
}

/// Opens the store of `request.dir`, and reads its image.
///
/// # Errors
/// [`OpenError`] without a directory, or when the directory can not be read. A damaged image is no
/// error: it is put aside under another name, and the store starts empty and is filled by its peers.
pub(crate) fn open(request: &OpenRequest) -> Result<(Arc<dyn Backend>, Recovered), OpenError> {
    let store = request.store.clone();
    let dir = request.dir.clone().ok_or(OpenError::NeedsDirectory { store: store.clone() })?;
    File::open(dir)
        .map(|(file, recovered)| (Arc::new(file) as Arc<dyn Backend>, recovered))
        .map_err(|source| OpenError::Backend { store, source })
}

impl File {
    fn open(dir: PathBuf) -> Result<(Self, Recovered), BackendError> {
        fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
        sync_parent(&dir)?;
        remove_if_there(&dir.join(UNFINISHED))?;
        let mut file = Self {
            map: RecordMap::default(),
            image_bytes: AtomicU64::new(0),
            writing: Mutex::new(()),
            dir,
        };
        let path = file.dir.join(IMAGE);
        let recovered = match file.load(&path) {
            Ok(recovered) => recovered,
            Err(ImageError::Io(source)) if source.kind() == io::ErrorKind::NotFound => {
                Recovered::default()
            }
            Err(ImageError::Io(source)) => return Err(io_error("read", &path)(source)),
            Err(ImageError::Foreign(version)) => {
                return Err(BackendError::Foreign { path: path.display().to_string(), version });
            }
            Err(damage) => file.quarantine(&path, &damage)?,
        };
        Ok((file, recovered))
    }

    fn load(&mut self, path: &Path) -> Result<Recovered, ImageError> {
        let mut reader = image::ImageReader::open(path)?;
        while let Some(records) = reader.next_block()? {
            for keyed in &records {
                self.map.put(&keyed.key, &keyed.record).map_err(|_| ImageError::Damaged)?;
            }
        }
        self.image_bytes.store(reader.bytes_read(), Ordering::Relaxed);
        let (frontier, floor) = reader.into_header();
        Ok(Recovered { frontier, floor, ..Recovered::default() })
    }

    /// Puts a damaged image aside, never deletes it, and starts empty: peers have what it had.
    fn quarantine(&mut self, path: &Path, damage: &ImageError) -> Result<Recovered, BackendError> {
        let aside = (0..1_000)
            .map(|n| self.dir.join(format!("{IMAGE}.damaged-{n}")))
            .find(|aside| matches!(aside.try_exists(), Ok(false)))
            .ok_or_else(|| io_error("put aside", path)(io::ErrorKind::AlreadyExists.into()))?;
        fs::rename(path, &aside).map_err(io_error("put aside", path))?;
        sync_dir(&self.dir)?;
        self.map = RecordMap::default();
        let warning = format!(
            "{} is damaged ({damage}) and was renamed to {}; the store starts empty and is filled by its peers",
            path.display(),
            aside.display()
        );
        Ok(Recovered { warnings: vec![warning], ..Recovered::default() })
    }

    fn write_image(&self, frontier: &Frontier, floor: Hlc) -> Result<u64, BackendError> {
        let unfinished = self.dir.join(UNFINISHED);
        let failed = io_error("write", &unfinished);
        let file = fs::File::create(&unfinished).map_err(&failed)?;
        let mut out = io::BufWriter::with_capacity(1 << 18, file);
        let mut writer =
            ImageWriter::start(&mut out, frontier, floor).map_err(image_error(&unfinished))?;
        let mut from: Option<Key> = None;
        loop {
            let bound = from.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_str()));
            let walk = self.map.list(bound, WALK_CHUNK)?;
            writer.block(&walk.records).map_err(image_error(&unfinished))?;
            from = walk.next;
            if from.is_none() {
                break;
            }
        }
        let bytes = writer.finish().map_err(image_error(&unfinished))?;
        out.flush().map_err(&failed)?;
        out.get_ref().sync_all().map_err(&failed)?;
        drop(out);
        let path = self.dir.join(IMAGE);
        fs::rename(&unfinished, &path).map_err(io_error("rename to", &path))?;
        sync_dir(&self.dir)?;
        Ok(bytes)
    }
}

impl Backend for File {
    fn promises(&self) -> Promises {
        // What is acknowledged is in memory until the next image; a journal will change that.
        Promises {
            persistent: true,
            cache: false,
            hot_tier: false,
            durability: Durability::Memory,
            best: Durability::Memory,
        }
    }

    fn get(&self, key: &str) -> Result<Option<Record>, BackendError> {
        Ok(self.map.get(key))
    }

    fn put_batch(&self, commit: &Commit<'_>) -> Result<Durability, CommitError> {
        self.map.put_all(commit.records).map_err(CommitError::Unknown)?;
        Ok(Durability::Memory)
    }

    fn page(
        &self,
        after: Option<&PageCursor>,
        limit: usize,
    ) -> Result<Walk<PageCursor>, BackendError> {
        self.map.page(after, limit)
    }

    fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError> {
        self.map.list(from, limit)
    }

    fn flush(&self, frontier: &Frontier, floor: Hlc) -> Result<(), BackendError> {
        let _one_at_a_time = self.writing.lock().map_err(|_| BackendError::Poisoned)?;
        let bytes = self.write_image(frontier, floor)?;
        self.image_bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn footprint(&self) -> Footprint {
        Footprint {
            disk_bytes: Some(self.image_bytes.load(Ordering::Relaxed)),
            structure_bytes: self.map.structure_bytes(),
            ..Footprint::default()
        }
    }
}

fn io_error<'a>(verb: &'a str, path: &'a Path) -> impl Fn(io::Error) -> BackendError + 'a {
    move |source| BackendError::Io { doing: format!("can not {verb} {}", path.display()), source }
}

fn image_error(path: &Path) -> impl Fn(ImageError) -> BackendError + '_ {
    move |error| {
        if let ImageError::Io(source) = error {
            io_error("write", path)(source)
        } else {
            BackendError::Encode(error.to_string())
        }
    }
}

fn remove_if_there(path: &Path) -> Result<(), BackendError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn sync_dir(dir: &Path) -> Result<(), BackendError> {
    fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))
}

fn sync_parent(dir: &Path) -> Result<(), BackendError> {
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "file_test.rs"]
mod tests;
