//! A hub to try out: a customer with three agents, and where to go next. Who comes by a browser finds
//! that they have talked a little.
//!
//! Promised: only on an embedded store that is empty, or that an earlier demo filled, and only on
//! an address that nobody else can reach, because everybody's password is known.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::chat::Chats;
use crate::http::web::{Demonstration, Offer, OfferedPerson};
use crate::model::{Caller, CustomerId, Permissions};
use crate::people::{NewAgent, People, Steward};
use crate::settings::{Settings, StoreKind};
use crate::wire::ApiError;
use crate::wire::page::PageRequest;

mod living;

/// Name of the demo's customer.
const CUSTOMER: &str = "Demo";
/// Everybody's password.
const PASSWORD: &str = "demo";
/// Address, name and permission of each agent.
const AGENTS: [(&str, &str, Permissions); 3] = [
    ("alice@demo.test", "Alice", Permissions::AGENT),
    ("bob@demo.test", "Bob", Permissions(Permissions::AGENT.0 | Permissions::ADMIN.0)),
    ("carol@demo.test", "Carol", Permissions::AGENT),
];

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("--demo needs a loopback address, because its passwords are known; server.bind is {0}")]
    Reachable(SocketAddr),
    #[error("--demo needs the embedded store; store.kind is redis")]
    NotEmbedded,
    #[error("--demo needs an empty store; store.dir holds data that is not the demo's")]
    NotEmpty,
    #[error("--demo: {0}")]
    Refused(#[from] ApiError),
}

/// Whether a demo may run with these settings; asked before anything is opened.
///
/// # Errors
/// An address that others can reach, or another store than the embedded one.
pub fn allowed(settings: &Settings) -> Result<(), DemoError> {
    if !settings.server.bind.ip().is_loopback() {
        return Err(DemoError::Reachable(settings.server.bind));
    }
    if settings.store.kind != StoreKind::Embedded {
        return Err(DemoError::NotEmbedded);
    }
    Ok(())
}

/// The people of a demo, signed in.
pub struct Demo {
    agents: Vec<Guest>,
}

#[derive(Clone)]
struct Guest {
    username: &'static str,
    name: &'static str,
    caller: Caller,
    token: String,
}

impl Demo {
    /// Makes the people if the store is empty, and signs them in.
    ///
    /// # Errors
    /// The store holds something else, or does not answer.
    pub async fn open(people: &People) -> Result<Self, DemoError> {
        let first = PageRequest { limit: 1, ascending: true, after: None };
        match people.customers(&first).await?.first() {
            None => fill(people).await?,
            Some(customer) if customer.name != CUSTOMER => return Err(DemoError::NotEmpty),
            Some(_) => {}
        }
        let mut agents = Vec::new();
        for (username, name, _) in AGENTS {
            // Somebody else's customer may be called Demo too; then these cannot sign in.
            let signed_in = people.login(username, PASSWORD).await.map_err(|_| DemoError::NotEmpty)?;
            agents.push(Guest { username, name, caller: signed_in.caller, token: signed_in.token });
        }
        Ok(Self { agents })
    }

    /// What the console shows to somebody who is nobody yet: these people, whom one may be.
    #[must_use]
    pub fn demonstration(&self, people: &People, chats: &Chats) -> Demonstration {
        let person = |guest: &Guest| OfferedPerson { username: guest.username.to_owned(), name: guest.name.to_owned() };
        let offer = Offer { password: PASSWORD.to_owned(), people: self.agents.iter().map(person).collect() };
        let stage = living::Scenes::new(people.clone(), chats.clone(), self.agents.clone());
        Demonstration { offer, stage: Box::new(stage) }
    }

    /// What a newcomer reads: tokens, and commands that can be pasted.
    #[must_use]
    pub fn guide(&self, address: SocketAddr) -> String {
        let mut text = format!("\nA demo: everybody's password is \"{PASSWORD}\".\n\n");
        for guest in &self.agents {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{}={} # {}", guest.name.to_uppercase(), guest.token, guest.username);
        }
        let bob = self.agents.iter().find(|guest| guest.name == "Bob").map(|guest| guest.caller.agent.to_string());
        let _ = write!(
            text,
            r#"
Paste these three lines into a shell, then let Alice write to Bob:

  curl -s http://{address}/v1.0/service_agents/talk_chats -H "Authorization: Bearer $ALICE" \
    -H 'Content-Type: application/json' \
    -d '{{"type":"direct","participants":[{{"owner_type":"agent","owner_id":"{bob}"}}]}}'

  curl -s http://{address}/v1.0/service_agents/talk_messages -H "Authorization: Bearer $ALICE" \
    -H 'Content-Type: application/json' \
    -d '{{"chat_id":"<id from above>","type":"normal","text":"Hello Bob"}}'

In a browser: http://{address}/
Every call: http://{address}/docs        Live events: ws://{address}/v1.0/ws?token=$BOB
"#,
            bob = bob.unwrap_or_default()
        );
        text
    }
}

async fn fill(people: &People) -> Result<(), ApiError> {
    let customer: CustomerId = people.create_customer(CUSTOMER, "made by --demo").await?.id;
    for (username, name, permission) in AGENTS {
        let new = NewAgent {
            username: username.to_owned(),
            password: PASSWORD.to_owned(),
            name: name.to_owned(),
            detail: String::new(),
            permission: Some(permission.0),
        };
        people.create_agent(&Steward::Operator, customer, new).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::embedded::{self, EmbeddedSettings};

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let secret = ("TALK__AUTH__SECRET", "sixteen bytes or more");
        let all = pairs.iter().chain([&secret]).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(None, all).expect("settings")
    }

    #[test]
    fn a_demo_is_for_this_machine_and_the_embedded_store() {
        for (name, value, fits) in [
            ("TALK__SERVER__BIND", "127.0.0.1:0", true),
            ("TALK__SERVER__BIND", "[::1]:0", true),
            ("TALK__SERVER__BIND", "0.0.0.0:8080", false),
            ("TALK__SERVER__BIND", "[::]:8080", false),
            ("TALK__SERVER__BIND", "192.168.1.7:8080", false),
            ("TALK__STORE__KIND", "redis", false),
        ] {
            assert_eq!(allowed(&settings(&[(name, value)])).is_ok(), fits, "{value}");
        }
    }

    #[tokio::test]
    async fn a_demo_fills_an_empty_store_once_and_no_other() {
        let people = |dir: &std::path::Path| {
            let bounds =
                EmbeddedSettings { queue_max: 64, batch_max: 64, heard_max: 64, cache_bytes: 1 << 20, wait_ms: 5000 };
            People::new(embedded::open(dir, bounds).expect("a store").store, &settings(&[]).auth).expect("people")
        };
        let dir = tempfile::tempdir().expect("a directory");
        let here = people(dir.path());
        let first = Demo::open(&here).await.expect("filled");
        let again = Demo::open(&here).await.expect("signed in again");
        let ids = |demo: &Demo| demo.agents.iter().map(|guest| guest.caller.agent).collect::<Vec<_>>();
        assert_eq!(ids(&first), ids(&again));
        let guide = first.guide("127.0.0.1:8080".parse().expect("an address"));
        for part in
            ["ALICE=ey", "BOB=ey", "CAROL=ey", "http://127.0.0.1:8080/docs", &first.agents[1].caller.agent.to_string()]
        {
            assert!(guide.contains(part), "{part} in {guide}");
        }

        let other = tempfile::tempdir().expect("a directory");
        let there = people(other.path());
        there.create_customer("Somebody", "").await.expect("a customer");
        assert!(matches!(Demo::open(&there).await, Err(DemoError::NotEmpty)));
    }
}
