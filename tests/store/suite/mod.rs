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
pub mod together;

/// How often something is looked at that tells nobody when it changes.
pub const POLL_EVERY: Duration = Duration::from_millis(20);
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
    pub heard: mpsc::Receiver<Heard>,
    pub close: BoxFuture<'static, ()>,
}

impl<B: Body> Stage<B> {
    /// An empty store.
    pub async fn set() -> Self {
        let body = B::fresh().await;
        let Opened { store, heard, close, .. } = body.open().await;
        Self { body, store, heard, close }
    }

    /// The same data after the store was closed and opened again.
    pub async fn reopened(self) -> Self {
        let Self { body, store, heard, close } = self;
        close.await;
        drop((store, heard));
        let Opened { store, heard, close, .. } = body.open().await;
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
        let commit = Commit {
            chat: id,
            expect: Expect::Absent { at },
            retry_after: None,
            known: None,
            entries: vec![entry(event)],
        };
        self.store.log.commit(&commit).await.unwrap();
        Talk { id, customer, at, members, store: self.store.clone() }
    }

    /// The next commit of a watched chat, or notice of a watched customer.
    pub async fn next_heard(&mut self) -> Heard {
        loop {
            let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
            match heard.expect("nothing heard in time").expect("the link has ended") {
                Heard::Again(_) | Heard::Heads(_) => {}
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
        Commit { chat: self.id, expect: Expect::Rules(self.rules().await), retry_after: None, known: None, entries }
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
    let event = Event::ReactionChanged { message: message.at, agent, added: true };
    touching(message, event, overlay)
}

/// The entry that takes the emoji off the message as it is known.
pub fn withdrawal(message: &Message, agent: AgentId, emoji: &str) -> Entry {
    let overlay = message.overlay.without(emoji, agent, Micros::ZERO).expect("there");
    let event = Event::ReactionChanged { message: message.at, agent, added: false };
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
                a_reply_to_what_is_not_there_is_not_made,
                an_attempt_that_never_arrived_is_made_by_the_next,
                what_is_acknowledged_is_there_after_opening_again;
            state:
                a_new_chat_has_its_first_members,
                a_member_who_comes_later_joined_then,
                who_leaves_is_out_and_comes_back_as_somebody_new,
                a_chat_takes_another_name,
                a_deleted_chat_can_still_be_read,
                a_large_roster_is_read_whole,
                of_a_chat_that_is_not_there_nothing_is_found,
                every_event_is_read_as_it_was_written;
            pages:
                messages_are_paged_newest_first,
                messages_are_paged_oldest_first,
                a_page_is_full_also_across_many_other_events,
                a_page_ends_before_the_moment_it_is_asked_for,
                a_page_holds_one_chat_only,
                replies_are_paged_in_both_directions,
                a_message_counts_its_direct_replies,
                messages_are_found_by_their_moments,
                events_are_read_from_any_number_on,
                a_large_text_is_kept_whole;
            reacting:
                a_reaction_has_the_moment_of_its_event,
                a_reaction_can_be_taken_off_and_put_on_again,
                a_reaction_decided_on_an_older_state_conflicts,
                a_reaction_taken_off_elsewhere_cannot_be_taken_off_again,
                a_message_that_is_not_there_cannot_be_changed,
                replies_and_other_messages_do_not_disturb_a_reaction,
                a_conflict_of_the_second_entry_leaves_no_trace_of_the_first,
                a_reaction_tried_again_is_made_once;
            deleting:
                a_deleted_text_is_in_no_record,
                a_deleted_message_keeps_its_place,
                a_message_is_deleted_once,
                a_deletion_tried_again_is_made_once,
                a_posted_message_tried_again_after_its_deletion_comes_back_empty,
                a_chat_carries_a_file_while_a_message_does,
                deleted_stays_deleted_after_opening_again;
            races:
                two_commits_that_expect_the_same_rules_cannot_both_change_them,
                one_chat_is_created_under_a_key,
                copies_of_one_commit_are_made_once,
                reactions_of_many_are_all_kept,
                every_reply_is_counted,
                a_message_is_deleted_by_one_of_many;
            together:
                each_of_many_commits_at_once_is_answered_for_itself,
                what_is_deleted_meanwhile_is_not_told_to_who_tries_again;
            hearing:
                commits_are_heard_in_the_order_of_their_numbers,
                a_creation_is_heard_by_who_watched_before,
                two_entries_are_heard_together,
                a_change_is_heard_with_the_message_after_it,
                what_is_not_watched_is_not_heard,
                what_is_no_longer_watched_falls_silent,
                watching_twice_is_watching_once,
                notices_are_counted_for_each_customer,
                notices_of_many_are_heard_in_the_order_of_their_numbers,
                an_announcement_is_noticed,
                notices_go_on_counting_after_opening_again,
                a_store_that_is_open_is_soon_healthy;
            lists:
                a_chat_is_in_the_lists_it_was_announced_to,
                chats_are_listed_by_creation_and_id,
                announcing_again_lists_once,
                a_forgotten_chat_is_found_for_a_while,
                a_buried_chat_is_in_no_list,
                many_announce_at_once_and_all_are_listed,
                lists_are_there_after_opening_again;
            claims:
                a_pair_has_one_chat,
                a_pair_gets_a_new_chat_instead_of_the_one_named,
                many_who_claim_a_pair_get_the_same_chat,
                the_first_claim_of_a_key_stands,
                a_claim_can_be_settled,
                new_keys_run_out_and_old_ones_still_answer,
                many_who_claim_a_key_get_the_same_claim;
            records:
                a_record_is_read_and_listed,
                a_record_is_in_its_lists_only,
                lists_are_paged_also_across_equal_moments,
                a_unique_name_belongs_to_one_record,
                a_record_inserted_again_is_there_once,
                bytes_are_replaced_only_if_they_are_still_the_same,
                of_many_replacements_of_the_same_bytes_one_is_made,
                a_removed_record_is_gone_from_everywhere,
                of_many_who_want_a_name_one_gets_it,
                records_are_there_after_opening_again;
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
