//! A Prometheus as a process of this one: it has a directory of its own, and it ends with the value that stands for it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gridkv_cluster::{Client, free_port, wait_for};
use serde_json::Value;

use crate::error::Error;

/// What to do when it is not there.
pub(crate) const REMEDY: &str = "On Debian: `make need-prometheus` puts it into the target directory, without a \
     service and without root; elsewhere get 2.42 or later from https://prometheus.io/download and put prometheus and \
     promtool into the PATH";
/// It is up in a fraction of a second.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Lines of its log that are shown when it ends.
const LOG_LINES: usize = 15;

/// A running Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    child: Child,
    client: Client,
    log: PathBuf,
}

impl Prometheus {
    /// Starts one with this configuration. Its data and log go to `directory`. Without a port it takes a free one.
    pub(crate) fn start(config: &Path, directory: &Path, port: Option<u16>) -> Result<Self, Error> {
        let none = |error| {
            Error::io("find a free port on", Path::new("127.0.0.1"), io::Error::other(error))
        };
        let port = port.map_or_else(free_port, Ok).map_err(none)?;
        let log = directory.join("prometheus.log");
        let out = File::create(&log).map_err(|source| Error::io("create", &log, source))?;
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("prometheus-data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out)
            .spawn()
            .map_err(|_| Error::Missing { program: "prometheus", remedy: REMEDY })?;
        let client = Client::new(&format!("http://127.0.0.1:{port}"));
        let mut prometheus = Self { child, client, log };
        wait_for(START_LIMIT, "Prometheus to be ready", || {
            if let Err(ended) = prometheus.must_run() {
                return Some(Err(ended));
            }
            let answer = prometheus.client.request("GET", "/-/ready").send();
            answer.is_ok_and(|answer| answer.status == 200).then_some(Ok(()))
        })??;
        Ok(prometheus)
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        self.client.base_url()
    }

    /// Succeeds while it runs.
    pub(crate) fn must_run(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(Some(status)) => {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let last = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
                Err(Error::Ended { program: "prometheus", status, tail: last.join("\n") })
            }
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// The result of an expression now: a vector, or a matrix for a range.
    pub(crate) fn query(&self, expression: &str) -> Result<Value, Error> {
        let data = self.ask("query", &[("query", expression)])?;
        Ok(data.get("result").cloned().unwrap_or_default())
    }

    /// What an expression was over the last seconds, each second.
    pub(crate) fn query_over(&self, expression: &str, seconds: u64) -> Result<Value, Error> {
        self.query(&format!("({expression})[{seconds}s:1s]"))
    }

    /// The values that a label has among some series.
    pub(crate) fn label_values(&self, selector: &str, label: &str) -> Result<Vec<String>, Error> {
        let values = self.ask(&format!("label/{label}/values"), &[("match[]", selector)])?;
        let values = values.as_array().into_iter().flatten();
        Ok(values.filter_map(|value| value.as_str().map(str::to_owned)).collect())
    }

    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, Error> {
        let path = format!("/api/v1/{path}");
        let request = self.client.request("GET", &path);
        let request =
            parameters.iter().fold(request, |request, (name, value)| request.query(name, value));
        let reply = request.send()?;
        if reply.status != 200 {
            let json = reply.json().unwrap_or_default();
            let said = json.get("error").and_then(Value::as_str).map(str::to_owned);
            return Err(Error::Refused { path, said: said.unwrap_or_else(|| reply.quoted()) });
        }
        Ok(reply.json()?.get("data").cloned().unwrap_or_default())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself; what it kept is thrown away with its directory.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
