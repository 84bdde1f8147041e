//! The items of one large array in JSON, as they come: none but the present one is kept, and that up to a bound.

use std::io::{self, BufRead as _, BufReader, Read};

/// Where in the array its reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    BeforeTheFirst,
    AfterOne,
    Over,
}

/// The texts of the items. What separates them is looked at here, what they say is not.
pub(super) struct Items {
    from: BufReader<Box<dyn Read>>,
    place: Place,
    longest: usize,
}

/// One item's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// All of it.
    Whole(Vec<u8>),
    /// The beginning of one that is too long; the rest was passed over.
    TooLong(Vec<u8>),
}

/// How deep in an item a byte is.
#[derive(Default)]
struct Depth {
    brackets: usize,
    in_text: bool,
    is_escaped: bool,
}

impl Depth {
    /// Takes one more byte.
    fn take(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.in_text => self.is_escaped = true,
            b'"' => self.in_text = !self.in_text,
            _ if self.in_text => {}
            b'[' | b'{' => self.brackets += 1,
            b']' | b'}' => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
    }

    /// Whether this byte does not belong to the item any more.
    fn ends_at(&self, byte: u8) -> bool {
        self.brackets == 0 && !self.in_text && matches!(byte, b',' | b']')
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl Items {
    pub(super) fn new(from: Box<dyn Read>, longest: usize) -> Self {
        Self { from: BufReader::new(from), place: Place::Before, longest }
    }

    /// The next one; none when the array is over, and nothing follows it.
    ///
    /// # Errors
    /// When the source fails, or is no array.
    pub(super) fn next(&mut self) -> io::Result<Option<Item>> {
        if self.place == Place::Before {
            if self.skip_blanks()? != Some(b'[') {
                return Err(wrong("an array in JSON begins with ["));
            }
            self.from.consume(1);
            self.place = Place::BeforeTheFirst;
        }
        if self.place == Place::Over {
            return Ok(None);
        }
        let byte = self.skip_blanks()?.ok_or_else(|| wrong("the array has no end"))?;
        match (byte, self.place) {
            (b']', _) => {
                self.from.consume(1);
                self.place = Place::Over;
                return match self.skip_blanks()? {
                    None => Ok(None),
                    Some(_) => Err(wrong("something follows the array")),
                };
            }
            (b',', Place::AfterOne) => self.from.consume(1),
            (_, Place::AfterOne) => return Err(wrong("there is no comma between two items")),
            (_, Place::Before | Place::BeforeTheFirst | Place::Over) => {}
        }
        self.skip_blanks()?;
        self.place = Place::AfterOne;
        self.item().map(Some)
    }

    /// Reads one to its end, and no further.
    fn item(&mut self) -> io::Result<Item> {
        let (mut text, mut depth, mut is_long) = (Vec::new(), Depth::default(), false);
        loop {
            let piece = self.from.fill_buf()?;
            if piece.is_empty() {
                return Err(wrong("the array has no end"));
            }
            let mut taken = 0;
            let mut is_over = false;
            for byte in piece {
                if depth.ends_at(*byte) {
                    is_over = true;
                    break;
                }
                depth.take(*byte);
                taken += 1;
            }
            let room = self.longest.saturating_sub(text.len());
            text.extend(piece.iter().take(taken.min(room)));
            is_long |= taken > room;
            self.from.consume(taken);
            if is_over {
                return Ok(if is_long { Item::TooLong(text) } else { Item::Whole(text) });
            }
        }
    }

    /// The next byte that is not blank, which is not taken yet.
    fn skip_blanks(&mut self) -> io::Result<Option<u8>> {
        loop {
            let piece = self.from.fill_buf()?;
            let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            let blanks = piece.iter().take_while(|byte| is_blank(byte)).count();
            let (next, length) = (piece.get(blanks).copied(), piece.len());
            self.from.consume(blanks);
            if next.is_some() || length == 0 {
                return Ok(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Result<Vec<Item>, String> {
        let mut items = Items::new(Box::new(text.as_bytes()), 32);
        let mut all = Vec::new();
        while let Some(item) = items.next().map_err(|error| error.to_string())? {
            all.push(item);
        }
        Ok(all)
    }

    fn whole(texts: &[&str]) -> Vec<Item> {
        texts.iter().map(|text| Item::Whole(text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn items_come_one_by_one() {
        assert_eq!(read(" [ ] \n").unwrap(), whole(&[]));
        let tricky = r#"[{"a":"],}\"["},[1,[2]] ,"x\\", 7]"#;
        assert_eq!(
            read(tricky).unwrap(),
            whole(&[r#"{"a":"],}\"["}"#, "[1,[2]] ", r#""x\\""#, "7"])
        );
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for (text, words) in [
            ("", "begins with ["),
            ("{}", "begins with ["),
            ("[1 , 2", "no end"),
            ("[\"a", "no end"),
            ("[1] 2", "follows"),
            ("[[1][2]]x", "follows"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
        // What stands between two commas is the item's matter.
        assert_eq!(read("[,1]").unwrap(), whole(&["", "1"]));
    }

    #[test]
    fn an_item_that_is_too_long_is_passed_over() {
        let items = read(r#"[{"a":"1111111111111111111111111111111111111111"},2]"#).unwrap();
        assert!(matches!(&items[0], Item::TooLong(text) if text.len() == 32), "{items:?}");
        assert_eq!(items[1], Item::Whole(b"2".to_vec()));
    }

    #[test]
    fn an_item_without_an_end_is_not_kept() {
        let endless = io::repeat(b'x').take(8 << 20);
        let mut items = Items::new(Box::new(io::Cursor::new("[\"").chain(endless)), 32);
        assert_eq!(items.next().unwrap_err().to_string(), "the array has no end");
    }
}
