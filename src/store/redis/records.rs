//! Records of people and files: a hash per customer and table, lists beside it.
//!
//! A unique name stands alone, because names are unique over all customers. It is claimed before
//! its record is written. A claim whose record never came (its writer died between) is taken over
//! after a minute; a writer that took longer than that finds its name gone and takes back what it
//! wrote.

use async_trait::async_trait;
use redis::Cmd;
use uuid::Uuid;

use super::body::{Body, decoded};
use super::lanes::Ask;
use super::scripts::Source;
use super::servers::{Again, Way};
use crate::model::{CustomerId, Micros};
use crate::store::{Around, List, NewRecord, Records, Result, Row, StoreError, Table};

/// A claim of a name holds this many microseconds without its record.
const CLAIM_KEPT_US: u64 = 60_000_000;

/// Who claimed a name, and when.
struct Claim {
    bytes: Vec<u8>,
    customer: CustomerId,
    id: Uuid,
    at: u64,
}

impl Claim {
    fn read(bytes: Vec<u8>) -> Result<Self> {
        let read = || {
            let customer = Uuid::from_slice(bytes.get(..16)?).ok()?;
            let id = Uuid::from_slice(bytes.get(16..32)?).ok()?;
            let at = u64::from_be_bytes(bytes.get(32..)?.try_into().ok()?);
            Some((CustomerId(customer), id, at))
        };
        let (customer, id, at) = read().ok_or_else(|| StoreError::Corrupt("malformed claim of a name".to_owned()))?;
        Ok(Self { bytes, customer, id, at })
    }
}

/// The 32 bytes by which a claim names its record.
fn whose(record: &NewRecord<'_>) -> Vec<u8> {
    [&record.customer.bytes()[..], record.id.as_bytes()].concat()
}

impl Body {
    fn record_keys(&self, record: &NewRecord<'_>) -> Vec<String> {
        let lists = record.lists.iter().map(|list| self.keys.records_list(record.customer, record.table, *list));
        std::iter::once(self.keys.records(record.customer, record.table)).chain(lists).collect()
    }

    async fn record_write(&self, record: &NewRecord<'_>, again: Again, script: &Source, call: Cmd) -> Result<u32> {
        let way = Way::write(&self.keys.records(record.customer, record.table));
        decoded(self.servers.ask(way, again, Ask::Script(script, call)).await?)
    }

    /// Claims the name for the record; `false` when another record has it.
    async fn claim_name(&self, record: &NewRecord<'_>, name: &str) -> Result<bool> {
        let key = self.keys.unique(record.table, name);
        let mut replaced = Vec::new();
        // Once for the name as it is, once more to take it over.
        for _ in 0..2 {
            let mut call = self.scripts.claim_name.call(&[&key]);
            call.arg(whose(record)).arg(&replaced);
            let ask = Ask::Script(&self.scripts.claim_name, call);
            let answer = self.servers.ask(Way::write(&key), Again::Fine, ask).await?;
            let (there, now): (Vec<u8>, Vec<u8>) = decoded(answer)?;
            let now = now.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
            let there = Claim::read(there)?;
            if (there.customer, there.id) == (record.customer, record.id) {
                return Ok(true);
            }
            if now < there.at.saturating_add(CLAIM_KEPT_US) || self.holds(record.table, &there).await? {
                return Ok(false);
            }
            replaced = there.bytes;
        }
        Ok(false)
    }

    /// Whether the record of the claim is there.
    async fn holds(&self, table: Table, claim: &Claim) -> Result<bool> {
        let key = self.keys.records(claim.customer, table);
        let mut cmd = redis::cmd("HEXISTS");
        cmd.arg(&key).arg(claim.id.as_bytes());
        decoded(self.servers.ask(Way::read(&key), Again::Fine, Ask::Command(cmd)).await?)
    }

    async fn drop_name(&self, record: &NewRecord<'_>, name: &str) -> Result<()> {
        let key = self.keys.unique(record.table, name);
        let mut call = self.scripts.drop_name.call(&[&key]);
        call.arg(whose(record));
        let ask = Ask::Script(&self.scripts.drop_name, call);
        self.servers.ask(Way::write(&key), Again::Fine, ask).await?;
        Ok(())
    }

    async fn drop_record(&self, record: &NewRecord<'_>) -> Result<bool> {
        let keys = self.record_keys(record);
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut call = self.scripts.remove.call(&keys);
        call.arg(record.id.as_bytes());
        Ok(self.record_write(record, Again::Never, &self.scripts.remove, call).await? > 0)
    }

    async fn claim_of(&self, table: Table, name: &str) -> Result<Option<Claim>> {
        let key = self.keys.unique(table, name);
        let mut cmd = redis::cmd("GET");
        cmd.arg(&key);
        let claim: Option<Vec<u8>> = decoded(self.servers.ask(Way::read(&key), Again::Fine, Ask::Command(cmd)).await?)?;
        claim.map(Claim::read).transpose()
    }
}

#[async_trait]
impl Records for Body {
    async fn now(&self) -> Result<Micros> {
        self.time(&self.keys.schema()).await
    }

    async fn insert(&self, record: NewRecord<'_>) -> Result<bool> {
        if let Some(name) = record.unique
            && !self.claim_name(&record, name).await?
        {
            return Ok(false);
        }
        let keys = self.record_keys(&record);
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut call = self.scripts.insert.call(&keys);
        call.arg(record.id.as_bytes()).arg(record.bytes).arg(record.at.0);
        self.record_write(&record, Again::Fine, &self.scripts.insert, call).await?;
        if let Some(name) = record.unique {
            let claim = self.claim_of(record.table, name).await?;
            if claim.is_none_or(|claim| (claim.customer, claim.id) != (record.customer, record.id)) {
                self.drop_record(&record).await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn get(&self, table: Table, customer: CustomerId, id: Uuid) -> Result<Option<Vec<u8>>> {
        let key = self.keys.records(customer, table);
        let mut cmd = redis::cmd("HGET");
        cmd.arg(&key).arg(id.as_bytes());
        decoded(self.servers.ask(Way::read(&key), Again::Fine, Ask::Command(cmd)).await?)
    }

    async fn get_all(&self, table: Table, customer: CustomerId, ids: &[Uuid]) -> Result<Vec<Option<Vec<u8>>>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let key = self.keys.records(customer, table);
        let mut cmd = redis::cmd("HMGET");
        cmd.arg(&key).arg(ids.iter().map(Uuid::as_bytes).collect::<Vec<_>>());
        decoded(self.servers.ask(Way::read(&key), Again::Fine, Ask::Command(cmd)).await?)
    }

    async fn replace(&self, table: Table, customer: CustomerId, id: Uuid, before: &[u8], after: &[u8]) -> Result<bool> {
        let key = self.keys.records(customer, table);
        let mut call = self.scripts.replace.call(&[&key]);
        call.arg(id.as_bytes()).arg(before).arg(after);
        let ask = Ask::Script(&self.scripts.replace, call);
        decoded(self.servers.ask(Way::write(&key), Again::Never, ask).await?)
    }

    async fn remove(&self, record: NewRecord<'_>) -> Result<bool> {
        let removed = self.drop_record(&record).await?;
        if let Some(name) = record.unique {
            self.drop_name(&record, name).await?;
        }
        Ok(removed)
    }

    async fn list(
        &self,
        table: Table,
        customer: CustomerId,
        list: List,
        around: Around,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let keys = (self.keys.records_list(customer, table, list), self.keys.records(customer, table));
        let rows = self.rows(&keys.0, Some(&keys.1), around, limit).await?;
        Ok(rows.into_iter().map(|row| Row { at: row.at, id: row.id, bytes: row.bytes }).collect())
    }

    async fn find(&self, table: Table, unique: &str) -> Result<Option<(CustomerId, Uuid)>> {
        match self.claim_of(table, unique).await? {
            Some(claim) if self.holds(table, &claim).await? => Ok(Some((claim.customer, claim.id))),
            _ => Ok(None),
        }
    }
}
