//! A run from its beginning to its end: start, load and plan at once, heal, look, judge.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gridkv_cluster::{Client, Stopwatch, wait_until};
use gridkv_soak::RunError;

use crate::finding::Verdict;
use crate::history::{History, Op};
use crate::judge::judge;
use crate::load::{LONGEST_TTL, Load};
use crate::nemesis::{Done, Nemesis};
use crate::page::Page;
use crate::plan::{Plan, Step};
use crate::preload::preload;
use crate::recovery::{Recovered, Recovery, classes};
use crate::setup::Setup;
use crate::stage::Stage;

/// Nodes that nothing is done to are ready within this time, also on a machine that is busy with other tests.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// After its deadline a value is gone everywhere within this time.
const EXPIRED_AFTER: Duration = Duration::from_millis(1_500);

/// Does it all, and returns the page that tells of it.
///
/// # Errors
/// [`RunError`] when the run can not be made; what is wrong with the nodes is on the page.
pub fn run(setup: &Setup) -> Result<Page, RunError> {
    let place = tempfile::Builder::new().prefix("gridkv-chaos-").tempdir();
    let place = place.map_err(RunError::cannot("make a directory for the nodes"))?;
    let stage = Stage::set(setup, place.path())?;
    let page = on(setup, &stage);
    if let Some(out) = &setup.out {
        keep_logs(out, &stage)?;
    }
    page
}

/// Does it all to nodes that were started.
fn on(setup: &Setup, stage: &Stage) -> Result<Page, RunError> {
    let going_on = || !setup.interrupted.load(Ordering::Relaxed);
    if !stage.cluster.wait_ready_while(READY_WITHIN, going_on)? {
        return Err(RunError::Interrupted);
    }
    let stores = classes(&stage.cluster.node(1).client())?;
    let mut history = History { stores, ..History::default() };
    let clock = Stopwatch::start();
    history.ops = preload(&stage.cluster, &history, clock)?;
    let (ops, done) = play(setup, stage, &history, clock)?;
    history.ops.extend(ops);
    history.losses.clone_from(&done.losses);
    let recovered = recover(setup, stage, &history, clock)?;
    history.looks.clone_from(&recovered.looks);
    let mut verdict = judge(&history);
    told(&mut verdict, setup, &done, &recovered);
    let page = Page::new(setup, &history, (&done, &stage.weather), verdict, recovered.took);
    if let Some(out) = &setup.out {
        let path = out.join("page.txt");
        fs::create_dir_all(out).map_err(RunError::io("make", out))?;
        fs::write(&path, page.to_string()).map_err(RunError::io("write", &path))?;
        history.write(&out.join("history.jsonl"))?;
    }
    Ok(page)
}

/// Does the plan while clients call.
fn play(
    setup: &Setup,
    stage: &Stage,
    history: &History,
    clock: Stopwatch,
) -> Result<(Vec<Op>, Done), RunError> {
    let load = Load {
        callers: setup.clients,
        nodes: stage.cluster.nodes().iter().map(gridkv_cluster::Node::base_url).collect(),
        stores: history.stores.iter().map(|(name, class)| (name.clone(), class.clone())).collect(),
        acks: knows_acks(&stage.cluster.node(1).client(), history)?,
        rest: setup.rest,
        seed: setup.seed,
        clock,
        over: AtomicBool::new(false),
        done: AtomicU64::new(0),
    };
    let tell = |step: &Step| {
        let (at, of) = (clock.elapsed().as_secs(), setup.lasts.as_secs());
        let done = load.done.load(Ordering::Relaxed);
        (setup.progress)(&format!("{at:>3} of {of} s, {done:>6} operations: {step}"));
    };
    let nemesis = Nemesis::new(&stage.cluster, &stage.weather, clock, &setup.interrupted, &tell);
    let plan = Plan::draw(setup.seed, setup.nodes, setup.lasts);
    let (ops, done) = load.during(|| nemesis.play(&plan));
    Ok((ops, done?))
}

/// Whether a write can ask for peers. A deletion of nothing, which leaves nothing to look at.
fn knows_acks(client: &Client, history: &History) -> Result<bool, RunError> {
    let Some(store) = history.stores.keys().next() else { return Ok(false) };
    let reply = client.at_key("DELETE", store, "chaos").query("acks", "0").send()?;
    match (reply.status, reply.code().as_deref()) {
        (204, _) => Ok(true),
        (400, Some("invalid_parameter")) => Ok(false),
        _ => Err(RunError::answer("a deletion", &reply)),
    }
}

/// Waits until what expires has expired, and all nodes have recovered.
fn recover(
    setup: &Setup,
    stage: &Stage,
    history: &History,
    clock: Stopwatch,
) -> Result<Recovered, RunError> {
    (setup.progress)(&format!("{:>3} s: healed; the nodes recover", clock.elapsed().as_secs()));
    let expired = clock.elapsed() + LONGEST_TTL + EXPIRED_AFTER;
    let recovery = Recovery {
        cluster: &stage.cluster,
        clock,
        within: setup.recovers_within,
        interrupted: &setup.interrupted,
    };
    let interrupted = || setup.interrupted.load(Ordering::Relaxed);
    wait_until(READY_WITHIN, "all deadlines to pass", || {
        clock.elapsed() > expired || interrupted()
    })?;
    recovery.run(history)
}

/// Adds what was seen of the nodes, not of their data.
fn told(verdict: &mut Verdict, setup: &Setup, done: &Done, recovered: &Recovered) {
    use crate::finding::Property::{Proven, Recovers};
    // Every node must be ready and cover the others at the end, and come back whenever it was hit.
    let looks = u64::from(setup.nodes) + done.blows.values().sum::<u64>();
    (0..looks).for_each(|_| verdict.look(Recovers));
    (0..recovered.asked).for_each(|_| verdict.look(Proven));
    verdict.findings.splice(0..0, done.findings.iter().chain(&recovered.findings).cloned());
}

/// Puts the nodes' logs where they are wanted, also of a run that did not get to its end.
fn keep_logs(out: &Path, stage: &Stage) -> Result<(), RunError> {
    fs::create_dir_all(out).map_err(RunError::io("make", out))?;
    for node in stage.cluster.nodes() {
        let path = out.join(format!("{}.log", node.name()));
        fs::copy(node.log_path(), &path).map_err(RunError::io("write", &path))?;
    }
    Ok(())
}
