//! Tokens of somebody else's identity provider, taken by their public keys. The private keys beside this file were made
//! for these tests and open nothing.

use std::path::PathBuf;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;

use crate::support::calls::ME;
use crate::support::people::AGENT;
use crate::support::token::{claims, signed, signed_with};
use crate::support::{Agent, Answer, Credential, HubSettings, Hubs, TestHub, id};

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hub/identity_provider")).join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// A token signed by the provider with the key of that file.
fn provided(algorithm: Algorithm, file: &str, kid: Option<&str>, claims: &Value) -> String {
    let key = match algorithm {
        Algorithm::RS256 => EncodingKey::from_rsa_pem(&bytes(file)),
        Algorithm::ES256 => EncodingKey::from_ec_pem(&bytes(file)),
        _ => EncodingKey::from_ed_pem(&bytes(file)),
    };
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, &key.unwrap()).unwrap()
}

async fn get_me(agent: &Agent, token: &str) -> Answer {
    agent.with(Credential::Bearer(token.to_owned())).get(ME).await
}

#[tokio::test]
async fn tokens_signed_by_any_key_of_the_jwks_file_are_taken() {
    let hub = TestHub::start(HubSettings::embedded().set("auth.jwks_file", path("jwks.json").display())).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let good = claims(&alice.id, &alice.customer_id, AGENT);
    let keys = [
        (Algorithm::RS256, "rs256.pem", "rs256"),
        (Algorithm::ES256, "es256.pem", "es256"),
        (Algorithm::EdDSA, "eddsa.pem", "eddsa"),
    ];
    for (algorithm, file, kid) in keys {
        let token = provided(algorithm, file, Some(kid), &good);
        assert_eq!(id(&get_me(&alice, &token).await.ok()), alice.id, "{algorithm:?}");
        let mut endless = good.clone();
        endless.as_object_mut().unwrap().remove("exp");
        let mut expired = good.clone();
        expired["exp"] = 1_700_000_000.into();
        for wrong in [endless, expired] {
            let token = provided(algorithm, file, Some(kid), &wrong);
            get_me(&alice, &token).await.refused(401, "INVALID_CREDENTIALS");
        }
    }
    assert_eq!(id(&get_me(&alice, &signed(&good)).await.ok()), alice.id, "the hub's own tokens are still taken");

    let unknown = [
        provided(Algorithm::ES256, "stranger.pem", Some("es256"), &good),
        provided(Algorithm::ES256, "stranger.pem", None, &good),
        provided(Algorithm::ES256, "stranger.pem", Some("stranger"), &good),
    ];
    for token in unknown {
        get_me(&alice, &token).await.refused(401, "INVALID_CREDENTIALS");
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let settings = HubSettings::embedded().set("auth.public_key_file", path("es256.pub.pem").display());
    let hub = TestHub::start(settings).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let good = claims(&alice.id, &alice.customer_id, AGENT);
    let token = provided(Algorithm::ES256, "es256.pem", None, &good);
    assert_eq!(id(&get_me(&alice, &token).await.ok()), alice.id);
    let forged = signed_with(&String::from_utf8(bytes("es256.pub.pem")).unwrap(), &good);
    get_me(&alice, &forged).await.refused(401, "INVALID_CREDENTIALS");
    let other = provided(Algorithm::ES256, "stranger.pem", None, &good);
    get_me(&alice, &other).await.refused(401, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn a_key_file_that_cannot_be_used_stops_the_start_and_is_named() {
    for (key, file) in [
        ("auth.jwks_file", path("nowhere.json")),
        ("auth.jwks_file", path("es256.pem")),
        ("auth.public_key_file", path("nowhere.pem")),
        ("auth.public_key_file", path("jwks.json")),
    ] {
        let ended = TestHub::refusal(HubSettings::embedded().set(key, file.display())).await;
        assert!(!ended.status.success() && ended.output.contains(key), "{key}: {}", ended.output);
    }
}
