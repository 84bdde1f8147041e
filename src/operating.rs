//! What operators see and steer of a running node, and how a configuration that is read again changes it: tokens,
//! the log, and what `/v1/node` shows. Who adds a part that changes while the node runs adds it in [`Operated::new`].

use std::sync::Arc;

use gridkv_actors::node::NodeHandle;
use gridkv_http::access::{Exposed, Token};
use gridkv_http::log_control::LogError;
use gridkv_http::{Access, Build, LogControl, Operating, ShownConfig};
use tokio::sync::watch;

use crate::config::{Config, ConfigError, Exposure, Loaded, TokenConfig};
use crate::reload::{Part, Reloader};
use crate::telemetry::{Directive, Switch, TelemetryError};
use crate::tls::{self, Tls};

/// What this program was built from, as `build.rs` found it.
const BUILD: Build = Build {
    version: env!("CARGO_PKG_VERSION"),
    revision: env!("BUILD_REVISION"),
    rustc: env!("BUILD_RUSTC"),
};

/// The configuration can not be shown, which is a mistake in the table of keys.
#[derive(Debug, thiserror::Error)]
#[error("can not show the configuration")]
pub(crate) struct NotShown(#[from] toml::de::Error);

/// What is handed to HTTP, and what changes it.
pub(crate) struct Operated {
    /// For the HTTP side.
    pub(crate) operating: Operating,
    /// For SIGHUP.
    pub(crate) reloader: Reloader,
    /// What strangers reach, as it is after each change.
    pub(crate) exposed: watch::Receiver<Vec<Exposure>>,
}

impl Operated {
    /// As `loaded` says; `read` gives the configuration as it is at that moment.
    ///
    /// # Errors
    /// [`NotShown`].
    pub(crate) fn new<R>(
        loaded: &Loaded,
        log: Switch,
        (tls, node): (&Tls, &NodeHandle),
        read: R,
    ) -> Result<Self, NotShown>
    where
        R: Fn() -> Result<Loaded, ConfigError> + Send + 'static,
    {
        let log = Arc::new(log);
        let shown = ShownConfig::new(toml::from_str(&loaded.to_toml())?);
        let operating = Operating {
            shown: shown.clone(),
            log: log_control(Arc::clone(&log)),
            access: Access::new(tokens(&loaded.config), exposed(&loaded.config)),
            tls: tls.http.clone(),
            certificates: tls.certificates.clone(),
            build: BUILD,
        };
        let show = move |loaded: &Loaded| match toml::from_str(&loaded.to_toml()) {
            Ok(config) => shown.set(config),
            Err(error) => tracing::error!(%error, "the configuration can not be shown"),
        };
        let (say, exposed) = watch::channel(loaded.config.exposures());
        let reloader = Reloader::new(read, loaded.clone(), show)
            .with(who_may(operating.access.clone(), say))
            .with(tls::part(tls.clone(), node.clone()))
            .with(how_much(log, operating.log.clone()));
        Ok(Self { operating, reloader, exposed })
    }
}

/// The tokens.
fn who_may(access: Access, say: watch::Sender<Vec<Exposure>>) -> Part {
    Part::new("tokens", &["auth.tokens", "auth.tokens_file"], move |config| {
        let (tokens, exposed) = (tokens(config), exposed(config));
        let (access, say, found) = (access.clone(), say.clone(), config.exposures());
        Ok(Box::new(move || {
            access.set(tokens, exposed);
            say.send_replace(found);
        }))
    })
}

/// The level of the log: as configured, also when it was changed over HTTP meanwhile.
fn how_much(log: Arc<Switch>, control: LogControl) -> Part {
    Part::new("log level", &["log.level"], move |config| {
        let (log, control, level) = (Arc::clone(&log), control.clone(), config.log.level.clone());
        Ok(Box::new(move || match log.set(&level) {
            Ok(()) => control.is_as_configured(),
            Err(error) => tracing::error!(%error, "the level of the log stays as it was"),
        }))
    })
}

/// The log as HTTP clients may change it.
fn log_control(log: Arc<Switch>) -> LogControl {
    LogControl::new(move |level| {
        let directive: Result<Directive, _> = level.as_str().parse();
        let set = directive.map_err(TelemetryError::from).and_then(|directive| log.set(&directive));
        set.map_err(|error| LogError(error.into()))
    })
}

fn tokens(config: &Config) -> Vec<Token> {
    let token = |token: &TokenConfig| Token { role: token.role, sha256: token.sha256.0 };
    config.auth.tokens.iter().map(token).collect()
}

fn exposed(config: &Config) -> Exposed {
    let found = config.exposures();
    let is_exposed = |listener| found.iter().any(|exposure| exposure.listener() == listener);
    Exposed { http: is_exposed("http.listen"), peers: is_exposed("peers.listen") }
}
