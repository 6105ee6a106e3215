//! Every state that can be reached, breadth first: the first that breaks a promise comes by a shortest way.
//!
//! Deterministic. States are told apart by 64 bits of hash: of a hundred million, two are taken for one with a
//! likelihood of about one in four thousand.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::world::{Act, Bounds, Guards, World};

/// What a search came to.
pub(crate) struct Found {
    pub states: usize,
    pub took: Duration,
    /// What was broken, and the way there.
    pub broken: Option<(&'static str, Vec<Act>)>,
}

/// Visits all states within the bounds, up to the first in which a promise is broken.
pub(crate) fn search(bounds: &Bounds, guards: &Guards) -> Found {
    let began = Instant::now();
    let start = World::new(bounds);
    // By each state the one it was reached from.
    let mut seen: HashMap<u64, u64> = HashMap::from([(start.sign(), 0)]);
    let mut edge = vec![start];
    while !edge.is_empty() {
        let mut next = Vec::new();
        for world in &edge {
            if let Some(what) = world.broken(bounds, guards) {
                let way = way(&seen, world.sign(), bounds, guards);
                return Found { states: seen.len(), took: began.elapsed(), broken: Some((what, way)) };
            }
            let from = world.sign();
            for act in world.acts(bounds, guards) {
                let mut after = world.clone();
                after.act(act, bounds, guards);
                if let std::collections::hash_map::Entry::Vacant(new) = seen.entry(after.sign()) {
                    new.insert(from);
                    next.push(after);
                }
            }
        }
        edge = next;
    }
    Found { states: seen.len(), took: began.elapsed(), broken: None }
}

/// The acts that lead from the start to the state of this hash.
fn way(seen: &HashMap<u64, u64>, end: u64, bounds: &Bounds, guards: &Guards) -> Vec<Act> {
    let mut hashes = vec![end];
    while let Some(before) = hashes.last().and_then(|last| seen.get(last)).filter(|before| **before != 0) {
        hashes.push(*before);
    }
    let mut world = World::new(bounds);
    let mut way = Vec::new();
    for wanted in hashes.iter().rev().skip(1) {
        for act in world.acts(bounds, guards) {
            let mut after = world.clone();
            after.act(act, bounds, guards);
            if after.sign() == *wanted {
                way.push(act);
                world = after;
                break;
            }
        }
    }
    way
}
