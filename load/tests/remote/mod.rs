//! A hub that runs already, with agents who have passwords: what somebody has who did not start it for the load.

pub(crate) mod behind_tls;

use serde_json::{Value, json};
use talk_load::rig::hub::{Hub, Settings};

pub(crate) const SECRET: &str = "a secret of at least thirty-two characters, for tests";
pub(crate) const ADMIN_TOKEN: &str = "the-admin-token-of-the-hubs-of-tests";

/// The hub, and username, password and token of its agents.
pub(crate) struct Remote {
    pub(crate) hub: Hub,
    pub(crate) agents: Vec<(String, String, String)>,
}

/// Starts it, and makes so many agents.
pub(crate) async fn start(program: std::path::PathBuf, agents: usize) -> Remote {
    let settings = Settings::new()
        .set("auth.secret", SECRET)
        .set("auth.admin_token", ADMIN_TOKEN)
        .set("limits.auth_per_second", 0);
    let hub = Hub::start(program, settings).await.expect("a hub");
    let customer = post(&hub, "/v1.0/customers", Some(ADMIN_TOKEN), json!({"name": "Tests"})).await;
    let mut made = Vec::new();
    for number in 0..agents {
        let (username, password) = (format!("agent-{number}@load.test"), format!("correct horse {number}"));
        let agent = json!({"customer_id": customer["id"], "username": username, "password": password,
            "name": format!("Agent {number}"), "permission": 16});
        post(&hub, "/v1.0/agents", Some(ADMIN_TOKEN), agent).await;
        let credentials = json!({"username": username, "password": password});
        let signed_in = post(&hub, "/auth/login", None, credentials).await;
        made.push((username, password, signed_in["token"].as_str().expect("a token").to_owned()));
    }
    Remote { hub, agents: made }
}

async fn post(hub: &Hub, path: &str, token: Option<&str>, body: Value) -> Value {
    let mut request = reqwest::Client::new().post(format!("{}{path}", hub.base())).json(&body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.expect("json")
}
