//! Bad clients: so many at a time, on a thread of their own. Each comes again once it was let go, until all leave.
//!
//! The thread runs only when nobody else wants to: elsewhere bad clients have machines of their own, and what they take
//! of this one is no cost of the node.

use std::error::Error;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::future::{Either, select, try_join_all};
use gridkv_bench::stopwatch::Stopwatch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::plight::{Habit, Manner, Plight};

/// A request that is whole.
const WHOLE: &[u8] = b"GET /livez HTTP/1.1\r\nHost: bench\r\n\r\n";
/// Of a client that does not read: so much less waits in the system, and so much sooner the node is stuck.
const SMALL_BUFFER: u32 = 16 * 1_024;
/// Between two tries of a client that asks and asks.
const PAUSE: Duration = Duration::from_millis(20);

/// What is to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) addr: SocketAddr,
    pub(crate) plight: Plight,
    /// Clients at a time.
    pub(crate) count: usize,
    /// They come one after the other, within this time.
    pub(crate) within: Duration,
    /// How long the last ones wait for their end.
    pub(crate) patience: Duration,
}

/// Bad clients that go on until they are told to leave.
#[derive(Debug)]
pub(crate) struct Crowd {
    state: Arc<State>,
    thread: JoinHandle<io::Result<Toll>>,
}

#[derive(Debug, Default)]
struct State {
    leaving: AtomicBool,
    there: AtomicUsize,
}

/// What became of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Toll {
    /// Connections that were made.
    pub(crate) came: usize,
    /// For each that the node ended, how long that took.
    pub(crate) let_go: Vec<Duration>,
}

impl Crowd {
    pub(crate) fn start(order: Order) -> Self {
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            give_way()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let clients = (0..order.count).map(|number| order.client(number, &shared));
            let mut all = Toll::default();
            for Toll { came, let_go } in runtime.block_on(try_join_all(clients))? {
                all.came += came;
                all.let_go.extend(let_go);
            }
            Ok(all)
        });
        Self { state, thread }
    }

    /// Whether so many have come at least once, or one could not.
    pub(crate) fn is_there(&self, count: usize) -> bool {
        self.state.there.load(Ordering::Relaxed) == count || self.thread.is_finished()
    }

    /// Nobody comes any more. Waits for the end of those that are there.
    ///
    /// # Errors
    /// When one could not come.
    pub(crate) fn leave(self) -> Result<Toll, Box<dyn Error>> {
        self.state.leaving.store(true, Ordering::Relaxed);
        Ok(self.thread.join().map_err(|_| "the bad clients panicked")??)
    }
}

impl Order {
    async fn client(self, number: usize, state: &State) -> io::Result<Toll> {
        let Self { addr, plight, count, within, patience } = self;
        let manner = plight.manner(number);
        let (place, count) = (u32::try_from(number), u32::try_from(count));
        sleep(within * place.unwrap_or(u32::MAX) / count.unwrap_or(u32::MAX).max(1)).await;
        let mut toll = Toll::default();
        while !state.leaving.load(Ordering::Relaxed) {
            let mut stream = manner.come(addr).await?;
            if toll.came == 0 {
                state.there.fetch_add(1, Ordering::Relaxed);
            }
            toll.came += 1;
            let begun = Stopwatch::start();
            match timeout(patience, manner.go_on(&mut stream)).await {
                Ok(()) => toll.let_go.push(begun.elapsed()),
                Err(_) => return Ok(toll), // one that is kept does not come again
            }
        }
        Ok(toll)
    }
}

impl Manner {
    /// Connects and says what it has to say, up to where the node's deadline begins.
    async fn come(self, addr: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if matches!(self.habit, Habit::Asks) {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
            socket.set_send_buffer_size(SMALL_BUFFER)?;
        }
        let mut stream = socket.connect(addr).await?;
        stream.set_nodelay(true)?;
        if self.asks_first {
            stream.write_all(WHOLE).await?;
            // The answer is small, and comes as a whole.
            if stream.read(&mut [0; 4_096]).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        stream.write_all(self.says.as_bytes()).await?;
        Ok(stream)
    }

    /// Goes on as is its habit until the node ends the connection.
    async fn go_on(self, stream: &mut TcpStream) {
        match self.habit {
            Habit::StandsStill => end(stream).await,
            Habit::Drips(pause) => {
                let (mut reads, mut writes) = stream.split();
                let drips = async {
                    loop {
                        sleep(pause).await;
                        if writes.write_all(b"x").await.is_err() {
                            return;
                        }
                    }
                };
                match select(Box::pin(end(&mut reads)), Box::pin(drips)).await {
                    Either::Left(_) | Either::Right(_) => {}
                }
            }
            Habit::Asks => self.ask(stream).await,
        }
    }

    /// Nobody who does not read sees the end; who still writes does.
    async fn ask(self, stream: &mut TcpStream) {
        let says = self.says.as_bytes();
        let mut said = says.len();
        loop {
            // A request that was cut goes on where it was cut.
            let rest = says.get(said..).filter(|rest| !rest.is_empty()).unwrap_or(says);
            match stream.try_write(rest) {
                Ok(count) => said = says.len() - rest.len() + count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(PAUSE).await,
                Err(_) => return,
            }
        }
    }
}

/// This thread runs when nobody else wants to (`SCHED_IDLE`). A thread that is only nice keeps others waiting until its
/// slice of some milliseconds ends.
fn give_way() -> io::Result<()> {
    let path = fs::read_link("/proc/thread-self")?; // .../task/THREAD
    let thread = path.file_name().ok_or(io::ErrorKind::NotFound)?;
    let given = Command::new("chrt").args(["--idle", "--pid", "0"]).arg(thread).status()?;
    if given.success() {
        Ok(())
    } else {
        Err(io::Error::other("chrt: there is no idle class here"))
    }
}

/// Waits for the node's end of a connection, whatever it says before.
async fn end(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut bytes = [0; 1_024];
    while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
}
