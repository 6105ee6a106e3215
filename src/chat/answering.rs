//! Questions: answered from the room, or from the log where the room does not reach.

use std::sync::Arc;

use actix::fut::wrap_future;
use actix::{ActorFutureExt, AsyncContext, Context};
use tracing::Instrument;

use crate::model::Message;
use crate::store::{Page, Side, StoreError};
use crate::wire::ApiError;
use crate::wire::resources::ParticipantResource;
use crate::wire::sheet::Sheet;

use super::actor::ChatActor;
use super::asking::Ask;
use super::command::{Answer, Question};
use super::room::Room;
use super::rules;

impl ChatActor {
    pub(super) fn answer_question(&mut self, ask: Box<Ask>, question: Question, ctx: &mut Context<Self>) {
        let unknown = || if ask.chat.is_some() { rules::unknown_chat() } else { rules::unknown_message() };
        let Some(room) = self.room.as_ref().filter(|room| ask.chat.is_none_or(|chat| chat == room.chat().id)) else {
            let error = unknown();
            return self.refuse(ask, error, ctx);
        };
        let chat = room.chat();
        let answer = match question {
            Question::Chat => {
                rules::visitor(room, &ask.caller).map(|()| Some(Answer::Chat(Box::new(room.view(ask.caller.agent)))))
            }
            Question::Participants => rules::visitor(room, &ask.caller).map(|()| {
                let all = room.roster().newest_first();
                let all = all.iter().map(|p| ParticipantResource::of(chat.customer, chat.id, p)).collect();
                Some(Answer::Participants(all))
            }),
            Question::Messages { page, parent: None } => rules::member(room, &ask.caller).map(|()| {
                let page = room.recent().page(page)?;
                Some(Answer::Messages(page.iter().map(|message| room.resource(message)).collect()))
            }),
            // Without a chat id it is the message that is unknown, whether or not there is its chat.
            Question::Messages { parent: Some(_), .. } if ask.chat.is_none() => {
                rules::reader(room, &ask.caller).map(|()| None)
            }
            Question::Messages { parent: Some(_), .. } => rules::member(room, &ask.caller).map(|()| None),
            Question::Newest { limit } => rules::member(room, &ask.caller)
                .and_then(|()| self.shelf.fill(room, limit).transpose())
                .map(|page| page.map(Answer::Newest)),
            Question::Message(id) => rules::reader(room, &ask.caller).map(|()| {
                let (_, at) = id.locate()?;
                room.recent().message(at).map(|message| Answer::Message(Box::new(room.resource(message))))
            }),
        };
        match answer {
            Ok(Some(answer)) => self.answer(ask, answer, ctx),
            Ok(None) => self.answer_from_log(ask, question, ctx),
            Err(error) => self.refuse(ask, error, ctx),
        }
    }

    /// What is older than the recent messages comes from the log.
    fn answer_from_log(&mut self, ask: Box<Ask>, question: Question, ctx: &mut Context<Self>) {
        let (log, key) = (Arc::clone(&self.deps.store.log), self.key);
        let head = self.room.as_ref().map(Room::head);
        let page = question.page();
        let read = async move {
            match (page, question) {
                (Some(page), _) => log.messages(key, page).await,
                (None, Question::Messages { page, parent: Some(parent) }) => match parent.locate() {
                    Some((_, at)) => log.replies(key, at, page).await,
                    None => Ok(Vec::new()),
                },
                (None, Question::Message(id)) => match id.locate() {
                    Some((_, at)) => Ok(log.messages_at(key, &[at]).await?.into_iter().flatten().collect()),
                    None => Ok(Vec::new()),
                },
                // The room answers the others whole.
                (None, _) => Ok(Vec::new()),
            }
        }
        .in_current_span();
        ctx.spawn(wrap_future(read).map(move |found: Result<Vec<Message>, StoreError>, actor: &mut Self, ctx| {
            let messages = match found {
                Ok(messages) => messages,
                Err(error) => return actor.fail(ask, error, ctx),
            };
            let Some(room) = &mut actor.room else { return actor.refuse(ask, rules::unknown_chat(), ctx) };
            if let Some(page) = page.filter(|_| Some(room.head()) == head) {
                learn(room, page, &messages);
            }
            match question {
                Question::Message(_) => match messages.first() {
                    Some(message) => {
                        let answer = Answer::Message(Box::new(room.resource(message)));
                        actor.answer(ask, answer, ctx);
                    }
                    None => actor.refuse(ask, rules::unknown_message(), ctx),
                },
                Question::Newest { limit } => {
                    let rows = messages.iter().map(|message| (message.at, room.resource(message)));
                    match Sheet::write(rows, messages.len() < limit) {
                        Ok(sheet) => actor.answer(ask, Answer::Newest(sheet.page()), ctx),
                        Err(error) => actor.refuse(ask, ApiError::internal(error), ctx),
                    }
                }
                Question::Messages { .. } | Question::Chat | Question::Participants => {
                    let answer = Answer::Messages(messages.iter().map(|message| room.resource(message)).collect());
                    actor.answer(ask, answer, ctx);
                }
            }
        }));
    }
}

/// Keeps the newest page. The chat stood still while it was read, as far as this node knows; a
/// page that holds something newer than the room is not kept, since replies would be counted twice.
fn learn(room: &mut Room, page: Page, messages: &[Message]) {
    let newest = matches!(page.side, Side::Before(moment) if moment > room.head().at);
    let still = messages.first().is_none_or(|message| message.seq <= room.head().seq);
    if newest && still {
        room.recent_mut().learn(messages, messages.len() < page.limit);
    }
}
