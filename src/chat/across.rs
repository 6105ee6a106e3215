//! What no single chat can do: being made, and being found by those who are in it.

use crate::model::chat::Pair;
use crate::model::{AgentId, Caller, ChatId, ChatKey, ChatKind, Micros};
use crate::store::Scope;
use crate::wire::resources::ChatResource;
use crate::wire::{ApiError, Reason};

use super::asking::Failure;
use super::command::{Answer, ChatView, Command, Question};
use super::registry::{Attempt, Chats, Whom};

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

    /// The chat that an earlier call has made under this id, or the pair's that it found; `None`
    /// when there is neither.
    ///
    /// # Errors
    /// 503 when the store did not answer.
    pub async fn earlier_chat(
        &self,
        caller: &Caller,
        new: &NewChat,
        id: ChatId,
    ) -> Result<Option<ChatResource>, ApiError> {
        let mut places = vec![id];
        if new.kind == ChatKind::Direct {
            places.push(self.place(caller, new, id, None).await?);
        }
        for chat in places {
            match self.question(caller, Whom::Chat(chat), Question::Chat).await {
                Ok(answer) => return Ok(Some(answer.into_chat()?.resource)),
                Err(error) if matches!(error.reason, Reason::ChatNotFound | Reason::PermissionDenied) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
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
            let made = view(self.command(caller, Whom::Chat(chat), command, Attempt::first()).await?)?;
            if made.created != at {
                // Somebody else was first: the lists get the moment that the chat has.
                store.index.announce(caller.customer, chat, made.created, scope).await.map_err(refused)?;
            }
            return Ok(made);
        }
        store.log.assure(chat.key()).await.map_err(refused)?;
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
        let view = self.make_new(caller, whom, Command::Delete).await?.into_chat()?;
        let all = self.question(caller, whom, Question::Participants).await.and_then(Answer::into_participants);
        let members: Vec<_> = all.unwrap_or_default().into_iter().map(|one| AgentId(one.owner_id)).collect();
        if let Err(error) = self.deps().store.index.bury(caller.customer, chat, &members).await {
            tracing::warn!(%chat, %error, "deleted chat stays in lists, where it is left out when they are read");
        }
        Ok(view.resource)
    }
}

fn view(answer: Answer) -> Result<ChatView, Failure> {
    answer.into_chat().map_err(Failure::Refused)
}
