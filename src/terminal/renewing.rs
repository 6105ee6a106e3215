//! Staying signed in: the token of a sign-in is exchanged for a new one when half of its life is over, and
//! the new one is kept instead of it, unless the account has become another one meanwhile.
//!
//! Only a token that is kept is renewed, never one that was given. A hub ends a sign-in for good after a
//! time of its own; then its last token ends as it is.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::{Method, StatusCode};
use serde_json::Value;

use super::account::Account;
use super::calling::{Client, backoff};
use super::failure::Result;
use super::screen::note;
use super::signing::SignedIn;

/// How long a command that begins waits for a new token; it can do without.
const SOON: Duration = Duration::from_secs(3);
/// Time between two looks at the clock at most: a machine that slept does not count the time.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// From when to when a token is good, in seconds since 1970.
#[derive(Clone, Copy)]
struct Life {
    begins: u64,
    ends: u64,
}

impl Life {
    /// Of the token of a sign-in; `None` for what cannot be renewed, such as an access key.
    fn of(token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        let claims: Value = serde_json::from_slice(&bytes).ok()?;
        let secs = |name: &str| claims[name].as_u64();
        secs("auth_time")?;
        Some(Self { begins: secs("iat")?, ends: secs("exp")? })
    }

    fn half(self) -> u64 {
        self.ends.saturating_sub(self.begins) / 2
    }

    /// How long it is until half of it is over; nothing once it is.
    fn due_in(self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Duration::from_secs(self.begins.saturating_add(self.half()).saturating_sub(now))
    }
}

/// A new token for a command that begins, when half of the life of the one there is is over. The command
/// goes on in any case.
pub(super) async fn renew_if_due(client: &Client, account: &mut Account) {
    if Life::of(&account.token).is_some_and(|life| life.due_in().is_zero()) {
        // What fails now is tried again by the next command.
        let _ = tokio::time::timeout(SOON, renew(client, account)).await;
    }
}

/// Renews the token of the account time after time, for as long as this is polled.
pub(super) async fn stay_signed_in(client: &Client, kept: Option<Account>) -> Infallible {
    if let Some(mut account) = kept {
        renew_in_time(client, &mut account).await;
    }
    std::future::pending().await
}

/// Ends when there is nothing more to renew.
async fn renew_in_time(client: &Client, account: &mut Account) {
    let mut attempts = 0;
    while let Some(life) = Life::of(&account.token) {
        let due_in = life.due_in();
        if !due_in.is_zero() {
            tokio::time::sleep(due_in.min(LOOK_EVERY)).await;
            continue;
        }
        match renew(client, account).await {
            Ok(true) => {
                attempts = 0;
                // However wrong the clock is: not again at once.
                let quarter = Life::of(&account.token).map_or(0, Life::half).saturating_mul(500);
                tokio::time::sleep(Duration::from_millis(quarter)).await;
            }
            Ok(false) => return,
            Err(_) => {
                tokio::time::sleep(backoff(attempts)).await;
                attempts += 1;
            }
        }
    }
}

/// Gets a token for the account that lasts longer than its own; `false` when there will be none.
///
/// # Errors
/// The hub is not reached now.
async fn renew(client: &Client, account: &mut Account) -> Result<bool> {
    match Account::load()? {
        // Somebody signed out or in, and means it.
        Some(kept) if !kept.is_as(account) => return Ok(false),
        None => return Ok(false),
        // Another command was faster.
        Some(kept) if kept.token != account.token => {
            client.call_with(&kept.token)?;
            *account = kept;
            return Ok(true);
        }
        Some(_) => {}
    }
    let outcome = client.outcome::<SignedIn>(Method::POST, "/v1.0/auth/renew", None).await;
    let never = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
    if outcome.status.is_some_and(|status| never.contains(&status)) {
        return Ok(false);
    }
    let token = outcome.result?.token;
    let ends = |token: &str| Life::of(token).map_or(0, |life| life.ends);
    if ends(&token) <= ends(&account.token) {
        // The sign-in itself nears its end.
        return Ok(false);
    }
    client.call_with(&token)?;
    let before = std::mem::replace(&mut account.token, token);
    if let Err(failure) = account.save_over(&before) {
        note(&format!("the new token cannot be kept: {failure}"));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn only_the_token_of_a_sign_in_has_a_life_to_prolong() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let due_in = |begins: u64, ends: u64| {
            Life::of(&token(&json!({"auth_time": 1, "iat": begins, "exp": ends}))).expect("a life").due_in()
        };
        assert!(due_in(now - 51, now + 49).is_zero());
        let left = due_in(now - 10, now + 90).as_secs();
        assert!((39..=40).contains(&left), "{left}");
        assert!(due_in(0, u64::MAX) > Duration::from_secs(1 << 60), "what nobody means breaks nothing");
        let others = json!({"iat": now, "exp": now + 60});
        for other in ["vb_0123", "", "a.b.c", &token(&others), &token(&json!([]))] {
            assert!(Life::of(other).is_none(), "{other}");
        }
    }
}
