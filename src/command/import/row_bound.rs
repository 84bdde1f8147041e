//! A bound for the rows of a file: what reads rows keeps one whole, and a quote that is never closed makes one of the
//! rest of the file.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// How much was read since a row was whole. Both ends count on it.
#[derive(Clone, Debug, Default)]
pub(super) struct RowBound(Rc<Cell<u64>>);

/// Reads as long as the rows end.
pub(super) struct Bounded {
    from: Box<dyn Read>,
    bound: RowBound,
    most: u64,
}

impl RowBound {
    /// What is read within this bound.
    pub(super) fn around(&self, from: Box<dyn Read>, most: u64) -> Bounded {
        Bounded { from, bound: self.clone(), most }
    }

    /// A row came to its end.
    pub(super) fn begin_anew(&self) {
        self.0.set(0);
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bound.0.get() > self.most {
            let why = format!(
                "a row has more than {} bytes: is there a quote that is not closed?",
                self.most
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let read = self.from.read(buffer)?;
        self.bound.0.set(self.bound.0.get().saturating_add(read as u64));
        Ok(read)
    }
}
