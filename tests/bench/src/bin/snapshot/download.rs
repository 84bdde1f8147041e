//! A snapshot on its way into a file.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use gridkv_bench::figure::bytes;
use gridkv_bench::stopwatch::Stopwatch;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::head::{self, Head};

/// Bytes that are read at once, at most.
const PIECE: usize = 64 * 1_024;

/// What is downloaded, and whereto.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Download<'a> {
    pub(crate) addr: SocketAddr,
    /// What stands behind the path.
    pub(crate) query: &'a str,
    /// The file, which is made anew.
    pub(crate) into: &'a Path,
    /// Bytes per second that are taken, at most.
    pub(crate) pace: Option<f64>,
}

/// What came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Downloaded {
    pub(crate) took: Duration,
    /// Bytes of the file.
    pub(crate) size: u64,
}

impl Download<'_> {
    /// Downloads it.
    pub(crate) async fn run(self) -> io::Result<Downloaded> {
        let begun = Stopwatch::start();
        let mut file = File::create(self.into)?;
        let mut stream = BufReader::with_capacity(PIECE, TcpStream::connect(self.addr).await?);
        let path = format!("/v1/stores/main/snapshot{}", self.query);
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let head = Head::read(&mut stream).await?;
        if head.status != 200 || !head.in_chunks {
            return Err(io::Error::other(format!("a download was answered {}", head.status)));
        }
        let mut size = 0;
        loop {
            let mut left = chunk(&mut stream).await?;
            if left == 0 {
                return Ok(Downloaded { took: begun.elapsed(), size });
            }
            while left > 0 {
                let came = stream.fill_buf().await?;
                let piece = came.get(..came.len().min(left)).unwrap_or_default();
                if piece.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                file.write_all(piece)?;
                let length = piece.len();
                stream.consume(length);
                left -= length;
                size += u64::try_from(length).map_err(io::Error::other)?;
                if let Some(pace) = self.pace {
                    let due = Duration::from_secs_f64(bytes(size) / pace);
                    tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
                }
            }
            head::line(&mut stream).await?;
        }
    }
}

/// The size of the chunk that comes next; 0 after the last one.
async fn chunk(stream: &mut BufReader<TcpStream>) -> io::Result<usize> {
    usize::from_str_radix(&head::line(stream).await?, 16).map_err(io::Error::other)
}
