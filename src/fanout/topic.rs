//! Topics: `<scope>:<uuid>[:<rest>]`, matched by plain prefix.
//!
//! An event matches as `<scope>:<uuid>:chat:<chat id>` and as
//! `<scope>:<uuid>:<resource>:<event>:<resource id>`.

use crate::model::{AgentId, Caller, ChatId, CustomerId};
use crate::wire::frames::AGENT_STATUS_UPDATED;
use crate::wire::{ApiError, Reason};

use super::desk::Outgoing;

/// Longest topic, in bytes.
const TOPIC_BYTES_MAX: usize = 256;

/// Whose events a topic is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Every chat the agent is a member of.
    Agent(AgentId),
    /// Every chat of the customer.
    Customer(CustomerId),
}

/// A topic that a caller may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub scope: Scope,
    /// What comes after scope and id, without a trailing `*` or `:*`. Empty: everything.
    rest: String,
    /// As the client wrote it.
    text: String,
}

impl Topic {
    /// Reads a topic and checks that the caller may hold it.
    ///
    /// # Errors
    /// A malformed topic is an argument error; another agent's or customer's is denied, and so is
    /// the customer's without the admin or manager bit. All foreign ids are refused alike.
    pub fn parse(text: &str, caller: &Caller) -> Result<Self, ApiError> {
        let wrong = || ApiError::argument("a topic is agent_id:<uuid>[:<rest>] or customer_id:<uuid>[:<rest>]");
        if text.len() > TOPIC_BYTES_MAX {
            return Err(ApiError::argument(format!("a topic has at most {TOPIC_BYTES_MAX} bytes")));
        }
        let trimmed = text.strip_suffix(":*").or_else(|| text.strip_suffix('*')).unwrap_or(text);
        let (word, after) = trimmed.split_once(':').ok_or_else(wrong)?;
        let (id, rest) = after.split_once(':').unwrap_or((after, ""));
        let scope = match word {
            "agent_id" => Scope::Agent(AgentId::parse(id).ok_or_else(wrong)?),
            "customer_id" => Scope::Customer(CustomerId::parse(id).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        };
        let allowed = match scope {
            Scope::Agent(agent) => agent == caller.agent,
            Scope::Customer(customer) => customer == caller.customer && caller.permissions.manages_customer(),
        };
        if !allowed {
            return Err(ApiError::new(Reason::PermissionDenied, "this topic is not yours to hear"));
        }
        Ok(Self { scope, rest: rest.to_owned(), text: text.to_owned() })
    }

    /// As the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether any event of this chat can match.
    #[must_use]
    pub fn covers(&self, chat: ChatId) -> bool {
        let Some(tail) = self.rest.strip_prefix("chat:") else { return true };
        // `chat:` begins both forms: a chat's id, or an event of the resource `chat`.
        "chat_created".starts_with(tail)
            || "chat_updated".starts_with(tail)
            || "chat_deleted".starts_with(tail)
            || tail.starts_with("chat_")
            || chat.to_string().starts_with(&tail.to_ascii_lowercase())
    }

    /// Whether this event matches.
    #[must_use]
    pub fn matches(&self, event: &Outgoing) -> bool {
        self.rest.is_empty() || event.topics.iter().any(|topic| topic.starts_with(&self.rest))
    }

    /// Whether it asks for the status of agents.
    #[must_use]
    pub fn matches_status(&self, agent: AgentId) -> bool {
        format!("agent:{AGENT_STATUS_UPDATED}:{agent}").starts_with(&self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fanout::desk::Turnover;
    use crate::model::Permissions;
    use crate::wire::frames::TextFrame;

    fn caller(bits: u64) -> Caller {
        Caller {
            customer: CustomerId::from_bytes([1; 16]),
            agent: AgentId::from_bytes([2; 16]),
            name: "Alice".to_owned(),
            permissions: Permissions(bits),
        }
    }

    fn event(chat: ChatId) -> Outgoing {
        Outgoing {
            span: tracing::Span::none(),
            chat,
            customer: CustomerId::from_bytes([1; 16]),
            seq: 1,
            topics: [
                format!("chat:{chat}"),
                "chatmessage:chatmessage_created:00000000-0000-0000-0000-000000000009".to_owned(),
            ],
            frame: TextFrame::new("{}"),
            turnover: Turnover::None,
            late: false,
        }
    }

    #[test]
    fn a_topic_is_matched_by_plain_prefix() {
        let who = caller(16);
        let chat = ChatId::from_bytes([7; 16]);
        for (rest, hears) in [
            ("", true),
            (":", true),
            (":*", true),
            ("*", true),
            (":chat:", true),
            (":chatmessage", true),
            (":chatmessage:chatmessage_created", true),
            (":chatmessage:chatmessage_created:00000000-0000-0000-0000-000000000009", true),
            (":chatmessage:chatmessage_deleted", false),
            (":chatparticipant", false),
            (&format!(":chat:{chat}"), true),
            (&format!(":chat:{chat}:*"), true),
            (&format!(":chat:{chat}*"), true),
            (":chatmessage:*", true),
            (":chat:99999999-0000-0000-0000-000000000009", false),
        ] {
            let topic = Topic::parse(&format!("agent_id:{}{rest}", who.agent), &who).expect("a topic of one's own");
            assert_eq!(topic.matches(&event(chat)), hears, "{rest}");
        }
    }

    #[test]
    fn only_ones_own_topics_can_be_held() {
        let agent = caller(16);
        let own = agent.agent;
        assert!(Topic::parse(&format!("agent_id:{own}"), &agent).is_ok());
        assert!(Topic::parse(&format!("agent_id:{}", AgentId::from_bytes([3; 16])), &agent).is_err());
        let customer = agent.customer;
        assert!(Topic::parse(&format!("customer_id:{customer}"), &agent).is_err());
        assert!(Topic::parse(&format!("customer_id:{customer}"), &caller(32)).is_ok());
        assert!(Topic::parse(&format!("customer_id:{customer}"), &caller(64)).is_ok());
        for wrong in ["", "agent_id", "agent_id:", "agent_id:*", "agent_id:x", "chat:1", ":::", "*"] {
            assert!(Topic::parse(wrong, &agent).is_err(), "{wrong}");
        }
    }
}
