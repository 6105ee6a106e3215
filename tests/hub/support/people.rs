//! Customers and their agents, made through the API by the operator's admin token.

use std::ops::Deref;

use serde_json::{Value, json};

use super::client::{Client, Credential};
use super::deployment::Hubs;
use super::socket::Socket;
use super::token;

/// The permission bits of contract section 2.
pub(crate) const AGENT: u64 = 16;
pub(crate) const ADMIN: u64 = 32;
pub(crate) const MANAGER: u64 = 64;

/// The password of every agent.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

impl Hubs {
    /// Somebody without any credential.
    pub(crate) fn nobody(&self) -> Client {
        Client::new(self, [])
    }

    /// The one who runs the hub and holds the admin token.
    pub(crate) fn operator(&self) -> Client {
        Client::new(self, [Credential::Bearer(token::ADMIN_TOKEN.to_owned())])
    }

    /// A new customer.
    pub(crate) async fn customer(&self) -> Customer {
        let made = self.operator().post("/v1.0/customers", &json!({"name": "Test customer"})).await.ok();
        Customer { id: super::id(&made), hubs: self.clone() }
    }

    /// Agents of one new customer.
    pub(crate) async fn agents<const N: usize>(&self, names: [&str; N]) -> [Agent; N] {
        self.customer().await.agents(names).await
    }
}

/// A customer: everything of it is invisible to all others.
#[derive(Clone)]
pub(crate) struct Customer {
    pub(crate) id: String,
    hubs: Hubs,
}

impl Customer {
    pub(crate) async fn agents<const N: usize>(&self, names: [&str; N]) -> [Agent; N] {
        let agents = futures_util::future::join_all(names.map(|name| self.agent(name))).await;
        agents.try_into().unwrap_or_else(|_| panic!("one agent for each name"))
    }

    pub(crate) async fn agent(&self, name: &str) -> Agent {
        self.agent_with(name, AGENT).await
    }

    pub(crate) async fn admin(&self, name: &str) -> Agent {
        self.agent_with(name, ADMIN).await
    }

    pub(crate) async fn manager(&self, name: &str) -> Agent {
        self.agent_with(name, MANAGER).await
    }

    /// An agent with these permission bits, holding a token as the hub would issue it.
    pub(crate) async fn agent_with(&self, name: &str, permission: u64) -> Agent {
        let username = new_username(name);
        let body = json!({
            "customer_id": self.id,
            "username": username,
            "password": PASSWORD,
            "name": name,
            "permission": permission,
        });
        let id = super::id(&self.hubs.operator().post("/v1.0/agents", &body).await.ok());
        let token = token::signed(&token::claims(&id, &self.id, permission));
        let client = Client::new(&self.hubs, [Credential::Bearer(token.clone())]);
        Agent { id, customer_id: self.id.clone(), name: name.to_owned(), username, token, client }
    }
}

/// A username nobody has.
pub(crate) fn new_username(name: &str) -> String {
    format!("{}-{}@example.test", name.to_lowercase().replace(' ', "-"), uuid::Uuid::new_v4().simple())
}

/// A person of a customer. An agent is also the client that calls with the agent's token.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) customer_id: String,
    pub(crate) name: String,
    pub(crate) username: String,
    pub(crate) token: String,
    client: Client,
}

impl Deref for Agent {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Agent {
    /// The same agent, calling one node only.
    pub(crate) fn at(&self, node: usize) -> Self {
        Self { client: self.client.on_node(node), ..self.clone() }
    }

    /// The same agent under other credentials.
    pub(crate) fn with(&self, credential: Credential) -> Self {
        let token = credential.secret().to_owned();
        Self { client: self.client.presenting([credential]), token, ..self.clone() }
    }

    /// `agent_id:<id>`: everything this agent may hear.
    pub(crate) fn topic(&self) -> String {
        format!("agent_id:{}", self.id)
    }

    /// `agent_id:<id>:chat:<chat id>`: one chat of this agent.
    pub(crate) fn chat_topic(&self, chat: &str) -> String {
        format!("agent_id:{}:chat:{chat}", self.id)
    }

    /// `customer_id:<id>`: all chats of the customer, for admins and managers.
    pub(crate) fn customer_topic(&self) -> String {
        format!("customer_id:{}", self.customer_id)
    }

    /// A socket on the next node, not yet subscribed to anything.
    pub(crate) async fn socket(&self) -> Socket {
        Socket::open(self).await
    }

    /// A socket on the next node, subscribed to everything this agent may hear.
    pub(crate) async fn listen(&self) -> Socket {
        let mut socket = self.socket().await;
        socket.subscribe(&[&self.topic()]).await;
        socket
    }

    /// How this agent is named as a participant.
    pub(crate) fn as_participant(&self) -> Value {
        json!({"owner_type": "agent", "owner_id": self.id})
    }
}
