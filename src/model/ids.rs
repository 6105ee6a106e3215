//! Identifiers. A UUID on the wire, a type of its own in here, so that no two can be mixed up.
//!
//! Two of them carry an address. The low 62 bits of a [`ChatId`] are the chat's [`ChatKey`], and a
//! [`MessageId`] is the message's time of creation followed by the key of its chat: the id alone
//! finds chat and log entry, without an index. It is a locator, never a capability: membership is
//! checked on every access.

use std::fmt;

use uuid::Uuid;

use super::time::Micros;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new random id.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// Reads the 8-4-4-4-12 form only, in either case. `None` for anything else.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                if text.len() != 36 {
                    return None;
                }
                Uuid::try_parse(text).ok().map(Self)
            }

            /// The sixteen bytes, as they are stored.
            #[must_use]
            pub fn bytes(&self) -> [u8; 16] {
                *self.0.as_bytes()
            }

            /// Reads what [`Self::bytes`] gave.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A tenant. Nothing of one customer is visible to another.
    CustomerId
);
id!(
    /// A person of a customer.
    AgentId
);
id!(
    /// A talk.
    ChatId
);
id!(
    /// One agent's membership of one chat, from joining to leaving. Joining again makes a new one.
    ParticipantId
);
id!(
    /// A message of a chat; see the module text for what it carries.
    MessageId
);
id!(
    /// An uploaded file.
    FileId
);
id!(
    /// An access key's public name; the key itself is never kept.
    AccessKeyId
);

const KEY_MASK: u64 = (1 << 62) - 1;

/// The low 62 bits of a chat's id: its name inside the hub and its hash tag in Redis.
///
/// Unique per store: creating a chat whose key is taken is refused and drawn again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChatKey(pub u64);

impl fmt::Display for ChatKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for ChatKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ChatId {
    /// The chat's key.
    #[must_use]
    pub fn key(&self) -> ChatKey {
        let (_, low) = self.0.as_u64_pair();
        ChatKey(low & KEY_MASK)
    }
}

impl MessageId {
    /// The id of the message that was created in this chat at this moment.
    ///
    /// UUIDv8: 48 bits of milliseconds, version, 12 bits of the number below 1000, variant, key.
    #[must_use]
    pub fn new(at: Micros, chat: ChatKey) -> Self {
        let millis = at.0 / 1000;
        let number = at.0 % 1000;
        let high = (millis << 16) | 0x8000 | number;
        let low = 0x8000_0000_0000_0000 | (chat.0 & KEY_MASK);
        Self(Uuid::from_u64_pair(high, low))
    }

    /// Chat and moment, or `None` for an id that this hub cannot have given out.
    #[must_use]
    pub fn locate(&self) -> Option<(ChatKey, Micros)> {
        let (high, low) = self.0.as_u64_pair();
        let number = high & 0x0fff;
        if (high >> 12) & 0xf != 8 || low >> 62 != 0b10 || number > 999 {
            return None;
        }
        Some((ChatKey(low & KEY_MASK), Micros((high >> 16) * 1000 + number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_id_leads_back_to_its_chat_and_moment(us in 0u64..(1 << 57), id in any::<u128>()) {
            let chat = ChatId(Uuid::from_u128(id)).key();
            let at = Micros(us.min(((1 << 48) - 1) * 1000));
            prop_assert_eq!(MessageId::new(at, chat).locate(), Some((chat, at)));
        }

        #[test]
        fn any_id_can_be_asked_for_its_place(id in any::<u128>()) {
            let message = MessageId(Uuid::from_u128(id));
            if let Some((chat, at)) = message.locate() {
                prop_assert_eq!(MessageId::new(at, chat), message);
            }
        }
    }

    #[test]
    fn only_the_long_form_of_a_uuid_is_an_id() {
        assert!(AgentId::parse("eb1ac5c0-ff63-47e2-bcdb-5da9c336eb4b").is_some());
        assert!(AgentId::parse("EB1AC5C0-FF63-47E2-BCDB-5DA9C336EB4B").is_some());
        for wrong in ["", "eb1ac5c0ff6347e2bcdb5da9c336eb4b", "{eb1ac5c0-ff63-47e2-bcdb-5da9c336eb4b}", "x"] {
            assert!(AgentId::parse(wrong).is_none(), "{wrong}");
        }
    }
}
