//! Signing in and out.

use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::account::Account;
use super::arguments::{Session, SignIn};
use super::calling::{BASE, Client};
use super::failure::{Failure, Result};
use super::people::Agent;
use super::screen::note;
use super::{address, given, secret, timeout};

/// What a hub answers to a password, and to a token that is to be renewed.
// No `Debug`: the token is in no log.
#[derive(Deserialize)]
pub(super) struct SignedIn {
    pub(super) token: String,
}

/// Signs in with a password, or with an access key, and keeps the token. Neither is ever shown.
///
/// # Errors
/// The hub does not know them, or is not reached; the account cannot be kept; a token for no hub in
/// particular.
pub(super) async fn sign_in(session: &Session, asked: &SignIn) -> Result<()> {
    let given = given(session)?;
    let kept = Account::load().unwrap_or_default();
    let address = address(session, kept.as_ref())?;
    if address.is_open() {
        note("warning: what is said to this hub can be read on the way; an https:// address hides it");
    }
    let token = match (given, asked.access_key) {
        (Some(_), _) if asked.username.is_some() => {
            return Err(Failure::Usage(String::from("a token says who one is: leave out the username")));
        }
        (Some(token), _) => token,
        (None, true) => secret::ask_hidden("Access key").await?,
        (None, false) => {
            let username = match &asked.username {
                Some(username) => username.clone(),
                None => secret::ask("Username").await?,
            };
            let password = secret::ask_hidden("Password").await?;
            let nobody = Client::new(address.clone(), None, timeout(session))?;
            let body = json!({"username": username, "password": password});
            let signed_in: SignedIn = nobody.write(Method::POST, "/v1.0/auth/login", Some(&body)).await?;
            signed_in.token
        }
    };
    let client = Client::new(address, Some(&token), timeout(session))?;
    let me: Agent = client.get(&format!("{BASE}/me")).await?;
    let hub = client.address.url();
    Account { hub: hub.clone(), username: me.username.clone(), token }.save()?;
    note(&format!("signed in at {hub} as {} ({})", me.shown(), me.username));
    Ok(())
}

/// Forgets who is signed in.
///
/// # Errors
/// The account cannot be removed.
pub(super) fn sign_out() -> Result<()> {
    note(if Account::forget()? { "signed out" } else { "nobody was signed in" });
    Ok(())
}
