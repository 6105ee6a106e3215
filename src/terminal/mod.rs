//! `talk-hub chat`: a hub's chats in a terminal. A client like any other, over HTTP and WebSocket; it
//! knows nothing of the hub but what is on the wire.
//!
//! It promises that what others wrote does nothing to the terminal ([`clean`]), that no credential is
//! written anywhere but into the account's file ([`account`]), from which it is renewed ([`renewing`]),
//! that nothing is said twice however often it had to be tried ([`calling`]), and that what is followed
//! is shown once and whole ([`following`]).

mod account;
mod address;
mod arguments;
mod calling;
mod catching_up;
mod chats;
mod clean;
mod doing;
mod failure;
mod following;
mod listing;
mod live;
mod moments;
mod people;
mod progress;
mod reading;
mod renewing;
mod screen;
mod secret;
mod sending;
mod signing;
mod standing;
mod telling;
mod transfer;
mod wrapping;

use std::process::ExitCode;
use std::time::Duration;

pub use arguments::Chat;

use account::Account;
use address::Address;
use arguments::{Command, Session};
use calling::Client;
use failure::{Failure, Result};
use screen::Screen;

/// The hub that is called when nothing else is said: the one on this machine.
const HUB: &str = "http://127.0.0.1:8080";

/// Does what the command line says, and answers with the exit code: 0 done, 1 refused, 2 wrong usage,
/// 3 the hub was not reached. `program` is the whole command line, for completions.
pub async fn run(chat: Chat, program: clap::Command) -> ExitCode {
    match done(chat, program).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.code() != 0 {
                screen::trouble(&failure.to_string());
            }
            ExitCode::from(failure.code())
        }
    }
}

async fn done(chat: Chat, mut program: clap::Command) -> Result<()> {
    let Chat { session, command } = chat;
    let screen = Screen::open(session.color);
    match command {
        Command::SignIn(asked) => return signing::sign_in(&session, &asked).await,
        Command::SignOut => return signing::sign_out(),
        Command::Completions { shell } => {
            let name = program.get_name().to_owned();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut program, name, &mut script);
            return screen.own(&script);
        }
        _ => {}
    }
    let (client, mut kept) = signed_in(&session)?;
    if let Some(account) = &mut kept {
        renewing::renew_if_due(&client, account).await;
    }
    match command {
        Command::Who(form) => listing::who(&client, &screen, &form).await,
        Command::List(asked) => listing::list(&client, &screen, &asked).await,
        Command::Members(asked) => listing::members(&client, &screen, &asked).await,
        Command::History(asked) => reading::history(&client, &screen, &asked).await,
        Command::Send(asked) => sending::send(&client, &screen, &asked).await,
        Command::Follow(asked) => following::follow(&client, &screen, &asked, kept).await,
        Command::React(asked) => doing::react(&client, &asked).await,
        Command::Delete { message } => doing::delete(&client, message).await,
        Command::New(asked) => doing::new(&client, &screen, &asked).await,
        Command::Join { chat } => doing::join(&client, &chat).await,
        Command::Leave { chat } => doing::leave(&client, &chat).await,
        Command::Status { status } => doing::status(&client, status).await,
        Command::Download(asked) => transfer::download(&client, &asked).await,
        Command::SignIn(_) | Command::SignOut | Command::Completions { .. } => Ok(()),
    }
}

/// The hub, with a token for it: the one given, or the one kept for this very hub, and then the account
/// that it is of. A token is never sent to another hub than the one it is of.
fn signed_in(session: &Session) -> Result<(Client, Option<Account>)> {
    if let Some(token) = given(session)? {
        return Ok((Client::new(address(session, None)?, Some(&token), timeout(session))?, None));
    }
    let kept = Account::load()?;
    let address = address(session, kept.as_ref())?;
    let of_it = |account: &Account| Address::parse(&account.hub).is_ok_and(|of| of.url() == address.url());
    let nobody = || Failure::Refused(format!("nobody is signed in at {}; talk-hub chat sign-in", address.url()));
    let kept = kept.filter(of_it).ok_or_else(nobody)?;
    Ok((Client::new(address, Some(&kept.token), timeout(session))?, Some(kept)))
}

/// The token that was given, together with the hub it is for: that one, not the one signed in to.
fn given(session: &Session) -> Result<Option<String>> {
    let token = session.token.clone().filter(|token| !token.is_empty());
    if token.is_some() && session.hub.as_deref().is_none_or(str::is_empty) {
        let text = "a token is given, but not the hub it is for; name that by --hub or TALK_HUB";
        return Err(Failure::Usage(String::from(text)));
    }
    Ok(token)
}

/// The hub that is meant.
fn address(session: &Session, kept: Option<&Account>) -> Result<Address> {
    let named = session.hub.as_deref().filter(|hub| !hub.is_empty());
    Address::parse(named.or(kept.map(|account| account.hub.as_str())).unwrap_or(HUB))
}

fn timeout(session: &Session) -> Duration {
    Duration::from_secs(session.timeout.into())
}
