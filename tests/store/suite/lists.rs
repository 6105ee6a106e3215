//! Lists of chats: they may hold too much, never too little.

use talk_hub::model::{AgentId, ChatId, CustomerId, Micros};
use talk_hub::store::{Around, ChatIndex, ChatList, Scope};

use super::{Body, Stage};

/// Announces a new chat to these agents alone.
async fn announce<B: Body>(stage: &Stage<B>, customer: CustomerId, at: u64, agents: &[AgentId]) -> ChatId {
    let chat = ChatId::random();
    let scope = Scope { agents, channel: false, created: false };
    stage.store.index.announce(customer, chat, Micros(at), scope).await.unwrap();
    chat
}

/// The whole list, newest first.
async fn all(index: &dyn ChatIndex, customer: CustomerId, list: ChatList) -> Vec<(Micros, ChatId)> {
    index.chats(customer, list, Around::Newest, 10_000).await.unwrap()
}

pub async fn a_chat_is_in_the_lists_it_was_announced_to<B: Body>(stage: Stage<B>) {
    let index = stage.store.index.as_ref();
    let (customer, chat, agent) = (CustomerId::random(), ChatId::random(), AgentId::random());
    let lists = [ChatList::Agent(agent), ChatList::Channels, ChatList::All];
    for list in lists {
        assert!(all(index, customer, list).await.is_empty());
    }
    let scopes = [(vec![agent], false, false), (vec![], true, false), (vec![], false, true)];
    for (present, (agents, channel, created)) in (1..).zip(&scopes) {
        let scope = Scope { agents, channel: *channel, created: *created };
        index.announce(customer, chat, Micros(7), scope).await.unwrap();
        for (place, list) in (1..).zip(lists) {
            let expected: &[_] = if place <= present { &[(Micros(7), chat)] } else { &[] };
            assert_eq!(all(index, customer, list).await, expected, "{list:?}");
        }
    }
    assert!(all(index, CustomerId::random(), ChatList::All).await.is_empty());
    assert!(all(index, CustomerId::random(), ChatList::Agent(agent)).await.is_empty());
    assert!(all(index, customer, ChatList::Agent(AgentId::random())).await.is_empty());
    stage.close().await;
}

pub async fn chats_are_listed_by_creation_and_id<B: Body>(stage: Stage<B>) {
    let (customer, agent) = (CustomerId::random(), AgentId::random());
    let mut chats = Vec::new();
    for at in [1_000, 5, 2_000, 1_000, 1_000, 1_700_000_000_000_000, 999, 1_000, 5, 3_000_000] {
        chats.push((Micros(at), announce(&stage, customer, at, &[agent]).await));
    }
    chats.sort_unstable();
    let index = stage.store.index.as_ref();
    let list = ChatList::Agent(agent);
    for limit in [1, 2, 3, 7, 10, 50] {
        let mut forward = index.chats(customer, list, Around::Oldest, limit).await.unwrap();
        assert_eq!(forward, chats[..limit.min(10)]);
        while let Some((at, id)) = forward.last().copied() {
            let page = index.chats(customer, list, Around::After(at, id.0), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            forward.extend(page);
        }
        assert_eq!(forward, chats, "limit {limit}");
        let mut back = index.chats(customer, list, Around::Newest, limit).await.unwrap();
        while let Some((at, id)) = back.last().copied() {
            let page = index.chats(customer, list, Around::Before(at, id.0), limit).await.unwrap();
            if page.is_empty() {
                break;
            }
            back.extend(page);
        }
        back.reverse();
        assert_eq!(back, chats, "limit {limit}");
    }
    // A bare moment: the least and the greatest id stand for it.
    let before = index.chats(customer, list, Around::Before(Micros(1_000), uuid::Uuid::nil()), 50).await.unwrap();
    assert_eq!(before.len(), 3);
    let after = index.chats(customer, list, Around::After(Micros(1_000), uuid::Uuid::max()), 50).await.unwrap();
    assert_eq!(after, chats[7..]);
    stage.close().await;
}

pub async fn announcing_again_lists_once<B: Body>(stage: Stage<B>) {
    let index = stage.store.index.as_ref();
    let (customer, chat, agents) = (CustomerId::random(), ChatId::random(), [AgentId::random()]);
    for _ in 0..3 {
        let scope = Scope { agents: &agents, channel: true, created: true };
        index.announce(customer, chat, Micros(9), scope).await.unwrap();
    }
    for list in [ChatList::Agent(agents[0]), ChatList::Channels, ChatList::All] {
        assert_eq!(all(index, customer, list).await, [(Micros(9), chat)]);
    }
    stage.close().await;
}

pub async fn a_forgotten_chat_is_found_for_a_while<B: Body>(stage: Stage<B>) {
    let (customer, one, two) = (CustomerId::random(), AgentId::random(), AgentId::random());
    let chat = announce(&stage, customer, 4, &[one, two]).await;
    let index = stage.store.index.as_ref();
    index.forget(customer, chat, &[one]).await.unwrap();
    index.forget(customer, chat, &[one]).await.unwrap();
    for agent in [one, two] {
        assert_eq!(all(index, customer, ChatList::Agent(agent)).await, [(Micros(4), chat)]);
    }
    // Forgetting what was never announced is nothing.
    index.forget(customer, ChatId::random(), &[one, AgentId::random()]).await.unwrap();
    let scope = Scope { agents: &[one], channel: false, created: false };
    index.announce(customer, chat, Micros(4), scope).await.unwrap();
    assert_eq!(all(index, customer, ChatList::Agent(one)).await, [(Micros(4), chat)]);
    stage.close().await;
}

pub async fn a_buried_chat_is_in_no_list<B: Body>(stage: Stage<B>) {
    let index = stage.store.index.as_ref();
    let (customer, agents) = (CustomerId::random(), [AgentId::random(), AgentId::random()]);
    let (buried, kept) = (ChatId::random(), ChatId::random());
    for chat in [buried, kept] {
        let scope = Scope { agents: &agents, channel: true, created: true };
        index.announce(customer, chat, Micros(3), scope).await.unwrap();
    }
    index.forget(customer, buried, &agents[..1]).await.unwrap();
    for _ in 0..2 {
        index.bury(customer, buried, &agents).await.unwrap();
        for list in [ChatList::Agent(agents[0]), ChatList::Agent(agents[1]), ChatList::Channels, ChatList::All] {
            assert_eq!(all(index, customer, list).await, [(Micros(3), kept)], "{list:?}");
        }
    }
    stage.close().await;
}

pub async fn many_announce_at_once_and_all_are_listed<B: Body>(stage: Stage<B>) {
    let (customer, agent) = (CustomerId::random(), AgentId::random());
    let writers: Vec<_> = (0..32)
        .map(|at| {
            let index = stage.store.index.clone();
            tokio::spawn(async move {
                let scope = Scope { agents: &[agent], channel: at % 2 == 0, created: true };
                index.announce(customer, ChatId::random(), Micros(at), scope).await
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    let index = stage.store.index.as_ref();
    for (list, len) in [(ChatList::Agent(agent), 32), (ChatList::Channels, 16), (ChatList::All, 32)] {
        assert_eq!(all(index, customer, list).await.len(), len);
    }
    stage.close().await;
}

pub async fn lists_are_there_after_opening_again<B: Body>(stage: Stage<B>) {
    let (customer, agent) = (CustomerId::random(), AgentId::random());
    let chat = announce(&stage, customer, 4, &[agent]).await;
    let stage = stage.reopened().await;
    let list = ChatList::Agent(agent);
    assert_eq!(all(stage.store.index.as_ref(), customer, list).await, [(Micros(4), chat)]);
    stage.close().await;
}
