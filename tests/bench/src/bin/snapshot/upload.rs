//! A file on its way into a store, whole or with one bit flipped.

use std::convert::Infallible;
use std::fs::File;
use std::future::pending;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use gridkv_bench::stopwatch::Stopwatch;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use crate::head::Head;

/// Bytes that are sent at once.
const PIECE: usize = 64 * 1_024;
/// The bit that is flipped.
const BIT: u8 = 0x04;

/// What a restore does with the keys that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Merge,
    Replace,
}

/// What is sent, and whereto.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upload<'a> {
    pub(crate) addr: SocketAddr,
    pub(crate) mode: Mode,
    pub(crate) from: &'a Path,
    /// The byte that is sent with a bit flipped.
    pub(crate) flipped: Option<u64>,
}

/// What the node said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) said: Value,
    /// From connecting until it was read.
    pub(crate) took: Duration,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Replace => "replace",
        }
    }
}

impl Upload<'_> {
    /// Sends it until the node answers, which it may do before it has all.
    pub(crate) async fn run(self) -> io::Result<Answer> {
        let begun = Stopwatch::start();
        let (incoming, outgoing) = TcpStream::connect(self.addr).await?.into_split();
        let mut incoming = BufReader::new(incoming);
        let sending = pin!(async {
            // Whether and why the node took no more is in its answer. What is dropped would be shut.
            let _open = self.send(outgoing).await;
            pending::<Infallible>().await
        });
        let answer = pin!(async {
            let head = Head::read(&mut incoming).await?;
            let mut body = vec![0; head.body_bytes];
            incoming.read_exact(&mut body).await?;
            Ok::<_, io::Error>((head.status, body))
        });
        let (status, body) = match select(answer, sending).await {
            Either::Left((answer, _)) => answer?,
            Either::Right((never, _)) => match never {},
        };
        Ok(Answer { status, said: serde_json::from_slice(&body)?, took: begun.elapsed() })
    }

    async fn send(self, mut stream: OwnedWriteHalf) -> io::Result<OwnedWriteHalf> {
        let mut file = File::open(self.from)?;
        let size = file.metadata()?.len();
        let path = format!("/v1/stores/main/snapshot?mode={}", self.mode.name());
        let head = format!("PUT {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {size}\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let (mut piece, mut sent) = (vec![0; PIECE], 0);
        loop {
            let length = file.read(&mut piece)?;
            let here = self.flipped.and_then(|byte| usize::try_from(byte.checked_sub(sent)?).ok());
            let Some(piece) = piece.get_mut(..length).filter(|piece| !piece.is_empty()) else {
                return Ok(stream);
            };
            if let Some(byte) = here.and_then(|here| piece.get_mut(here)) {
                *byte ^= BIT;
            }
            stream.write_all(piece).await?;
            sent += u64::try_from(length).map_err(io::Error::other)?;
        }
    }
}
