//! What the protocol promises, as it can be asked of a state.
//!
//! **Once**: in the log of the present primary no call has made two messages. **In the end**: when faults stop, the links
//! are up, everybody looks and every client is there, each client shows the log; since a client drops what it shows
//! only when told, one whose past was rewritten was told. **At any time**: a cursor that is found in the log belongs to a
//! client that shows the log up to there. Without this last one, the second hangs on the client not being cut off.

use super::world::{Act, Bounds, Entry, Guards, World};

/// Acts after which a world without faults must be at rest.
const REST: usize = 400;
/// Looks that everybody has then: one for what was missed, and one for what came out of order meanwhile.
const ROUNDS: usize = 2;

/// Whether this is a copy of the log up to its last event.
fn copy(of: &[Entry], log: &[Entry]) -> bool {
    log.starts_with(of)
}

/// Whether its last event is in the log, so that nothing will ever tell it from a copy.
fn proves(of: &[Entry], log: &[Entry]) -> bool {
    of.last().is_some_and(|last| log.get(of.len() - 1) == Some(last))
}

impl World {
    /// What is promised now, and is not so.
    pub(crate) fn broken(&self, bounds: &Bounds, guards: &Guards) -> Option<&'static str> {
        let twice = |(i, entry): (usize, &Entry)| self.log[..i].iter().any(|other| other.nonce == entry.nonce);
        if self.log.iter().enumerate().any(twice) {
            return Some("twice: one call made two messages in one history");
        }
        // The hub, which does not have these two, does not promise this.
        if guards.chain
            && guards.within
            && self.clients.iter().any(|c| proves(&c.view, &self.log) && !copy(&c.view, &self.log))
        {
            return Some("a cursor proves a history that its client does not show");
        }
        self.settled(bounds, guards)
    }

    /// What is not so once faults stop, links rise, everybody looks and every client is there.
    fn settled(&self, bounds: &Bounds, guards: &Guards) -> Option<&'static str> {
        let mut world = self.clone();
        for n in 0..world.nodes.len() {
            if !world.nodes[n].up {
                world.act(Act::Rise(n), bounds, guards);
            }
        }
        let calm = |world: &Self, act: &Act| match act {
            Act::Commit(_) | Act::Hear(_) | Act::CatchUp(_) => true,
            Act::Look(n) => world.nodes[*n].look.is_some(),
            _ => false,
        };
        let mut rest = REST;
        for _ in 0..ROUNDS {
            for n in (0..world.nodes.len()).filter(|_| guards.looks) {
                if world.nodes[n].room.is_some() && world.nodes[n].look.is_none() {
                    world.act(Act::Look(n), bounds, guards);
                }
            }
            loop {
                let acts = world.acts(bounds, guards);
                let connect = || acts.iter().find(|act| matches!(act, Act::Connect(..)));
                let Some(act) = acts.iter().find(|act| calm(&world, act)).or_else(connect) else { break };
                world.act(*act, bounds, guards);
                rest -= 1;
                if rest == 0 {
                    return Some("no end: everybody goes on and on");
                }
            }
        }
        let strays = world.clients.iter().any(|client| client.view != world.log);
        strays.then_some("not told: in the end a client shows what is not the log")
    }
}
