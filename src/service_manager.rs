//! What the service manager that started the node hears of it: that it is ready, that it lives, that it stops.
//!
//! The protocol is that of systemd, `sd_notify(3)`: lines in a datagram, to the socket that the environment
//! names. Its watchdog is fed from the system that the node runs on, and only while every storage actor turns: a
//! node that hangs is not kept alive by a thread that does nothing else. A manager that does not listen is no
//! reason to end.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::rc::Rc;
use std::time::Duration;

use gridkv_actors::node::NodeHandle;
use gridkv_actors::views::Readiness;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often the node is looked at, or as often as the watchdog is to be fed.
const LOOK: Duration = Duration::from_millis(250);

/// How often the watchdog is fed within its patience.
const FEEDS: u32 = 3;

/// Who started the node, and wants to know.
pub(crate) struct ServiceManager {
    socket: UnixDatagram,
    /// How often it wants to hear that the node lives.
    feed_every: Option<Duration>,
    stopping: Cell<bool>,
}

impl ServiceManager {
    /// Finds it in the environment; `None` where nobody asks to be told.
    ///
    /// # Errors
    /// When it can not be reached.
    pub(crate) fn of(variable: impl Fn(&str) -> Option<OsString>) -> io::Result<Option<Self>> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(&name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_nonblocking(true)?; // what is not taken is said again at the next look
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        // The variables are inherited: they may be about who started this process.
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let patience = number("WATCHDOG_USEC").filter(|us| *us > 0 && is_ours);
        let feed_every = patience.map(|us| Duration::from_micros(us) / FEEDS);
        Ok(Some(Self { socket, feed_every, stopping: Cell::new(false) }))
    }

    /// Tells it of the node from now on, as long as the system runs.
    pub(crate) fn follow(self: &Rc<Self>, node: NodeHandle) {
        let this = Rc::clone(self);
        actix_rt::spawn(async move {
            let mut looks = interval(this.feed_every.map_or(LOOK, |every| every.min(LOOK)));
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let (mut news, mut fed) = (News::default(), None);
            loop {
                let now = looks.tick().await;
                if !this.stopping.get() {
                    news.take(&node.readiness(), |text| this.say(text));
                }
                if this.is_due(now, fed) && node.stuck_actors().is_empty() && this.say("WATCHDOG=1")
                {
                    fed = Some(now);
                }
            }
        });
    }

    /// Tells it that the node ends.
    pub(crate) fn stopping(&self) {
        self.stopping.set(true);
        self.say("STOPPING=1\nSTATUS=stopping");
    }

    fn is_due(&self, now: Instant, fed: Option<Instant>) -> bool {
        self.feed_every.is_some_and(|every| fed.is_none_or(|fed| now.duration_since(fed) >= every))
    }

    /// Whether it took it.
    fn say(&self, text: &str) -> bool {
        self.socket.send(text.as_bytes()).is_ok()
    }
}

/// What was said of the node's state.
#[derive(Default)]
struct News {
    is_ready: bool,
    status: String,
}

impl News {
    /// Says what is new. Ready is said once: after that, the status tells.
    fn take(&mut self, readiness: &Readiness, say: impl Fn(&str) -> bool) {
        let fault = readiness.checks.iter().find(|check| !check.ok);
        let status = match fault {
            None => "ready".to_owned(),
            Some(check) => {
                format!("not ready: {}: {}", check.name, check.detail).replace('\n', " ")
            }
        };
        if readiness.ready && !self.is_ready {
            self.is_ready = say("READY=1");
        }
        if status != self.status && say(&format!("STATUS={status}")) {
            self.status = status;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use gridkv_actors::views::Check;

    use super::*;

    fn readiness(fault: Option<&str>) -> Readiness {
        let check = Check {
            name: "store:main".to_owned(),
            ok: fault.is_none(),
            detail: fault.unwrap_or_default().to_owned(),
        };
        Readiness { ready: fault.is_none(), checks: vec![check] }
    }

    #[test]
    fn ready_is_said_once_and_what_changes_is_said_until_it_is_taken() {
        let (said, is_taken) = (RefCell::new(Vec::new()), Cell::new(true));
        let say = |text: &str| {
            said.borrow_mut().push(text.to_owned());
            is_taken.get()
        };
        let mut news = News::default();
        let mut hear = |fault| {
            news.take(&readiness(fault), say);
            said.take()
        };
        let catching_up = "STATUS=not ready: store:main: catching up  2 of 5";
        assert_eq!(hear(Some("catching up \n2 of 5")), [catching_up], "a line is a line");
        assert_eq!(hear(Some("catching up \n2 of 5")), [""; 0]);
        is_taken.set(false);
        assert_eq!(hear(None), ["READY=1", "STATUS=ready"]);
        is_taken.set(true);
        assert_eq!(hear(None), ["READY=1", "STATUS=ready"]);
        assert_eq!(hear(None), [""; 0]);
        assert_eq!(hear(Some("gone")), ["STATUS=not ready: store:main: gone"]);
        assert_eq!(hear(None), ["STATUS=ready"]);
    }

    /// Somebody asks, and how often it wants to hear that the node lives.
    #[derive(Debug, PartialEq, Eq)]
    struct Asked {
        every: Option<Duration>,
    }

    /// What the environment asks for.
    fn asked(variables: &[(&str, &str)]) -> Option<Asked> {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        ServiceManager::of(find).unwrap().map(|manager| Asked { every: manager.feed_every })
    }

    #[test]
    fn who_asks_is_found_in_the_environment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let _listens = UnixDatagram::bind(&path).unwrap();
        let socket = ("NOTIFY_SOCKET", path.to_str().unwrap());
        let own = std::process::id().to_string();
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[("NOTIFY_SOCKET", "")]), None);
        let asks = |every| Some(Asked { every });
        assert_eq!(asked(&[socket]), asks(None));
        let every = Some(Duration::from_secs(10));
        let usec = ("WATCHDOG_USEC", "30000000");
        assert_eq!(asked(&[socket, usec]), asks(every));
        assert_eq!(asked(&[socket, usec, ("WATCHDOG_PID", &own)]), asks(every));
        assert_eq!(asked(&[socket, usec, ("WATCHDOG_PID", "1")]), asks(None), "it is another's");
        assert_eq!(asked(&[socket, ("WATCHDOG_USEC", "0")]), asks(None));
        let name = format!("gridkv-{own}");
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _listens = UnixDatagram::bind_addr(&address).unwrap();
        assert_eq!(asked(&[("NOTIFY_SOCKET", &format!("@{name}"))]), asks(None));
        assert!(ServiceManager::of(|_| Some("/dev/null/none".into())).is_err());
    }
}
