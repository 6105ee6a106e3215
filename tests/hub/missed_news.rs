//! News that a node missed is made up for by all sockets of a customer at once, however many there are, and also when the
//! store forgot it too and counts anew.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use crate::support::eventually::{eventually, promised};
use crate::support::proxy::Proxy;
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::{Agent, Deployment, HubSettings, Hubs, TestHub, caretaker};

/// From the loss of the link until the last socket has heard: generous, and far from what it takes one after the other.
const ALL_HAVE_HEARD: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_chat_made_while_the_link_was_lost_reaches_hundreds_of_sockets_of_a_customer_together() {
    const AGENTS: usize = 20;
    const SOCKETS_EACH: usize = 40;
    const AT_ONCE: usize = 64;
    let redis = RedisServer::start().await;
    let wire = Proxy::to(&redis.url()).await;
    let files = format!("file://{}", caretaker::new_dir("files-").display());
    // The slow net is out of the way.
    let settings =
        HubSettings::redis(&redis.url(), &new_prefix()).set("files.url", files).set("chat.beacon_secs", 3600);
    let first = TestHub::start(settings.clone()).await;
    let nodes = [first, TestHub::start(settings.set("store.url", wire.url())).await];
    let customer = Hubs::new(Deployment::TwoNodes, &nodes).customer().await;
    let maker = customer.agent("Maker").await.at(0);
    let agents = join_all((0..AGENTS).map(async |n| customer.agent(&format!("Agent {n}")).await.at(1))).await;
    let listen = (0..AGENTS * SOCKETS_EACH).map(|n| agents[n % AGENTS].listen());
    let mut sockets: Vec<_> = stream::iter(listen).buffer_unordered(AT_ONCE).collect().await;

    // From here on nothing that is published comes to the second node, beacons neither.
    let lost = wire.lost();
    wire.lose(true);
    let chat = maker.new_group(&agents.iter().collect::<Vec<&Agent>>()).await;
    eventually("the news is lost on its way", async || (wire.lost() > lost).then_some(())).await;
    let killed: usize = redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert!(killed >= 1, "there was a link to be killed");
    let begun = Instant::now();
    let mut times = join_all(sockets.iter_mut().map(async |socket| {
        assert_eq!(socket.expect_event("chat_created").await["chat_id"], chat.as_str());
        begun.elapsed()
    }))
    .await;
    times.sort_unstable();
    let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    eprintln!("{} sockets heard after {median:.2?} in the median, {slowest:.2?} at most", times.len());
    assert!(slowest < promised(ALL_HAVE_HEARD), "{slowest:?}");
}

/// Redis comes back without its newest writes, and the numbers of the customer's notices are given out again: what a node
/// has read under such a number is not what is true now.
#[tokio::test]
async fn a_chat_whose_notice_has_the_number_of_a_lost_one_is_followed() {
    for somebody_stays in [true, false] {
        let mut redis = RedisServer::start().await;
        let hub = TestHub::start(HubSettings::redis(&redis.url(), &new_prefix())).await;
        let [alice, bob, carol] = Hubs::of(&hub).agents(["Alice", "Bob", "Carol"]).await;
        redis.command::<()>(&["SAVE"]);
        alice.new_group(&[&bob]).await;
        let stays = if somebody_stays { Some(carol.listen().await) } else { None };
        // Now Bob's chats are known under a number that is about to be lost.
        drop(bob.listen().await);
        eventually("Bob has left", async || {
            (hub.metric("talk_connections").await == u64::from(somebody_stays)).then_some(())
        })
        .await;
        redis.kill();
        redis.start_again().await;
        eventually("the hub is ready", async || (alice.get("/health/ready").await.status == 200).then_some(())).await;
        let chat = alice.new_group(&[&bob]).await;
        let mut bobs = bob.listen().await;
        let said = alice.say(&chat, "heard").await;
        assert_eq!(bobs.next_event().await["data"], said, "with somebody who stays: {somebody_stays}");
        drop(stays);
    }
}
