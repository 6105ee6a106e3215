//! What holds for every history: properties of the pure part of a chat, tried on generated ones.
//!
//! A model of the store makes commits as the real ones do: it appends a decision's events, gives
//! them numbers and moments, and keeps every message. The room only ever sees arrivals.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::command::Command;
use super::room::{Bounds, Room, Step};
use super::rules::{self, Decision, Given};
use super::shelf::{Shelf, Space};
use crate::model::{
    AgentId, Caller, ChatId, ChatKind, CustomerId, Event, Limits, Message, MessageId, Micros, Nonce, Overlay, Owner,
    Permissions, Record,
};
use crate::settings::Settings;
use crate::store::{Arrival, Commit, Page, Side};
use crate::wire::page::{Listed, Token};

const AGENTS: u8 = 5;
const BOUNDS: Bounds = Bounds { messages_max: 6, events_max: 9 };

fn limits() -> Limits {
    let secret = ("TALK__AUTH__SECRET".to_owned(), "sixteen bytes or more".to_owned());
    Settings::load(None, [secret]).expect("settings").limits
}

fn agent(number: u8) -> AgentId {
    AgentId::from_bytes([number + 1; 16])
}

fn caller(number: u8) -> Caller {
    let customer = CustomerId::from_bytes([if number == AGENTS { 9 } else { 1 }; 16]);
    Caller { customer, agent: agent(number), name: format!("agent {number}"), permissions: Permissions::AGENT }
}

/// The store's part: the log, and every message as it is.
struct Log {
    chat: ChatId,
    newest: u64,
    /// Of the newest event.
    nonce: Option<Nonce>,
    arrivals: Vec<Arrival>,
    messages: BTreeMap<Micros, Message>,
}

impl Log {
    fn make(&mut self, commit: &Commit) -> Vec<Arrival> {
        let made: Vec<Arrival> = commit.entries.iter().map(|entry| self.append(entry)).collect();
        self.arrivals.extend(made.iter().cloned());
        made
    }

    fn append(&mut self, entry: &crate::store::Entry) -> Arrival {
        self.newest += 1;
        let (seq, at) = (self.newest, Micros(self.newest * 10));
        if let Event::MessageCreated(post) = &entry.event {
            if let Some(parent) = post.parent.and_then(|parent| self.messages.get_mut(&parent)) {
                parent.replies += 1;
            }
            let (post, overlay) = (post.clone(), Overlay::default());
            self.messages.insert(at, Message { seq, at, post, overlay, replies: 0 });
        }
        let message = entry.touch.as_ref().map(|touch| {
            let message = self.messages.get_mut(&touch.before.at).expect("a message that is touched");
            assert_eq!(message.overlay, touch.before.overlay, "decided on the message as it is");
            if touch.overlay.deleted {
                message.delete(at);
            } else {
                message.overlay = touch.overlay.clone();
                message.overlay.updated = Some(at);
                message.overlay.reactions.iter_mut().filter(|r| r.at == Micros::ZERO).for_each(|r| r.at = at);
            }
            message.clone()
        });
        let previous = self.nonce.replace(entry.nonce);
        Arrival { record: Record { seq, at, nonce: entry.nonce, event: entry.event.clone() }, message, previous }
    }
}

/// What somebody tries: who, what, and which message or participant by its place.
#[derive(Clone, Debug)]
enum Try {
    Post(u8, Option<usize>),
    Add(u8, u8, bool),
    Remove(u8, usize),
    React(u8, usize, bool),
    DeleteMessage(u8, usize),
    Update(u8),
    Delete(u8),
}

fn tries() -> impl Strategy<Value = Try> {
    let who = || 0..=AGENTS;
    prop_oneof![
        6 => (who(), proptest::option::of(0usize..8)).prop_map(|(who, parent)| Try::Post(who, parent)),
        3 => (who(), 0..AGENTS, any::<bool>()).prop_map(|(who, whom, joins)| Try::Add(who, whom, joins)),
        2 => (who(), 0usize..6).prop_map(|(who, place)| Try::Remove(who, place)),
        4 => (who(), 0usize..8, any::<bool>()).prop_map(|(who, place, added)| Try::React(who, place, added)),
        2 => (who(), 0usize..8).prop_map(|(who, place)| Try::DeleteMessage(who, place)),
        1 => who().prop_map(Try::Update),
        1 => prop_oneof![9 => Just(u8::MAX), 1 => who()].prop_map(Try::Delete),
    ]
}

/// A history: a chat of this kind, and what came of everything that was tried.
fn history(kind: ChatKind, tried: &[Try]) -> (Log, Room) {
    let limits = limits();
    let (chat, arrivals, messages) = (ChatId::from_bytes([3; 16]), Vec::new(), BTreeMap::new());
    let mut log = Log { chat, newest: 0, nonce: None, arrivals, messages };
    let create = Command::Create {
        customer: caller(0).customer,
        kind,
        name: String::new(),
        detail: String::new(),
        members: vec![agent(0), agent(1)],
        at: Micros(10),
    };
    let Decision::Commit(commit) = rules::begin(log.chat, &create, Nonce(1)) else { panic!("a chat begins") };
    let first = log.make(&commit).remove(0);
    let mut room = Room::begin(log.chat, &first.record, BOUNDS).expect("a first event");
    for (number, one) in tried.iter().enumerate() {
        let Some((who, command)) = command(one, &log, &room) else { continue };
        let (caller, nonce) = (caller(who), Nonce(number as u64 + 2));
        let mut found = None;
        let decision = loop {
            let given = Given { caller: &caller, limits: &limits, nonce, found: found.as_ref() };
            match rules::decide(&room, &command, &given) {
                Decision::Need(at) => found = Some(log.messages.get(&at).cloned()),
                decided => break decided,
            }
        };
        if let Decision::Commit(commit) = decision {
            let member = room.roster().contains(caller.agent);
            let joins = matches!(command, Command::Add { agent, .. } if agent == caller.agent);
            assert!(member || (kind == ChatKind::Talk && joins), "{one:?} by somebody who is not in the chat");
            assert!(who != AGENTS, "{one:?} by another customer");
            assert!(!room.chat().is_deleted(), "{one:?} in a deleted chat");
            for arrival in log.make(&commit) {
                assert_eq!(room.offer(&arrival), Step::Applied);
            }
        }
    }
    (log, room)
}

fn command(one: &Try, log: &Log, room: &Room) -> Option<(u8, Command)> {
    let key = log.chat.key();
    let message = |place: &usize| log.messages.keys().nth(*place).map(|at| MessageId::new(*at, key));
    Some(match one {
        Try::Post(who, parent) => {
            let parent = parent.as_ref().and_then(message);
            (*who, Command::Post { parent, text: "said".to_owned(), medias: Vec::new() })
        }
        Try::Add(who, whom, joins) => {
            let whom = if *joins { (*who).min(AGENTS - 1) } else { *whom };
            (*who, Command::Add { agent: agent(whom), name: "n".to_owned(), joins: *joins && whom == *who })
        }
        Try::Remove(who, place) => {
            let participant = room.roster().newest_first().get(*place)?.id;
            (*who, Command::Remove { participant, name: "n".to_owned() })
        }
        Try::React(who, place, added) => {
            (*who, Command::React { message: message(place)?, emoji: "+".to_owned(), added: *added })
        }
        Try::DeleteMessage(who, place) => (*who, Command::DeleteMessage { message: message(place)? }),
        Try::Update(who) => (*who, Command::Update { name: Some("new".to_owned()), detail: None }),
        Try::Delete(u8::MAX) => return None,
        Try::Delete(who) => (*who, Command::Delete),
    })
}

fn kinds() -> impl Strategy<Value = ChatKind> {
    prop_oneof![Just(ChatKind::Direct), Just(ChatKind::Group), Just(ChatKind::Talk)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_rule_is_ever_broken(kind in kinds(), tried in proptest::collection::vec(tries(), 0..60)) {
        let (log, room) = history(kind, &tried);
        if kind == ChatKind::Direct {
            prop_assert_eq!(room.roster().len(), 2);
        }
        prop_assert!(!room.roster().contains(agent(AGENTS)));
        for message in log.messages.values() {
            let mut reactors: Vec<AgentId> = message.overlay.reactions.iter().map(|r| r.agent).collect();
            reactors.sort_unstable();
            reactors.dedup();
            prop_assert_eq!(reactors.len(), message.overlay.reactions.len(), "one emoji of an agent stands once");
            if message.overlay.deleted {
                prop_assert!(message.post.text.is_empty() && message.overlay.reactions.is_empty());
            }
            prop_assert!(message.post.owner != Owner::System || kind != ChatKind::Direct, "two need no announcements");
        }
        let numbers: Vec<u64> = log.arrivals.iter().map(|arrival| arrival.record.seq).collect();
        prop_assert_eq!(numbers, (1..=log.arrivals.len() as u64).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_room_shows_is_what_the_log_holds(kind in kinds(), tried in proptest::collection::vec(tries(), 0..60), before in 0u64..700, limit in 1usize..9) {
        let (log, room) = history(kind, &tried);
        for side in [Side::Before(Micros(before)), Side::Before(Micros::MAX), Side::After(Micros(before))] {
            let truth: Vec<Message> = match side {
                Side::Before(at) => log.messages.range(..at).rev().take(limit).map(|(_, m)| m.clone()).collect(),
                Side::After(at) => log.messages.range(Micros(at.0 + 1)..).take(limit).map(|(_, m)| m.clone()).collect(),
            };
            if let Some(shown) = room.recent().page(Page { side, limit }) {
                prop_assert_eq!(shown, truth.iter().collect::<Vec<_>>());
            }
        }
        for (at, message) in &log.messages {
            if let Some(known) = room.recent().message(*at) {
                prop_assert_eq!(known, message);
            }
        }
        let known = log.messages.keys().filter(|at| room.recent().message(**at).is_some()).count();
        prop_assert!(known <= BOUNDS.messages_max);
        let oldest = (0..room.head().seq).find_map(|seq| Some((seq, room.recent().events_after(seq)?.count())));
        if let Some((seq, count)) = oldest {
            prop_assert!(count <= BOUNDS.events_max);
            prop_assert_eq!(seq + count as u64, room.head().seq, "the ring reaches to the head without a hole");
        }
    }

    #[test]
    fn events_are_taken_once_and_in_order_whatever_overtakes_what(
        tried in proptest::collection::vec(tries(), 0..40),
        shuffle in proptest::collection::vec(any::<prop::sample::Index>(), 0..200),
    ) {
        let (log, straight) = history(ChatKind::Talk, &tried);
        let mut room = Room::begin(log.chat, &log.arrivals[0].record, BOUNDS).expect("a first event");
        let in_order = log.arrivals.iter();
        let at_random = shuffle.iter().map(|place| place.get(&log.arrivals));
        // Whatever comes first, and however often: in the end the log is read.
        for arrival in at_random.chain(in_order) {
            let next = room.head().seq + 1;
            let step = room.offer(arrival);
            match arrival.record.seq {
                seq if seq == next => prop_assert_eq!(step, Step::Applied),
                seq if seq > next => prop_assert_eq!(step, Step::Gap),
                _ => prop_assert_eq!(step, Step::Known),
            }
        }
        prop_assert_eq!(room.head(), straight.head());
        prop_assert_eq!(room.roster(), straight.roster());
        prop_assert_eq!(room.chat(), straight.chat());
    }

    #[test]
    fn a_page_from_the_shelf_is_what_the_log_s_messages_are_written_as_and_is_for_members(
        kind in kinds(), tried in proptest::collection::vec(tries(), 0..60), limit in 1usize..7, asked in 1usize..9,
        reader in 0..=AGENTS,
    ) {
        let (log, room) = history(kind, &tried);
        let written = |rows: usize| {
            let newest: Vec<_> = log.messages.values().rev().take(rows).collect();
            let next_page_token = newest.last().map(|last| Token::moment(last.at)).unwrap_or_default();
            let result = newest.iter().map(|message| room.resource(message)).collect::<Vec<_>>();
            serde_json::to_vec(&Listed { result, next_page_token }).expect("a page")
        };
        let shelf = Shelf::new(Space::new(usize::MAX));
        let page = shelf.fill(&room, limit).expect("the room has it").expect("it has a form");
        prop_assert_eq!(&page, &written(limit));
        let member = rules::member(&room, &caller(reader)).is_ok();
        match shelf.offer(&caller(reader), log.chat, asked) {
            Some((page, position)) => {
                prop_assert!(member);
                prop_assert_eq!(&page, &written(asked));
                prop_assert_eq!(position, room.head());
            }
            None => prop_assert!(!member || asked > limit),
        }
        let other = ChatId::from_bytes([4; 16]);
        prop_assert!(shelf.offer(&caller(0), other, limit).is_none());
    }

    #[test]
    fn another_event_of_a_known_number_shows_that_history_was_rewritten(tried in proptest::collection::vec(tries(), 0..40)) {
        let (log, mut room) = history(ChatKind::Group, &tried);
        let mut other = log.arrivals.last().cloned().expect("an event");
        other.record.nonce = Nonce(u64::MAX);
        prop_assert_eq!(room.offer(&other), Step::Rewritten);
    }
}

#[test]
fn pages_that_are_kept_fit_into_their_space_and_go_when_nobody_comes_for_them() {
    let (log, room) = history(ChatKind::Group, &[]);
    let space = Space::new(60);
    let shelves = [Shelf::new(space.clone()), Shelf::new(space)];
    let kept = |shelf: &Shelf| shelf.offer(&caller(0), log.chat, 1).is_some();
    let fill = |shelf: &Shelf| shelf.fill(&room, 1).expect("the room has it").expect("it has a form");
    assert_eq!(fill(&shelves[0]), fill(&shelves[1]));
    assert_eq!((kept(&shelves[0]), kept(&shelves[1])), (true, false));
    assert!(shelves[0].was_used());
    assert!(kept(&shelves[0]), "somebody came");
    assert!(shelves[0].was_used());
    assert!(!shelves[0].was_used(), "nobody came");
    assert!(!kept(&shelves[0]));
    fill(&shelves[1]);
    assert!(kept(&shelves[1]), "there is space again");
}
