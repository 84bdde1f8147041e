//! The commands that talk to a running node, one file each, and what they share: a client, a way to print, Ctrl-C.
//!
//! Why it exists: a command says what it asks and how the answer looks; how it ends is decided here, once. It runs on
//! a thread of its own, so that Ctrl-C is heard while a node is silent. No command knows anything of the node's code:
//! what it can do is what any client can do.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod compact;
pub(crate) mod config;
pub(crate) mod convergence;
pub(crate) mod del;
pub(crate) mod documents;
pub(crate) mod drain;
mod exit;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod log_level;
pub(crate) mod ls;
mod new_file;
mod operation;
pub(crate) mod peers;
pub(crate) mod persist;
mod progress;
pub(crate) mod put;
mod question;
mod reason;
pub(crate) mod receipts;
mod record;
pub(crate) mod restore;
mod snapshot_check;
mod standing;
pub(crate) mod stats;
pub(crate) mod stores;
pub(crate) mod token;
pub(crate) mod watch;
mod word;
mod write_terms;

use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::cli::Command;
use crate::cli::settings::Settings;
use crate::client::{Client, variable};
use crate::interrupt::Interrupt;
use crate::output::{Output, complain};
use gridkv_http::stopwatch::Stopwatch;

pub(crate) use exit::{Exit, Usage};
pub(crate) use progress::Progress;
pub(crate) use reason::reason;
pub(crate) use standing::Standing;

/// How often the wait for a command looks for Ctrl-C.
const LOOK: Duration = Duration::from_millis(50);
/// How long a command that was asked to stop may take to say how far it got.
const GRACE: Duration = Duration::from_secs(2);

/// What a command works with.
pub(crate) struct Context {
    pub(crate) client: Client,
    /// The options of which the client was made.
    pub(crate) settings: Settings,
    pub(crate) store: String,
    pub(crate) output: Output,
    pub(crate) interrupt: Interrupt,
    /// How far a long command got, in words.
    pub(crate) standing: Standing,
}

impl Context {
    fn new(settings: &Settings, interrupt: Interrupt) -> anyhow::Result<Self> {
        let client = Client::new(settings)?;
        let store = match &settings.store {
            Some(store) => Some(store.clone()),
            None => variable("GRIDKV_STORE")?,
        };
        let output = Output::new(settings);
        Ok(Self {
            client,
            settings: settings.clone(),
            store: store.unwrap_or_else(|| "main".to_owned()),
            output,
            interrupt,
            standing: Standing::default(),
        })
    }
}

/// A command that talks to a node.
pub(crate) trait Run: Send {
    /// Its options about nodes and output, those of outer commands included.
    fn settings(&self) -> Settings;

    /// Does it.
    ///
    /// # Errors
    /// Whatever prevents it; [`Exit::of`] decides what that means for the exit code.
    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit>;
}

/// The options of a command that has no commands of its own.
macro_rules! plain_settings {
    () => {
        fn settings(&self) -> crate::cli::settings::Settings {
            self.settings.clone()
        }
    };
}
pub(crate) use plain_settings;

/// Runs a command to its end.
pub(crate) fn run(command: Command, outer: Settings) -> ExitCode {
    let command: Box<dyn Run> = match command {
        Command::Get(args) => Box::new(args),
        Command::Put(args) => Box::new(args),
        Command::Del(args) => Box::new(args),
        Command::Ls(args) => Box::new(args),
        Command::Stores(args) => Box::new(args),
        Command::Stats(args) => Box::new(args),
        Command::Peers(args) => Box::new(args),
        Command::Health(args) => Box::new(args),
        Command::Watch(args) => Box::new(args),
        Command::Bench(args) => Box::new(args),
        Command::Backup(args) => Box::new(args),
        Command::Restore(args) => Box::new(args),
        Command::Import(args) => Box::new(args),
        Command::Export(args) => Box::new(args),
        Command::Receipts(args) => Box::new(args),
        Command::Convergence(args) => Box::new(args),
        Command::Persist(args) => Box::new(args),
        Command::Compact(args) => Box::new(args),
        Command::Drain(args) => Box::new(args),
        Command::LogLevel(args) => Box::new(args),
        Command::Init(args) => return alone(&outer, |output| init::run(args, output)),
        Command::Token(args) => return alone(&outer, |output| token::run(&args, output)),
        Command::Config(args) => return alone(&outer, |output| config::run(args, output)),
        Command::Completions(args) => {
            return alone(&outer, |output| documents::completions(&args, output));
        }
        Command::Man(args) => return alone(&outer, |output| documents::man(&args, output)),
        // Not a client's; `main` has done it.
        Command::Serve(_) => return ExitCode::FAILURE,
    };
    let ended = Interrupt::catch().map_err(anyhow::Error::from).and_then(|interrupt| {
        let context = Context::new(&command.settings().or(outer), interrupt)?;
        Ok(watched(command, context))
    });
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => Exit::told(&error).into(),
    }
}

/// Runs a command that talks to no node.
fn alone(outer: &Settings, run: impl FnOnce(&Output) -> anyhow::Result<Exit>) -> ExitCode {
    run(&Output::new(outer)).unwrap_or_else(|error| Exit::told(&error)).into()
}

/// Runs it beside a look at Ctrl-C.
fn watched(command: Box<dyn Run>, context: Context) -> Exit {
    let (interrupt, standing) = (context.interrupt.clone(), context.standing.clone());
    let (sender, receiver) = mpsc::sync_channel(1);
    let worker = thread::spawn(move || {
        let ended = command.run(&context);
        let exit = ended.unwrap_or_else(|error| Exit::told(&error));
        // The other end waits for as long as this runs, or does not want to know any more.
        sender.send(exit).ok();
    });
    let mut asked: Option<Stopwatch> = None;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(exit) => return exit,
            Err(RecvTimeoutError::Disconnected) => {
                drop(worker.join());
                return Exit::Failed;
            }
            Err(RecvTimeoutError::Timeout) if !interrupt.is_set() => {}
            Err(RecvTimeoutError::Timeout) => {
                let is_late = asked.get_or_insert_with(Stopwatch::start).elapsed() > GRACE;
                if is_late || !standing.is_held() {
                    let far = standing.end();
                    let far = if far.is_empty() { String::new() } else { format!(": {far}") };
                    complain(&format!("interrupted{far}"));
                    return Exit::Interrupted;
                }
            }
        }
    }
}
