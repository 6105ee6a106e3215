//! A credential comes in; who it is goes out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::{AccessKeyId, AgentId, Caller, CustomerId, Micros};
use crate::store::{StoreError, Table};
use crate::wire::{ApiError, Reason};

use super::People;
use super::agents::{USERNAME_CHARS_MAX, unique_name};
use super::credential::{AccessKeyText, CREDENTIAL_BYTES_MAX, same_secret};
use super::lookups::Way;
use super::record;
use super::record::AgentRecord;
use super::settings::Directory;

/// Who a credential belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// An agent who exists.
    Agent(Verified),
    /// The operator: customers, and agents of any of them; nothing else.
    Admin,
}

/// An agent whose credential was checked, and how long it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub caller: Caller,
    /// When the credential ends by itself; `None`: it does not.
    pub expires: Option<SystemTime>,
    /// The access key, when it was one.
    pub key: Option<AccessKeyId>,
    /// The sign-in it is of, if it is a token that this hub signed itself.
    pub signed_in: Option<SignIn>,
}

/// A sign-in by password on this hub, as its tokens remember it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignIn {
    pub at: SystemTime,
    /// When the password had been changed last by then, in microseconds since 1970; 0: never. Only
    /// compared with what the agent's record says, so that no two clocks have to agree.
    pub password_set: u64,
}

/// Why a credential was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Wrong, ended, or nobody's any more. The reason holds nothing of the credential.
    #[error("invalid credential: {0}")]
    Invalid(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid(reason) => {
                tracing::debug!(reason, "credential refused");
                Self::new(Reason::InvalidCredentials, "the credential is wrong, has ended, or was revoked")
            }
            AuthError::Store(error) => error.into(),
        }
    }
}

/// A sign-in that succeeded.
pub struct LoggedIn {
    pub caller: Caller,
    pub username: String,
    /// The token; no `Debug` here, so that it is in no log.
    pub token: String,
    /// How long the token is good for.
    pub ttl: Duration,
}

impl People {
    /// Who the credential belongs to: a token, an access key, or the operator's token.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] for everything that is not a credential of somebody who exists.
    pub async fn authenticate(&self, credential: &str) -> Result<Identity, AuthError> {
        self.identify(credential, Way::Alone).await
    }

    /// The same for a socket that is being opened. It asks the store together with others of its
    /// customer, so that thousands of them cost few reads.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    pub async fn authenticate_socket(&self, credential: &str) -> Result<Identity, AuthError> {
        self.identify(credential, Way::Together).await
    }

    async fn identify(&self, credential: &str, way: Way) -> Result<Identity, AuthError> {
        if credential.len() > CREDENTIAL_BYTES_MAX {
            return Err(AuthError::Invalid("too long"));
        }
        let admin = &self.shared.admin_token;
        if !admin.is_empty() && same_secret(admin.expose(), credential) {
            return Ok(Identity::Admin);
        }
        match AccessKeyText::parse(credential) {
            Some(key) => self.by_key(&key, way).await.map(Identity::Agent),
            None => self.by_token(credential, way).await.map(Identity::Agent),
        }
    }

    async fn by_token(&self, token: &str, way: Way) -> Result<Verified, AuthError> {
        let claim = self.shared.tokens.check(token, SystemTime::now()).map_err(AuthError::Invalid)?;
        let agent = match self.agent_by(way, claim.customer, claim.agent).await? {
            Some(agent) => Some(agent),
            None if self.shared.directory == Directory::Claims => self.take_in(&claim).await?,
            None => None,
        };
        let agent = agent.filter(|agent| !agent.deleted).ok_or(AuthError::Invalid("of no agent here"))?;
        let (expires, signed_in) = (Some(claim.expires), claim.signed_in);
        Ok(Verified { caller: agent.agent().caller(), expires, key: None, signed_in })
    }

    async fn by_key(&self, key: &AccessKeyText, way: Way) -> Result<Verified, AuthError> {
        let digest = key.digest();
        let Some((customer, id)) = self.shared.lookups.find(way, Table::AccessKeys, &digest).await? else {
            return Err(AuthError::Invalid("no such access key"));
        };
        let key = self.live_key(customer, AccessKeyId(id), way).await?.ok_or(AuthError::Invalid("access key ended"))?;
        if !same_secret(&key.digest, &digest) {
            return Err(AuthError::Invalid("no such access key"));
        }
        let agent = self.agent_by(way, customer, AgentId(key.agent)).await?.filter(|agent| !agent.deleted);
        let caller = agent.ok_or(AuthError::Invalid("of no agent here"))?.agent().caller();
        Ok(Verified { caller, expires: key.expires.and_then(moment), key: Some(AccessKeyId(id)), signed_in: None })
    }

    /// The key's record, if it exists and has not ended.
    async fn live_key(
        &self,
        customer: CustomerId,
        id: AccessKeyId,
        way: Way,
    ) -> Result<Option<record::KeyRecord>, StoreError> {
        let found = self.shared.lookups.get(way, Table::AccessKeys, customer, id.0).await?;
        let Some(bytes) = found else { return Ok(None) };
        let key: record::KeyRecord = record::read("access key", &bytes)?;
        let ended = key.expires.and_then(moment).is_some_and(|end| end <= SystemTime::now());
        Ok((!ended && !key.revoked).then_some(key))
    }

    /// The agent's record, deleted or not.
    async fn agent_by(&self, way: Way, customer: CustomerId, id: AgentId) -> Result<Option<AgentRecord>, StoreError> {
        let found = self.shared.lookups.get(way, Table::Agents, customer, id.0).await?;
        found.map(|bytes| record::read("agent", &bytes)).transpose()
    }

    /// Looks again, for a connection that lives on a credential: who the caller is by now, or that
    /// the credential has ended.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] when it has ended; [`AuthError::Store`] when that cannot be known.
    pub async fn verify_again(&self, verified: &Verified) -> Result<Caller, AuthError> {
        if verified.expires.is_some_and(|end| end <= SystemTime::now()) {
            return Err(AuthError::Invalid("ended"));
        }
        let (customer, agent) = (verified.caller.customer, verified.caller.agent);
        if let Some(key) = verified.key {
            self.live_key(customer, key, Way::Together).await?.ok_or(AuthError::Invalid("access key revoked"))?;
        }
        let agent = self.agent_by(Way::Together, customer, agent).await?.filter(|agent| !agent.deleted);
        Ok(agent.ok_or(AuthError::Invalid("of no agent here"))?.agent().caller())
    }

    /// Signs in by password. An unknown user takes as long as a wrong password.
    ///
    /// # Errors
    /// 401 `INVALID_CREDENTIALS`; 503 when too many sign in at once.
    pub async fn login(&self, username: &str, password: &str) -> Result<LoggedIn, ApiError> {
        if !self.shared.tokens.can_mint() {
            return Err(ApiError::new(Reason::PermissionDenied, "sign-in by password is not set up on this hub"));
        }
        let records = &self.store().records;
        let long = username.chars().count() > USERNAME_CHARS_MAX;
        let found = records.find(Table::Agents, &unique_name(if long { "" } else { username })).await?;
        // Nobody is looked up too: the store's part of the time is the same for everybody.
        let nobody = (CustomerId(uuid::Uuid::nil()), uuid::Uuid::nil());
        let (customer, id) = found.unwrap_or(nobody);
        let agent = self.agent_record(customer, AgentId(id)).await?;
        let agent = agent.map(|(agent, _)| agent).filter(|agent| !agent.deleted);
        let kept = agent.as_ref().and_then(|agent| agent.password.as_deref());
        let right = self.shared.passwords.check(password, kept).await?;
        let Some(agent) = agent.filter(|_| right) else {
            return Err(ApiError::new(Reason::InvalidCredentials, "username or password is wrong"));
        };
        let caller = agent.agent().caller();
        let signed_in = SignIn { at: SystemTime::now(), password_set: agent.password_set };
        let (token, ttl) = self.mint_since(&caller, signed_in)?;
        Ok(LoggedIn { caller, username: agent.username, token, ttl })
    }

    /// A new token for who holds a good one that this hub signed. The sign-in stays the one it was:
    /// `auth.session_secs` after it no token of it is good any more.
    ///
    /// # Errors
    /// 403 for an access key and for a token that somebody else issued; 401 when the sign-in has
    /// lasted as long as one may, or the password was changed since.
    pub async fn renew(&self, verified: &Verified) -> Result<LoggedIn, ApiError> {
        let Some(signed_in) = verified.signed_in else {
            let text = "only a token from a sign-in on this hub can be renewed";
            return Err(ApiError::new(Reason::PermissionDenied, text));
        };
        if self.shared.tokens.is_over(signed_in, SystemTime::now()) {
            return Err(ApiError::new(Reason::InvalidCredentials, "the sign-in has ended; sign in again"));
        }
        let caller = verified.caller.clone();
        let agent = self.agent_by(Way::Alone, caller.customer, caller.agent).await?.filter(|agent| !agent.deleted);
        let agent = agent.ok_or(AuthError::Invalid("of no agent here"))?;
        if agent.password_set != signed_in.password_set {
            return Err(ApiError::new(Reason::InvalidCredentials, "the password was changed; sign in again"));
        }
        let (token, ttl) = self.mint_since(&caller, signed_in)?;
        Ok(LoggedIn { caller, username: agent.username, token, ttl })
    }

    /// A token for the agent, who signs in now with a password that was never changed, and how long
    /// it is good for.
    ///
    /// # Errors
    /// Without a secret to sign with.
    pub fn mint(&self, caller: &Caller) -> Result<(String, Duration), ApiError> {
        self.mint_since(caller, SignIn { at: SystemTime::now(), password_set: 0 })
    }

    fn mint_since(&self, caller: &Caller, signed_in: SignIn) -> Result<(String, Duration), ApiError> {
        let minted = self.shared.tokens.mint(caller, signed_in);
        let (token, expires) = minted.ok_or_else(|| ApiError::internal("no secret to sign tokens with"))?;
        Ok((token, expires.duration_since(SystemTime::now()).unwrap_or_default()))
    }
}

fn moment(micros: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_micros(micros.min(Micros::MAX.0)))
}
