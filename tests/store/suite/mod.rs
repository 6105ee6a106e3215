//! The promises of the contract, as functions over any body, and what they share.
//!
//! A promise takes a [`Stage`]: a body's empty store, open. It must not rely on anything that
//! [`talk_hub::store`] does not say. A new promise is written in its module and listed in
//! [`keeps_every_promise`]; one that is not listed is dead code, which the compiler reports.

use std::time::Duration;

use futures_util::future::BoxFuture;
use talk_hub::model::{
    AgentId, ChatId, ChatKind, CustomerId, Event, FileId, Media, Message, Micros, Nonce, Overlay, Owner, ParticipantId,
    Post, Record,
};
use talk_hub::store::{
    Arrival, Channel, Commit, CommitError, Committed, Entry, Expect, Heard, Notice, Opened, Page, Side, Store, Touch,
};
use tokio::sync::mpsc;

pub mod claims;
pub mod commits;
pub mod deleting;
pub mod hearing;
pub mod lists;
pub mod pages;
pub mod races;
pub mod reacting;
pub mod records;
pub mod state;

/// How long a test waits for what must come. Long, because it is only waited out on failure.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One empty place for data, and how to open a store on it.
pub trait Body: Sized {
    /// A place that no other test uses.
    async fn fresh() -> Self;

    /// Opens the store: on what is there, when it was open before.
    async fn open(&self) -> Opened;
}

/// An open store, and the ear of its node.
pub struct Stage<B> {
    pub body: B,
    pub store: Store,
    heard: mpsc::Receiver<Heard>,
    close: BoxFuture<'static, ()>,
}

impl<B: Body> Stage<B> {
    /// An empty store.
    pub async fn set() -> Self {
        let body = B::fresh().await;
        let Opened { store, heard, close } = body.open().await;
        Self { body, store, heard, close }
    }

    /// The same data after the store was closed and opened again.
    pub async fn reopened(self) -> Self {
        let Self { body, store, heard, close } = self;
        close.await;
        drop((store, heard));
        let Opened { store, heard, close } = body.open().await;
        Self { body, store, heard, close }
    }

    /// Ends the test in an orderly way.
    pub async fn close(self) {
        self.close.await;
    }

    /// Commits a chat of these members, in the order given.
    pub async fn chat(&self, kind: ChatKind, members: &[AgentId]) -> Talk {
        self.chat_named(ChatId::random(), kind, members).await
    }

    /// Commits a chat of this id.
    pub async fn chat_named(&self, id: ChatId, kind: ChatKind, members: &[AgentId]) -> Talk {
        let customer = CustomerId::random();
        let at = self.store.log.now(id.key()).await.unwrap();
        let members: Vec<_> = members.iter().map(|agent| (*agent, ParticipantId::random())).collect();
        let event = Event::ChatCreated {
            customer,
            kind,
            name: "a name".to_owned(),
            detail: "a detail".to_owned(),
            members: members.clone(),
        };
        let commit = Commit { chat: id, expect: Expect::Absent { at }, retry_after: None, entries: vec![entry(event)] };
        self.store.log.commit(&commit).await.unwrap();
        Talk { id, customer, at, members, store: self.store.clone() }
    }

    /// The next commit of a watched chat, or notice of a watched customer.
    pub async fn next_heard(&mut self) -> Heard {
        loop {
            let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
            match heard.expect("nothing heard in time").expect("the link has ended") {
                Heard::Up | Heard::Down => {}
                news => return news,
            }
        }
    }

    /// The next thing heard, which must be a commit of this chat.
    pub async fn next_arrivals(&mut self, talk: &Talk) -> Vec<Arrival> {
        match self.next_heard().await {
            Heard::Arrived(key, arrivals) if key == talk.id.key() => arrivals,
            other => panic!("not a commit of {}: {other:?}", talk.id),
        }
    }

    /// The next thing heard, which must be a notice of this customer.
    pub async fn next_notice(&mut self, of: CustomerId) -> (u64, Notice) {
        match self.next_heard().await {
            Heard::Noticed { customer, number, notice } if customer == of => (number, notice),
            other => panic!("not a notice of {of}: {other:?}"),
        }
    }

    /// Watches the chat.
    pub async fn watch(&self, talk: &Talk) {
        self.store.link.watch(vec![Channel::Chat(talk.id.key())]).await;
    }
}

/// A chat that a test made.
#[derive(Clone)]
pub struct Talk {
    pub id: ChatId,
    pub customer: CustomerId,
    /// Its creation.
    pub at: Micros,
    pub members: Vec<(AgentId, ParticipantId)>,
    store: Store,
}

impl Talk {
    /// The number of the newest event that changed the rules.
    pub async fn rules(&self) -> u64 {
        self.store.log.load(self.id.key()).await.unwrap().expect("the chat is there").rules
    }

    /// A commit of these entries that expects the rules as they are now.
    pub async fn commit_of(&self, entries: Vec<Entry>) -> Commit {
        Commit { chat: self.id, expect: Expect::Rules(self.rules().await), retry_after: None, entries }
    }

    /// Commits it.
    pub async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        self.store.log.commit(commit).await
    }

    /// Commits these entries on the rules as they are now.
    pub async fn append(&self, entries: Vec<Entry>) -> Vec<Record> {
        let commit = self.commit_of(entries).await;
        let committed = self.commit(&commit).await.unwrap();
        assert!(!committed.repeated, "a new commit was taken for an old one");
        committed.records
    }

    /// Commits one event that touches no message.
    pub async fn add(&self, event: Event) -> Record {
        self.append(vec![entry(event)]).await.remove(0)
    }

    /// Posts a text; answers with the message.
    pub async fn say(&self, text: &str) -> Message {
        self.post(said(text)).await
    }

    /// Posts a reply.
    pub async fn reply(&self, to: &Message, text: &str) -> Message {
        self.post(Post { parent: Some(to.at), ..said(text) }).await
    }

    /// Posts; answers with the message as it must be read.
    pub async fn post(&self, post: Post) -> Message {
        let record = self.add(Event::MessageCreated(post.clone())).await;
        Message { seq: record.seq, at: record.at, post, overlay: Overlay::default(), replies: 0 }
    }

    /// Puts an agent's emoji on the message; answers with the message as it must be read.
    pub async fn react(&self, message: &Message, agent: AgentId, emoji: &str) -> Message {
        let record = self.append(vec![reaction(message, agent, emoji)]).await.remove(0);
        let mut after = message.clone();
        after.overlay = message.overlay.with(emoji, agent, record.at).expect("not there yet");
        after
    }

    /// Deletes the message; answers with what must be left of it.
    pub async fn delete(&self, message: &Message) -> Message {
        let record = self.append(vec![deletion(message)]).await.remove(0);
        let mut after = message.clone();
        after.delete(record.at);
        after
    }

    /// The message that was created at this moment.
    pub async fn message(&self, at: Micros) -> Option<Message> {
        self.store.log.messages_at(self.id.key(), &[at]).await.unwrap().remove(0)
    }

    /// The whole log.
    pub async fn log(&self) -> Vec<Record> {
        self.store.log.events(self.id.key(), 1, 100_000).await.unwrap()
    }

    /// A page of messages.
    pub async fn page(&self, side: Side, limit: usize) -> Vec<Message> {
        self.store.log.messages(self.id.key(), Page { side, limit }).await.unwrap()
    }

    /// A page of replies.
    pub async fn replies(&self, parent: &Message, side: Side, limit: usize) -> Vec<Message> {
        self.store.log.replies(self.id.key(), parent.at, Page { side, limit }).await.unwrap()
    }
}

/// An entry that touches no message, with a nonce of its own.
pub fn entry(event: Event) -> Entry {
    Entry { nonce: Nonce::random(), event, touch: None }
}

/// The entry that puts the emoji on the message as it is known.
pub fn reaction(message: &Message, agent: AgentId, emoji: &str) -> Entry {
    let overlay = message.overlay.with(emoji, agent, Micros::ZERO).expect("not there yet");
    let event = Event::ReactionChanged { message: message.at, agent, emoji: emoji.to_owned(), added: true };
    touching(message, event, overlay)
}

/// The entry that takes the emoji off the message as it is known.
pub fn withdrawal(message: &Message, agent: AgentId, emoji: &str) -> Entry {
    let overlay = message.overlay.without(emoji, agent, Micros::ZERO).expect("there");
    let event = Event::ReactionChanged { message: message.at, agent, emoji: emoji.to_owned(), added: false };
    touching(message, event, overlay)
}

/// The entry that deletes the message as it is known.
pub fn deletion(message: &Message) -> Entry {
    touching(message, Event::MessageDeleted { message: message.at }, Overlay::tombstone(Micros::ZERO))
}

fn touching(message: &Message, event: Event, overlay: Overlay) -> Entry {
    Entry { nonce: Nonce::random(), event, touch: Some(Touch { before: message.clone(), overlay }) }
}

/// A post of the system's, for tests that do not care whose it is.
pub fn said(text: &str) -> Post {
    Post { owner: Owner::System, parent: None, text: text.to_owned(), medias: Vec::new() }
}

/// A post that carries these files.
pub fn carrying(files: &[FileId]) -> Post {
    let medias = files.iter().map(|file| Media::File { file: *file, name: "a.txt".to_owned() }).collect();
    Post { medias, ..said("see the files") }
}

/// Makes one test of each promise for a body.
macro_rules! keeps_every_promise {
    ($body:ty) => {
        crate::suite::promises! { $body;
            commits:
                a_chat_begins_at_the_moment_it_is_given,
                two_entries_follow_each_other_without_a_gap,
                numbers_have_no_holes_and_moments_increase,
                a_taken_key_is_told_and_nothing_changes,
                a_chat_is_created_once,
                a_commit_on_old_rules_conflicts_and_leaves_no_trace,
                a_commit_to_a_chat_that_is_not_there_conflicts,
                messages_do_not_change_the_rules,
                a_commit_tried_again_is_made_once,
                a_creation_tried_again_is_made_once,
                an_attempt_that_never_arrived_is_made_by_the_next,
                what_is_acknowledged_is_there_after_opening_again;
        }
    };
}
pub(crate) use keeps_every_promise;

/// Expands a list of promises, module by module, into tests.
macro_rules! promises {
    ($body:ty; $($module:ident: $($promise:ident),+ $(,)?);+ $(;)?) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $promise() {
                let stage = crate::suite::Stage::<$body>::set().await;
                crate::suite::$module::$promise(stage).await;
            })+
        })+
    };
}
pub(crate) use promises;
