//! One node: a child process with its ports, its directory, its log, and a promise that it will not outlive us.

use crate::client::{Client, ClientError};
use crate::cluster_error::ClusterError;
use crate::deadline::{Deadline, wait_for, wait_until};
use crate::launch::Launch;
use crate::log;
use crate::port::Address;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How much of a log goes into an error.
const ERROR_TAIL_LINES: usize = 25;
/// One look at `/readyz` takes no longer, so that a process that has exited meanwhile is noticed.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a process that was told to stand still may take to do so.
const STILL: Duration = Duration::from_secs(10);

/// Whether every thread of a process is stopped: the state is what follows the name, which is in brackets.
fn stands_still(pid: u32) -> io::Result<bool> {
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = fs::read_to_string(thread?.path().join("stat"))?;
        let state = stat.rsplit(')').next().unwrap_or_default();
        if !state.trim_start().starts_with('T') {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One node of a cluster. Started, stopped and watched through a shared reference, so that one thread may kill what
/// another is writing to. Dropping it kills the process and waits for its end.
#[derive(Debug)]
pub struct Node {
    launch: Launch,
    process: Mutex<Option<Child>>,
}

impl Node {
    pub(crate) fn new(launch: Launch) -> Self {
        Self { launch, process: Mutex::new(None) }
    }

    #[cfg(test)]
    pub(crate) fn launch(&self) -> &Launch {
        &self.launch
    }

    /// Its name: `n1`, `n2`, ...
    #[must_use]
    pub fn name(&self) -> &str {
        &self.launch.name
    }

    /// Its ports.
    #[must_use]
    pub fn address(&self) -> Address {
        self.launch.address
    }

    /// Its base URL, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        let scheme = if self.launch.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.launch.address.http)
    }

    /// A new client of this node, with the token that its builder was given.
    #[must_use]
    pub fn client(&self) -> Client {
        self.trusted(Client::new(&self.base_url())).bearing(self.launch.token.as_deref())
    }

    fn trusted(&self, client: Client) -> Client {
        match &self.launch.authority {
            Some(authority) => client.trusting(authority),
            None => client,
        }
    }

    /// The directory of its log, its pid file and its data.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.launch.directory
    }

    /// Where it keeps its data.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.launch.directory.join("data")
    }

    /// The file with all that it printed, over all its starts.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.launch.directory.join("log")
    }

    /// The last `lines` lines of its log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        log::tail(&self.log_path(), lines)
    }

    /// The process id, while there is a process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(Child::id)
    }

    /// Starts the process. It is not ready yet: see [`Node::wait_ready`].
    ///
    /// # Errors
    /// [`ClusterError::AlreadyRunning`], or [`ClusterError::Io`] when its files or the process cannot be made.
    pub fn start(&self) -> Result<(), ClusterError> {
        let mut process = self.process();
        if process.is_some() {
            return Err(ClusterError::AlreadyRunning(self.launch.name.clone()));
        }
        let data = self.data_dir();
        fs::create_dir_all(&data)
            .map_err(ClusterError::io(format!("cannot create {}", data.display())))?;
        let mut command = self.launch.command(&self.log_path())?;
        let binary = self.launch.binary.display();
        let child = command.spawn().map_err(ClusterError::io(format!("cannot start {binary}")))?;
        // The child is owned before anything else can fail: from here on it will be reaped.
        let pid = process.insert(child).id();
        let file = self.pid_path();
        fs::write(&file, format!("{pid}\n"))
            .map_err(ClusterError::io(format!("cannot write {}", file.display())))
    }

    /// One look: whether `/readyz` answers 200 now.
    ///
    /// # Errors
    /// [`ClusterError::Exited`] or [`ClusterError::NotRunning`] when there is nothing that could ever become ready.
    pub fn is_ready(&self) -> Result<bool, ClusterError> {
        self.readiness().map(|not_ready| not_ready.is_none())
    }

    /// `None` when ready, else what it says or why it says nothing.
    fn readiness(&self) -> Result<Option<String>, ClusterError> {
        self.must_run()?;
        let probe = self.trusted(Client::with_timeout(&self.base_url(), PROBE_TIMEOUT));
        Ok(match probe.readyz() {
            Ok(reply) if reply.status == 200 => None,
            Ok(reply) => Some(format!("{} {}", reply.status, reply.quoted())),
            Err(ClientError::Transport { source, .. }) => Some(source.to_string()),
            Err(other) => Some(other.to_string()),
        })
    }

    /// Waits until `/readyz` answers 200. A process that exits is noticed at once.
    ///
    /// # Errors
    /// [`ClusterError::NotReady`] at the deadline, [`ClusterError::Exited`] before it; both carry the log's end.
    pub fn wait_ready(&self, deadline: impl Into<Deadline>) -> Result<(), ClusterError> {
        self.wait_ready_while(deadline, || true).map(drop)
    }

    /// The same, while the caller wants to go on: false when it no longer does.
    ///
    /// # Errors
    /// As for [`Node::wait_ready`].
    pub fn wait_ready_while(
        &self,
        deadline: impl Into<Deadline>,
        mut going_on: impl FnMut() -> bool,
    ) -> Result<bool, ClusterError> {
        let mut last = String::new();
        let what = format!("node {} to become ready", self.launch.name);
        let waited = wait_for(deadline, what, || match self.readiness() {
            Ok(None) => Some(Ok(true)),
            Ok(Some(reason)) => {
                last = reason;
                (!going_on()).then_some(Ok(false))
            }
            Err(gone) => Some(Err(gone)),
        });
        waited.unwrap_or_else(|wait| {
            let node = self.launch.name.clone();
            Err(ClusterError::NotReady { node, last, log_tail: self.error_tail(), wait })
        })
    }

    /// Succeeds while the process runs.
    ///
    /// # Errors
    /// [`ClusterError::Exited`] when it ended by itself, [`ClusterError::NotRunning`] when there is none.
    pub fn must_run(&self) -> Result<(), ClusterError> {
        self.live(&mut self.process()).map(drop)
    }

    /// Asks it to stop in order: SIGTERM. Does not wait.
    ///
    /// # Errors
    /// As for [`Node::must_run`]; [`ClusterError::Io`] when the signal cannot be sent.
    pub fn terminate(&self) -> Result<(), ClusterError> {
        self.signal("TERM")
    }

    /// Has it read tokens, certificates and the level of its log again: SIGHUP. Does not wait.
    ///
    /// # Errors
    /// As for [`Node::terminate`].
    pub fn reload(&self) -> Result<(), ClusterError> {
        self.signal("HUP")
    }

    /// Stops its execution where it is (SIGSTOP), as a node whose machine hangs. All its threads stand still when this
    /// returns.
    ///
    /// # Errors
    /// As for [`Node::terminate`], and [`ClusterError::NotStopped`] when one of them goes on.
    pub fn pause(&self) -> Result<(), ClusterError> {
        self.signal("STOP")?;
        let pid = self.pid();
        // The signal is heard by whichever thread has its turn next; until then the others run.
        let is_still = || pid.is_some_and(|pid| stands_still(pid).unwrap_or(false));
        let what = format!("node {} to stand still", self.launch.name);
        wait_until(STILL, what, is_still)
            .map_err(|wait| ClusterError::NotStopped { log_tail: self.error_tail(), wait })
    }

    /// Lets it go on after [`Node::pause`].
    ///
    /// # Errors
    /// As for [`Node::terminate`].
    pub fn resume(&self) -> Result<(), ClusterError> {
        self.signal("CONT")
    }

    /// The standard library sends SIGKILL only, and the shell's `kill` is wherever a shell is.
    fn signal(&self, signal: &str) -> Result<(), ClusterError> {
        let mut process = self.process();
        // Our own unreaped child: its process id cannot have been given to another.
        let pid = self.live(&mut process)?.id().to_string();
        let sent = Command::new("/bin/sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "kill", signal, &pid])
            .stdin(Stdio::null())
            .status();
        let action = format!("cannot send SIG{signal} to node {}", self.launch.name);
        match sent {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => {
                Err(ClusterError::Io { action, source: io::Error::other(status.to_string()) })
            }
            Err(source) => Err(ClusterError::Io { action, source }),
        }
    }

    /// Waits until the process has ended, and says how.
    ///
    /// # Errors
    /// [`ClusterError::NotStopped`] at the deadline, with the process still there; [`ClusterError::NotRunning`].
    pub fn wait_exit(&self, deadline: impl Into<Deadline>) -> Result<ExitStatus, ClusterError> {
        let what = format!("node {} to exit", self.launch.name);
        let waited = wait_for(deadline, what, || self.ended().transpose());
        waited.unwrap_or_else(|wait| {
            Err(ClusterError::NotStopped { log_tail: self.error_tail(), wait })
        })
    }

    /// Asks it to stop in order and waits for that.
    ///
    /// # Errors
    /// As for [`Node::terminate`] and [`Node::wait_exit`].
    pub fn stop(&self, deadline: impl Into<Deadline>) -> Result<ExitStatus, ClusterError> {
        self.terminate()?;
        self.wait_exit(deadline)
    }

    /// Kills it where it stands (SIGKILL) and waits for its end.
    ///
    /// # Errors
    /// As for [`Node::must_run`]; [`ClusterError::Io`] when it cannot be killed.
    pub fn kill(&self) -> Result<ExitStatus, ClusterError> {
        let mut process = self.process();
        let child = self.live(&mut process)?;
        let action = format!("cannot kill node {}", self.launch.name);
        let ended = child.kill().and_then(|()| child.wait()).map_err(ClusterError::io(action))?;
        *process = None;
        self.forget_pid()?;
        Ok(ended)
    }

    /// Stops it in order if it runs, and starts it again with the same ports and data.
    ///
    /// # Errors
    /// As for [`Node::stop`] and [`Node::start`]. Not ready yet when this returns.
    pub fn restart(&self, deadline: impl Into<Deadline>) -> Result<(), ClusterError> {
        if self.pid().is_some() {
            self.stop(deadline)?;
        }
        self.start()
    }

    /// The live process.
    fn live<'a>(&self, process: &'a mut Option<Child>) -> Result<&'a mut Child, ClusterError> {
        let node = self.launch.name.clone();
        let Some(child) = process.as_mut() else { return Err(ClusterError::NotRunning(node)) };
        match child.try_wait() {
            Ok(None) => Ok(child),
            Ok(Some(status)) => {
                Err(ClusterError::Exited { node, status, log_tail: self.error_tail() })
            }
            Err(source) => Err(ClusterError::Io { action: format!("cannot watch {node}"), source }),
        }
    }

    /// One look: how the process ended, once it has. The node can then be started again.
    ///
    /// # Errors
    /// [`ClusterError::NotRunning`] when there is no process to ask about.
    pub fn ended(&self) -> Result<Option<ExitStatus>, ClusterError> {
        let mut process = self.process();
        let name = &self.launch.name;
        let child = process.as_mut().ok_or_else(|| ClusterError::NotRunning(name.clone()))?;
        let ended = child.try_wait().map_err(ClusterError::io(format!("cannot watch {name}")))?;
        if ended.is_some() {
            *process = None;
            self.forget_pid()?;
        }
        Ok(ended)
    }

    fn pid_path(&self) -> PathBuf {
        self.launch.directory.join("pid")
    }

    fn forget_pid(&self) -> Result<(), ClusterError> {
        let file = self.pid_path();
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ClusterError::io(format!("cannot remove {}", file.display()))(error))
            }
            _ => Ok(()),
        }
    }

    fn error_tail(&self) -> String {
        self.log_tail(ERROR_TAIL_LINES)
    }

    /// A thread that panicked while it held the lock left a child that must be reaped all the same.
    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let Some(mut child) = self.process().take() else { return };
        // Both fail only for a process that is gone, which is what is wanted.
        drop(child.kill().and_then(|()| child.wait()));
        drop(self.forget_pid());
    }
}
