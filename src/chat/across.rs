//! What no single chat can answer: making one, lists of chats, and messages of many chats merged.
//!
//! The indexes of the store may hold too much; each chat found in one is asked before it is shown.

use futures_util::{StreamExt, stream};

use crate::model::chat::Pair;
use crate::model::{AgentId, Caller, ChatId, ChatKey, ChatKind, Micros};
use crate::store::{Around, ChatList, Page, Scope, Side};
use crate::wire::page::PageRequest;
use crate::wire::resources::{ChatResource, MessageResource};
use crate::wire::time;
use crate::wire::{ApiError, Reason};

use super::asking::Failure;
use super::command::{Answer, ChatView, Command, Question};
use super::registry::{Attempt, Chats, Whom};

/// Chats asked at once for one list.
const AT_ONCE: usize = 32;
/// Rows taken from an index at once, at most.
const ROWS: usize = 200;
/// How often another id is drawn, or another pair's chat tried, before giving up.
const DRAWS: usize = 8;

/// A chat to be made.
#[derive(Clone, Debug)]
pub struct NewChat {
    pub kind: ChatKind,
    pub name: String,
    pub detail: String,
    /// Everybody, the maker included, each once.
    pub members: Vec<AgentId>,
}

/// Whether a row of a list is wanted.
type Wanted<'a> = &'a (dyn Fn(&ChatView) -> bool + Sync);

impl Chats {
    /// Makes a chat, or finds the live direct chat of the pair.
    ///
    /// `id` names the chat when an earlier call may have made it already.
    ///
    /// # Errors
    /// 503 when the store did not answer.
    pub async fn create(&self, caller: &Caller, new: &NewChat, id: Option<ChatId>) -> Result<ChatResource, ApiError> {
        let mut id = id;
        let mut over = None;
        for _ in 0..DRAWS {
            let candidate = id.take().unwrap_or_else(ChatId::random);
            let chat = self.place(caller, new, candidate, over).await?;
            match self.make_at(caller, new, chat).await {
                // Deleted meanwhile, or before: the pair gets a new one.
                Ok(view) if view.deleted && new.kind == ChatKind::Direct => over = Some(chat),
                Ok(view) => return Ok(view.resource),
                Err(Failure::KeyTaken) => over = Some(chat),
                Err(Failure::Refused(error)) => return Err(error),
            }
        }
        Err(ApiError::new(Reason::ServiceUnavailable, "the chat could not be made; try again"))
    }

    /// The id under which the chat is to be made: the pair's own for a direct one.
    async fn place(
        &self,
        caller: &Caller,
        new: &NewChat,
        candidate: ChatId,
        over: Option<ChatId>,
    ) -> Result<ChatId, ApiError> {
        match (new.kind, new.members.as_slice()) {
            (ChatKind::Direct, [one, other]) => {
                let pair = Pair::of(*one, *other);
                Ok(self.deps().store.index.claim_pair(caller.customer, pair, candidate, over).await?)
            }
            _ => Ok(candidate),
        }
    }

    async fn make_at(&self, caller: &Caller, new: &NewChat, chat: ChatId) -> Result<ChatView, Failure> {
        let store = &self.deps().store;
        let refused = |error: crate::store::StoreError| Failure::Refused(error.into());
        if store.log.head(chat.key()).await.map_err(refused)?.seq == 0 {
            let at = store.log.now(chat.key()).await.map_err(refused)?;
            let channel = new.kind == ChatKind::Talk;
            let scope = Scope { agents: &new.members, channel, created: true };
            store.index.announce(caller.customer, chat, at, scope).await.map_err(refused)?;
            let command = Command::Create {
                customer: caller.customer,
                kind: new.kind,
                name: new.name.clone(),
                detail: new.detail.clone(),
                members: new.members.clone(),
                at,
            };
            return view(self.command(caller, Whom::Chat(chat), command, Attempt::first()).await?);
        }
        let found = self.question(caller, Whom::Chat(chat), Question::Chat).await;
        view(found.map_err(|error| match error.reason {
            Reason::ChatNotFound => Failure::KeyTaken,
            _ => Failure::Refused(error),
        })?)
    }

    /// Has a command done that makes no chat.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub async fn make(
        &self,
        caller: &Caller,
        whom: Whom,
        command: Command,
        attempt: Attempt,
    ) -> Result<Answer, ApiError> {
        self.command(caller, whom, command, attempt).await.map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::KeyTaken => ApiError::internal("a command that makes no chat found its key taken"),
        })
    }

    /// As [`Self::make`], for a command that nobody has tried before.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub async fn make_new(&self, caller: &Caller, whom: Whom, command: Command) -> Result<Answer, ApiError> {
        self.make(caller, whom, command, Attempt::first()).await
    }

    /// Number of the chat's newest event; 0 when there is no such chat.
    ///
    /// # Errors
    /// 503 when the store did not answer.
    pub async fn newest(&self, chat: ChatKey) -> Result<u64, ApiError> {
        Ok(self.deps().store.log.head(chat).await?.seq)
    }

    /// Makes the chat findable for an agent who is about to come in.
    ///
    /// # Errors
    /// 503 when the store did not answer.
    pub async fn announce(
        &self,
        caller: &Caller,
        chat: ChatId,
        created: Micros,
        agent: AgentId,
    ) -> Result<(), ApiError> {
        let scope = Scope { agents: &[agent], channel: false, created: false };
        Ok(self.deps().store.index.announce(caller.customer, chat, created, scope).await?)
    }

    /// The agent has left. Lists are filtered by the truth, so nothing is lost if this fails.
    pub async fn forget(&self, caller: &Caller, chat: ChatId, agent: AgentId) {
        if let Err(error) = self.deps().store.index.forget(caller.customer, chat, &[agent]).await {
            tracing::warn!(%chat, %error, "chat stays in the list of an agent who left");
        }
    }

    /// Deletes a chat, and takes it out of the lists.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub async fn delete(&self, caller: &Caller, chat: ChatId) -> Result<ChatResource, ApiError> {
        let whom = Whom::Chat(chat);
        let Answer::Chat(view) = self.make_new(caller, whom, Command::Delete).await? else {
            return Err(ApiError::internal("a chat answered with something else"));
        };
        let members = match self.question(caller, whom, Question::Participants).await {
            Ok(Answer::Participants(all)) => all.into_iter().map(|one| AgentId(one.owner_id)).collect(),
            Ok(_) | Err(_) => Vec::new(),
        };
        if let Err(error) = self.deps().store.index.bury(caller.customer, chat, &members).await {
            tracing::warn!(%chat, %error, "deleted chat stays in lists, where it is left out when they are read");
        }
        Ok(view.resource)
    }

    /// A page of a list of chats: those that the caller may see and that are wanted.
    ///
    /// # Errors
    /// 503 when the store did not answer.
    pub async fn list(
        &self,
        caller: &Caller,
        list: ChatList,
        page: &PageRequest,
        wanted: Wanted<'_>,
    ) -> Result<Vec<ChatView>, ApiError> {
        let mut found = Vec::new();
        let mut around = page.around();
        loop {
            let rows = self.deps().store.index.chats(caller.customer, list, around, ROWS).await?;
            let Some((at, id)) = rows.last().copied() else { return Ok(found) };
            around = if page.ascending { Around::After(at, id.0) } else { Around::Before(at, id.0) };
            let mut views = stream::iter(rows).map(|(_, id)| self.view(caller, id)).buffered(AT_ONCE);
            while let Some(view) = views.next().await {
                if let Some(view) = view?.filter(|view| wanted(view)) {
                    found.push(view);
                    if found.len() == page.limit {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// The chat as the caller sees it; `None` when it is not the caller's to see.
    async fn view(&self, caller: &Caller, id: ChatId) -> Result<Option<ChatView>, ApiError> {
        match self.question(caller, Whom::Chat(id), Question::Chat).await {
            Ok(Answer::Chat(view)) => Ok(Some(*view)),
            Ok(_) => Ok(None),
            Err(error) if matches!(error.reason, Reason::ChatNotFound | Reason::PermissionDenied) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The messages of all of the caller's live chats, merged by time.
    ///
    /// # Errors
    /// 503 when the store did not answer.
    pub async fn merged_messages(&self, caller: &Caller, page: &PageRequest) -> Result<Vec<MessageResource>, ApiError> {
        let everything = PageRequest { limit: usize::MAX, ascending: false, after: None };
        let list = ChatList::Agent(caller.agent);
        let mut chats = self.list(caller, list, &everything, &|view| view.member && !view.deleted).await?;
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
        let question = Question::Messages { page: Page { side: moment, limit: page.limit + 1 }, parent: None };
        let whom = Whom::Chat(ChatId(view.resource.id));
        let found = match self.question(caller, whom, question).await {
            Ok(Answer::Messages(found)) => found,
            // Left, or deleted by a failover, since the list was made.
            Ok(_) => Vec::new(),
            Err(error) if matches!(error.reason, Reason::ChatNotFound | Reason::PermissionDenied) => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(found.into_iter().filter(|message| after_token(message, page)).collect())
    }
}

fn view(answer: Answer) -> Result<ChatView, Failure> {
    match answer {
        Answer::Chat(view) => Ok(*view),
        _ => Err(Failure::Refused(ApiError::internal("a chat answered with something else"))),
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
