//! What there is one of: the chat of a pair, the claim of an idempotency key.

use talk_hub::model::chat::Pair;
use talk_hub::model::{AgentId, ChatId, CustomerId};

use super::{Body, Stage};

pub async fn a_pair_has_one_chat<B: Body>(stage: Stage<B>) {
    let index = stage.store.index.as_ref();
    let (customer, one, two) = (CustomerId::random(), AgentId::random(), AgentId::random());
    let (first, second) = (ChatId::random(), ChatId::random());
    assert_eq!(index.claim_pair(customer, Pair::of(one, two), first, None).await.unwrap(), first);
    assert_eq!(index.claim_pair(customer, Pair::of(two, one), second, None).await.unwrap(), first);
    // Neither another customer's pair, nor another pair, is this one.
    let (other, third) = (CustomerId::random(), AgentId::random());
    assert_eq!(index.claim_pair(other, Pair::of(one, two), second, None).await.unwrap(), second);
    assert_eq!(index.claim_pair(customer, Pair::of(one, third), second, None).await.unwrap(), second);
    assert_eq!(index.claim_pair(customer, Pair::of(one, two), second, None).await.unwrap(), first);
    stage.close().await;
}

pub async fn a_pair_gets_a_new_chat_instead_of_the_one_named<B: Body>(stage: Stage<B>) {
    let index = stage.store.index.as_ref();
    let (customer, pair) = (CustomerId::random(), Pair::of(AgentId::random(), AgentId::random()));
    let (old, new, late) = (ChatId::random(), ChatId::random(), ChatId::random());
    // There is none yet: what it would replace does not matter.
    assert_eq!(index.claim_pair(customer, pair, old, Some(late)).await.unwrap(), old);
    assert_eq!(index.claim_pair(customer, pair, new, Some(late)).await.unwrap(), old);
    assert_eq!(index.claim_pair(customer, pair, new, Some(old)).await.unwrap(), new);
    // Who is late with the same wish gets the new one.
    assert_eq!(index.claim_pair(customer, pair, late, Some(old)).await.unwrap(), new);
    let stage = stage.reopened().await;
    assert_eq!(stage.store.index.claim_pair(customer, pair, late, None).await.unwrap(), new);
    stage.close().await;
}

pub async fn many_who_claim_a_pair_get_the_same_chat<B: Body>(stage: Stage<B>) {
    let (customer, pair) = (CustomerId::random(), Pair::of(AgentId::random(), AgentId::random()));
    let tries: Vec<_> = (0..16)
        .map(|_| {
            let index = stage.store.index.clone();
            tokio::spawn(async move { index.claim_pair(customer, pair, ChatId::random(), None).await.unwrap() })
        })
        .collect();
    let mut chats = Vec::new();
    for each in tries {
        chats.push(each.await.unwrap());
    }
    chats.dedup();
    assert_eq!(chats.len(), 1);
    stage.close().await;
}

pub async fn the_first_claim_of_a_key_stands<B: Body>(stage: Stage<B>) {
    let index = stage.store.index.as_ref();
    let (customer, agent) = (CustomerId::random(), AgentId::random());
    let claim = async |customer, agent, key: &'static str, claim: &'static [u8]| {
        index.claim_key(customer, agent, key, claim, 1_000).await.unwrap().unwrap()
    };
    assert_eq!(claim(customer, agent, "key", b"first").await, b"first");
    assert_eq!(claim(customer, agent, "key", b"second").await, b"first");
    // The key is the agent's own.
    assert_eq!(claim(customer, AgentId::random(), "key", b"third").await, b"third");
    assert_eq!(claim(CustomerId::random(), agent, "key", b"fourth").await, b"fourth");
    assert_eq!(claim(customer, agent, "Key", b"fifth").await, b"fifth");
    assert_eq!(claim(customer, agent, "key", b"sixth").await, b"first");
    stage.close().await;
}

pub async fn a_claim_can_be_settled<B: Body>(stage: Stage<B>) {
    let index = stage.store.index.clone();
    let (customer, agent) = (CustomerId::random(), AgentId::random());
    let answer: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    index.claim_key(customer, agent, "key", b"begun", 10).await.unwrap();
    index.settle_key(customer, agent, "key", &answer).await.unwrap();
    assert_eq!(index.claim_key(customer, agent, "key", b"again", 10).await.unwrap(), Some(answer.clone()));
    // What was never claimed is not settled.
    index.settle_key(customer, agent, "other", b"lost").await.unwrap();
    assert_eq!(index.claim_key(customer, agent, "other", b"new", 10).await.unwrap(), Some(b"new".to_vec()));
    let stage = stage.reopened().await;
    let again = stage.store.index.claim_key(customer, agent, "key", b"again", 10).await.unwrap();
    assert_eq!(again, Some(answer));
    stage.close().await;
}

pub async fn new_keys_run_out_and_old_ones_still_answer<B: Body>(stage: Stage<B>) {
    let index = stage.store.index.as_ref();
    let (customer, agent) = (CustomerId::random(), AgentId::random());
    let mut refused = 0;
    // Twice the limit and one: also if an hour begins just now, one of them is too much.
    for number in 0..=6 {
        let claimed = index.claim_key(customer, agent, &number.to_string(), b"x", 3).await.unwrap();
        if number < 3 {
            assert_eq!(claimed, Some(b"x".to_vec()), "key {number}");
        }
        refused += usize::from(claimed.is_none());
    }
    assert!(refused > 0);
    assert_eq!(index.claim_key(customer, agent, "0", b"y", 3).await.unwrap(), Some(b"x".to_vec()));
    // Others have keys of their own.
    assert!(index.claim_key(customer, AgentId::random(), "7", b"x", 3).await.unwrap().is_some());
    stage.close().await;
}

pub async fn many_who_claim_a_key_get_the_same_claim<B: Body>(stage: Stage<B>) {
    let (customer, agent) = (CustomerId::random(), AgentId::random());
    let tries: Vec<_> = (0..16u8)
        .map(|number| {
            let index = stage.store.index.clone();
            // One new key, however many ask for it.
            tokio::spawn(async move { index.claim_key(customer, agent, "key", &[number], 1).await.unwrap().unwrap() })
        })
        .collect();
    let mut claims = Vec::new();
    for each in tries {
        claims.push(each.await.unwrap());
    }
    claims.dedup();
    assert_eq!(claims.len(), 1);
    stage.close().await;
}
