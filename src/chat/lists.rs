//! What many chats answer together: lists of them, and their messages merged.
//!
//! The indexes of the store may hold too much; each chat found in one is looked at before it is
//! shown. A chat in memory is asked. Any other is read from the store, so that a list takes no room
//! in memory; so is one that is too busy to answer, so that a list stands whatever one of its chats
//! does.

use std::time::Instant;

use futures_util::{StreamExt, stream};

use crate::model::{Caller, ChatId, Micros};
use crate::store::{Around, ChatList, Page, Side, StoreError};
use crate::wire::page::PageRequest;
use crate::wire::resources::MessageResource;
use crate::wire::time;
use crate::wire::{ApiError, Reason};

use super::command::{Answer, ChatView, Question};
use super::registry::{Chats, Whom};
use super::room::Room;
use super::rules;

/// Chats looked at at once for one list.
const AT_ONCE: usize = 32;
/// Rows taken from an index at once, at most.
const ROWS: usize = 200;

/// Whether a row of a list is wanted.
type Wanted<'a> = &'a (dyn Fn(&ChatView) -> bool + Sync);

impl Chats {
    /// A page of a list of chats: those that the caller may see and that are wanted, each with the
    /// moment at which it stands in the list. At most `limits.listed_rows_max` rows are looked at;
    /// then the page holds what was found in them.
    ///
    /// # Errors
    /// 503 when the store did not answer.
    pub async fn list(
        &self,
        caller: &Caller,
        list: ChatList,
        page: &PageRequest,
        wanted: Wanted<'_>,
    ) -> Result<Vec<(Micros, ChatView)>, ApiError> {
        let mut found = Vec::new();
        let mut around = page.around();
        let mut left = self.deps().limits.listed_rows_max;
        while left > 0 {
            let rows = self.deps().store.index.chats(caller.customer, list, around, ROWS.min(left)).await?;
            let Some((at, id)) = rows.last().copied() else { break };
            left = left.saturating_sub(rows.len());
            around = if page.ascending { Around::After(at, id.0) } else { Around::Before(at, id.0) };
            let views = stream::iter(rows).map(async |(at, id)| (at, self.view(caller, id).await));
            let mut views = std::pin::pin!(views.buffered(AT_ONCE));
            while let Some((at, view)) = views.next().await {
                if let Some(view) = view?.filter(|view| wanted(view)) {
                    found.push((at, view));
                    if found.len() == page.limit {
                        return Ok(found);
                    }
                }
            }
        }
        Ok(found)
    }

    /// The chat as the caller sees it; `None` when it is not the caller's to see.
    async fn view(&self, caller: &Caller, id: ChatId) -> Result<Option<ChatView>, ApiError> {
        if let Some(answered) = self.ask_if_live(caller, id, Question::Chat).await {
            return visible(answered)?.map(Answer::into_chat).transpose();
        }
        let Some(room) = self.read(id).await? else { return Ok(None) };
        Ok(rules::visitor(&room, caller).is_ok().then(|| room.view(caller.agent)))
    }

    /// Messages of the chat; none when it is not the caller's to read, any more.
    async fn messages(&self, caller: &Caller, id: ChatId, page: Page) -> Result<Vec<MessageResource>, ApiError> {
        if let Some(answered) = self.ask_if_live(caller, id, Question::Messages { page, parent: None }).await {
            return visible(answered)?.map_or(Ok(Vec::new()), Answer::into_messages);
        }
        let Some(room) = self.read(id).await?.filter(|room| rules::member(room, caller).is_ok()) else {
            return Ok(Vec::new());
        };
        let found = self.deps().store.log.messages(id.key(), page).await?;
        Ok(found.iter().map(|message| room.resource(message)).collect())
    }

    /// What a chat in memory answers; `None` when it is not there, or cannot answer now.
    async fn ask_if_live(&self, caller: &Caller, id: ChatId, question: Question) -> Option<Result<Answer, ApiError>> {
        if !self.is_live(id.key()) {
            return None;
        }
        let asked = Instant::now();
        match self.question(caller, Whom::Chat(id), question).await {
            Err(error) if error.reason == Reason::RateLimitExceeded => None,
            // At once, it was for want of room. Later, it is the store that does not answer.
            Err(error) if error.reason == Reason::ServiceUnavailable && asked.elapsed() * 2 < self.deps().wait => None,
            answered => Some(answered),
        }
    }

    /// The chat as the store has it.
    async fn read(&self, id: ChatId) -> Result<Option<Room>, StoreError> {
        let snapshot = self.deps().store.log.load(id.key()).await?.filter(|snapshot| snapshot.chat.id == id);
        Ok(snapshot.map(|snapshot| Room::from_snapshot(snapshot, self.deps().bounds())))
    }

    /// The messages of all of the caller's live chats, merged by time.
    ///
    /// # Errors
    /// 503 when the store did not answer.
    pub async fn merged_messages(&self, caller: &Caller, page: &PageRequest) -> Result<Vec<MessageResource>, ApiError> {
        let everything = PageRequest { limit: usize::MAX, ascending: false, after: None };
        let list = ChatList::Agent(caller.agent);
        let found = self.list(caller, list, &everything, &|view| view.member && !view.deleted).await?;
        let mut chats: Vec<ChatView> = found.into_iter().map(|(_, view)| view).collect();
        // The chats that were talked in last come first: then most of the others need no reading.
        chats.sort_unstable_by_key(|view| std::cmp::Reverse(view.newest));
        let mut merged: Vec<MessageResource> = Vec::new();
        for batch in chats.chunks(AT_ONCE) {
            if self.complete(page, &merged, batch) {
                break;
            }
            let mut pages = stream::iter(batch).map(|view| self.stretch(caller, view, page)).buffered(AT_ONCE);
            while let Some(found) = pages.next().await {
                merged.extend(found?);
            }
            drop(pages);
            sort(&mut merged, page.ascending);
            merged.truncate(page.limit);
        }
        Ok(merged)
    }

    /// Whether nothing in these chats, the newest first, can belong to the page any more.
    fn complete(&self, page: &PageRequest, merged: &[MessageResource], batch: &[ChatView]) -> bool {
        let newest = batch.first().map(|view| time::format(view.newest));
        let last = merged.last().filter(|_| merged.len() == page.limit && !page.ascending);
        matches!((newest, last), (Some(newest), Some(last)) if newest < last.tm_create)
    }

    /// What one chat can add to a merged page.
    async fn stretch(
        &self,
        caller: &Caller,
        view: &ChatView,
        page: &PageRequest,
    ) -> Result<Vec<MessageResource>, ApiError> {
        let moment = match (page.after, page.ascending) {
            (None, false) => Side::Before(Micros::MAX),
            (None, true) => Side::After(Micros::ZERO),
            // A row of the same moment in another chat may come after the token: the moment itself
            // is read too, and what the token excludes is left out below.
            (Some(token), false) => Side::Before(Micros(token.at.0 + u64::from(token.id.is_some()))),
            (Some(token), true) => Side::After(Micros(token.at.0.saturating_sub(u64::from(token.id.is_some())))),
        };
        let found =
            self.messages(caller, ChatId(view.resource.id), Page { side: moment, limit: page.limit + 1 }).await?;
        Ok(found.into_iter().filter(|message| after_token(message, page)).collect())
    }
}

/// The answer; `None` when the chat is not the caller's to see.
fn visible(answered: Result<Answer, ApiError>) -> Result<Option<Answer>, ApiError> {
    match answered {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if matches!(error.reason, Reason::ChatNotFound | Reason::PermissionDenied) => Ok(None),
        Err(error) => Err(error),
    }
}

fn sort(messages: &mut [MessageResource], ascending: bool) {
    messages.sort_unstable_by(|a, b| {
        let order = (&a.tm_create, a.id).cmp(&(&b.tm_create, b.id));
        if ascending { order } else { order.reverse() }
    });
}

fn after_token(message: &MessageResource, page: &PageRequest) -> bool {
    let Some(token) = page.after else { return true };
    let Some(id) = token.id else { return true };
    let row = (message.tm_create.as_str(), message.id);
    let at = time::format(token.at);
    if page.ascending { row > (at.as_str(), id) } else { row < (at.as_str(), id) }
}
