//! No credential and no secret appears in a log line, with everything logged that can be, wherever it was sent.

use reqwest::Method;
use serde_json::json;

use crate::accesskeys::full_key;
use crate::support::calls::{ACCESSKEYS, ME};
use crate::support::people::PASSWORD;
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::token::{ADMIN_TOKEN, SECRET, signed_with};
use crate::support::{Agent, Credential, HubSettings, Hubs, Socket, TestHub, text};

/// Presents `secret` in every way, to calls that succeed and calls that fail, and to the WebSocket.
async fn present(agent: &Agent, secret: &str) {
    for way in Credential::every_way(secret) {
        let caller = agent.presenting([way]);
        caller.get(ME).await;
        caller.get("/v1.0/service_agents/talk_chats/not-a-uuid").await;
        caller.get("/no/such/route").await;
        caller.call(Method::POST, "/v1.0/service_agents/talk_chats").raw_json("{").send().await;
    }
    for place in ["token", "accesskey"] {
        let url = format!("{}/v1.0/ws?{place}={secret}", agent.next_node());
        if let Ok(mut socket) = Socket::try_open(&url, &[], &agent.id).await {
            socket.subscribe(&[&agent.topic()]).await;
            socket.ask_wrong(json!({"type": "subscribe", "topics": [secret]})).await;
        }
    }
}

async fn use_every_credential(hub: &TestHub) -> Vec<String> {
    let hubs = Hubs::of(hub);
    let [alice] = hubs.agents(["Alice"]).await;
    let made = alice.post(ACCESSKEYS, &json!({"name": "key"})).await.ok();
    let key = full_key(&made);
    let signed_in = hubs.nobody().login(&alice.username, PASSWORD).await.ok();
    hubs.nobody().login(&alice.username, "a wrong password").await;
    let new_password = "a new password, never written";
    alice.put(&format!("{ME}/password"), &json!({"password": new_password})).await.ok();
    let forged = signed_with("some other secret of the same length", &json!({"sub": alice.id, "exp": 1}));
    let unknown_key = "vb_AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHH";
    let mut secrets = vec![key, text(&signed_in, "token").to_owned(), ADMIN_TOKEN.to_owned()];
    secrets.extend([forged, unknown_key.to_owned()]);
    for secret in &secrets {
        present(&alice, secret).await;
    }
    secrets.extend([PASSWORD, "a wrong password", new_password, SECRET].map(str::to_owned));
    secrets
}

fn assert_silent(output: &str, secrets: &[String]) {
    assert!(output.contains("TRACE") || output.contains("DEBUG"), "everything is logged:\n{output}");
    assert!(!output.contains("some were dropped"), "all of it is here:\n{output}");
    for secret in secrets {
        // The last part alone opens nothing, but whoever has it in the log had the whole of it there.
        let tail = secret.strip_prefix("vb_").unwrap_or_else(|| secret.rsplit('.').next().unwrap());
        let line = output.lines().find(|line| line.contains(tail));
        assert_eq!(line, None, "{secret} was logged");
    }
}

#[tokio::test]
async fn nothing_that_opens_the_hub_is_logged() {
    let mut hub = TestHub::start(HubSettings::embedded().set("log.filter", "trace")).await;
    let secrets = use_every_credential(&hub).await;
    assert_silent(&hub.stop().await.output, &secrets);
}

#[tokio::test]
async fn nothing_that_opens_redis_is_logged_either() {
    const REDIS_PASSWORD: &str = "the-password-of-this-redis";
    let mut redis = RedisServer::start().await;
    redis.command::<()>(&["CONFIG", "SET", "requirepass", REDIS_PASSWORD]);
    let url = redis.url().replace("redis://", &format!("redis://:{REDIS_PASSWORD}@"));
    let settings = HubSettings::redis(&url, &new_prefix()).set("log.filter", "trace");
    let mut hub = TestHub::start(settings.clone().set("store.wait_ms", 200)).await;
    let mut secrets = use_every_credential(&hub).await;
    redis.kill();
    let nobody = Hubs::of(&hub).nobody();
    crate::support::eventually::eventually("the hub notices that Redis is gone", async || {
        (nobody.get("/health/ready").await.status == 503).then_some(())
    })
    .await;
    secrets.push(REDIS_PASSWORD.to_owned());
    assert_silent(&hub.stop().await.output, &secrets);
}

#[tokio::test]
async fn a_start_that_fails_names_no_secret() {
    let file = "[auth]\nsecret = \"a secret that must not be shown\"\nadmin_token = 17\n";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.toml");
    for content in [file, "[auth\nsecret = \"a secret that must not be shown\""] {
        std::fs::write(&path, content).unwrap();
        let settings =
            HubSettings::embedded().unset("auth.admin_token").arg("--config").arg(path.display().to_string());
        let ended = TestHub::refusal(settings).await;
        assert!(!ended.output.contains("must not be shown"), "{}", ended.output);
    }
    let ended = TestHub::refusal(HubSettings::embedded().set("auth.secret", "too short")).await;
    assert!(!ended.output.contains("too short"), "{}", ended.output);
}
