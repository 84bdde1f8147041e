//! The head of an answer, as much of it as a body of any size needs.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// What it says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Bytes of the body, unless it comes in chunks.
    pub(crate) body_bytes: usize,
    pub(crate) in_chunks: bool,
}

impl Head {
    /// Reads a head, and nothing of the body.
    pub(crate) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Self> {
        let mut head = Self { status: number(line(stream).await?.get(9..12))?, ..Self::default() };
        loop {
            let line = line(stream).await?.to_ascii_lowercase();
            match line.split_once(':') {
                None if line.is_empty() => return Ok(head),
                Some(("content-length", length)) => head.body_bytes = number(Some(length))?,
                Some(("transfer-encoding", _)) => head.in_chunks = true,
                _ => {}
            }
        }
    }
}

/// A line without its end.
pub(crate) async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

fn number<T: std::str::FromStr>(digits: Option<&str>) -> io::Result<T> {
    let number = digits.and_then(|digits| digits.trim().parse().ok());
    number.ok_or_else(|| io::Error::other("a head without a number where one should be"))
}
