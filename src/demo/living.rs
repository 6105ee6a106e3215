//! A few chats for the demo's people, so that who comes by a browser sees a place where people talk.
//!
//! Promised: made once, and only where nobody has talked yet; whoever wants other chats deletes these.

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::chat::across::NewChat;
use crate::chat::registry::Whom;
use crate::chat::{Chats, Command};
use crate::http::web::Stage;
use crate::model::{Caller, ChatId, ChatKind, MessageId};
use crate::people::{AgentStatus, People};
use crate::store::ChatList;
use crate::wire::ApiError;
use crate::wire::page::PageRequest;

use super::Guest;

/// Who says it: a place among the demo's agents.
type Who = usize;
const ALICE: Who = 0;
const BOB: Who = 1;
const CAROL: Who = 2;

/// What happens in a chat, in order. Messages are named by their place among the chat's lines.
enum Line {
    Says(Who, &'static str),
    Replies(Who, usize, &'static str),
    Reacts(Who, usize, &'static str),
}
use Line::{Reacts, Replies, Says};

struct Scene {
    kind: ChatKind,
    name: &'static str,
    detail: &'static str,
    /// The first one makes it.
    members: &'static [Who],
    lines: &'static [Line],
}

const STATUSES: [(Who, AgentStatus); 3] =
    [(ALICE, AgentStatus::Available), (BOB, AgentStatus::Busy), (CAROL, AgentStatus::Away)];

const SCENES: [Scene; 5] = [
    Scene {
        kind: ChatKind::Talk,
        name: "coffee",
        detail: "Anything but work",
        members: &[CAROL],
        lines: &[Says(CAROL, "The new machine is on the second floor ☕")],
    },
    Scene {
        kind: ChatKind::Direct,
        name: "",
        detail: "",
        members: &[ALICE, CAROL],
        lines: &[
            Says(CAROL, "Do you have the numbers for Thursday?"),
            Says(ALICE, "Yes, I put them in the group. Tell me if the second page makes no sense."),
            Says(CAROL, "👍"),
        ],
    },
    Scene {
        kind: ChatKind::Group,
        name: "Launch week",
        detail: "Plan, numbers, and who is on call",
        members: &[BOB, ALICE, CAROL],
        lines: &[
            Says(BOB, "Monday: freeze. Tuesday: rehearsal. Wednesday at ten: launch."),
            Says(ALICE, "The numbers for Thursday are in: 312 customers moved, 4 to go."),
            Says(CAROL, "🎉"),
            Reacts(BOB, 1, "🚀"),
            Reacts(CAROL, 1, "🚀"),
            Reacts(CAROL, 1, "👏"),
            Says(BOB, "Who is on call on Wednesday night?"),
            Replies(CAROL, 6, "I can take it until two."),
            Replies(ALICE, 6, "Then I take it from two. Somebody owes me a breakfast."),
            Replies(BOB, 6, "Deal."),
            Reacts(ALICE, 9, "🥐"),
        ],
    },
    Scene {
        kind: ChatKind::Direct,
        name: "",
        detail: "",
        members: &[BOB, ALICE],
        lines: &[
            Says(ALICE, "The customer at line 3 asks for a call back. Can you take it?"),
            Says(BOB, "In ten minutes, I am in a call."),
            Reacts(ALICE, 1, "👍"),
            Says(BOB, "Done. She was happy with it."),
        ],
    },
    Scene {
        kind: ChatKind::Talk,
        name: "general",
        detail: "Everybody is here",
        members: &[BOB, ALICE, CAROL],
        lines: &[
            Says(BOB, "Welcome! This hub is a demo: everything here may be tried, and nothing can break."),
            Says(BOB, "Press Ctrl K to find people and chats, and ? to see every key."),
            Reacts(ALICE, 0, "👋"),
            Reacts(CAROL, 0, "👋"),
            Says(ALICE, "How does this work from a program?"),
            Replies(BOB, 4, "Every call can be tried at /docs, and live events are described in /asyncapi.json."),
            Replies(ALICE, 4, "Thanks, found it."),
            Says(CAROL, "Hello, שלום, مرحبا and 你好 🌍"),
            Says(CAROL, "Open a second tab and sign in as somebody else: what you write here appears there at once."),
        ],
    },
];

/// The stage of a demo.
pub(super) struct Scenes {
    people: People,
    chats: Chats,
    guests: Vec<Guest>,
    /// Whether it was looked to already. Held meanwhile, so that of two browsers one begins.
    begun: Mutex<bool>,
}

impl Scenes {
    pub(super) fn new(people: People, chats: Chats, guests: Vec<Guest>) -> Self {
        Self { people, chats, guests, begun: Mutex::new(false) }
    }

    async fn is_empty(&self) -> Result<bool, ApiError> {
        let one = PageRequest { limit: 1, ascending: false, after: None };
        for guest in &self.guests {
            if !self.chats.list(&guest.caller, ChatList::Agent(guest.caller.agent), &one, &|_| true).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl Stage for Scenes {
    async fn begin(&self) -> Result<(), ApiError> {
        let mut begun = self.begun.lock().await;
        if !*begun && self.is_empty().await? {
            fill(&self.people, &self.chats, &self.guests).await?;
        }
        *begun = true;
        Ok(())
    }
}

/// Lets the guests talk a little.
///
/// # Errors
/// The store did not answer.
async fn fill(people: &People, chats: &Chats, guests: &[Guest]) -> Result<(), ApiError> {
    let caller =
        |who: Who| guests.get(who).map(|guest| &guest.caller).ok_or_else(|| ApiError::internal("no such guest"));
    for (who, status) in STATUSES {
        people.set_status(caller(who)?, status).await?;
    }
    for scene in &SCENES {
        let [maker, ..] = scene.members else { continue };
        let mut members = Vec::new();
        for who in scene.members {
            members.push(caller(*who)?.agent);
        }
        let new = NewChat { kind: scene.kind, name: scene.name.to_owned(), detail: scene.detail.to_owned(), members };
        let chat = ChatId(chats.create(caller(*maker)?, &new, None).await?.id);
        play(chats, chat, scene.lines, caller).await?;
    }
    Ok(())
}

async fn play<'a>(
    chats: &Chats,
    chat: ChatId,
    lines: &[Line],
    caller: impl Fn(Who) -> Result<&'a Caller, ApiError>,
) -> Result<(), ApiError> {
    let mut said: Vec<Option<MessageId>> = Vec::new();
    let earlier = |said: &[Option<MessageId>], place: usize| {
        said.get(place).copied().flatten().ok_or_else(|| ApiError::internal("a line of the demo names no message"))
    };
    for line in lines {
        let post = |text: &str, parent| Command::Post { parent, text: text.to_owned(), medias: Vec::new() };
        let (who, command) = match line {
            Says(who, text) => (*who, post(text, None)),
            Replies(who, to, text) => (*who, post(text, Some(earlier(&said, *to)?))),
            Reacts(who, to, emoji) => {
                let message = earlier(&said, *to)?;
                (*who, Command::React { message, emoji: (*emoji).to_owned(), added: true })
            }
        };
        let message = chats.make_new(caller(who)?, Whom::Chat(chat), command).await?.into_message()?;
        said.push((!matches!(line, Reacts(..))).then_some(MessageId(message.id)));
    }
    Ok(())
}
