//! Signing in, and every form of credential: which are taken, which win, and when they end.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::calls::{CHATS, ME};
use crate::support::people::{AGENT, PASSWORD};
use crate::support::token::{claims, signed, signed_with, voipbin_claims};
use crate::support::{Agent, Credential, HubSettings, Hubs, TestHub, id, random_id, text};

async fn get_me(agent: &Agent, token: &str) -> crate::support::Answer {
    agent.with(Credential::Bearer(token.to_owned())).get(ME).await
}

/// The hub knows the agent by this token.
async fn assert_taken(agent: &Agent, token: &str) {
    assert_eq!(id(&get_me(agent, token).await.ok()), agent.id);
}

async fn assert_refused(agent: &Agent, token: &str) {
    get_me(agent, token).await.refused(401, "INVALID_CREDENTIALS");
}

async fn signing_in_gives_a_token_and_a_cookie(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    for path in ["/auth/login", "/v1.0/auth/login"] {
        let body = json!({"username": alice.username, "password": PASSWORD});
        let answer = hubs.nobody().post(path, &body).await;
        let cookie = answer.header("set-cookie").to_owned();
        let signed_in = answer.ok();
        assert_eq!(text(&signed_in, "username"), alice.username);
        let token = text(&signed_in, "token");
        assert!(cookie.starts_with(&format!("token={token}")), "{cookie}");
        assert!(cookie.to_lowercase().contains("httponly"), "{cookie}");
        assert_taken(&alice, token).await;
        assert_eq!(id(&alice.with(Credential::CookieToken(token.to_owned())).get(ME).await.ok()), alice.id);
    }
}

async fn our_tokens_carry_what_the_contract_says(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let signed_in = hubs.nobody().login(&alice.username, PASSWORD).await.ok();
    let claims = payload(text(&signed_in, "token"));
    assert_eq!((&claims["sub"], &claims["customer_id"]), (&json!(alice.id), &json!(alice.customer_id)));
    assert_eq!(claims["permission"], AGENT);
    assert!(claims["exp"].as_i64().unwrap() > Utc::now().timestamp());
}

async fn a_good_token_is_exchanged_for_a_new_one(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let mut token = text(&hubs.nobody().login(&alice.username, PASSWORD).await.ok(), "token").to_owned();
    let began = payload(&token)["auth_time"].clone();
    for path in ["/auth/renew", "/v1.0/auth/renew"] {
        for credential in [Credential::Bearer(token.clone()), Credential::CookieToken(token.clone())] {
            let answer = alice.with(credential).post(path, &json!({})).await;
            let cookie = answer.header("set-cookie").to_owned();
            let renewed = answer.ok();
            assert_eq!(text(&renewed, "username"), alice.username);
            token = text(&renewed, "token").to_owned();
            assert!(cookie.starts_with(&format!("token={token}")), "{cookie}");
            assert_eq!(payload(&token)["auth_time"], began, "the sign-in stays the one it was");
            assert_taken(&alice, &token).await;
        }
    }
}

async fn only_a_token_from_a_sign_in_here_is_renewed(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let renew = async |token: String| alice.with(Credential::Bearer(token)).post("/auth/renew", &json!({})).await;
    let key = alice.post("/v1.0/accesskeys", &json!({"name": "a robot"})).await.ok();
    renew(text(&key, "token").to_owned()).await.refused(403, "PERMISSION_DENIED");
    let foreign = signed(&voipbin_claims(&alice.id, &alice.customer_id, AGENT, "Alice"));
    renew(foreign).await.refused(403, "PERMISSION_DENIED");
    let undated = claims(&alice.id, &alice.customer_id, AGENT);
    renew(signed(&undated)).await.refused(403, "PERMISSION_DENIED");
    renew("rubbish".to_owned()).await.refused(401, "INVALID_CREDENTIALS");
    hubs.nobody().post("/auth/renew", &json!({})).await.refused(401, "AUTHENTICATION_REQUIRED");
    // An identity provider that signs with the same secret says when, as all of them do. It is not us.
    let theirs = |ago: i64| {
        let mut claims = undated.clone();
        (claims["iat"], claims["auth_time"]) = (json!(Utc::now().timestamp()), json!(Utc::now().timestamp() - ago));
        claims
    };
    renew(signed(&theirs(60))).await.refused(403, "PERMISSION_DENIED");
    let ours = |ago: i64| {
        let mut claims = theirs(ago);
        claims["password_set"] = json!(0);
        signed(&claims)
    };
    let month = 30 * 24 * 3600;
    renew(ours(month + 60)).await.refused(401, "INVALID_CREDENTIALS");
    let renewed = renew(ours(month - 60)).await.ok();
    let left = payload(text(&renewed, "token"))["exp"].as_i64().unwrap() - Utc::now().timestamp();
    assert!((1..=60).contains(&left), "{left} seconds are left of a sign-in that ends in 60");
}

async fn a_new_password_ends_the_renewals_of_earlier_sign_ins(hubs: Hubs) {
    let customer = hubs.customer().await;
    let (admin, alice) = (customer.admin("Admin").await, customer.agent("Alice").await);
    let sign_in = async |password: &str| {
        let signed_in = hubs.nobody().login(&alice.username, password).await.ok();
        text(&signed_in, "token").to_owned()
    };
    let renew = async |token: &str| {
        let caller = alice.with(Credential::Bearer(token.to_owned()));
        caller.post("/auth/renew", &json!({})).await
    };
    let mut password = PASSWORD;
    for (by_admin, new) in [(false, "another password"), (true, "one more password")] {
        let token = sign_in(password).await;
        alice.put(ME, &json!({"name": "Alicia"})).await.ok();
        renew(&token).await.ok();
        let edit = json!({"password": new});
        let changed = match by_admin {
            true => admin.update_agent(&alice.id, &edit).await,
            false => alice.put(&format!("{ME}/password"), &edit).await,
        };
        changed.ok();
        renew(&token).await.refused(401, "INVALID_CREDENTIALS");
        assert_taken(&alice, &token).await;
        let renewed = renew(&sign_in(new).await).await.ok();
        renew(text(&renewed, "token")).await.ok();
        password = new;
    }
}

async fn signing_out_takes_the_cookie_back(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    for path in ["/auth/logout", "/v1.0/auth/logout"] {
        for caller in [hubs.nobody(), (*alice.with(Credential::CookieToken(alice.token.clone()))).clone()] {
            let answer = caller.post(path, &json!({})).await;
            let cookie = answer.header("set-cookie").to_lowercase();
            answer.ok();
            assert!(cookie.starts_with("token=;") && cookie.contains("max-age=0"), "{cookie}");
        }
        let elsewhere = hubs.nobody().call(Method::POST, path).header("origin", "https://evil.test").send().await;
        elsewhere.refused(403, "PERMISSION_DENIED");
    }
}

/// What a token says.
fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn a_wrong_name_or_password_is_refused_alike(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let mut told = Vec::new();
    for (username, password) in
        [(alice.username.as_str(), "wrong"), ("nobody@example.test", PASSWORD), (&alice.username, "")]
    {
        let mut error = hubs.nobody().login(username, password).await.refused(401, "INVALID_CREDENTIALS");
        error["request_id"] = Value::Null;
        told.push(error);
    }
    assert!(told.iter().all(|error| *error == told[0]), "{told:?}");
    hubs.nobody().login(&alice.username, PASSWORD).await.ok();
}

async fn the_time_taken_does_not_tell_whether_the_user_exists(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let timed = async |username: &str| {
        let start = Instant::now();
        hubs.nobody().login(username, "wrong").await.refused(401, "INVALID_CREDENTIALS");
        start.elapsed()
    };
    // Whatever else the machine does, each is as likely as the other to be the faster of a pair: over 30 pairs, to win
    // fewer than 4 would happen once in a hundred thousand times.
    let mut wins = 0;
    for pair in 0..30 {
        let (known, unknown) = if pair % 2 == 0 {
            let known = timed(&alice.username).await;
            (known, timed("nobody@example.test").await)
        } else {
            let unknown = timed("nobody@example.test").await;
            (timed(&alice.username).await, unknown)
        };
        wins += usize::from(known < unknown);
    }
    assert!((4..=26).contains(&wins), "the name that exists was refused faster in {wins} of 30 pairs");
}

async fn without_a_credential_nothing_is_told(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_channel("open", &[]).await;
    for path in [ME.to_owned(), CHATS.to_owned(), format!("{CHATS}/{chat}"), format!("{CHATS}/{}", random_id())] {
        hubs.nobody().get(&path).await.refused(401, "AUTHENTICATION_REQUIRED");
    }
    for rubbish in ["rubbish", "a.b.c", "vb_", "vb_00000000000000000000000000000000", "..", "\u{e4}"] {
        let rubbish = Credential::QueryToken(rubbish.to_owned());
        alice.with(rubbish).get(ME).await.refused(401, "INVALID_CREDENTIALS");
    }
}

async fn a_token_needs_an_expiry_that_has_not_passed_and_our_signature(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let good = claims(&alice.id, &alice.customer_id, AGENT);
    assert_taken(&alice, &signed(&good)).await;
    let with = |key: &str, value: Value| {
        let mut changed = good.clone();
        changed[key] = value;
        changed
    };
    let mut no_expiry = good.clone();
    no_expiry.as_object_mut().unwrap().remove("exp");
    let wrong = [
        no_expiry,
        with("exp", Value::Null),
        with("exp", json!("never")),
        with("exp", json!(Utc::now().timestamp() - 3600)),
        with("sub", json!(random_id())),
        with("sub", json!("")),
        with("customer_id", json!(random_id())),
        json!({"exp": good["exp"]}),
    ];
    for claims in &wrong {
        assert_refused(&alice, &signed(claims)).await;
    }
    assert_refused(&alice, &signed_with("another secret of thirty-two characters", &good)).await;
}

async fn a_token_cannot_choose_its_own_algorithm(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let claims = claims(&alice.id, &alice.customer_id, AGENT);
    let body = URL_SAFE_NO_PAD.encode(claims.to_string());
    for header in [json!({"alg": "none", "typ": "JWT"}), json!({"alg": "None"}), json!({"alg": "RS256"}), json!({})] {
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        assert_refused(&alice, &format!("{header}.{body}.")).await;
    }
    let good = signed(&claims);
    let signature = good.rsplit('.').next().unwrap();
    let forged = claims.to_string().replace(&alice.id, &random_id());
    assert_refused(
        &alice,
        &format!("{}.{}.{signature}", good.split('.').next().unwrap(), URL_SAFE_NO_PAD.encode(forged)),
    )
    .await;
}

async fn tokens_made_by_voipbin_are_taken(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let good = voipbin_claims(&alice.id, &alice.customer_id, AGENT, "Alice");
    assert_taken(&alice, &signed(&good)).await;
    let mut expired = good.clone();
    expired["expire"] = json!("2024-01-17 10:30:00.000000");
    assert_refused(&alice, &signed(&expired)).await;
    let mut endless = good.clone();
    endless.as_object_mut().unwrap().remove("expire");
    assert_refused(&alice, &signed(&endless)).await;
}

async fn the_first_credential_present_wins(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let (good, bad) = (Credential::every_way(&alice.token), Credential::every_way("bad"));
    for first in 0..good.len() {
        let credentials = [&good[..=first], &bad[first + 1..]].concat();
        assert_eq!(id(&alice.presenting(&credentials[first..]).get(ME).await.ok()), alice.id, "{credentials:?}");
        let credentials = [&bad[..=first], &good[first + 1..]].concat();
        alice.presenting(&credentials[first..]).get(ME).await.refused(401, "INVALID_CREDENTIALS");
    }
}

async fn a_deleted_agents_token_stops_at_once_and_the_sockets_close(hubs: Hubs) {
    let customer = hubs.customer().await;
    let leaver = customer.agent("Leaver").await;
    let admin = customer.admin("Admin").await;
    let mut sockets = Vec::new();
    for node in 0..hubs.nodes.len() {
        leaver.at(node).get(ME).await.ok();
        sockets.push(leaver.at(node).listen().await);
    }
    admin.delete_agent(&leaver.id).await.ok();
    for node in 0..hubs.nodes.len() {
        leaver.at(node).get(ME).await.refused(401, "INVALID_CREDENTIALS");
    }
    for mut socket in sockets {
        socket.expect_close(4001).await;
    }
}

#[tokio::test]
async fn with_the_directory_in_the_claims_agents_are_taken_in_as_they_appear() {
    let hub = TestHub::start(HubSettings::embedded().set("auth.directory", "claims")).await;
    let hubs = Hubs::of(&hub);
    let (customer, alice, bob) = (random_id(), random_id(), random_id());
    let token = signed(&voipbin_claims(&alice, &customer, AGENT, "Alice"));
    let caller = hubs.nobody().presenting([Credential::QueryToken(token)]);
    let me = caller.get(ME).await.ok();
    assert_eq!((id(&me), text(&me, "name")), (alice, "Alice"));
    let participants = json!([{"owner_type": "agent", "owner_id": bob}]);
    let chat = caller.create_chat(&json!({"type": "group", "participants": participants})).await.ok();
    assert_eq!(chat["member_count"], 2, "a participant the directory does not know yet is accepted");
    let token = signed(&voipbin_claims(&bob, &customer, AGENT, "Bob"));
    let bob = hubs.nobody().presenting([Credential::QueryToken(token)]);
    assert_eq!(id(&bob.get_chat(&id(&chat)).await.ok()), id(&chat));
}

on_every_deployment!(
    signing_in_gives_a_token_and_a_cookie,
    our_tokens_carry_what_the_contract_says,
    a_good_token_is_exchanged_for_a_new_one,
    only_a_token_from_a_sign_in_here_is_renewed,
    a_new_password_ends_the_renewals_of_earlier_sign_ins,
    signing_out_takes_the_cookie_back,
    a_wrong_name_or_password_is_refused_alike,
    the_time_taken_does_not_tell_whether_the_user_exists,
    without_a_credential_nothing_is_told,
    a_token_needs_an_expiry_that_has_not_passed_and_our_signature,
    a_token_cannot_choose_its_own_algorithm,
    tokens_made_by_voipbin_are_taken,
    the_first_credential_present_wins,
    a_deleted_agents_token_stops_at_once_and_the_sockets_close,
);
