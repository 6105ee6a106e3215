//! I5: after the removal of an agent, no event of the chat comes to it, unless it was asked in again: then it may read
//! all of the chat, what happened in between too.

use uuid::Uuid;

use super::story::Story;
use crate::lab::record::{Event, Kind};

/// Whether this event may come to this agent when it came.
#[must_use]
pub fn may_see(story: &Story, agent: Uuid, event: &Event) -> bool {
    let stays = story.stays.get(&(event.c, agent)).map_or(&[][..], Vec::as_slice);
    if stays.iter().any(|(from, to)| (*from..=*to).contains(&event.s)) {
        return true;
    }
    let adds = story.adds.get(&(event.c, agent)).map_or(&[][..], Vec::as_slice);
    let later = stays.iter().find(|(from, _)| *from > event.s);
    let Some((from, _)) = later else { return false };
    let record = story.entry(event.c, *from).filter(|entry| entry.k == Kind::Added).map(|entry| entry.m);
    // A call whose answer never came may be the one that let the agent in.
    adds.iter().any(|(made, asked)| (made.is_none() || *made == record) && *asked <= event.t)
}
