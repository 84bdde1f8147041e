//! Convergence: whatever links and clocks do, no frontier ever lies, and once they are well again all
//! nodes hold the same. Seeded loops, so that a failure names the seed that shows it.

use crate::mesh_test::Mesh;
use crate::publisher::PublisherLimits;

const LIMITS: PublisherLimits = PublisherLimits {
    log_bytes: 1_000_000,
    batch_max_ops: 8,
    batch_max_bytes: 400,
    queue_bytes: 600,
    retry_ms: 20,
};

/// What may go wrong, besides links that break.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    /// Nothing else.
    Links,
    /// Nodes go on under a new epoch while their ring holds ops of the one before.
    Epochs,
    /// Nodes lose their state and start again.
    Restarts,
}

/// Each peer of a random pair, or the same twice, which does nothing.
fn pair(mesh: &mut Mesh) -> (usize, usize) {
    let size = u64::try_from(mesh.size()).unwrap();
    let mut one = || usize::try_from(mesh.random.below(size)).unwrap();
    (one(), one())
}

fn disturb(mesh: &mut Mesh, trouble: Trouble) {
    let (a, b) = pair(mesh);
    match mesh.random.below(1_000) {
        0..=199 => mesh.write(a),
        200..=299 => mesh.publish(a),
        300..=349 => mesh.report(a),
        350..=399 => mesh.tick(a),
        400..=404 => mesh.cut(a, b),
        405..=429 => mesh.connect(a, b),
        430..=432 if trouble == Trouble::Epochs => mesh.new_epoch(a),
        430 if trouble == Trouble::Restarts => mesh.restart_empty(a),
        _ => mesh.deliver(a, b),
    }
    mesh.now += mesh.random.below(4);
}

fn heal(mesh: &mut Mesh) {
    let size = mesh.size();
    let pairs = || (0..size).flat_map(|a| (0..size).map(move |b| (a, b)));
    for (a, b) in pairs() {
        mesh.connect(a, b);
    }
    for round in 0_u32..120 {
        for at in 0..size {
            mesh.publish(at);
            mesh.tick(at);
            if round.is_multiple_of(2) {
                mesh.report(at);
            }
        }
        for _ in 0..12 {
            pairs().for_each(|(a, b)| mesh.deliver(a, b));
        }
        mesh.now += 100;
    }
}

fn run(seed: u64, limits: PublisherLimits, trouble: Trouble) -> Mesh {
    let size = 2 + usize::from(!seed.is_multiple_of(3));
    let mut mesh = Mesh::new(seed, size, limits);
    for step in 0_u32..1_500 {
        disturb(&mut mesh, trouble);
        if step.is_multiple_of(10) {
            mesh.assert_honest(&format!("seed {seed}, step {step}"));
        }
    }
    heal(&mut mesh);
    mesh.assert_honest(&format!("seed {seed}, healed"));
    mesh.assert_converged(&format!("seed {seed}"));
    mesh
}

#[test]
fn batches_alone_converge_when_the_log_holds_everything() {
    let mut merged = 0;
    for seed in 0..30 {
        let mesh = run(seed, LIMITS, Trouble::Links);
        mesh.assert_nothing_lost(&format!("seed {seed}"));
        merged += mesh.merged_batches;
    }
    assert!(merged > 10_000, "{merged} batches were merged");
}

#[test]
fn catch_up_brings_what_the_log_forgot() {
    // Room for three ops: whoever is away for a moment finds a floor above what it has.
    let limits = PublisherLimits { log_bytes: 130, ..LIMITS };
    let mut installs = 0;
    for seed in 0..30 {
        let mesh = run(seed, limits, Trouble::Links);
        mesh.assert_nothing_lost(&format!("seed {seed}"));
        installs += mesh.installs;
    }
    assert!(installs > 200, "{installs} catch-ups came to their end");
}

#[test]
fn past_epochs_are_caught_up_and_never_sent() {
    for (seeds, log_bytes) in [(0..20, LIMITS.log_bytes), (20..40, 130)] {
        for seed in seeds {
            let mesh = run(seed, PublisherLimits { log_bytes, ..LIMITS }, Trouble::Epochs);
            mesh.assert_nothing_lost(&format!("seed {seed}"));
        }
    }
}

#[test]
fn nodes_that_lose_their_state_get_back_what_anybody_has() {
    // What only the lost state held is gone; all that is left is the same everywhere.
    for (seeds, log_bytes) in [(0..20, LIMITS.log_bytes), (20..40, 130)] {
        for seed in seeds {
            run(seed, PublisherLimits { log_bytes, ..LIMITS }, Trouble::Restarts);
        }
    }
}
