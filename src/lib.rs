//! A real-time chat hub that speaks VoIPBIN's Talk API. This file is the map.
//!
//! # The way of a message
//!
//! ```text
//! agent ──HTTP──► http ──► ChatActor ──one script──► Redis (or the embedded store)
//!                            ▲   │                      │  append + publish, one atomic act
//!                            │   └─ reply: position     ▼
//!  every node, this one too  └──── ear ◄────────── channel of the chat
//!                                     │
//!              socket ◄── round ◄── outbox ◄── follower ◄── switchboard ◄── desk
//! ```
//!
//! Going in, a request walks to the log: [`http`] understands it, [`chat`] decides it on what it
//! knows, and [`store`] makes it true or says that what was known is no longer so. Coming out, the
//! event walks from the log to the sockets, on every node by the same path, also on the one that
//! wrote it: the [`fanout::ear`] hears it, the chat brings it into order and encodes it once, each
//! worker's [`session::Switchboard`] puts it into the outboxes of those who follow.
//!
//! # The rooms
//!
//! Imports only look left; `tests/architecture.rs` holds that:
//!
//! ```text
//! sabotage · model · settings · telemetry · wire · store · people · files · fanout · chat · session · http · demo · hub · probe · terminal · main
//! ```
//!
//! # The words
//!
//! | word | what it is |
//! |---|---|
//! | customer, agent | a tenant; a person of one |
//! | chat | a talk: direct, group or talk (a public channel) |
//! | participant, member | an agent's membership of a chat; an agent who has one |
//! | log, record | a chat's events, in order; one of them with its place |
//! | seq | the number of an event in its chat: 1, 2, 3, ... without a hole |
//! | moment | the store's time of an event, unique in its chat: `tm_create`, page token, entry id |
//! | nonce | 64 bits of an entry, random or standing for an idempotency key: makes an attempt known again, and a history |
//! | beacon, heads | what a writer tells all nodes a little later: where chats and notices stand |
//! | map, survey | which server of Redis has what; who keeps that true |
//! | lane | a long-lived connection for commands to one of them |
//! | position, cursor | seq, moment and nonce of an event; the same as opaque text for clients |
//! | overlay | what became of a message since it was posted: reactions, deletion |
//! | rules | the newest event that changed the chat or its roster: what a decision was made on |
//! | room | what a chat's actor knows: chat, roster, recent messages and events |
//! | look | asking the log whether it has gone on since |
//! | link, ear | the store's way to tell a node; who listens to it there |
//! | desk, switchboard | the door into a worker thread; its sockets and what they follow |
//! | round, seat | a worker's sockets that have something to write; a connection's place among the node's |
//! | follower | a socket that hears a chat, and how far it has come |
//! | notice | news of a customer that is no event of a chat |

pub mod chat;
pub mod demo;
pub mod fanout;
pub mod files;
pub mod http;
pub mod hub;
pub mod model;
pub mod people;
pub mod probe;
pub mod sabotage;
pub mod session;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod terminal;
pub mod wire;
