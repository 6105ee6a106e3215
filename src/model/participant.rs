//! Who is in a chat.

use std::collections::HashMap;

use super::ids::{AgentId, ParticipantId};
use super::time::Micros;

/// One agent's membership of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Participant {
    pub id: ParticipantId,
    pub agent: AgentId,
    pub joined: Micros,
    /// Number of the event by which the agent came in: the first one that is theirs to hear.
    pub joined_seq: u64,
}

/// The participants of a chat: an agent is in it once or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    by_agent: HashMap<AgentId, Participant>,
}

impl Roster {
    /// How many members there are. This is the chat's `member_count`; nothing else counts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_agent.len()
    }

    /// Whether nobody is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_agent.is_empty()
    }

    /// Whether the agent is a member.
    #[must_use]
    pub fn contains(&self, agent: AgentId) -> bool {
        self.by_agent.contains_key(&agent)
    }

    /// The agent's membership.
    #[must_use]
    pub fn get(&self, agent: AgentId) -> Option<&Participant> {
        self.by_agent.get(&agent)
    }

    /// The membership of this id. Walks the roster, whose size is limited.
    #[must_use]
    pub fn find(&self, id: ParticipantId) -> Option<&Participant> {
        self.by_agent.values().find(|participant| participant.id == id)
    }

    /// Takes a participant in; one of the same agent is replaced.
    pub fn insert(&mut self, participant: Participant) {
        self.by_agent.insert(participant.agent, participant);
    }

    /// Lets the agent go.
    pub fn remove(&mut self, agent: AgentId) -> Option<Participant> {
        self.by_agent.remove(&agent)
    }

    /// Everybody, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Participant> {
        self.by_agent.values()
    }

    /// Everybody, newest joined first; those who joined together by id.
    #[must_use]
    pub fn newest_first(&self) -> Vec<Participant> {
        let mut all: Vec<_> = self.by_agent.values().copied().collect();
        all.sort_unstable_by_key(|one| std::cmp::Reverse((one.joined, one.id)));
        all
    }
}

impl FromIterator<Participant> for Roster {
    fn from_iter<I: IntoIterator<Item = Participant>>(participants: I) -> Self {
        Self { by_agent: participants.into_iter().map(|p| (p.agent, p)).collect() }
    }
}
