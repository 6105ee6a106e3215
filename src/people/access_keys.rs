//! Access keys: long-lived credentials that an agent makes for itself. The key is shown once.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::{AccessKeyId, AgentId, Caller, CustomerId, Micros};
use crate::store::{self, Around, List, NewRecord, Notice, Table};
use crate::wire::page::PageRequest;
use crate::wire::{ApiError, Reason, time};

use super::agents::{CHANGE_TRIES_MAX, busy, denied};
use super::credential::AccessKeyText;
use super::record::{self, KeyRecord};
use super::{DETAIL_CHARS_MAX, NAME_CHARS_MAX, People, check_text};

/// An access key, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    pub id: AccessKeyId,
    pub customer: CustomerId,
    /// The agent who made it, and as whom it acts.
    pub agent: AgentId,
    pub name: String,
    pub detail: String,
    /// The key's first characters.
    pub prefix: String,
    pub expires: Option<Micros>,
    pub created: Micros,
    pub updated: Micros,
    pub deleted: Option<Micros>,
}

/// An access key to make.
#[derive(Clone, Debug, Default)]
pub struct NewAccessKey {
    pub name: String,
    pub detail: String,
    /// Seconds until it ends; 0: it does not.
    pub expire_secs: u64,
}

/// What to change; `None` keeps.
#[derive(Clone, Debug, Default)]
pub struct AccessKeyEdit {
    pub name: Option<String>,
    pub detail: Option<String>,
}

/// An access key, as its owner and the customer's admins see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AccessKey)]
pub struct AccessKeyBody {
    pub id: Uuid,
    pub customer_id: Uuid,
    /// The agent as whom the key acts.
    pub agent_id: Uuid,
    pub name: String,
    pub detail: String,
    /// The key in full: in the answer that creates it, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The key's first characters.
    #[schema(example = "vb_x7Gk2pQa")]
    pub token_prefix: String,
    /// `""`: it does not end by itself.
    pub tm_expire: String,
    #[schema(example = "2024-01-17 10:30:00.000000")]
    pub tm_create: String,
    pub tm_update: String,
    /// `""` unless revoked.
    pub tm_delete: String,
}

impl AccessKey {
    /// As it is shown; `text` is the key in full, for the answer that creates it.
    #[must_use]
    pub fn body(&self, text: Option<&AccessKeyText>) -> AccessKeyBody {
        AccessKeyBody {
            id: self.id.0,
            customer_id: self.customer.0,
            agent_id: self.agent.0,
            name: self.name.clone(),
            detail: self.detail.clone(),
            token: text.map(|text| text.expose().to_owned()),
            token_prefix: self.prefix.clone(),
            tm_expire: time::format_option(self.expires),
            tm_create: time::format(self.created),
            tm_update: time::format(self.updated),
            tm_delete: time::format_option(self.deleted),
        }
    }
}

impl KeyRecord {
    fn key(&self) -> AccessKey {
        AccessKey {
            id: AccessKeyId(self.id),
            customer: CustomerId(self.customer),
            agent: AgentId(self.agent),
            name: self.name.clone(),
            detail: self.detail.clone(),
            prefix: self.prefix.clone(),
            expires: self.expires.map(Micros),
            created: Micros(self.created),
            updated: Micros(self.updated),
            deleted: None,
        }
    }

    fn lists(&self) -> [List; 2] {
        [List::All, List::Of(AgentId(self.agent))]
    }

    fn place<'a>(&'a self, lists: &'a [List], bytes: &'a [u8]) -> NewRecord<'a> {
        NewRecord {
            table: Table::AccessKeys,
            customer: CustomerId(self.customer),
            id: self.id,
            at: Micros(self.created),
            unique: Some(&self.digest),
            lists,
            bytes,
        }
    }
}

impl People {
    /// The caller's keys on a page; all of the customer's for an admin or a manager.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn access_keys(&self, caller: &Caller, page: &PageRequest) -> Result<Vec<AccessKey>, ApiError> {
        let list = if caller.permissions.manages_customer() { List::All } else { List::Of(caller.agent) };
        self.rows(Table::AccessKeys, caller.customer, list, page, |bytes| {
            let key: KeyRecord = record::read("access key", bytes)?;
            Ok((!key.revoked).then(|| key.key()))
        })
        .await
        .map_err(ApiError::from)
    }

    /// Makes a key for the caller. The text is nowhere else afterwards.
    ///
    /// # Errors
    /// A field that is wrong, too many keys, or a store that does not answer.
    pub async fn create_access_key(
        &self,
        caller: &Caller,
        new: NewAccessKey,
    ) -> Result<(AccessKey, AccessKeyText), ApiError> {
        check_text("name", &new.name, NAME_CHARS_MAX)?;
        check_text("detail", &new.detail, DETAIL_CHARS_MAX)?;
        let records = &self.store().records;
        let most = self.shared.keys_per_agent_max;
        let own =
            records.list(Table::AccessKeys, caller.customer, List::Of(caller.agent), Around::Newest, most).await?;
        if own.len() >= most {
            return Err(ApiError::new(Reason::StateInvalid, format!("an agent has at most {most} access keys")));
        }
        let now = records.now().await?;
        let expires = match new.expire_secs {
            0 => None,
            secs => {
                let end = secs.checked_mul(1_000_000).and_then(|micros| micros.checked_add(now.0));
                let end = end.filter(|end| *end <= Micros::MAX.0);
                Some(end.ok_or_else(|| ApiError::argument("expire must be a number of seconds within reason"))?)
            }
        };
        let text = AccessKeyText::random();
        let key = KeyRecord {
            id: AccessKeyId::random().0,
            customer: caller.customer.0,
            agent: caller.agent.0,
            name: new.name,
            detail: new.detail,
            digest: text.digest(),
            prefix: text.prefix(),
            expires,
            created: now.0,
            updated: now.0,
            revoked: false,
        };
        if !records.insert(key.place(&key.lists(), &record::write(&key)?)).await? {
            return Err(ApiError::internal("a random access key was taken"));
        }
        Ok((key.key(), text))
    }

    /// One key, if the caller may see it.
    ///
    /// # Errors
    /// 404 for a key that is none of the customer's, 403 for another agent's.
    pub async fn access_key(&self, caller: &Caller, id: AccessKeyId) -> Result<AccessKey, ApiError> {
        let (key, _) = self.key_record(caller, id).await?;
        if key.revoked { Err(no_key()) } else { Ok(key.key()) }
    }

    /// Changes name and detail of a key.
    ///
    /// # Errors
    /// As [`Self::access_key`], and a field that is wrong.
    pub async fn edit_access_key(
        &self,
        caller: &Caller,
        id: AccessKeyId,
        edit: AccessKeyEdit,
    ) -> Result<AccessKey, ApiError> {
        check_text("name", edit.name.as_deref().unwrap_or_default(), NAME_CHARS_MAX)?;
        check_text("detail", edit.detail.as_deref().unwrap_or_default(), DETAIL_CHARS_MAX)?;
        let records = &self.store().records;
        for _ in 0..CHANGE_TRIES_MAX {
            let (mut key, before) = self.key_record(caller, id).await?;
            if key.revoked {
                return Err(no_key());
            }
            if let Some(name) = &edit.name {
                key.name.clone_from(name);
            }
            if let Some(detail) = &edit.detail {
                key.detail.clone_from(detail);
            }
            key.updated = records.now().await?.0.max(key.updated);
            let after = record::write(&key)?;
            if records.replace(Table::AccessKeys, caller.customer, id.0, &before, &after).await? {
                return Ok(key.key());
            }
        }
        Err(busy())
    }

    /// Revokes a key: it stops working at once, and connections that live on it are told. Called
    /// again after it failed half way, it goes on from there.
    ///
    /// # Errors
    /// As [`Self::access_key`].
    pub async fn delete_access_key(&self, caller: &Caller, id: AccessKeyId) -> Result<AccessKey, ApiError> {
        let records = &self.store().records;
        for _ in 0..CHANGE_TRIES_MAX {
            let (mut key, before) = self.key_record(caller, id).await?;
            if !key.revoked {
                key.revoked = true;
                let after = record::write(&key)?;
                if !records.replace(Table::AccessKeys, caller.customer, id.0, &before, &after).await? {
                    continue;
                }
            }
            let agent = AgentId(key.agent);
            self.store().link.notify(caller.customer, Notice::AgentChanged { agent }).await?;
            self.drop_key(&key).await?;
            let at = records.now().await?.max(Micros(key.updated));
            return Ok(AccessKey { updated: at, deleted: Some(at), ..key.key() });
        }
        Err(busy())
    }

    /// Takes the key's record out of the store.
    pub(super) async fn drop_key(&self, key: &KeyRecord) -> store::Result<()> {
        self.store().records.remove(key.place(&key.lists(), &record::write(key)?)).await.map(|_| ())
    }

    async fn key_record(&self, caller: &Caller, id: AccessKeyId) -> Result<(KeyRecord, Vec<u8>), ApiError> {
        let bytes = self.store().records.get(Table::AccessKeys, caller.customer, id.0).await?.ok_or_else(no_key)?;
        let key: KeyRecord = record::read("access key", &bytes)?;
        if key.agent != caller.agent.0 && !caller.permissions.manages_customer() {
            return Err(denied("only its agent, an admin or a manager may see an access key"));
        }
        Ok((key, bytes))
    }
}

fn no_key() -> ApiError {
    ApiError::new(Reason::AccesskeyNotFound, "no such access key")
}
