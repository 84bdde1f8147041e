//! `make grafana`: Prometheus, and Grafana where it is installed, beside the development cluster until Ctrl-C.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gridkv_cluster::{Client, PortOwner};

use crate::error::Error;
use crate::pages;
use crate::rules;
use crate::scrape::Scrape;
use crate::screen::Screen;
use crate::server::Prometheus;

/// Where the provisioned data source looks for Prometheus.
const PROMETHEUS_PORT: u16 = 9_090;
/// Grafana's own default.
const GRAFANA_PORT: u16 = 3_000;
/// Where Debian-like packages of Grafana keep what it needs.
const GRAFANA_HOME: &str = "/usr/share/grafana";
/// The ports of the development cluster: 7401, 7402, ...
const FIRST_PORT: u16 = 7_400;
/// How often Ctrl-C and what runs are looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);
/// A node of this machine answers at once or not at all.
const NODE_LIMIT: Duration = Duration::from_secs(2);

/// What is shown.
pub struct Show {
    /// The root of the repository.
    pub root: PathBuf,
    /// How many nodes the development cluster has.
    pub nodes: u16,
    /// Where data and logs go.
    pub directory: PathBuf,
    /// Set when somebody asks to stop.
    pub interrupted: Arc<AtomicBool>,
}

impl Show {
    /// Starts what is there, says where it is and what is missing, and stays until Ctrl-C.
    ///
    /// # Errors
    /// When Prometheus is missing or does not start, or one of them ends by itself.
    pub fn run(&self, screen: &Screen) -> Result<(), Error> {
        fs::create_dir_all(&self.directory)
            .map_err(|source| Error::io("make", &self.directory, source))?;
        let names = (1..=self.nodes).map(|number| (format!("n{number}"), address(number)));
        let nodes: Vec<_> = names.collect();
        refuse_taken(PROMETHEUS_PORT)?;
        let rules = [rules::RECORDING, rules::ALERTS].map(|file| self.root.join(file)).to_vec();
        let config = self.directory.join("prometheus.yml");
        let scrape = Scrape { nodes: nodes.clone(), rules, ..Scrape::default() };
        scrape.write(&self.root, &config)?;
        let mut prometheus = Prometheus::start(&config, &self.directory, Some(PROMETHEUS_PORT))?;
        let mut grafana = self.start_grafana()?;
        screen.line(&format!("Prometheus  {}/alerts", prometheus.url()));
        match &grafana {
            Some(_) => screen.line(&format!(
                "Grafana     http://127.0.0.1:{GRAFANA_PORT}/d/gridkv-overview (its log: {})",
                self.directory.join("grafana.log").display()
            )),
            None => screen.line(
                "Grafana     is not installed here: get it from https://grafana.com/grafana/download, or import \
                 grafana/dashboards/*.json into one that has this Prometheus as a data source",
            ),
        }
        for (name, address) in &nodes {
            let client = Client::with_timeout(&format!("http://{address}"), NODE_LIMIT);
            if client.request("GET", "/livez").send().is_err() {
                screen.line(&format!(
                    "{name} does not answer at {address}: start the nodes in another terminal, with \
                     `make run` or `make cluster NODES={}`",
                    self.nodes
                ));
            }
        }
        screen.line("Ctrl-C stops all of this; nodes stay.");
        while !self.interrupted.load(Ordering::Relaxed) {
            prometheus.must_run()?;
            if let Some(grafana) = &mut grafana {
                grafana.must_run(&self.directory)?;
            }
            thread::sleep(WATCH_INTERVAL);
        }
        Ok(())
    }

    fn start_grafana(&self) -> Result<Option<Grafana>, Error> {
        let log = self.directory.join("grafana.log");
        let out = || File::create(&log).map_err(|source| Error::io("create", &log, source));
        let data = std::path::absolute(&self.directory)
            .map_err(|source| Error::io("resolve", &self.directory, source))?;
        // The newer name first; both are in the PATH of those who have it.
        for (program, words) in [("grafana", &["server"][..]), ("grafana-server", &[])] {
            let mut command = Command::new(program);
            command
                .args(words)
                .args(["--homepath", GRAFANA_HOME])
                .env("GF_PATHS_PROVISIONING", self.root.join("grafana/provisioning"))
                .env("GRIDKV_DASHBOARDS", self.root.join(pages::DIRECTORY))
                .env("GF_PATHS_DATA", data.join("grafana"))
                .env("GF_PATHS_LOGS", data.join("grafana"))
                .env("GF_SERVER_HTTP_ADDR", "127.0.0.1")
                .env("GF_SERVER_HTTP_PORT", GRAFANA_PORT.to_string())
                .env("GF_AUTH_ANONYMOUS_ENABLED", "true")
                .stdin(Stdio::null())
                .stdout(out()?)
                .stderr(out()?);
            if let Ok(child) = command.spawn() {
                return Ok(Some(Grafana(child)));
            }
        }
        Ok(None)
    }
}

/// A running Grafana, which ends with this value.
struct Grafana(Child);

impl Grafana {
    fn must_run(&mut self, directory: &Path) -> Result<(), Error> {
        match self.0.try_wait() {
            Ok(Some(status)) => {
                let tail = fs::read_to_string(directory.join("grafana.log")).unwrap_or_default();
                let tail = tail.lines().rev().take(15).collect::<Vec<_>>();
                let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                Err(Error::Ended { program: "grafana", status, tail })
            }
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

impl Drop for Grafana {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn address(number: u16) -> String {
    format!("127.0.0.1:{}", FIRST_PORT + number)
}

fn refuse_taken(port: u16) -> Result<(), Error> {
    let url = format!("http://127.0.0.1:{port}");
    let taken = Client::with_timeout(&url, NODE_LIMIT).request("GET", "/").send();
    if taken.is_err_and(|error| error.nobody_listened()) {
        return Ok(());
    }
    let owner = PortOwner::of(port).map_or_else(String::new, |owner| format!(": {owner}"));
    let what = format!("starting Prometheus on {url}");
    Err(Error::Fault { what, said: format!("the port is taken{owner}; stop that first") })
}
