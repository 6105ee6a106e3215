//! The edge: HTTP in, calls to the rooms, HTTP out. It asks people, files and chats, never the store,
//! of which it knows only the words for places in lists; health alone asks whether the store lives.
//!
//! Every handler takes its caller from [`extract::Authed`], which reads path and body only after
//! the caller is known, and answers errors as rows of the wire's table. [`request_id::stamp`], the
//! outermost layer, gives every response its id and every error its envelope.

pub mod access_keys;
pub mod agents;
pub mod api;
pub mod body;
pub mod chats;
pub mod credential;
pub mod customers;
pub mod docs;
pub mod docs_page;
pub mod error;
pub mod events_doc;
pub mod extract;
pub mod files;
pub mod health;
pub mod listed;
pub mod login;
pub mod medias;
pub mod messages;
pub mod once;
pub mod participants;
pub mod ranges;
pub mod rates;
pub mod reactions;
pub mod request_id;
pub mod server;
pub mod web;
pub mod ws;

#[cfg(test)]
mod tests;

use crate::chat::Chats;
use crate::model::Limits;
use crate::people::{AuthSettings, People};

use rates::Rates;

/// What handlers see, behind `web::Data`; one for all workers.
pub struct State {
    pub people: People,
    pub chats: Chats,
    pub limits: Limits,
    pub rates: Rates,
    pub cookies: CookieRules,
}

/// How cookies are given out and taken.
#[derive(Clone, Debug)]
pub struct CookieRules {
    /// Sent over HTTPS only.
    pub secure: bool,
    /// Origins whose pages may act with a cookie, besides the hub's own.
    pub allowed_origins: Vec<String>,
}

impl State {
    /// Puts it together.
    #[must_use]
    pub fn new(people: People, chats: Chats, limits: Limits, auth: &AuthSettings) -> Self {
        Self {
            people,
            chats,
            rates: Rates::new(&limits),
            limits,
            cookies: CookieRules { secure: auth.cookie_secure, allowed_origins: auth.allowed_origins.clone() },
        }
    }
}
