//! The forms of texts on the wire, as `/openapi.json` and `/asyncapi.json` give them: moments, and
//! words of which there are only a few.

use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, Type};

use crate::model::ChatKind;

use super::Reason;

/// Six digits after the second, always.
const MOMENT: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}$";
const MOMENT_OR_NEVER: &str = r"^([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6})?$";
const TOPIC: &str =
    r"^(agent_id|customer_id):[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}(:.*)?\*?$";

/// A moment: UTC, to the microsecond.
#[must_use]
pub fn moment() -> Object {
    text("UTC, to the microsecond.").pattern(Some(MOMENT)).examples(["2024-01-17 10:30:00.000000"]).build()
}

/// A moment, or `""` while it has not come.
#[must_use]
pub fn moment_or_never() -> Object {
    text("`\"\"` while it is not deleted.").pattern(Some(MOMENT_OR_NEVER)).examples([""]).build()
}

/// Topics of a frame, at least one.
#[must_use]
pub fn topics() -> Array {
    let topic = text("`agent_id:<own id>` or `customer_id:<own>`, and `:<rest>` for a part of it.");
    let topic = topic.pattern(Some(TOPIC)).max_length(Some(256));
    ArrayBuilder::new().items(topic).min_items(Some(1)).description(Some("What to hear, or to hear no longer.")).build()
}

/// The type of a chat.
#[must_use]
pub fn chat_type() -> Object {
    let kinds = [ChatKind::Direct, ChatKind::Group, ChatKind::Talk].map(ChatKind::as_str);
    word("`direct`: two agents. `group`: by invitation. `talk`: a public channel.", kinds)
}

/// The type of a message.
#[must_use]
pub fn message_type() -> Object {
    word("`normal`: an agent's. `system`: the hub's, about who came or went.", ["normal", "system"])
}

/// Whose a message is.
#[must_use]
pub fn message_owner() -> Object {
    word("`system` for what the hub says.", ["agent", "system"])
}

/// Whose a participant record or a reaction is.
#[must_use]
pub fn agent_owner() -> Object {
    word("Always `agent`.", ["agent"])
}

/// Why a call or a frame was refused.
#[must_use]
pub fn reason() -> Object {
    word("Why, as a word to decide on.", Reason::ALL.iter().map(|reason| reason.as_str()))
}

/// The class of a refusal.
#[must_use]
pub fn status() -> Object {
    let mut words: Vec<_> = Reason::ALL.iter().map(|reason| reason.status().as_str()).collect();
    words.sort_unstable();
    words.dedup();
    word("The class; goes with the HTTP status.", words)
}

/// One of these words.
#[must_use]
pub fn word(description: &str, words: impl IntoIterator<Item = &'static str>) -> Object {
    let words: Vec<_> = words.into_iter().collect();
    text(description).examples(words.first().copied()).enum_values(Some(words)).build()
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}
