//! The server that a node is held against: the same paths, and nothing behind them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use gridkv_bench::workload::VALUE_BYTES;

const BODY: [u8; VALUE_BYTES] = [b'x'; VALUE_BYTES];

/// Serves until the process ends.
pub(crate) fn serve(workers: usize) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    let app = || {
        let key = web::resource("/v1/kv/{store}/{key}");
        App::new().service(key.get(get).put(put))
    };
    let server = HttpServer::new(app).workers(workers).tcp_nodelay(true).disable_signals();
    drop(actix_rt::spawn(server.listen(listener)?.run()));
    Ok(addr)
}

async fn get() -> HttpResponse {
    HttpResponse::Ok().content_type("application/octet-stream").body(Bytes::from_static(&BODY))
}

async fn put(body: Bytes) -> HttpResponse {
    match body.len() {
        VALUE_BYTES => HttpResponse::NoContent().finish(),
        _ => HttpResponse::BadRequest().finish(),
    }
}
