//! Every order in which things can happen, within bounds: publishing, hearing, looking, coming back, and failovers that
//! lose the end of the log and hand its numbers out again.
//!
//! This is a model of the protocol (`world.rs`), not the hub: it shows what the rules are worth, not that the code keeps
//! them. With each safeguard taken out the search finds how that goes wrong. Two safeguards the hub does not have, see
//! `Guards`; the model says what it lacks without them.
//!
//! `TALK_TEST_MODEL=full` searches wider; each search prints how many states it visited.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod promises;
mod search;
mod steps;
mod world;

use search::{Found, search};
use world::{Act, Bounds, Guards};

const ALL: Guards = Guards { proof: true, shorter: true, looks: true, chain: true, within: true };
/// As the hub is.
const HUB: Guards = ALL;

/// Two nodes, one client, two messages, one failover; nothing else goes wrong.
const SMALL: Bounds = Bounds {
    nodes: 2,
    clients: 1,
    messages: 2,
    failovers: 1,
    breaks: 0,
    losses: 0,
    cuts: 0,
    repeats: 0,
    keyed: true,
    fine: false,
};

fn full() -> bool {
    std::env::var("TALK_TEST_MODEL").is_ok_and(|bounds| bounds == "full")
}

#[expect(clippy::print_stdout, reason = "how far a search went is part of what it says")]
fn searched(bounds: &Bounds, guards: &Guards) -> Found {
    let found = search(bounds, guards);
    println!("{} states in {:.1?}: {bounds:?} {guards:?}", found.states, found.took);
    found
}

fn holds(bounds: &Bounds, guards: &Guards) {
    let found = searched(bounds, guards);
    assert!(found.broken.is_none(), "{:?}", found.broken);
}

/// The shortest way to break the promise that begins with this word.
fn breaks(bounds: &Bounds, guards: &Guards, word: &str) -> Vec<Act> {
    let (what, way) = searched(bounds, guards).broken.expect("a way to break a promise");
    assert!(what.starts_with(word), "{what}: {way:?}");
    way
}

#[test]
fn with_every_safeguard_each_client_ends_with_the_log_or_is_told() {
    holds(&Bounds { nodes: 3, ..SMALL }, &ALL);
    holds(&Bounds { failovers: 2, ..SMALL }, &ALL);
    holds(&Bounds { messages: 1, cuts: 1, fine: true, ..SMALL }, &ALL);
    holds(&Bounds { clients: 2, ..SMALL }, &ALL);
    holds(&Bounds { breaks: 1, losses: 1, ..SMALL }, &ALL);
    if full() {
        holds(&Bounds { nodes: 3, clients: 2, failovers: 2, ..SMALL }, &ALL);
        holds(&Bounds { nodes: 3, cuts: 1, ..SMALL }, &ALL);
        holds(&Bounds { messages: 3, cuts: 1, ..SMALL }, &ALL);
        holds(&Bounds { clients: 2, messages: 3, ..SMALL }, &ALL);
        holds(&Bounds { nodes: 3, messages: 3, failovers: 2, ..SMALL }, &ALL);
    }
}

#[test]
fn without_failovers_the_hub_loses_and_doubles_nothing_whatever_the_links_do() {
    let calm = Bounds { clients: 2, failovers: 0, breaks: 1, losses: 1, ..SMALL };
    holds(&calm, &HUB);
    holds(&Bounds { breaks: 0, losses: 0, repeats: 1, messages: 1, fine: true, ..calm }, &HUB);
    if full() {
        holds(&Bounds { cuts: 1, ..calm }, &HUB);
        holds(&Bounds { messages: 3, ..calm }, &HUB);
    }
}

#[test]
fn a_keyed_call_is_made_once_however_late_its_first_attempt_comes() {
    let repeated = Bounds { messages: 1, repeats: 1, fine: true, ..SMALL };
    holds(&repeated, &ALL);
    if full() {
        holds(&Bounds { messages: 2, ..repeated }, &ALL);
    }
}

// ------------------------------------------------------------------------ what the safeguards are for

#[test]
fn without_the_proof_a_rewritten_history_goes_unnoticed() {
    breaks(&Bounds { cuts: 1, ..SMALL }, &Guards { proof: false, ..ALL }, "not told");
}

#[test]
fn without_a_look_when_the_link_is_back_a_lost_event_goes_unnoticed() {
    let broken = Bounds { clients: 2, failovers: 0, breaks: 1, ..SMALL };
    breaks(&broken, &Guards { looks: false, ..ALL }, "not told");
}

#[test]
fn without_the_conflict_of_a_shorter_log_a_call_is_made_twice() {
    let unkeyed = Bounds { repeats: 1, keyed: false, fine: true, ..SMALL };
    breaks(&unkeyed, &Guards { shorter: false, ..ALL }, "twice");
}

#[test]
fn without_the_chain_a_commit_of_a_node_that_missed_a_failover_hides_it() {
    let two = Bounds { clients: 2, messages: 3, ..SMALL };
    breaks(&two, &Guards { chain: false, ..ALL }, "not told");
}

#[test]
fn who_catches_up_beyond_its_room_may_keep_what_a_failover_takes() {
    breaks(&Bounds { cuts: 1, ..SMALL }, &Guards { within: false, ..ALL }, "not told");
}

// -------------------------------------------------------------------------------- what the hub lacks

#[test]
fn a_call_without_a_key_is_made_twice_if_an_attempt_comes_after_the_one_that_was_decided_anew() {
    breaks(&Bounds { repeats: 1, keyed: false, fine: true, ..SMALL }, &ALL, "twice");
}
