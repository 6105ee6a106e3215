//! What a chat is after its events.

use talk_hub::model::{AgentId, ChatId, ChatKind, Event, FileId, Media, Micros, Owner, ParticipantId, Position, Post};
use talk_hub::store::{Page, Side};

use super::{Body, Stage, entry};

pub async fn a_new_chat_has_its_first_members<B: Body>(stage: Stage<B>) {
    for kind in [ChatKind::Direct, ChatKind::Group, ChatKind::Talk] {
        let talk = stage.chat(kind, &[AgentId::random(), AgentId::random()]).await;
        let found = stage.store.log.load(talk.id.key()).await.unwrap().unwrap();
        let chat = &found.chat;
        assert_eq!((chat.id, chat.customer, chat.kind), (talk.id, talk.customer, kind));
        assert_eq!((chat.name.as_str(), chat.detail.as_str()), ("a name", "a detail"));
        assert_eq!((chat.created, chat.updated, chat.deleted), (talk.at, talk.at, None));
        assert_eq!(found.roster.len(), 2);
        for (agent, participant) in &talk.members {
            let member = found.roster.get(*agent).unwrap();
            assert_eq!((member.id, member.joined, member.joined_seq), (*participant, talk.at, 1));
        }
        assert_eq!(found.rules, 1);
        assert_eq!(found.head, talk.log().await[0].position());
    }
    stage.close().await;
}

pub async fn a_member_who_comes_later_joined_then<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    talk.say("before").await;
    let (agent, participant) = (AgentId::random(), ParticipantId::random());
    let record = talk.add(Event::ParticipantAdded { agent, participant }).await;
    let found = stage.store.log.load(talk.id.key()).await.unwrap().unwrap();
    let member = found.roster.get(agent).unwrap();
    assert_eq!((member.id, member.joined, member.joined_seq), (participant, record.at, record.seq));
    assert_eq!((found.roster.len(), found.rules), (2, record.seq));
    assert_eq!(found.head, record.position());
    stage.close().await;
}

pub async fn who_leaves_is_out_and_comes_back_as_somebody_new<B: Body>(stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent, AgentId::random()]).await;
    let left = Event::ParticipantRemoved { agent, participant: talk.members[0].1, joined: talk.at };
    let record = talk.add(left).await;
    let found = stage.store.log.load(talk.id.key()).await.unwrap().unwrap();
    assert_eq!((found.roster.len(), found.roster.contains(agent), found.rules), (1, false, record.seq));
    let participant = ParticipantId::random();
    let back = talk.add(Event::ParticipantAdded { agent, participant }).await;
    let found = stage.store.log.load(talk.id.key()).await.unwrap().unwrap();
    let member = found.roster.get(agent).unwrap();
    assert_eq!((member.id, member.joined, member.joined_seq), (participant, back.at, back.seq));
    stage.close().await;
}

pub async fn a_chat_takes_another_name<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let renamed = Event::ChatUpdated { name: "Ünï".to_owned(), detail: String::new() };
    let record = talk.add(renamed).await;
    let chat = stage.store.log.load(talk.id.key()).await.unwrap().unwrap().chat;
    assert_eq!((chat.name.as_str(), chat.detail.as_str()), ("Ünï", ""));
    assert_eq!((chat.created, chat.updated, chat.deleted), (talk.at, record.at, None));
    stage.close().await;
}

pub async fn a_deleted_chat_can_still_be_read<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let message = talk.say("still here").await;
    let record = talk.add(Event::ChatDeleted).await;
    let found = stage.store.log.load(talk.id.key()).await.unwrap().unwrap();
    assert_eq!((found.chat.updated, found.chat.deleted), (record.at, Some(record.at)));
    assert_eq!((found.roster.len(), found.rules), (1, record.seq));
    assert_eq!(talk.page(Side::Before(Micros::MAX), 10).await, [message]);
    stage.close().await;
}

pub async fn a_large_roster_is_read_whole<B: Body>(stage: Stage<B>) {
    let agents: Vec<_> = (0..2_000).map(|_| AgentId::random()).collect();
    let talk = stage.chat(ChatKind::Talk, &agents).await;
    let roster = stage.store.log.load(talk.id.key()).await.unwrap().unwrap().roster;
    assert_eq!(roster.len(), agents.len());
    assert!(talk.members.iter().all(|(agent, id)| roster.get(*agent).is_some_and(|member| member.id == *id)));
    stage.close().await;
}

pub async fn of_a_chat_that_is_not_there_nothing_is_found<B: Body>(stage: Stage<B>) {
    let (log, key) = (&stage.store.log, ChatId::random().key());
    let page = Page { side: Side::Before(Micros::MAX), limit: 10 };
    assert_eq!(log.load(key).await.unwrap(), None);
    assert_eq!(log.head(key).await.unwrap(), Position::START);
    assert!(log.events(key, 1, 10).await.unwrap().is_empty());
    assert!(log.messages(key, page).await.unwrap().is_empty());
    assert!(log.replies(key, Micros(1), page).await.unwrap().is_empty());
    assert_eq!(log.messages_at(key, &[Micros(1)]).await.unwrap(), [None]);
    assert!(!log.carries(key, FileId::random()).await.unwrap());
    assert!(log.now(key).await.unwrap() > Micros::ZERO);
    stage.close().await;
}

pub async fn every_event_is_read_as_it_was_written<B: Body>(stage: Stage<B>) {
    let (agent, participant) = (AgentId::random(), ParticipantId::random());
    let talk = stage.chat(ChatKind::Group, &[agent, AgentId::random()]).await;
    let parent = talk.say("a question").await;
    let message = talk
        .post(Post {
            owner: Owner::Agent(agent),
            parent: Some(parent.at),
            text: "ein Wort 🎉\n\0 \u{202e}x".to_owned(),
            medias: vec![
                Media::File { file: FileId::random(), name: "a \"b\".txt".to_owned() },
                Media::Link { url: "https://example.test/?a=b".to_owned() },
                Media::Agent { agent },
                Media::Address { json: r#"{"type":"tel","target":"+1"}"#.to_owned() },
                Media::External { mime: "image/png".to_owned(), url: "u".to_owned(), name: String::new() },
            ],
        })
        .await;
    let reacted = talk.react(&message, agent, "👍🏽").await;
    talk.append(vec![super::withdrawal(&reacted, agent, "👍🏽")]).await;
    let events = [
        Event::ChatUpdated { name: String::new(), detail: "d".repeat(2_000) },
        Event::ParticipantAdded { agent: AgentId::random(), participant },
        Event::ParticipantRemoved { agent, participant: talk.members[0].1, joined: talk.at },
        Event::ChatDeleted,
    ];
    for event in &events {
        talk.append(vec![entry(event.clone())]).await;
    }
    let log = talk.log().await;
    assert_eq!(log[2].event, Event::MessageCreated(message.post.clone()));
    let reaction = |added| Event::ReactionChanged { message: message.at, agent, added };
    assert_eq!(log[3..5].iter().map(|r| r.event.clone()).collect::<Vec<_>>(), [reaction(true), reaction(false)]);
    assert_eq!(log[5..].iter().map(|r| r.event.clone()).collect::<Vec<_>>(), events);
    stage.close().await;
}
