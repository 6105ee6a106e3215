//! The newest page of a chat: kept as it goes out, and never older than the last acknowledged write, on whichever node.

use std::cell::Cell;

use futures_util::future::{join, join_all};
use serde_json::Value;

use crate::support::{Agent, Hubs, column, id, rows, text};

/// Nodes that a reader goes to in turn; a deployment has fewer.
const NODES: usize = 2;

/// The newest page as it is kept, which must be what is found when the chat is asked for all before some far day.
async fn newest(reader: &Agent, chat: &str, size: &str) -> Value {
    let query = [("chat_id", chat), ("page_size", size)];
    let page = reader.list_messages(&query).await.ok();
    let long_after = ("page_token", "9999-01-01 00:00:00.000000");
    let asked = reader.list_messages(&[query[0], query[1], long_after]).await.ok();
    assert_eq!(page, asked, "{size} rows");
    page
}

/// Reads it in several sizes, twice each, on every node.
async fn newest_everywhere(reader: &Agent, chat: &str) -> Value {
    let mut last = Value::Null;
    for node in 0..NODES {
        for size in ["7", "2", "100", "2", "7", "100"] {
            last = newest(&reader.at(node), chat, size).await;
        }
    }
    last
}

async fn every_change_is_on_the_next_page_on_every_node(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    assert!(rows(&newest_everywhere(&bob, &chat).await).is_empty());
    let mut posted = Vec::new();
    for n in 0..10 {
        posted.insert(0, id(&alice.at(n).say(&chat, &format!("message {n}")).await));
        assert_eq!(column(&newest_everywhere(&bob, &chat).await, "id"), posted);
    }
    let row = async |place: usize| newest_everywhere(&bob, &chat).await["result"][place].clone();

    let reacted = alice.at(1).add_reaction(&posted[2], "👍").await.ok();
    assert_eq!(row(2).await, reacted);
    let taken_back = alice.at(0).remove_reaction(&posted[2], "👍").await.ok();
    assert_eq!(row(2).await, taken_back);
    let deleted = alice.at(1).delete_message(&posted[4]).await.ok();
    assert_eq!((row(4).await, text(&deleted, "text")), (deleted.clone(), ""));
    alice.at(0).reply(&chat, &posted[5], "a reply").await;
    assert_eq!(row(6).await["reply_count"], 1);
    alice.at(1).update_chat(&chat, &serde_json::json!({"name": "renamed"})).await.ok();
    newest_everywhere(&bob, &chat).await;
    alice.delete_chat(&chat).await.ok();
    assert_eq!(rows(&newest_everywhere(&bob, &chat).await).len(), 11);
}

async fn who_is_let_in_or_goes_is_let_in_or_kept_out_at_once_on_every_node(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let chat = alice.new_group(&[&bob]).await;
    alice.say(&chat, "hello").await;
    for round in 0..3 {
        newest_everywhere(&bob, &chat).await;
        for node in 0..NODES {
            let read = async |agent: &Agent| agent.at(node).list_messages(&[("chat_id", &chat)]).await;
            read(&carol).await.refused(403, "PERMISSION_DENIED");
            read(&stranger).await.refused(404, "CHAT_NOT_FOUND");
        }
        let member = alice.at(round).add_participant(&chat, &carol.id).await.ok();
        newest_everywhere(&carol, &chat).await;
        alice.at(round + 1).remove_participant(&chat, &id(&member)).await.ok();
    }
}

/// Writers go on all the while; whoever has been told that a message is posted finds it, wherever it reads.
async fn no_reader_is_shown_less_than_was_acknowledged(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let acknowledged = Cell::new(0);
    let writing = Cell::new(4);
    let write = async |node: usize| {
        for n in 0..50 {
            let posted = alice.at(node).say(&chat, &format!("message {n}")).await;
            acknowledged.set(acknowledged.get().max(posted["seq"].as_u64().unwrap()));
        }
        writing.set(writing.get() - 1);
    };
    let read = async |node: usize| {
        let mut reads = 0;
        while writing.get() > 0 {
            let known = acknowledged.get();
            let page = bob.at(node).list_messages(&[("chat_id", &chat), ("page_size", "3")]).await.ok();
            let shown = page["result"][0]["seq"].as_u64().unwrap_or_default();
            assert!(shown >= known, "{shown} is shown, {known} was acknowledged");
            reads += 1;
        }
        reads
    };
    let (_, reads) = join(join_all((0..4).map(write)), join_all((0..6).map(read))).await;
    assert!(reads.iter().all(|reads| *reads > 0), "{reads:?}");
    newest_everywhere(&bob, &chat).await;
}

on_every_deployment!(
    every_change_is_on_the_next_page_on_every_node,
    who_is_let_in_or_goes_is_let_in_or_kept_out_at_once_on_every_node,
    no_reader_is_shown_less_than_was_acknowledged,
);
