//! What nodes hear.

use talk_hub::model::{AgentId, ChatId, ChatKind, CustomerId, Event, Micros, ParticipantId};
use talk_hub::store::{Channel, Heard, Notice, Scope};

use super::{Body, POLL_EVERY, Stage, deletion, entry, reaction, said};

pub async fn commits_are_heard_in_the_order_of_their_numbers<B: Body>(mut stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    stage.watch(&talk).await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let talk = talk.clone();
            tokio::spawn(async move {
                for number in 0..10 {
                    let text = format!("{writer}/{number}");
                    let two =
                        vec![entry(Event::MessageCreated(said(&text))), entry(Event::MessageCreated(said(&text)))];
                    talk.append(if number % 2 == 0 { two } else { vec![two[0].clone()] }).await;
                }
            })
        })
        .collect();
    let mut heard = Vec::new();
    while heard.len() < 120 {
        let arrivals = stage.next_arrivals(&talk).await;
        heard.extend(arrivals);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(heard.iter().all(|arrival| arrival.message.is_none()));
    let records: Vec<_> = heard.into_iter().map(|arrival| arrival.record).collect();
    assert_eq!(records, talk.log().await[1..]);
    stage.close().await;
}

pub async fn a_creation_is_heard_by_who_watched_before<B: Body>(mut stage: Stage<B>) {
    let id = ChatId::random();
    stage.store.link.watch(vec![Channel::Chat(id.key())]).await;
    let talk = stage.chat_named(id, ChatKind::Direct, &[AgentId::random(), AgentId::random()]).await;
    let arrivals = stage.next_arrivals(&talk).await;
    assert_eq!(arrivals.len(), 1);
    assert_eq!(arrivals[0].record, talk.log().await[0]);
    stage.close().await;
}

pub async fn two_entries_are_heard_together<B: Body>(mut stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    stage.watch(&talk).await;
    let added = Event::ParticipantAdded { agent: AgentId::random(), participant: ParticipantId::random() };
    let records = talk.append(vec![entry(added), entry(Event::MessageCreated(said("joined")))]).await;
    let heard: Vec<_> = stage.next_arrivals(&talk).await.into_iter().map(|arrival| arrival.record).collect();
    assert_eq!(heard, records);
    stage.close().await;
}

pub async fn a_change_is_heard_with_the_message_after_it<B: Body>(mut stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let message = talk.say("react!").await;
    talk.reply(&message, "first").await;
    let before = talk.message(message.at).await.unwrap();
    stage.watch(&talk).await;
    let record = talk.append(vec![reaction(&before, agent, "👍")]).await.remove(0);
    let arrival = stage.next_arrivals(&talk).await.remove(0);
    let reacted = talk.message(message.at).await.unwrap();
    assert_eq!((arrival.record, arrival.message.as_ref()), (record, Some(&reacted)));
    assert_eq!((reacted.replies, reacted.overlay.reactions.len()), (1, 1));
    let record = talk.append(vec![deletion(&reacted)]).await.remove(0);
    let arrival = stage.next_arrivals(&talk).await.remove(0);
    let deleted = talk.message(message.at).await;
    assert_eq!((arrival.record, arrival.message), (record, deleted));
    stage.close().await;
}

pub async fn what_is_not_watched_is_not_heard<B: Body>(mut stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let other = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let customer = CustomerId::random();
    stage.watch(&talk).await;
    other.say("unheard").await;
    stage.store.link.notify(customer, Notice::AgentChanged { agent: AgentId::random() }).await.unwrap();
    let message = talk.say("heard").await;
    assert_eq!(stage.next_arrivals(&talk).await[0].record.seq, message.seq);
    stage.close().await;
}

pub async fn what_is_no_longer_watched_falls_silent<B: Body>(mut stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let kept = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    stage.store.link.watch(vec![Channel::Chat(talk.id.key()), Channel::Chat(kept.id.key())]).await;
    talk.say("heard").await;
    stage.next_arrivals(&talk).await;
    stage.store.link.unwatch(vec![Channel::Chat(talk.id.key())]);
    // It falls silent some time soon: until then it may be heard, what is kept always is.
    let silent = async {
        loop {
            talk.say("perhaps").await;
            let marker = kept.say("for certain").await;
            let mut heard = 0;
            loop {
                match stage.next_heard().await {
                    Heard::Arrived(key, _) if key == talk.id.key() => heard += 1,
                    Heard::Arrived(_, arrivals) if arrivals[0].record.seq == marker.seq => break,
                    Heard::Arrived(..) => {}
                    other => panic!("{other:?}"),
                }
            }
            if heard == 0 {
                return;
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    };
    tokio::time::timeout(super::PATIENCE, silent).await.expect("still heard");
    stage.close().await;
}

pub async fn watching_twice_is_watching_once<B: Body>(mut stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    stage.watch(&talk).await;
    stage.watch(&talk).await;
    let one = talk.say("1").await;
    let two = talk.say("2").await;
    assert_eq!(stage.next_arrivals(&talk).await[0].record.seq, one.seq);
    assert_eq!(stage.next_arrivals(&talk).await[0].record.seq, two.seq);
    stage.close().await;
}

pub async fn notices_are_counted_for_each_customer<B: Body>(mut stage: Stage<B>) {
    let (one, other) = (CustomerId::random(), CustomerId::random());
    let link = stage.store.link.clone();
    assert_eq!(link.notices(one).await.unwrap(), 0);
    link.watch(vec![Channel::Customer(one), Channel::Customer(other)]).await;
    let notices = [
        Notice::AgentChanged { agent: AgentId::random() },
        Notice::AgentStatus { json: r#"{"status":"away","name":"Zoë"}"#.to_owned() },
        Notice::Announced { chat: ChatId::random(), agents: vec![AgentId::random(), AgentId::random()] },
    ];
    for (number, notice) in (1..).zip(&notices) {
        link.notify(one, notice.clone()).await.unwrap();
        assert_eq!(stage.next_notice(one).await, (number, notice.clone()));
        assert_eq!(link.notices(one).await.unwrap(), number);
    }
    link.notify(other, notices[0].clone()).await.unwrap();
    assert_eq!(stage.next_notice(other).await, (1, notices[0].clone()));
    assert_eq!(link.notices(one).await.unwrap(), 3);
    stage.close().await;
}

pub async fn notices_of_many_are_heard_in_the_order_of_their_numbers<B: Body>(mut stage: Stage<B>) {
    let customer = CustomerId::random();
    stage.store.link.watch(vec![Channel::Customer(customer)]).await;
    let writers: Vec<_> = (0..16)
        .map(|_| {
            let link = stage.store.link.clone();
            tokio::spawn(async move { link.notify(customer, Notice::AgentChanged { agent: AgentId::random() }).await })
        })
        .collect();
    for number in 1..=16 {
        assert_eq!(stage.next_notice(customer).await.0, number);
    }
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    stage.close().await;
}

pub async fn an_announcement_is_noticed<B: Body>(mut stage: Stage<B>) {
    let (customer, chat) = (CustomerId::random(), ChatId::random());
    let agents = [AgentId::random(), AgentId::random()];
    stage.store.link.watch(vec![Channel::Customer(customer)]).await;
    for (number, agents) in [(1, &agents[..]), (2, &[])] {
        let scope = Scope { agents, channel: true, created: true };
        stage.store.index.announce(customer, chat, Micros(5), scope).await.unwrap();
        let notice = Notice::Announced { chat, agents: agents.to_vec() };
        assert_eq!(stage.next_notice(customer).await, (number, notice));
    }
    stage.close().await;
}

pub async fn notices_go_on_counting_after_opening_again<B: Body>(stage: Stage<B>) {
    let customer = CustomerId::random();
    let notice = Notice::AgentChanged { agent: AgentId::random() };
    for _ in 0..3 {
        stage.store.link.notify(customer, notice.clone()).await.unwrap();
    }
    let mut stage = stage.reopened().await;
    assert_eq!(stage.store.link.notices(customer).await.unwrap(), 3);
    stage.store.link.watch(vec![Channel::Customer(customer)]).await;
    stage.store.link.notify(customer, notice.clone()).await.unwrap();
    assert_eq!(stage.next_notice(customer).await, (4, notice));
    stage.close().await;
}

pub async fn a_store_that_is_open_is_soon_healthy<B: Body>(stage: Stage<B>) {
    let healthy = async {
        while !stage.store.link.healthy().await {
            tokio::time::sleep(POLL_EVERY).await;
        }
    };
    tokio::time::timeout(super::PATIENCE, healthy).await.expect("never healthy");
    stage.close().await;
}
