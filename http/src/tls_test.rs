//! A connection inside TLS against a client that does not take its answer, some of which waits in this process.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::connection::{Connection, Patience};
use crate::progress::Closing;

/// Longer than any deadline here, shorter than anybody's patience with a test.
const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(60);
const PATIENCE: Patience =
    Patience { head: LONG, keep_alive: LONG, write: LONG, linger: LONG, half_closed: LONG };

/// Runs `test` with a connection whose answers have so much time, and the client's end of it.
fn with_connection<F: Future<Output = ()>>(
    write: Duration,
    test: impl FnOnce(Connection, TlsStream<TcpStream>) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let own = own.self_signed(&key).unwrap().der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(own.clone()).unwrap();
        let tls = HttpTls::new(vec![own], PrivatePkcs8KeyDer::from(key.serialize_der()).into());
        let client = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let (tls, connector) = (tls.unwrap(), TlsConnector::from(Arc::new(client)));
        let name = ServerName::try_from("localhost").unwrap();
        let (socket, client) = tokio::join!(tls.accept(accepted), connector.connect(name, stream));
        let patience = Patience { write, ..PATIENCE };
        let connection = Connection::new(socket.unwrap(), patience, Arc::new(Closing::default()));
        timeout(LONG, test(connection, client.unwrap())).await.expect("the test hangs");
    });
}

/// Writes until the client would have to take something.
async fn fill(connection: &mut Connection) -> usize {
    let (bytes, mut taken) = (vec![0; 1 << 16], 0);
    while let Ok(count) = timeout(SHORT, connection.write(&bytes)).await {
        taken += count.unwrap();
    }
    taken
}

#[test]
fn what_waits_within_tls_has_the_deadline_of_an_answer() {
    with_connection(SHORT * 4, |mut connection, client| async move {
        fill(&mut connection).await;
        let flushed = connection.flush().await.map_err(|error| error.kind());
        assert_eq!(flushed, Err(io::ErrorKind::TimedOut));
        drop(client);
    });
}

#[test]
fn nothing_more_is_read_while_an_answer_waits_within_tls() {
    with_connection(LONG, |mut connection, mut client| async move {
        let taken = fill(&mut connection).await;
        client.write_all(b"GET").await.unwrap();
        client.flush().await.unwrap();
        connection.progress().begin();
        assert!(!connection.progress().end(false));
        let mut bytes = [0; 8];
        assert!(timeout(SHORT, connection.read(&mut bytes)).await.is_err(), "it waits as well");
        let all = tokio::spawn(async move {
            let mut answer = vec![0; taken];
            client.read_exact(&mut answer).await.unwrap();
            client
        });
        connection.flush().await.unwrap();
        let client = all.await.unwrap();
        connection.write_all(b"x").await.unwrap();
        connection.flush().await.unwrap();
        assert_eq!(connection.read(&mut bytes).await.unwrap(), 3);
        drop(client);
    });
}
