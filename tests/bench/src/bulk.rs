//! Many puts, or gets, in batches, each connection sending the next batch once the one before was answered.

use std::cell::RefCell;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use futures_util::future::try_join_all;
use serde_json::json;

use crate::connection::Connection;
use crate::workload;

/// Puts in one request.
const BATCH: usize = 500;
/// Batches made at once when more are sent than should be in memory together.
const STRETCH: usize = 100 * BATCH;

/// The bodies of batches that put these keys, each once.
///
/// # Errors
/// None in fact: all of it is JSON.
pub fn bodies(keys: Range<usize>) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let put = |number: usize| {
        let value = String::from_utf8_lossy(&workload::value(number)).into_owned();
        json!({ "op": "put", "key": workload::key(number), "value": value })
    };
    let keys: Vec<usize> = keys.collect();
    let body = |keys: &[usize]| {
        let ops: Vec<_> = keys.iter().map(|number| put(*number)).collect();
        serde_json::to_vec(&json!({ "ops": ops }))
    };
    Ok(keys.chunks(BATCH).map(body).collect::<Result<_, _>>()?)
}

/// Sends batches over so many connections. `query` is what stands behind the path, such as `?acks=2`.
///
/// # Errors
/// When one is not done whole.
pub async fn send(
    addr: SocketAddr,
    bodies: &[Vec<u8>],
    connections: usize,
    query: &str,
) -> io::Result<()> {
    let rest = RefCell::new(bodies.iter());
    let path = format!("/v1/stores/main/batch{query}");
    let senders = (0..connections).map(async |_| {
        let mut connection = Connection::open(addr).await?;
        loop {
            let Some(body) = rest.borrow_mut().next() else { return Ok(()) };
            let answer = connection.post(&path, body, "application/json").await?;
            if answer.status != 200 || !answer.body.starts_with(br#"{"errors":0,"#) {
                return Err(io::Error::other(format!("a batch was answered {}", answer.status)));
            }
        }
    });
    try_join_all(senders).await.map(drop)
}

/// Puts these keys, once each.
///
/// # Errors
/// As for [`send`].
pub async fn fill(addr: SocketAddr, keys: Range<usize>) -> Result<(), Box<dyn Error>> {
    let end = keys.end;
    for first in keys.step_by(STRETCH) {
        let bodies = bodies(first..end.min(first + STRETCH))?;
        send(addr, &bodies, 2, "").await?;
    }
    Ok(())
}

/// Reads these keys, once each.
///
/// # Errors
/// As for [`send`].
pub async fn read(addr: SocketAddr, keys: Range<usize>) -> Result<(), Box<dyn Error>> {
    let get = |number| json!({ "op": "get", "key": workload::key(number) });
    let all: Vec<usize> = keys.collect();
    for keys in all.chunks(STRETCH) {
        let body = |keys: &[usize]| {
            let ops: Vec<_> = keys.iter().copied().map(get).collect();
            serde_json::to_vec(&json!({ "ops": ops }))
        };
        let bodies: Vec<_> = keys.chunks(BATCH).map(body).collect::<Result<_, _>>()?;
        send(addr, &bodies, 2, "").await?;
    }
    Ok(())
}

/// Puts one key more. Its version: who covers it has everything that was put before.
///
/// # Errors
/// When it is refused.
pub async fn seal(addr: SocketAddr) -> io::Result<String> {
    let mut connection = Connection::open(addr).await?;
    let path = format!("/v1/kv/main/{}", workload::key(0));
    let answer = connection.put(&path, &workload::value(0)).await?;
    if !answer.is_success() {
        return Err(io::Error::other(format!("a write was answered {}", answer.status)));
    }
    Ok(answer.version.to_owned())
}
