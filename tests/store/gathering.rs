//! Commits of one chat that wait for one another go to Redis as one call.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::poll;
use talk_hub::model::{AgentId, ChatKind, Event};
use talk_hub::store::redis::{self as body, Home, RedisSettings};
use talk_hub::store::{Commit, CommitError, Committed, Expect, StoreError};
use talk_load::rig::proxy::{EVERYBODY, Fault, Proxy};
use talk_load::rig::redis::Server;

use crate::redis::{Prefix, server_of_our_own};
use crate::suite::{POLL_EVERY, Stage, Talk, entry, reaction, said};

async fn stage(settings: RedisSettings) -> Stage<Prefix> {
    let opened = body::open(&settings, Home::Own).await.unwrap();
    Stage { body: Prefix(settings), store: opened.store, close: opened.close, heard: opened.heard }
}

fn posts(talk: &Talk, count: usize) -> Vec<Commit> {
    let post = |number: usize| Commit {
        chat: talk.id,
        expect: Expect::Rules(1),
        retry_after: Some(1),
        known: None,
        entries: vec![entry(Event::MessageCreated(said(&number.to_string())))],
    };
    (0..count).map(post).collect()
}

/// Calls of scripts that the server has made.
async fn calls(server: &Server) -> u64 {
    let stats = server.info("commandstats", "cmdstat_evalsha").await.unwrap();
    stats.split(['=', ',']).nth(1).unwrap().parse().unwrap()
}

/// Makes the commits so that the first is under way when the others come.
async fn behind_the_first(server: &Server, talk: &Talk, commits: &[Commit]) -> Vec<Result<Committed, CommitError>> {
    server.freeze().unwrap();
    let made = join_all(commits.iter().map(|commit| talk.commit(commit)));
    tokio::pin!(made);
    assert!(poll!(&mut made).is_pending());
    server.thaw().unwrap();
    made.await
}

#[tokio::test]
async fn those_who_wait_for_one_go_together_and_no_more_than_the_bound() {
    for (most, least_calls) in [(64, 2), (10, 5)] {
        let server = server_of_our_own().await;
        let stage =
            stage(RedisSettings { call_commits_max: most, ..RedisSettings::new(server.url(), "gather:") }).await;
        let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
        let before = calls(&server).await;
        let commits = posts(&talk, 41);
        for (place, made) in behind_the_first(&server, &talk, &commits).await.into_iter().enumerate() {
            // In the order in which they came.
            assert_eq!(made.unwrap().records[0].seq, place as u64 + 2);
        }
        assert_eq!(calls(&server).await - before, least_calls);
        stage.close().await;
    }
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_leaves_each_of_its_commits_to_be_found() {
    let server = server_of_our_own().await;
    let proxy = Proxy::to(server.port()).await.unwrap();
    let stage = stage(RedisSettings::new(proxy.url(), "lost:")).await;
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let straight = self::stage(RedisSettings::new(server.url(), "lost:")).await;
    let commits = posts(&talk, 33);
    proxy.set(&EVERYBODY, Fault::delay(Duration::from_millis(300)));
    let cut = async {
        // The second call is made, and its answer on its way.
        while straight.store.log.head(talk.id.key()).await.unwrap().seq < 34 {
            tokio::time::sleep(POLL_EVERY).await;
        }
        proxy.cut(&EVERYBODY);
        proxy.heal();
    };
    let (outcomes, ()) = tokio::join!(join_all(commits.iter().map(|commit| talk.commit(commit))), cut);
    assert!(outcomes[0].is_ok(), "{:?}", outcomes[0]);
    assert!(
        outcomes[1..].iter().all(|lost| matches!(lost, Err(CommitError::Store(StoreError::Unavailable(_))))),
        "{outcomes:?}"
    );
    // The connection that was cut is noticed by whoever uses it next.
    while stage.store.log.head(talk.id.key()).await.is_err() {
        tokio::time::sleep(POLL_EVERY).await;
    }
    let again = join_all(commits.iter().map(|commit| talk.commit(commit))).await;
    for (commit, found) in commits.iter().zip(again) {
        let found = found.unwrap();
        assert!(found.repeated);
        assert_eq!(found.records[0].nonce, commit.entries[0].nonce);
    }
    assert_eq!(talk.log().await.len(), 34);
    straight.close().await;
    stage.close().await;
}

#[tokio::test]
async fn what_cannot_be_read_harms_nobody_who_goes_with_it() {
    let server = server_of_our_own().await;
    let stage = stage(RedisSettings::new(server.url(), "broken:")).await;
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let message = talk.say("liked").await;
    let overlays = format!("broken:{{{}}}:o", talk.id.key());
    let _: () = server.ask(&["SET", &overlays, "no hash"]).await.unwrap();
    let mut commits = posts(&talk, 20);
    commits[10].entries = vec![reaction(&message, AgentId::random(), "+1")];
    for (place, made) in behind_the_first(&server, &talk, &commits).await.into_iter().enumerate() {
        match made {
            Ok(_) => assert_ne!(place, 10),
            Err(error) => {
                assert!(place == 10 && matches!(error, CommitError::Store(StoreError::Corrupt(_))), "{error:?}");
            }
        }
    }
    let log = talk.log().await;
    assert!(log.iter().map(|record| record.seq).eq(1..=21), "{log:?}");
    stage.close().await;
}
