//! The rules between settings: what no single value can violate alone.
//!
//! Why it exists: two values that are each in range can still make a node that cannot work. It is a pure
//! function of the configuration. It refuses to repair anything. Who may reach the node is judged by
//! `security_rules`.

use std::time::Duration;

use super::fault::Fault;
use super::{Config, Durability, SyncConfig, duration, limits};

/// A violated rule.
#[derive(Debug)]
pub(super) struct Violation {
    /// The dotted paths that it is about, the one to blame first.
    pub(super) keys: Vec<String>,
    /// What is wrong.
    pub(super) fault: Fault,
}

/// A rule about `keys` that is violated.
pub(super) fn violation(keys: &[&str], fault: Fault) -> Violation {
    Violation { keys: keys.iter().map(|key| (*key).to_owned()).collect(), fault }
}

/// A rule in words.
pub(super) fn conflict(keys: &[&str], rule: String) -> Violation {
    violation(keys, Fault::Conflict(rule))
}

/// Checks every rule but those of `security_rules`.
pub(super) fn check(config: &Config) -> Vec<Violation> {
    let mut found = Vec::new();
    sizes(config, &mut found);
    silence(config, &mut found);
    addresses(config, &mut found);
    volatile(config, &mut found);
    schedules(config, &mut found);
    caches(config, &mut found);
    found
}

fn sizes(config: &Config, found: &mut Vec<Violation>) {
    let (http, peers) = (&config.http, &config.peers);
    let frame = peers.max_frame_bytes;
    let needed = http.max_value_bytes + http.max_key_bytes + limits::FRAME_OVERHEAD_BYTES;
    if needed > frame {
        found.push(conflict(
            &["http.max_value_bytes", "http.max_key_bytes", "peers.max_frame_bytes"],
            format!(
                "a value, its key and {} bytes of frame are {needed} bytes and must fit into \
                 peers.max_frame_bytes = {frame}, or the value could never reach a peer",
                limits::FRAME_OVERHEAD_BYTES
            ),
        ));
    }
    if http.max_body_bytes < http.max_value_bytes {
        found.push(conflict(
            &["http.max_body_bytes", "http.max_value_bytes"],
            format!(
                "http.max_body_bytes = {} must be at least http.max_value_bytes = {}, or the \
                 longest value could never be sent",
                http.max_body_bytes, http.max_value_bytes
            ),
        ));
    }
    if peers.max_queue_bytes < frame {
        found.push(conflict(
            &["peers.max_queue_bytes", "peers.max_frame_bytes"],
            format!(
                "peers.max_queue_bytes = {} must be at least peers.max_frame_bytes = {frame}, or \
                 a full frame could never be queued",
                peers.max_queue_bytes
            ),
        ));
    }
    batch("sync.batch_max_bytes", &config.sync, frame, found);
    for (name, store) in &config.stores {
        if store.sync.batch_max_bytes != config.sync.batch_max_bytes {
            let key = format!("stores.{name}.sync.batch_max_bytes");
            batch(&key, &store.sync, frame, found);
        }
    }
}

fn batch(key: &str, sync: &SyncConfig, frame: usize, found: &mut Vec<Violation>) {
    if sync.batch_max_bytes >= frame {
        found.push(conflict(
            &[key, "peers.max_frame_bytes"],
            format!(
                "{key} = {} must be less than peers.max_frame_bytes = {frame}: a batch is sent in \
                 one frame",
                sync.batch_max_bytes
            ),
        ));
    }
}

fn silence(config: &Config, found: &mut Vec<Violation>) {
    let peers = &config.peers;
    let show = |duration: Duration| duration::format(duration);
    if peers.suspect_after <= peers.heartbeat_interval {
        found.push(conflict(
            &["peers.suspect_after", "peers.heartbeat_interval"],
            format!(
                "peers.suspect_after = {} must be more than peers.heartbeat_interval = {}, or every \
                 peer would be suspect between two heartbeats",
                show(peers.suspect_after),
                show(peers.heartbeat_interval)
            ),
        ));
    }
    if peers.down_after < peers.suspect_after {
        found.push(conflict(
            &["peers.down_after", "peers.suspect_after"],
            format!(
                "peers.down_after = {} must be at least peers.suspect_after = {}: a peer is \
                 suspect before it is down",
                show(peers.down_after),
                show(peers.suspect_after)
            ),
        ));
    }
}

fn addresses(config: &Config, found: &mut Vec<Violation>) {
    let (http, peers) = (config.http.listen, config.peers.listen);
    let overlap =
        http.ip() == peers.ip() || http.ip().is_unspecified() || peers.ip().is_unspecified();
    if http.port() == peers.port() && http.port() != 0 && overlap {
        found.push(conflict(
            &["peers.listen", "http.listen"],
            format!("http.listen = {http} and peers.listen = {peers} would be the same port"),
        ));
    }
    let advertised = config.peers.advertise.as_ref();
    if advertised.and_then(super::HostPort::ip).is_some_and(|ip| ip.is_unspecified()) {
        found.push(conflict(
            &["peers.advertise"],
            "no peer can dial it: give the address or name by which others reach this node"
                .to_owned(),
        ));
    }
    if advertised.is_none() && peers.ip().is_unspecified() {
        found.push(conflict(
            &["peers.listen", "peers.advertise"],
            format!(
                "peers.listen = {peers} means every interface, so peers would not know what to \
                 dial: set peers.advertise (--advertise) to the address that they reach"
            ),
        ));
    }
}

fn volatile(config: &Config, found: &mut Vec<Violation>) {
    if config.node.data_dir.is_some() {
        return;
    }
    for (name, store) in &config.stores {
        if store.disk.is_some() {
            let key = format!("stores.{name}.backend");
            let rule = format!(
                "store {name} on {} needs a directory, but node.data_dir is empty: set node.data_dir \
                 (--data-dir), or put the store on memory",
                store.backend
            );
            found.push(conflict(&[&key, "node.data_dir"], rule));
        }
    }
}

/// Without a schedule there is nothing to schedule.
fn schedules(config: &Config, found: &mut Vec<Violation>) {
    const DEFAULT: Duration = Duration::from_secs(5);
    for (name, store) in &config.stores {
        let Some(disk) = &store.disk else { continue };
        if disk.durability == Durability::Os && disk.persist_interval != DEFAULT {
            let key = format!("stores.{name}.persist_interval");
            let other = format!("stores.{name}.durability");
            let rule = format!(
                "{key} would do nothing: with {other} = \"os\" writes survive the process, and a power \
                 cut only by luck; set {other} to \"interval\""
            );
            found.push(conflict(&[&key, &other], rule));
        }
    }
}

/// A cache must have room for more than a few records.
fn caches(config: &Config, found: &mut Vec<Violation>) {
    for (name, store) in &config.stores {
        let too_small =
            store.cache.as_ref().filter(|cache| cache.max_bytes < limits::LEAST_CACHE_BYTES);
        if let Some(cache) = too_small {
            let key = format!("stores.{name}.max_cost");
            let rule = format!(
                "{key} = {} would keep next to nothing: use 0 for max_memory_mb, or at least {}",
                cache.max_bytes,
                limits::LEAST_CACHE_BYTES
            );
            found.push(conflict(&[&key], rule));
        }
    }
}
