//! What of a scenario can be run against a target, refused before anything is made for it.

use super::run::Error;
use super::target::Target;
use crate::client::Dialect;
use crate::gauge::process::descriptors_max;
use crate::scenario::{Arrivals, Scenario};

/// Descriptors for everything but sockets and senders.
const DESCRIPTORS_SPARE: u64 = 200;

/// The scenario as it can be run against this target.
pub(super) fn fitting(scenario: &Scenario, target: &Target) -> Result<Scenario, Error> {
    let mut scenario = scenario.clone();
    let needed = (scenario.connections + scenario.senders) as u64 + DESCRIPTORS_SPARE;
    if descriptors_max().is_some_and(|max| max < needed) {
        return Err(Error::Wrong(format!("{needed} descriptors are needed: ulimit -n {needed}")));
    }
    if scenario.arrivals == Arrivals::Window {
        scenario.senders = scenario.senders.min(scenario.window);
    }
    if target.page.is_some() {
        if scenario.sends + scenario.reactions > 0 || scenario.connections > 0 {
            return Err(Error::Wrong(format!("{} can only be read from, not {}", target.info.kind, scenario.name)));
        }
    } else if target.dialect != Dialect::Hub {
        let only_sends = scenario.reactions == 0 && scenario.history == 0 && scenario.arrivals != Arrivals::Think;
        if scenario.chats != 1 || !only_sends || scenario.dropped_percent > 0.0 || scenario.restarts > 0 {
            let name = &scenario.name;
            return Err(Error::Wrong(format!("{} can only do one chat with sends, not {name}", target.info.kind)));
        }
        scenario.people = 1;
        scenario.members = 1;
    }
    Ok(scenario)
}
