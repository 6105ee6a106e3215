//! Every key and channel, spelled in one place. `P` is the prefix, `{..}` the cluster hash tag.
//!
//! | key | type | what it holds |
//! |---|---|---|
//! | `P schema` | string | version of everything below |
//! | `P{chat}:m` | hash | what the chat is: `i` id, `h` head, `r` rules, `s` customer and kind, `n` name and detail, `c` `u` `d` moments |
//! | `P{chat}:p` | hash | roster: agent -> participant, joined moment, joined number |
//! | `P{chat}:l:N` | stream | log: `SEGMENT` entries from number `N * SEGMENT + 1` on, see `stored`; an entry's id is its moment |
//! | `P{chat}:x` | string | first moment of each such stream from the second on, 8 bytes each |
//! | `P{chat}:o` | hash | overlays: message moment -> what became of it |
//! | `P{chat}:t` | zset | threads: parent moment and reply moment, in the order of bytes |
//! | `P{chat}:f` | hash | files: file -> how many messages that are not deleted carry it |
//! | `P{chat}:k` | zset | nonces that stand for idempotency keys, by the moment of their entry, 24 hours |
//! | `P{chat}:z` | stream | nothing: a copy of a log's stream within one commit |
//! | `P{customer}:n` | string | number of the customer's newest notice |
//! | `P{customer}:a:AGENT` | zset | chats of the agent by creation |
//! | `P{customer}:talks`, `:chats` | zset | the customer's channels, and all its chats, by creation |
//! | `P{customer}:g` | zset | agent and chat by the moment the chat was forgotten for the agent |
//! | `P{customer}:pairs` | hash | two agents -> their direct chat |
//! | `P{customer}:k:AGENT:KEY` | string | claim of an idempotency key, 24 hours |
//! | `P{customer}:q:AGENT` | string | new idempotency keys within an hour |
//! | `P{customer}:r:TABLE` | hash | records: id -> bytes |
//! | `P{customer}:i:TABLE`, `:i:TABLE:AGENT` | zset | lists of records, by creation |
//! | `P u:TABLE:NAME` | string | unique names: customer, id, moment of the claim |
//!
//! | channel | what is said on it |
//! |---|---|
//! | `P{chat}:e` | the chat's commits, see `envelope` |
//! | `P{customer}:e` | the customer's notices |
//! | `P{heads}:e` | where chats stand that were written to a moment ago |
//!
//! The tag of a chat is its key in 16 hex digits, that of a customer its id in 32: whatever one
//! script touches lives in one slot of a cluster, and a tag tells which of the two it is. The
//! script of a chat is given the key `m` and spells the others of the chat from it.

use uuid::Uuid;

use crate::model::{AgentId, ChatKey, CustomerId};
use crate::store::{Channel, ChatList, List, Table};

/// Entries of one stream of a chat's log. A deletion writes the stream of its message anew, so
/// that its cost is bounded by this; each stream costs memory, so that it is no smaller. At most
/// 256: a place in it is one byte.
pub(crate) const SEGMENT: u64 = 128;

/// The tag of the channel for where chats stand.
const HEADS: &str = "heads";

/// Spells keys and channels under one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    /// Characters of a prefix at most.
    const PREFIX_CHARS: usize = 64;

    /// `None` for a prefix that would break the spelling: too long, or with braces or spaces.
    pub(crate) fn new(prefix: &str) -> Option<Self> {
        let fits =
            prefix.len() <= Self::PREFIX_CHARS && prefix.chars().all(|c| c.is_ascii_graphic() && c != '{' && c != '}');
        fits.then(|| Self { prefix: prefix.to_owned() })
    }

    pub(crate) fn schema(&self) -> String {
        format!("{}schema", self.prefix)
    }

    fn chat(&self, chat: ChatKey, what: &str) -> String {
        format!("{}{{{chat}}}:{what}", self.prefix)
    }

    fn customer(&self, customer: CustomerId, what: &str) -> String {
        format!("{}{{{}}}:{what}", self.prefix, customer.0.simple())
    }

    pub(crate) fn meta(&self, chat: ChatKey) -> String {
        self.chat(chat, "m")
    }

    pub(crate) fn roster(&self, chat: ChatKey) -> String {
        self.chat(chat, "p")
    }

    pub(crate) fn files(&self, chat: ChatKey) -> String {
        self.chat(chat, "f")
    }

    pub(crate) fn notices(&self, customer: CustomerId) -> String {
        self.customer(customer, "n")
    }

    pub(crate) fn chats(&self, customer: CustomerId, list: ChatList) -> String {
        match list {
            ChatList::Agent(agent) => self.customer(customer, &format!("a:{}", agent.0.simple())),
            ChatList::Channels => self.customer(customer, "talks"),
            ChatList::All => self.customer(customer, "chats"),
        }
    }

    pub(crate) fn forgotten(&self, customer: CustomerId) -> String {
        self.customer(customer, "g")
    }

    pub(crate) fn pairs(&self, customer: CustomerId) -> String {
        self.customer(customer, "pairs")
    }

    pub(crate) fn claim(&self, customer: CustomerId, agent: AgentId, key: &str) -> String {
        self.customer(customer, &format!("k:{}:{key}", agent.0.simple()))
    }

    pub(crate) fn claims_made(&self, customer: CustomerId, agent: AgentId) -> String {
        self.customer(customer, &format!("q:{}", agent.0.simple()))
    }

    pub(crate) fn records(&self, customer: CustomerId, table: Table) -> String {
        self.customer(customer, &format!("r:{}", table_word(table)))
    }

    pub(crate) fn records_list(&self, customer: CustomerId, table: Table, list: List) -> String {
        let table = table_word(table);
        match list {
            List::All => self.customer(customer, &format!("i:{table}")),
            List::Of(agent) => self.customer(customer, &format!("i:{table}:{}", agent.0.simple())),
        }
    }

    /// Stands alone: it is touched by scripts that touch nothing else.
    pub(crate) fn unique(&self, table: Table, name: &str) -> String {
        format!("{}u:{}:{name}", self.prefix, table_word(table))
    }

    pub(crate) fn channel(&self, channel: Channel) -> String {
        match channel {
            Channel::Chat(chat) => self.chat(chat, "e"),
            Channel::Customer(customer) => self.customer(customer, "e"),
            Channel::Heads => format!("{}{{{HEADS}}}:e", self.prefix),
        }
    }

    /// Which channel this name is; `None` when it is none of ours.
    pub(crate) fn read_channel(&self, name: &[u8]) -> Option<Channel> {
        let name = std::str::from_utf8(name).ok()?;
        let tag = name.strip_prefix(&self.prefix)?.strip_prefix('{')?.strip_suffix("}:e")?;
        match tag.len() {
            _ if tag == HEADS => Some(Channel::Heads),
            16 => u64::from_str_radix(tag, 16).ok().map(|key| Channel::Chat(ChatKey(key))),
            32 => Uuid::try_parse(tag).ok().map(|id| Channel::Customer(CustomerId(id))),
            _ => None,
        }
    }
}

fn table_word(table: Table) -> &'static str {
    match table {
        Table::Customers => "customers",
        Table::Agents => "agents",
        Table::AccessKeys => "accesskeys",
        Table::Files => "files",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is stored is found by these spellings: a changed one loses data.
    #[test]
    fn every_spelling_stays_as_it_is() {
        let keys = Keys::new("talk:").unwrap();
        let chat = ChatKey(0x0123_4567_89ab_cdef);
        let customer = CustomerId(Uuid::from_u128(0xc));
        let agent = AgentId(Uuid::from_u128(0xa));
        let tag = "{0000000000000000000000000000000c}";
        let who = "0000000000000000000000000000000a";
        let spelled = [
            (keys.schema(), "talk:schema".to_owned()),
            (keys.meta(chat), "talk:{0123456789abcdef}:m".to_owned()),
            (keys.roster(chat), "talk:{0123456789abcdef}:p".to_owned()),
            (keys.files(chat), "talk:{0123456789abcdef}:f".to_owned()),
            (keys.notices(customer), format!("talk:{tag}:n")),
            (keys.chats(customer, ChatList::Agent(agent)), format!("talk:{tag}:a:{who}")),
            (keys.chats(customer, ChatList::Channels), format!("talk:{tag}:talks")),
            (keys.chats(customer, ChatList::All), format!("talk:{tag}:chats")),
            (keys.forgotten(customer), format!("talk:{tag}:g")),
            (keys.pairs(customer), format!("talk:{tag}:pairs")),
            (keys.claim(customer, agent, "once"), format!("talk:{tag}:k:{who}:once")),
            (keys.claims_made(customer, agent), format!("talk:{tag}:q:{who}")),
            (keys.records(customer, Table::Agents), format!("talk:{tag}:r:agents")),
            (keys.records_list(customer, Table::Files, List::All), format!("talk:{tag}:i:files")),
            (keys.records_list(customer, Table::AccessKeys, List::Of(agent)), format!("talk:{tag}:i:accesskeys:{who}")),
            (keys.unique(Table::Customers, "Demo"), "talk:u:customers:Demo".to_owned()),
            (keys.channel(Channel::Chat(chat)), "talk:{0123456789abcdef}:e".to_owned()),
            (keys.channel(Channel::Customer(customer)), format!("talk:{tag}:e")),
            (keys.channel(Channel::Heads), "talk:{heads}:e".to_owned()),
        ];
        for (key, expected) in spelled {
            assert_eq!(key, expected);
        }
        assert_eq!(SEGMENT, 128, "stored chats are cut at this length");
    }

    #[test]
    fn a_channel_is_known_by_its_name() {
        let keys = Keys::new("p:").unwrap();
        for channel in [Channel::Chat(ChatKey(7)), Channel::Customer(CustomerId(Uuid::from_u128(9))), Channel::Heads] {
            assert_eq!(keys.read_channel(keys.channel(channel).as_bytes()), Some(channel));
        }
        for foreign in ["", "p:", "q:{0000000000000007}:e", "p:{7}:e", "p:{0000000000000007}:x"] {
            assert_eq!(keys.read_channel(foreign.as_bytes()), None, "{foreign}");
        }
    }

    #[test]
    fn a_prefix_that_breaks_the_spelling_is_refused() {
        assert!(Keys::new("").is_some());
        for wrong in ["{x}", "a b", "ü", &"x".repeat(65)] {
            assert!(Keys::new(wrong).is_none(), "{wrong}");
        }
    }
}
