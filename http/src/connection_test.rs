//! A connection against its deadlines: heads, answers that nobody reads, and the end of the server.

use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use super::*;

const PATIENCE: Patience = Patience {
    head: Duration::from_millis(60),
    keep_alive: Duration::from_millis(60),
    write: Duration::from_millis(60),
    linger: Duration::from_millis(60),
    half_closed: Duration::from_millis(60),
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
        let connection = Connection::new(Socket::Plain(stream), PATIENCE, Arc::clone(&closing));
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
fn between_requests_a_connection_rests_so_long_and_no_longer() {
    with_connection(|mut connection, mut client, _| async move {
        for _ in 0..2 {
            client.write_all(b"GET").await.unwrap();
            assert_eq!(read(&mut connection).await, 3);
            connection.progress().begin();
            connection.progress().end(false);
            connection.write_all(b"ans").await.unwrap();
            connection.write_all(b"wer").await.unwrap();
        }
        let started = Instant::now();
        assert_eq!(read(&mut connection).await, 0);
        assert!(started.elapsed() >= PATIENCE.keep_alive / 2);
        drop(connection);
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"answeranswer", "the end of a rest has no words");
    });
}

#[test]
fn who_was_given_much_lets_others_have_their_turn() {
    with_connection(|mut connection, mut client, _| async move {
        connection.turn = TURN_BYTES;
        let write = |connection: &mut Connection, cx: &mut Context<'_>| {
            Pin::new(connection).poll_write(cx, b"x").is_pending()
        };
        let waits = poll_fn(|cx| Poll::Ready(write(&mut connection, cx))).await;
        assert!(waits && !connection.written && !connection.write.is_set());
        connection.write_all(b"x").await.unwrap();
        assert!(connection.written);
        assert_eq!((connection.turn, client.read(&mut [0; 2]).await.unwrap()), (1, 1));
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

/// Reads until nothing more is given, and says how much was.
async fn read_out(connection: &mut Connection) -> usize {
    let (mut taken, mut bytes) = (0, [0; 4_096]);
    while let Ok(count) = timeout(PATIENCE.head, connection.read(&mut bytes)).await {
        match count.unwrap() {
            0 => break,
            some => taken += some,
        }
    }
    taken
}

#[test]
fn what_follows_a_request_is_read_ahead_of_its_answer_up_to_a_limit() {
    const SENT: usize = 1 << 20;
    with_connection(|mut connection, client, _| async move {
        let (_reads, mut writes) = client.into_split();
        tokio::spawn(async move { writes.write_all(&vec![b'x'; SENT]).await });
        assert!(read(&mut connection).await > 0);
        let progress = connection.progress();
        progress.begin();
        let ahead = read_out(&mut connection).await;
        assert!((1..64 << 10).contains(&ahead), "{ahead} bytes wait in the process");
        progress.await_body(true);
        let body = read_out(&mut connection).await;
        progress.await_body(false);
        assert!(body > SENT / 2, "{body} bytes of a body that is waited for");
        assert!(!progress.end(false));
        connection.write_all(b"answer").await.unwrap();
    });
}

#[test]
fn a_client_that_does_not_read_is_not_read_either() {
    with_connection(|mut connection, mut client, _| async move {
        connection.patience.write = LONG;
        client.write_all(b"GET").await.unwrap();
        assert_eq!(read(&mut connection).await, 3);
        let progress = connection.progress();
        progress.begin();
        assert!(!progress.end(false));
        let bytes = vec![0; 1 << 20];
        while timeout(PATIENCE.write, connection.write(&bytes)).await.is_ok() {}
        client.write_all(b"GET").await.unwrap();
        let Socket::Plain(stream) = &connection.stream else { panic!("it is not inside TLS") };
        stream.readable().await.unwrap();
        let next = timeout(PATIENCE.head * 2, read(&mut connection)).await;
        assert!(next.is_err(), "it is left where it is, and not timed as a head");
        tokio::spawn(async move { while client.read(&mut [0; 4_096]).await.is_ok() {} });
        assert_eq!(connection.write(b"x").await.unwrap(), 1);
        assert_eq!(read(&mut connection).await, 3, "it is read once the answers were taken");
    });
}

#[test]
fn what_comes_behind_a_stream_is_thrown_away() {
    with_connection(|mut connection, mut client, _| async move {
        client.write_all(b"GET").await.unwrap();
        assert_eq!(read(&mut connection).await, 3);
        connection.progress().begin();
        connection.progress.course.enter(Phase::Streaming);
        client.write_all(b"GET").await.unwrap();
        assert_eq!(read_out(&mut connection).await, 0, "it is no request");
        drop(client);
        assert!(connection.read(&mut [0; 8]).await.is_err(), "and its end is seen");
    });
}

#[test]
fn who_waits_for_something_to_happen_is_not_kept_for_a_client_that_is_gone() {
    with_connection(|mut connection, mut client, _| async move {
        client.write_all(b"GET").await.unwrap();
        assert_eq!(read(&mut connection).await, 3);
        connection.progress().begin();
        connection.progress.course.enter(Phase::Waiting);
        client.shutdown().await.unwrap();
        let started = Instant::now();
        assert!(connection.read(&mut [0; 8]).await.is_err());
        assert!(started.elapsed() >= PATIENCE.half_closed, "what comes soon is still answered");
    });
}

#[test]
fn that_a_client_has_said_all_is_heard_when_nothing_is_left_to_look_at() {
    with_connection(|mut connection, mut client, _| async move {
        client.write_all(b"PUT").await.unwrap();
        assert_eq!(read(&mut connection).await, 3);
        let progress = connection.progress();
        progress.begin();
        client.write_all(b"body").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(read(&mut connection).await, 4);
        for _ in 0..2 {
            let end = timeout(PATIENCE.head, read(&mut connection)).await;
            assert!(end.is_err(), "the body is not waited for: it may be behind what was read");
        }
        let (end, ()) = tokio::join!(read(&mut connection), async { progress.await_body(true) });
        assert_eq!(end, 0, "and what waits for the end is woken");
        progress.await_body(false);
        assert!(timeout(PATIENCE.head, read(&mut connection)).await.is_err());
        let (end, _) = tokio::join!(read(&mut connection), async { progress.end(false) });
        assert_eq!(end, 0, "so does the end of the request");
    });
}
