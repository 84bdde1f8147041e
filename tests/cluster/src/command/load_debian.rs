//! `cluster load-debian`: a set large enough to see throughput, on nodes that run already.

use crate::command::CommandError;
use crate::command::figure;
use crate::command::screen::Screen;
use clap::Args;
use gridkv_cluster::{Client, Compared, Dataset, Deadline, DebianIndex, Stopwatch, wait_for};
use std::thread;
use std::time::Duration;

/// Loads the Debian package index through the first URL and compares it on all.
#[derive(Debug, Args)]
pub(crate) struct LoadDebian {
    /// The nodes, the one to load through first.
    #[arg(
        long = "url",
        value_name = "URL",
        default_values_t = ["7401", "7402", "7403"].map(|port| format!("http://127.0.0.1:{port}"))
    )]
    urls: Vec<String>,
    /// The store to load into. Its limit of memory must allow for some 60 MB.
    #[arg(long, default_value = "main")]
    store: String,
    /// How long loading may take, and how long replicating.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    within: u64,
}

impl LoadDebian {
    pub(crate) fn execute(&self) -> Result<(), CommandError> {
        let screen = &Screen::new();
        let index = DebianIndex::of_this_machine()?;
        let packages = figure::length(index.dataset.len());
        screen.line(format!("found {packages} packages in {} files", index.sources.len()))?;
        if let Some(advice) = index.advice() {
            screen.line(format!("note: {advice}"))?;
        }
        let clients: Vec<Client> = self.urls.iter().map(|url| Client::new(url)).collect();
        let Some((first, others)) = clients.split_first() else { return Ok(()) };
        self.load(&index.dataset, first, screen)?;
        self.wait_same_count(first, others, screen)?;
        let compared = self.compare(&index.dataset, &clients, screen)?;
        screen.line(screen.good(&format!(
            "OK: {packages} records, {}, equal on {} nodes",
            figure::bytes(compared.bytes),
            clients.len(),
        )))?;
        Ok(())
    }

    fn load(&self, set: &Dataset, first: &Client, screen: &Screen) -> Result<(), CommandError> {
        let loaded = set.load_through(first, &self.store, Duration::from_secs(self.within))?;
        screen.line(format!(
            "loaded {} records, {}, through {} in {}: {} records/s",
            figure::length(loaded.records),
            figure::bytes(loaded.bytes),
            first.base_url(),
            figure::duration(loaded.took),
            figure::rate(loaded.records, loaded.took),
        ))?;
        Ok(())
    }

    fn wait_same_count(
        &self,
        first: &Client,
        others: &[Client],
        screen: &Screen,
    ) -> Result<(), CommandError> {
        let deadline = Deadline::after(Duration::from_secs(self.within));
        let watch = Stopwatch::start();
        let wanted = self.key_count(first)?;
        for other in others {
            let what = format!("{} to have {wanted} keys", other.base_url());
            wait_for(deadline, what, || match self.key_count(other) {
                Ok(count) if count == wanted => Some(Ok(())),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            })??;
        }
        screen.line(format!(
            "{} keys on every node {} later",
            figure::count(wanted),
            figure::duration(watch.elapsed())
        ))?;
        Ok(())
    }

    fn key_count(&self, client: &Client) -> Result<u64, CommandError> {
        let (url, store) = (client.base_url().to_owned(), self.store.clone());
        client.key_count(&self.store)?.ok_or(CommandError::NoStore { url, store })
    }

    /// All nodes at the same time, each by a thread of its own.
    fn compare(
        &self,
        set: &Dataset,
        clients: &[Client],
        screen: &Screen,
    ) -> Result<Compared, CommandError> {
        let mut slowest: Option<Compared> = None;
        thread::scope(|scope| {
            let threads: Vec<_> = clients
                .iter()
                .map(|client| (client, scope.spawn(|| set.compare(client, &self.store))))
                .collect();
            for (client, comparing) in threads {
                let compared =
                    comparing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                screen.line(format!(
                    "compared {} records byte by byte on {} in {}: {} records/s",
                    figure::length(compared.records),
                    client.base_url(),
                    figure::duration(compared.took),
                    figure::rate(compared.records, compared.took),
                ))?;
                slowest = slowest.into_iter().chain([compared]).max_by_key(|one| one.took);
            }
            Ok::<(), CommandError>(())
        })?;
        let nothing = Compared { records: 0, bytes: 0, took: Duration::ZERO };
        Ok(slowest.unwrap_or(nothing))
    }
}
