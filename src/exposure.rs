//! The reminder that strangers reach a listener: `--insecure-expose-without-auth` is not to be forgotten.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::config::Exposure;

/// How often the log says so.
const REMINDER: Duration = Duration::from_mins(1);

/// Says so at once and each minute, for as long as it is so. Ends when nobody can change it any more.
pub(crate) async fn remind(mut exposed: watch::Receiver<Vec<Exposure>>) {
    each(&mut exposed, warn).await;
}

async fn each(exposed: &mut watch::Receiver<Vec<Exposure>>, mut say: impl FnMut(Exposure)) {
    loop {
        let found = exposed.borrow_and_update().clone();
        found.iter().copied().for_each(&mut say);
        let next = async {
            if found.is_empty() {
                std::future::pending::<()>().await;
            } else {
                sleep(REMINDER).await;
            }
        };
        tokio::select! {
            () = next => {}
            changed = exposed.changed() => if changed.is_err() { return },
        }
    }
}

fn warn(exposure: Exposure) {
    let listener = exposure.listener();
    match exposure {
        Exposure::HttpWithoutTokens => tracing::warn!(
            listener,
            "other machines reach it, and nobody is asked who they are: they may read and change everything"
        ),
        Exposure::HttpInClear => tracing::warn!(
            listener,
            "other machines reach it without TLS: tokens cross the network in clear"
        ),
        Exposure::PeersUnproven => tracing::warn!(
            listener,
            "other machines reach it, and no node has to prove that it is one: they may read and change everything"
        ),
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::time::{self, Duration};

    use super::*;

    #[test]
    fn it_is_said_each_minute_for_as_long_as_it_is_so() {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let (say, mut exposed) = watch::channel(vec![Exposure::PeersUnproven]);
            let mut said = Vec::new();
            let course = async {
                time::sleep(Duration::from_secs(150)).await;
                say.send_replace(vec![]);
                time::sleep(Duration::from_mins(10)).await;
                say.send_replace(vec![Exposure::HttpInClear, Exposure::PeersUnproven]);
                time::sleep(Duration::from_secs(30)).await;
                drop(say);
            };
            tokio::join!(each(&mut exposed, |exposure| said.push(exposure)), course);
            let peers = Exposure::PeersUnproven;
            assert_eq!(said, [peers, peers, peers, Exposure::HttpInClear, peers]);
        });
    }
}
