//! What stands before the text of a file: the mark of UTF-8, which other systems write, is no part of it.

use std::io::{self, Cursor, Read};

/// How texts of UTF-8 begin where somebody marked them.
const UTF8: [u8; 3] = [0xef, 0xbb, 0xbf];
/// How those of UTF-16 do.
const UTF16: [[u8; 2]; 2] = [[0xff, 0xfe], [0xfe, 0xff]];

/// The same without such a mark.
///
/// # Errors
/// When it can not be read, or is UTF-16.
pub(super) fn without_mark(mut from: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut first = Vec::new();
    from.by_ref().take(UTF8.len() as u64).read_to_end(&mut first)?;
    if UTF16.iter().any(|mark| first.starts_with(mark)) {
        let why = "it is UTF-16; make it UTF-8 first: iconv -f UTF-16 -t UTF-8";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    if first == UTF8 {
        first.clear();
    }
    Ok(Box::new(Cursor::new(first).chain(from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &'static [u8]) -> Result<String, String> {
        let mut text = String::new();
        let mut from = without_mark(Box::new(bytes)).map_err(|error| error.to_string())?;
        from.read_to_string(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    #[test]
    fn a_mark_is_no_text() {
        assert_eq!(read(b"\xef\xbb\xbfkey"), Ok("key".to_owned()));
        for text in ["", "k", "key,value"] {
            assert_eq!(read(text.as_bytes()), Ok(text.to_owned()));
        }
        assert!(read(b"\xff\xfek\0").unwrap_err().contains("iconv"));
    }
}
