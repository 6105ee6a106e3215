//! Tokens as the hub itself and as VoIPBIN make them, signed here, so that a test can also make bad ones.

use chrono::Utc;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

/// The HS256 secret of every test hub.
pub(crate) const SECRET: &str = "a secret of at least thirty-two characters, for tests";
/// The admin token of every test hub.
pub(crate) const ADMIN_TOKEN: &str = "the-admin-token-of-the-test-hubs";

/// One hour from now, as `exp` states it.
pub(crate) fn in_an_hour() -> i64 {
    Utc::now().timestamp() + 3600
}

/// The claims the hub puts into its own tokens.
pub(crate) fn claims(agent_id: &str, customer_id: &str, permission: u64) -> Value {
    json!({"sub": agent_id, "customer_id": customer_id, "permission": permission, "exp": in_an_hour()})
}

/// The claims VoIPBIN puts into its tokens; `expire` is a text of its own form.
pub(crate) fn voipbin_claims(agent_id: &str, customer_id: &str, permission: u64, name: &str) -> Value {
    let expire = (Utc::now() + chrono::Duration::hours(1)).format("%Y-%m-%d %H:%M:%S%.6f").to_string();
    json!({
        "type": "agent",
        "agent": {"id": agent_id, "customer_id": customer_id, "permission": permission, "name": name},
        "expire": expire,
    })
}

/// A token over `claims`, signed with the secret of the test hubs.
pub(crate) fn signed(claims: &Value) -> String {
    signed_with(SECRET, claims)
}

/// A token over `claims`, signed with any secret.
pub(crate) fn signed_with(secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).expect("the claims are signed")
}
