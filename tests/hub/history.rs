//! Paging: whatever the page size, whichever way, while others write: nothing is skipped and nothing comes twice.

use std::collections::HashSet;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::support::calls::{ACCESSKEYS, AGENTS, CHANNELS, CHATS, FILES, MESSAGES};
use crate::support::{Agent, Answer, Hubs, column, id, rows, sorted, text};

/// Posts `count` messages, 20 at a time, and returns their ids, sorted.
async fn fill(agent: &Agent, chat: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for start in (0..count).step_by(20) {
        let posts = (start..count.min(start + 20)).map(async |n| agent.say(chat, &format!("message {n}")).await);
        ids.extend(join_all(posts).await.iter().map(id));
    }
    sorted(ids)
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(id).collect()
}

fn assert_strictly(rows: &[Value], newest_first: bool) {
    let times: Vec<_> = rows.iter().map(|row| text(row, "tm_create")).collect();
    assert!(times.is_sorted_by(|a, b| if newest_first { a > b } else { a < b }), "out of order: {times:?}");
}

async fn a_thousand_messages_come_once_each_in_pages_of_any_size_in_both_directions(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let posted = fill(&alice, &chat, 1000).await;
    for (order, page_size) in [("desc", 7), ("desc", 33), ("desc", 100), ("asc", 9), ("asc", 37), ("asc", 100)] {
        let newest_first = order == "desc";
        let mut query = vec![("chat_id", chat.as_str())];
        if !newest_first {
            query.push(("order", order));
        }
        let walked = bob.walk(MESSAGES, &query, page_size).await;
        assert_strictly(&walked, newest_first);
        assert_eq!(sorted(ids(&walked)), posted, "{order} by {page_size}");
    }
}

async fn a_walk_back_is_not_disturbed_by_writers(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let before = fill(&alice, &chat, 200).await;
    let (walked, _) = join(bob.walk(MESSAGES, &[("chat_id", &chat)], 7), fill(&alice, &chat, 200)).await;
    assert_strictly(&walked, true);
    let known: HashSet<_> = before.iter().cloned().collect();
    let old: Vec<_> = ids(&walked).into_iter().filter(|id| known.contains(id)).collect();
    assert_eq!(sorted(old), before);
}

async fn a_walk_forward_meets_everything_that_is_written_meanwhile(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut posted = fill(&alice, &chat, 100).await;
    let forward = [("chat_id", chat.as_str()), ("order", "asc")];
    let (mut walked, meanwhile) = join(bob.walk(MESSAGES, &forward, 7), fill(&alice, &chat, 200)).await;
    posted.extend(meanwhile);
    // The walk ended when it caught up; the writers may have gone on. The rest is newer than the last row.
    loop {
        let last = text(walked.last().unwrap(), "tm_create").to_owned();
        let page = bob.list_messages(&[forward[0], forward[1], ("page_token", &last)]).await.ok();
        if rows(&page).is_empty() {
            break;
        }
        walked.extend(rows(&page));
    }
    assert_strictly(&walked, false);
    assert_eq!(sorted(ids(&walked)), sorted(posted));
}

async fn the_page_size_is_a_hundred_unless_it_is_a_smaller_number(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    fill(&alice, &chat, 105).await;
    let list = async |size: &str| alice.list_messages(&[("chat_id", &chat), ("page_size", size)]).await;
    assert_eq!(rows(&alice.list_messages(&[("chat_id", &chat)]).await.ok()).len(), 100);
    for (size, expected) in
        [("1", 1), ("99", 99), ("100", 100), ("101", 100), ("0", 100), ("-3", 100), ("1000000", 100)]
    {
        assert_eq!(rows(&list(size).await.ok()).len(), expected, "page_size={size}");
    }
    for size in ["ten", "1.5", " ", "1e2"] {
        list(size).await.refused(400, "INVALID_REQUEST_PARAMETER");
    }
}

async fn a_page_token_is_the_time_of_the_last_row_and_may_be_rfc_3339(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    fill(&alice, &chat, 5).await;
    let page = alice.list_messages(&[("chat_id", &chat), ("page_size", "2")]).await.ok();
    let last = rows(&page)[1].clone();
    assert_eq!(page["next_page_token"], last["tm_create"]);

    let next = async |token: &str| alice.list_messages(&[("chat_id", &chat), ("page_token", token)]).await;
    let plain = text(&page, "next_page_token");
    let expected = next(plain).await.ok();
    assert_eq!(rows(&expected).len(), 3);
    let rfc = plain.replace(' ', "T");
    for token in [format!("{rfc}Z"), format!("{rfc}+00:00")] {
        assert_eq!(next(&token).await.ok(), expected, "{token}");
    }
    for token in ["yesterday", "2024-13-01 00:00:00.000000", "2024-01-17", "0", "2024-01-17 10:30:00.000000,x"] {
        next(token).await.refused(400, "INVALID_REQUEST_PARAMETER");
    }
    let empty = next("2000-01-01 00:00:00.000000").await.ok();
    assert_eq!(empty, json!({"result": [], "next_page_token": ""}));
    alice.list_messages(&[("chat_id", &chat), ("order", "sideways")]).await.refused(400, "INVALID_REQUEST_PARAMETER");
}

async fn without_a_chat_the_messages_of_all_my_chats_are_merged_by_time(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let shared =
        [alice.new_group(&[&bob]).await, alice.new_direct(&bob).await, alice.new_channel("open", &[&bob]).await];
    let foreign = alice.new_group(&[&carol]).await;
    let mut expected = Vec::new();
    for n in 0..60 {
        expected.push(id(&alice.say(&shared[n % 3], &format!("message {n}")).await));
        alice.say(&foreign, "not for Bob").await;
    }
    expected.reverse();
    assert_eq!(column(&bob.list_messages(&[]).await.ok(), "id"), expected);
    for page_size in [1, 7, 59] {
        assert_eq!(ids(&bob.walk(MESSAGES, &[], page_size).await), expected, "pages of {page_size}");
    }
    let mut forward = ids(&bob.walk(MESSAGES, &[("order", "asc")], 11).await);
    forward.reverse();
    assert_eq!(forward, expected);
}

async fn the_merged_list_loses_nothing_while_all_chats_are_written_to(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chats: Vec<_> = join_all((0..8).map(async |_| alice.new_group(&[&bob]).await)).await;
    let fill_all = async || join_all(chats.iter().map(|chat| fill(&alice, chat, 25))).await.concat();
    let before = sorted(fill_all().await);
    let (walked, _) = join(bob.walk(MESSAGES, &[], 13), fill_all()).await;
    let known: HashSet<_> = before.iter().cloned().collect();
    let old: Vec<_> = ids(&walked).into_iter().filter(|id| known.contains(id)).collect();
    assert_eq!(sorted(old), before);
    let times: Vec<_> = walked.iter().map(|row| text(row, "tm_create")).collect();
    assert!(times.is_sorted_by(|a, b| a >= b));
}

async fn rows_of_the_same_microsecond_are_neither_skipped_nor_repeated(hubs: Hubs) {
    let customer = hubs.customer().await;
    let admin = customer.admin("Admin").await;
    // Made at once, so that rows of one list share microseconds where the hub's clock lets them.
    join_all((0..12).map(async |_| customer.agent("Agent").await)).await;
    join_all((0..40).map(async |_| admin.new_channel("channel", &[]).await)).await;
    join_all((0..12).map(async |_| admin.create_accesskey(&json!({"name": "key"})).await.ok())).await;
    join_all((0..12).map(async |_| admin.new_file("file.txt", "content").await)).await;

    for (path, count) in [(CHATS, 40), (CHANNELS, 40), (AGENTS, 13), (ACCESSKEYS, 12), (FILES, 12)] {
        for (order, page_size) in [("desc", 1), ("desc", 3), ("asc", 1), ("asc", 5)] {
            let query = if order == "asc" { vec![("order", "asc")] } else { Vec::new() };
            let walked = admin.walk(path, &query, page_size).await;
            let unique: HashSet<_> = ids(&walked).into_iter().collect();
            assert_eq!((walked.len(), unique.len()), (count, count), "{path} {order} by {page_size}");
            let times: Vec<_> = walked.iter().map(|row| text(row, "tm_create")).collect();
            assert!(
                times.is_sorted_by(|a, b| if order == "asc" { a <= b } else { a >= b }),
                "{path} {order}: {times:?}"
            );
        }
    }
}

async fn lists_over_chats_hand_out_a_token_with_an_id_and_take_a_bare_time(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let mut newest_first = Vec::new();
    for n in 0..4 {
        newest_first.insert(0, alice.new_channel(&format!("channel {n}"), &[]).await);
    }
    for path in [CHATS, CHANNELS] {
        let list = async |query: &[(&str, &str)]| -> Answer {
            alice.call(reqwest::Method::GET, path).query(query).send().await
        };
        let page = list(&[("page_size", "2")]).await.ok();
        let last = rows(&page)[1].clone();
        assert_eq!(text(&page, "next_page_token"), format!("{},{}", text(&last, "tm_create"), id(&last)));
        for token in [text(&page, "next_page_token"), text(&last, "tm_create")] {
            assert_eq!(column(&list(&[("page_token", token)]).await.ok(), "id"), newest_first[2..], "{path} {token}");
        }
        list(&[("page_token", "2024-01-17 10:30:00.000000,not-a-uuid")])
            .await
            .refused(400, "INVALID_REQUEST_PARAMETER");
    }
}

on_every_deployment!(
    a_thousand_messages_come_once_each_in_pages_of_any_size_in_both_directions,
    a_walk_back_is_not_disturbed_by_writers,
    a_walk_forward_meets_everything_that_is_written_meanwhile,
    the_page_size_is_a_hundred_unless_it_is_a_smaller_number,
    a_page_token_is_the_time_of_the_last_row_and_may_be_rfc_3339,
    without_a_chat_the_messages_of_all_my_chats_are_merged_by_time,
    the_merged_list_loses_nothing_while_all_chats_are_written_to,
    rows_of_the_same_microsecond_are_neither_skipped_nor_repeated,
    lists_over_chats_hand_out_a_token_with_an_id_and_take_a_bare_time,
);
