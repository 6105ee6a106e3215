//! Who may do what in a chat, and which events come of it. Pure: one function of the room.
//!
//! A decision is made on what the room knows. Made on an old state it does no harm: the commit
//! names the state it was made on and is refused by the store, and a refusal is given only after
//! the log was asked whether the room is up to date.

use crate::model::chat::Access;
use crate::model::{
    AgentId, Caller, ChatKind, Event, Limits, Message, MessageId, Micros, Nonce, Overlay, Owner, Participant,
    ParticipantId, Post, Roster,
};
use crate::store::{Commit, Committed, Entry, Expect, Touch};
use crate::wire::resources::ParticipantResource;
use crate::wire::{ApiError, Reason};

use super::command::{Answer, Command};
use super::room::Room;

/// What is to be done about a command.
#[derive(Debug)]
pub enum Decision {
    /// Nothing: this is the answer.
    Answer(Answer),
    Refuse(ApiError),
    /// The message of this moment is needed to decide.
    Need(Micros),
    /// This is to be made true.
    Commit(Box<Commit>),
}

/// What a decision is made with, besides the room.
pub struct Given<'a> {
    pub caller: &'a Caller,
    pub limits: &'a Limits,
    /// The name of the first entry, the same for every attempt at the command.
    pub nonce: Nonce,
    /// An older message that was read for this decision: `Some(None)` when there is none.
    pub found: Option<&'a Option<Message>>,
}

type Decided = Result<Decision, ApiError>;

/// Decides a command on a chat that exists.
#[must_use]
pub fn decide(room: &Room, command: &Command, given: &Given<'_>) -> Decision {
    let decided = match command {
        Command::Create { .. } => Ok(Decision::Answer(Answer::Chat(Box::new(room.view(given.caller.agent))))),
        Command::Update { name, detail } => update(room, name.as_ref(), detail.as_ref(), given),
        Command::Delete => delete(room, given),
        Command::Add { agent, name, joins } => add(room, *agent, name, *joins, given),
        Command::Remove { participant, name } => remove(room, *participant, name, given),
        Command::Post { parent, text, medias } => {
            let post = Post {
                owner: Owner::Agent(given.caller.agent),
                parent: None,
                text: text.clone(),
                medias: medias.clone(),
            };
            self::post(room, *parent, post, given)
        }
        Command::DeleteMessage { message } => delete_message(room, *message, given),
        Command::React { message, emoji, added } => react(room, *message, emoji, *added, given),
    };
    decided.unwrap_or_else(Decision::Refuse)
}

/// The first commit of a chat that does not exist yet.
#[must_use]
pub fn begin(chat: crate::model::ChatId, command: &Command, nonce: Nonce) -> Decision {
    let Command::Create { customer, kind, name, detail, members, at } = command else {
        return Decision::Refuse(unknown_chat());
    };
    let event = Event::ChatCreated {
        customer: *customer,
        kind: *kind,
        name: name.clone(),
        detail: detail.clone(),
        members: members.iter().map(|agent| (*agent, ParticipantId::random())).collect(),
    };
    let entries = vec![Entry { nonce, event, touch: None }];
    Decision::Commit(Box::new(Commit {
        chat,
        expect: Expect::Absent { at: *at },
        retry_after: None,
        known: None,
        entries,
    }))
}

/// The refusal that tells nothing: the chat does not exist, or not for this caller.
#[must_use]
pub fn unknown_chat() -> ApiError {
    ApiError::new(Reason::ChatNotFound, "no such chat")
}

/// Likewise for a message.
#[must_use]
pub fn unknown_message() -> ApiError {
    ApiError::new(Reason::TalkMessageNotFound, "no such message")
}

/// Lets members through.
///
/// # Errors
/// Hidden chats are unknown, others denied.
pub fn member(room: &Room, caller: &Caller) -> Result<(), ApiError> {
    match room.chat().access(caller, room.roster()) {
        Access::Hidden => Err(unknown_chat()),
        Access::Outsider | Access::Visitor => {
            Err(ApiError::new(Reason::PermissionDenied, "only members of the chat may do this"))
        }
        Access::Member => Ok(()),
    }
}

/// Lets members through, and visitors of a public channel.
///
/// # Errors
/// As [`member`].
pub fn visitor(room: &Room, caller: &Caller) -> Result<(), ApiError> {
    match room.chat().access(caller, room.roster()) {
        Access::Visitor => Ok(()),
        Access::Hidden | Access::Outsider | Access::Member => member(room, caller),
    }
}

/// As [`member`], for a call that names a message: then that is what is unknown.
///
/// # Errors
/// As [`member`].
pub fn reader(room: &Room, caller: &Caller) -> Result<(), ApiError> {
    member(room, caller).map_err(|error| if error.reason == Reason::ChatNotFound { unknown_message() } else { error })
}

fn alive(room: &Room) -> Result<(), ApiError> {
    if room.chat().is_deleted() {
        return Err(ApiError::new(Reason::StateInvalid, "the chat is deleted"));
    }
    Ok(())
}

fn commit(room: &Room, entries: Vec<Entry>) -> Decided {
    let expect = Expect::Rules(room.rules());
    Ok(Decision::Commit(Box::new(Commit { chat: room.chat().id, expect, retry_after: None, known: None, entries })))
}

fn entry(nonce: Nonce, event: Event) -> Entry {
    Entry { nonce, event, touch: None }
}

fn system(room: &Room, text: String) -> Option<Entry> {
    let post = Post { owner: Owner::System, parent: None, text, medias: Vec::new() };
    (room.chat().kind != ChatKind::Direct).then(|| entry(Nonce::random(), Event::MessageCreated(post)))
}

fn update(room: &Room, name: Option<&String>, detail: Option<&String>, given: &Given<'_>) -> Decided {
    member(room, given.caller)?;
    alive(room)?;
    let event = Event::ChatUpdated {
        name: name.unwrap_or(&room.chat().name).clone(),
        detail: detail.unwrap_or(&room.chat().detail).clone(),
    };
    commit(room, vec![entry(given.nonce, event)])
}

fn delete(room: &Room, given: &Given<'_>) -> Decided {
    member(room, given.caller)?;
    if room.chat().is_deleted() {
        return Ok(Decision::Answer(Answer::Chat(Box::new(room.view(given.caller.agent)))));
    }
    commit(room, vec![entry(given.nonce, Event::ChatDeleted)])
}

fn add(room: &Room, agent: AgentId, name: &str, joins: bool, given: &Given<'_>) -> Decided {
    let chat = room.chat();
    if chat.customer != given.caller.customer {
        return Err(unknown_chat());
    }
    if joins && chat.kind != ChatKind::Talk {
        return Err(ApiError::argument("only chats of type talk can be joined"));
    }
    if agent == given.caller.agent {
        visitor(room, given.caller)?;
    } else {
        member(room, given.caller)?;
    }
    if let Some(known) = room.roster().get(agent) {
        let known = ParticipantResource::of(chat.customer, chat.id, known);
        return Ok(Decision::Answer(Answer::Participant(known)));
    }
    alive(room)?;
    if chat.kind == ChatKind::Direct {
        return Err(ApiError::new(Reason::StateInvalid, "a direct chat has exactly two members"));
    }
    if room.roster().len() >= given.limits.members_max {
        return Err(ApiError::argument(format!("a chat has at most {} members", given.limits.members_max)));
    }
    let event = Event::ParticipantAdded { agent, participant: ParticipantId::random() };
    let mut entries = vec![entry(given.nonce, event)];
    entries.extend(system(room, format!("{name} joined the conversation.")));
    commit(room, entries)
}

fn remove(room: &Room, id: ParticipantId, name: &str, given: &Given<'_>) -> Decided {
    member(room, given.caller)?;
    let known = find(room.roster(), id)?;
    alive(room)?;
    if room.chat().kind == ChatKind::Direct {
        return Err(ApiError::new(Reason::StateInvalid, "a direct chat keeps its two members"));
    }
    let event = Event::ParticipantRemoved { agent: known.agent, participant: id, joined: known.joined };
    let mut entries = vec![entry(given.nonce, event)];
    entries.extend(system(room, format!("{name} left the conversation.")));
    commit(room, entries)
}

fn find(roster: &Roster, id: ParticipantId) -> Result<&Participant, ApiError> {
    roster.find(id).ok_or_else(|| ApiError::new(Reason::ParticipantNotFound, "no such participant in this chat"))
}

fn post(room: &Room, parent: Option<MessageId>, mut post: Post, given: &Given<'_>) -> Decided {
    member(room, given.caller)?;
    alive(room)?;
    if let Some(parent) = parent {
        let wrong = || ApiError::argument("parent_id is not a message of this chat");
        let at = local(room, parent).ok_or_else(wrong)?;
        match lookup(room, at, given) {
            Lookup::Found(_) => post.parent = Some(at),
            Lookup::None => return Err(wrong()),
            Lookup::Need => return Ok(Decision::Need(at)),
        }
    }
    commit(room, vec![entry(given.nonce, Event::MessageCreated(post))])
}

fn delete_message(room: &Room, id: MessageId, given: &Given<'_>) -> Decided {
    let message = match named(room, id, given)? {
        Lookup::Found(message) => message,
        Lookup::None => return Err(unknown_message()),
        Lookup::Need => return need(room, id),
    };
    if message.post.owner != Owner::Agent(given.caller.agent) {
        return Err(ApiError::new(Reason::PermissionDenied, "only its author may delete a message"));
    }
    if message.overlay.deleted {
        return Ok(Decision::Answer(Answer::Message(Box::new(room.resource(message)))));
    }
    alive(room)?;
    let event = Event::MessageDeleted { message: message.at };
    touch(room, event, message, Overlay::tombstone(Micros::ZERO), given)
}

fn react(room: &Room, id: MessageId, emoji: &str, added: bool, given: &Given<'_>) -> Decided {
    let message = match named(room, id, given)? {
        Lookup::Found(message) => message,
        Lookup::None => return Err(unknown_message()),
        Lookup::Need => return need(room, id),
    };
    let agent = given.caller.agent;
    if added && message.overlay.deleted {
        return Err(ApiError::new(Reason::StateInvalid, "the message is deleted"));
    }
    let before = &message.overlay;
    let after =
        if added { before.with(emoji, agent, Micros::ZERO) } else { before.without(emoji, agent, Micros::ZERO) };
    let Some(after) = after else {
        return Ok(Decision::Answer(Answer::Message(Box::new(room.resource(message)))));
    };
    alive(room)?;
    if added && after.emoji_count() > given.limits.emoji_per_message_max.max(before.emoji_count()) {
        let most = given.limits.emoji_per_message_max;
        return Err(ApiError::argument(format!("a message has at most {most} different emoji")));
    }
    if added && after.reactions.len() > given.limits.reactions_per_message_max {
        let most = given.limits.reactions_per_message_max;
        return Err(ApiError::argument(format!("a message has at most {most} reactions")));
    }
    let event = Event::ReactionChanged { message: message.at, agent, added };
    touch(room, event, message, after, given)
}

fn touch(room: &Room, event: Event, message: &Message, overlay: Overlay, given: &Given<'_>) -> Decided {
    let touch = Some(Touch { before: message.clone(), overlay });
    commit(room, vec![Entry { nonce: given.nonce, event, touch }])
}

enum Lookup<'a> {
    Found(&'a Message),
    None,
    Need,
}

fn local(room: &Room, id: MessageId) -> Option<Micros> {
    id.locate().filter(|(key, _)| *key == room.chat().id.key()).map(|(_, at)| at)
}

fn named<'a>(room: &'a Room, id: MessageId, given: &Given<'a>) -> Result<Lookup<'a>, ApiError> {
    reader(room, given.caller)?;
    let at = local(room, id).ok_or_else(unknown_message)?;
    Ok(lookup(room, at, given))
}

fn need(room: &Room, id: MessageId) -> Decided {
    local(room, id).map(Decision::Need).ok_or_else(unknown_message)
}

/// The room's own copy first: it moves with every event, so it is never older than one that was
/// read for this decision.
fn lookup<'a>(room: &'a Room, at: Micros, given: &Given<'a>) -> Lookup<'a> {
    match (room.recent().message(at), given.found) {
        (Some(known), _) => Lookup::Found(known),
        (None, Some(Some(found))) if found.at == at => Lookup::Found(found),
        (None, Some(_)) => Lookup::None,
        (None, None) if room.recent().would_know(at) && at <= room.head().at => Lookup::None,
        (None, None) => Lookup::Need,
    }
}

/// The answer to a command whose commit is in the log.
///
/// For a change of an older message that is the message after it; `None` when a repeated commit
/// has to be answered from a message that is not at hand.
#[must_use]
pub fn answer(room: &Room, caller: &Caller, committed: &Committed, message: Option<&Message>) -> Option<Answer> {
    let record = committed.records.first()?;
    let chat = room.chat();
    let participant = |joined, id, agent| {
        let participant = Participant { id, agent, joined, joined_seq: record.seq };
        Answer::Participant(ParticipantResource::of(chat.customer, chat.id, &participant))
    };
    Some(match &record.event {
        Event::ChatCreated { .. } | Event::ChatUpdated { .. } | Event::ChatDeleted => {
            Answer::Chat(Box::new(room.view(caller.agent)))
        }
        Event::MessageCreated(post) => {
            let message =
                Message { seq: record.seq, at: record.at, post: post.clone(), overlay: Overlay::default(), replies: 0 };
            Answer::Message(Box::new(room.resource(&message)))
        }
        Event::MessageDeleted { .. } | Event::ReactionChanged { .. } => {
            Answer::Message(Box::new(room.resource(message?)))
        }
        Event::ParticipantAdded { agent, participant: id } => participant(record.at, *id, *agent),
        Event::ParticipantRemoved { agent, participant: id, joined } => participant(*joined, *id, *agent),
    })
}
