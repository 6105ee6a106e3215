//! Commits of one chat that come at once: each is made, refused and answered for itself.

use futures_util::future::join_all;
use talk_hub::model::{AgentId, ChatKind, Event, Micros, Nonce, Position, Post};
use talk_hub::store::{Commit, CommitError, Expect, Side};

use super::{Body, Stage, Talk, deletion, entry, reaction, said};

fn post(talk: &Talk, text: &str, known: Position) -> Commit {
    Commit {
        chat: talk.id,
        expect: Expect::Rules(1),
        retry_after: Some(known.seq),
        known: Some(known),
        entries: vec![entry(Event::MessageCreated(said(text)))],
    }
}

pub async fn each_of_many_commits_at_once_is_answered_for_itself<B: Body>(stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let earlier = Commit { known: None, ..post(&talk, "earlier", Position { seq: 1, ..Position::START }) };
    let stands = talk.commit(&earlier).await.unwrap();
    let deleted = talk.say("to be deleted").await;
    let liked = talk.say("to be liked").await;
    let known = stage.store.log.head(talk.id.key()).await.unwrap();
    let plain = |text: &str| post(&talk, text, known);
    let touching = |entry| Commit { entries: vec![entry], ..plain("") };
    let keyed = |text: &str| {
        let mut commit = Commit { retry_after: Some(known.seq), ..plain(text) };
        commit.entries[0].nonce = Nonce::of_key(7);
        commit
    };
    let reply = |parent: Micros| {
        let event = Event::MessageCreated(Post { parent: Some(parent), ..said("a reply") });
        Commit { entries: vec![entry(event)], ..plain("") }
    };
    let mut commits: Vec<Commit> = (0..20).map(|number| plain(&format!("plain {number}"))).collect();
    commits.insert(3, Commit { expect: Expect::Rules(9), ..plain("decided on other rules") });
    commits.insert(5, earlier.clone());
    commits.insert(7, keyed("keyed"));
    commits.insert(9, Commit { known: Some(Position { nonce: Nonce(1), ..known }), ..plain("of another history") });
    commits.insert(11, keyed("keyed"));
    commits.insert(12, touching(deletion(&deleted)));
    commits.insert(13, touching(reaction(&liked, agent, "+1")));
    commits.insert(14, touching(reaction(&liked, AgentId::random(), "+1")));
    commits.insert(15, reply(Micros(deleted.at.0 + 1)));
    commits.insert(16, reply(liked.at));
    commits.insert(17, Commit { retry_after: Some(1_000), ..plain("ahead of the log") });
    let again = commits[0].clone();
    commits.push(again);

    let outcomes = join_all(commits.iter().map(|commit| talk.commit(commit))).await;
    let refused = |place: usize| matches!(outcomes[place], Err(CommitError::Conflict));
    assert!(refused(3) && refused(14) && refused(15) && refused(17), "{outcomes:?}");
    // Only a store whose history can be rewritten looks for that.
    assert!(refused(9) || outcomes[9].as_ref().is_ok_and(|made| !made.repeated));
    assert_eq!(outcomes[5].as_ref().unwrap().records, stands.records);
    let (one, other) = (outcomes[7].as_ref().unwrap(), outcomes[11].as_ref().unwrap());
    assert_eq!((one.repeated, other.repeated, &one.records), (false, true, &other.records));
    let (first, again) = (outcomes[0].as_ref().unwrap(), outcomes.last().unwrap().as_ref().unwrap());
    assert_eq!((first.repeated, again.repeated, &first.records), (false, true, &again.records));

    let log = talk.log().await;
    assert!(log.iter().map(|record| record.seq).eq(1..=log.len() as u64));
    let made: Vec<_> = outcomes.iter().flatten().filter(|made| !made.repeated).collect();
    assert_eq!(made.len(), commits.len() - 4 - 3 - usize::from(refused(9)));
    assert_eq!(log.len(), 4 + made.len());
    for made in made {
        let record = &made.records[0];
        assert_eq!(*record, log[record.seq as usize - 1]);
        let before = log[record.seq as usize - 2].nonce;
        assert!(made.previous.is_none_or(|previous| previous == before));
    }
    let liked = talk.message(liked.at).await.unwrap();
    assert_eq!((liked.overlay.reactions.len(), liked.replies), (1, 1));
    assert!(talk.message(deleted.at).await.unwrap().post.text.is_empty());
    assert_eq!(talk.page(Side::Before(Micros::MAX), 100).await.len(), log.len() - 3);
    stage.close().await;
}

pub async fn what_is_deleted_meanwhile_is_not_told_to_who_tries_again<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let known = Position { seq: 1, ..Position::START };
    let posted = Commit { known: None, ..post(&talk, "secret", known) };
    let record = talk.commit(&posted).await.unwrap().records.remove(0);
    let message = talk.message(record.at).await.unwrap();
    // Once before, so that what it finds may be remembered, and once behind the deletion.
    let deletes = Commit { entries: vec![deletion(&message)], ..posted.clone() };
    let other = Commit { known: None, ..post(&talk, "other", known) };
    let together = [other.clone(), posted.clone(), deletes, posted.clone(), other];
    let outcomes = join_all(together.iter().map(|commit| talk.commit(commit))).await;
    let last = &outcomes[3].as_ref().unwrap().records[0];
    assert!(matches!(&last.event, Event::MessageCreated(post) if post.text.is_empty()), "{last:?}");
    assert!(outcomes[4].as_ref().unwrap().repeated);
    assert_eq!(talk.log().await.len(), 4);
    stage.close().await;
}
