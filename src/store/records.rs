//! The contract of the records of people and files.

use async_trait::async_trait;

use crate::model::{AgentId, CustomerId, Micros};

use super::{Around, Result};

/// Records of people and files: an id, a moment of creation and bytes that only their room reads.
#[async_trait]
pub trait Records: Send + Sync {
    /// The store's clock.
    async fn now(&self) -> Result<Micros>;

    /// Adds a record to its table and lists. `false`, and nothing is done, when `unique` (a name
    /// within the table, over all customers) is taken by another record.
    async fn insert(&self, record: NewRecord<'_>) -> Result<bool>;

    /// The record's bytes.
    async fn get(&self, table: Table, customer: CustomerId, id: uuid::Uuid) -> Result<Option<Vec<u8>>>;

    /// The bytes of records of one table, in the order of the ids. Bodies that can read them at
    /// once do.
    async fn get_all(&self, table: Table, customer: CustomerId, ids: &[uuid::Uuid]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.push(self.get(table, customer, *id).await?);
        }
        Ok(found)
    }

    /// Replaces the bytes if they are still `before`; `false` if they are not.
    async fn replace(
        &self,
        table: Table,
        customer: CustomerId,
        id: uuid::Uuid,
        before: &[u8],
        after: &[u8],
    ) -> Result<bool>;

    /// Takes the record out of its table, lists and unique name; `false` when it was not there.
    async fn remove(&self, record: NewRecord<'_>) -> Result<bool>;

    /// Rows of a list, with their bytes.
    async fn list(
        &self,
        table: Table,
        customer: CustomerId,
        list: List,
        around: Around,
        limit: usize,
    ) -> Result<Vec<Row>>;

    /// The record of a unique name: its customer and id.
    async fn find(&self, table: Table, unique: &str) -> Result<Option<(CustomerId, uuid::Uuid)>>;
}

/// A record to add, or to take away.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    pub table: Table,
    pub customer: CustomerId,
    pub id: uuid::Uuid,
    pub at: Micros,
    pub unique: Option<&'a str>,
    /// In which lists it stands.
    pub lists: &'a [List],
    pub bytes: &'a [u8],
}

/// A row of a list of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub at: Micros,
    pub id: uuid::Uuid,
    pub bytes: Vec<u8>,
}

/// The tables of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Kept under the nil customer.
    Customers,
    Agents,
    AccessKeys,
    Files,
}

/// The lists of a table's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum List {
    /// All of the customer's.
    All,
    /// Those of one agent.
    Of(AgentId),
}
