//! A connection against its deadlines: heads, answers that nobody reads, and the end of the server.

use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;

const PATIENCE: Patience = Patience {
    head: Duration::from_millis(60),
    write: Duration::from_millis(60),
    linger: Duration::from_millis(60),
};

/// Longer than any deadline here, shorter than anybody's patience with a test.
const LONG: Duration = Duration::from_secs(10);

/// Runs `test` with a connection and the client's end of it.
fn with_connection<F: Future<Output = ()>>(
    test: impl FnOnce(Connection, TcpStream, Arc<Closing>) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let closing = Arc::new(Closing::default());
        let connection = Connection::new(stream, PATIENCE, Arc::clone(&closing));
        timeout(LONG, test(connection, client, closing)).await.expect("the test hangs");
    });
}

async fn read(connection: &mut Connection) -> usize {
    let mut bytes = [0; 64];
    connection.read(&mut bytes).await.unwrap()
}

#[test]
fn a_head_that_drips_is_cut_off() {
    with_connection(|mut connection, mut client, _| async move {
        let started = Instant::now();
        let mut taken = 0;
        loop {
            client.write_all(b"G").await.unwrap();
            match read(&mut connection).await {
                0 => break,
                some => taken += some,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(started.elapsed() >= PATIENCE.head && taken > 1);
        drop(connection);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap_or_default();
        assert!(answer.starts_with(b"HTTP/1.1 408 "));
    });
}

#[test]
fn a_head_that_came_is_not_timed_and_the_next_one_is() {
    with_connection(|mut connection, mut client, _| async move {
        for _ in 0..2 {
            client.write_all(b"GET").await.unwrap();
            assert_eq!(read(&mut connection).await, 3);
            connection.progress().begin();
            let quiet = timeout(PATIENCE.head * 2, read(&mut connection)).await;
            assert!(quiet.is_err(), "a request that is worked on has no head deadline");
            assert!(!connection.progress().end(false));
            connection.write_all(b"answer").await.unwrap();
        }
        client.write_all(b"GET").await.unwrap();
        assert_eq!(read(&mut connection).await, 3);
        assert_eq!(read(&mut connection).await, 0, "the third head never ends");
    });
}

#[test]
fn an_idle_connection_ends_with_the_server_and_a_busy_one_does_not() {
    with_connection(|mut connection, mut client, closing| async move {
        client.write_all(b"GET").await.unwrap();
        assert_eq!(read(&mut connection).await, 3);
        connection.progress().begin();
        closing.say();
        assert!(timeout(PATIENCE.head * 2, read(&mut connection)).await.is_err());
        assert!(connection.progress().end(false), "this answer is the last");
        connection.write_all(b"answer").await.unwrap();
        assert_eq!(read(&mut connection).await, 0);
    });
    with_connection(|mut connection, client, closing| async move {
        let _stays_open = client;
        let (read, ()) = tokio::join!(read(&mut connection), async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            closing.say();
        });
        assert_eq!(read, 0);
    });
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    with_connection(|mut connection, client, _| async move {
        let _stays_open = client;
        let bytes = vec![0; 1 << 20];
        let error = loop {
            let mut connection = Pin::new(&mut connection);
            if let Err(error) = poll_fn(|cx| connection.as_mut().poll_write(cx, &bytes)).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn after_the_last_answer_a_client_is_read_for_a_while_and_told_nothing_more() {
    with_connection(|mut connection, mut client, _| async move {
        client.write_all(b"PUT ").await.unwrap();
        assert_eq!(read(&mut connection).await, 4);
        let progress = connection.progress();
        progress.begin();
        assert!(progress.end(true), "it asked to be the last");
        connection.write_all(b"413").await.unwrap();
        client.write_all(b"rest of a body").await.unwrap();
        while read(&mut connection).await > 0 {}
        drop(connection);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap_or_default();
        assert_eq!(answer, b"413", "no other answer follows");
    });
}
