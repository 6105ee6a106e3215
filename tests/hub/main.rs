//! The hub as its users have it: real processes, real HTTP and WebSockets, real stores. Every name is a promise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![allow(clippy::cloned_ref_to_slice_refs, reason = "a list of one reads best as a list")]

#[macro_use]
mod support; // the kit: hubs, Redis, people, clients that check every answer

mod abuse; // hostile frames, and HTTP that is none
mod accesskeys; // keys: shown once, dead when revoked
mod agents; // people: seen, made, ended; oneself
mod chats; // chats: made, read, changed, deleted
mod cost; // measured against the budgets: Redis memory, script calls, idle connections
mod cut_off; // clients cut off at random end where those never cut do
mod documents; // what the documents show is what the hub says
mod erasure; // a deleted text is nowhere
mod errors; // every reason for a refusal, as a snapshot
mod files;
mod fleet; // uploads and downloads
mod health; // alive, ready, counted, drained
mod history; // paging: nothing skipped, nothing twice
mod holes; // what is lost on the way is read from the log, soon
mod hostile; // a hundred thousand generated requests
mod idempotency; // the same call again
mod identity_provider; // tokens of somebody else, by their public keys
mod isolation; // customers never see each other
mod kill; // kill -9 loses nothing that was acknowledged
mod limits; // what just fits, and one more
mod login; // credentials: forms, order, end
mod messages; // messages: posted, read, deleted; media; order
mod missed_news; // what a link did not bring reaches all sockets at once
mod newest_pages; // the newest page of a chat is never older than the last acknowledged write
mod nodes; // two nodes, and a Redis that stumbles
mod participants; // who is in a chat, and what is told of it
mod races; // everybody at once
mod reactions; // reactions: own, once, told when something changed
mod reconnect_storm; // everybody at once comes back
mod resume; // since: what a returning client is sent and told
mod rewritten;
mod rolling; // nodes that leave, are restarted, are killed
mod secrecy; // no credential in any log line
mod settings; // where settings come from; wrong ones are named
mod slow_readers; // sockets that stop reading cost nobody but themselves
mod socket_rules; // who may connect, what may be sent, when a socket ends
mod subscriptions; // topics: what a socket hears, once and in order
mod terminal; // talk-hub chat: in terminals and scripts
mod threads; // replies, counted and kept together
mod traces; // the lines and spans of a call are found by it
mod tutorial;
mod upgrades; // which requests become a socket, and that a refusal can be read // the specification, replayed
