//! Damage at rest: one bit of one file is another, or the end of one file is gone.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;

use crate::run_error::RunError;

/// One of so many damages is a truncation.
const TRUNCATIONS: u8 = 4;
/// Of so many places, one may lie in the zeros at a file's end; the others hit what was written.
const ANYWHERE: u8 = 10;
/// What the names of files and directories have that a node put aside: it never reads them again.
const ASIDE: &str = "damaged";

/// Damages one file below a directory, and says how.
///
/// # Errors
/// [`RunError::Io`] when a file can not be read or written; [`RunError::Broken`] when there is none.
pub(crate) fn damage(directory: &Path, dice: &mut Rng) -> Result<String, RunError> {
    let mut files = Vec::new();
    collect(directory, &mut files)?;
    files.sort();
    let file = dice.choice(&files).ok_or_else(|| {
        RunError::Broken(format!("nothing is written below {}", directory.display()))
    })?;
    let mut bytes = fs::read(file).map_err(RunError::io("read", file))?;
    let name = file.strip_prefix(directory).unwrap_or(file).display();
    let whole = bytes.len();
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
    let reach = if dice.u8(..ANYWHERE) == 0 { whole } else { written };
    let place = dice.usize(..reach);
    let how = if dice.u8(..TRUNCATIONS) == 0 {
        bytes.truncate(place);
        format!("{name} cut to {place} of {whole} bytes")
    } else {
        let bit = dice.u8(..8);
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << bit;
        }
        format!("{name} bit {bit} of byte {place} of {whole} flipped")
    };
    fs::write(file, bytes).map_err(RunError::io("write", file))?;
    Ok(how)
}

/// Every file that is not empty and still in use.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), RunError> {
    let cannot = || RunError::io("read", directory);
    for entry in fs::read_dir(directory).map_err(cannot())? {
        let entry = entry.map_err(cannot())?;
        let kind = entry.metadata().map_err(cannot())?;
        if entry.file_name().to_string_lossy().contains(ASIDE) {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), files)?;
        } else if kind.len() > 0 {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::dice;

    #[test]
    fn one_file_is_damaged_and_the_same_one_by_the_same_seed() {
        let how = |seed| {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("deep")).unwrap();
            for name in ["a", "b", "deep/c"] {
                fs::write(dir.path().join(name), [7; 100]).unwrap();
            }
            fs::write(dir.path().join("empty"), []).unwrap();
            fs::write(dir.path().join("a.damaged-0"), [7; 100]).unwrap();
            let how = damage(dir.path(), &mut dice(seed, "damage", 0)).unwrap();
            let names = ["a", "b", "deep/c"];
            let damaged =
                names.iter().filter(|name| fs::read(dir.path().join(name)).unwrap() != [7; 100]);
            assert_eq!(damaged.count(), 1, "{how}");
            how
        };
        let all: Vec<String> = (0..50).map(how).collect();
        assert_eq!(all, (0..50).map(how).collect::<Vec<_>>());
        assert!(
            all.iter().any(|how| how.contains("cut")) && all.iter().any(|how| how.contains("bit"))
        );
    }
}
