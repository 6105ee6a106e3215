//! Records of people and files.

use async_trait::async_trait;
use redb::ReadableTable;
use uuid::Uuid;

use super::super::{Around, List, NewRecord, Records, Result, Row, StoreError, Table};
use super::Embedded;
use super::chat_index::{bounds, in_order};
use super::tables::{RECORDS, ROWS, Step, UNIQUES};
use super::writer::Batch;
use crate::model::{CustomerId, Micros};

/// A record to add or to take away, held as long as the command waits.
struct Kept {
    table: u8,
    customer: u128,
    id: u128,
    at: u64,
    unique: Option<String>,
    lists: Vec<List>,
    bytes: Vec<u8>,
}

impl From<NewRecord<'_>> for Kept {
    fn from(record: NewRecord<'_>) -> Self {
        Self {
            table: number(record.table),
            customer: record.customer.0.as_u128(),
            id: record.id.as_u128(),
            at: record.at.0,
            unique: record.unique.map(str::to_owned),
            lists: record.lists.to_vec(),
            bytes: record.bytes.to_vec(),
        }
    }
}

impl Kept {
    /// Where the record stands in its lists.
    fn rows(&self) -> impl Iterator<Item = (u8, u128, u8, u128, u64, u128)> {
        self.lists.iter().map(|list| {
            let (kind, agent) = place(*list);
            (self.table, self.customer, kind, agent, self.at, self.id)
        })
    }
}

/// A table's number in the file, for good.
fn number(table: Table) -> u8 {
    match table {
        Table::Customers => 1,
        Table::Agents => 2,
        Table::AccessKeys => 3,
        Table::Files => 4,
    }
}

/// A list's number in the file, for good, and its agent.
fn place(list: List) -> (u8, u128) {
    match list {
        List::All => (0, 0),
        List::Of(agent) => (1, agent.0.as_u128()),
    }
}

#[async_trait]
impl Records for Embedded {
    async fn now(&self) -> Result<Micros> {
        Ok(self.medium.now())
    }

    async fn insert(&self, record: NewRecord<'_>) -> Result<bool> {
        let record = Kept::from(record);
        self.writer.act(move |batch| batch.insert(&record)).await
    }

    async fn get(&self, table: Table, customer: CustomerId, id: Uuid) -> Result<Option<Vec<u8>>> {
        let place = (number(table), customer.0.as_u128(), id.as_u128());
        self.medium.read(|file| Ok(file.open_table(RECORDS)?.get(place)?.map(|bytes| bytes.value().to_vec())))
    }

    async fn replace(&self, table: Table, customer: CustomerId, id: Uuid, before: &[u8], after: &[u8]) -> Result<bool> {
        let place = (number(table), customer.0.as_u128(), id.as_u128());
        let (before, after) = (before.to_vec(), after.to_vec());
        let act = move |batch: &mut Batch<'_>| {
            let records = batch.tables.records.open()?;
            let same = records.get(place)?.is_some_and(|bytes| bytes.value() == before);
            if same {
                records.insert(place, &after[..])?;
            }
            Ok(same)
        };
        self.writer.act(act).await
    }

    async fn remove(&self, record: NewRecord<'_>) -> Result<bool> {
        let record = Kept::from(record);
        self.writer.act(move |batch| batch.remove(&record)).await
    }

    async fn list(
        &self,
        table: Table,
        customer: CustomerId,
        list: List,
        around: Around,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let (table, customer, (kind, agent)) = (number(table), customer.0.as_u128(), place(list));
        self.medium.read(|file| {
            let Some((first, last)) = bounds(around) else { return Ok(Vec::new()) };
            let (rows, records) = (file.open_table(ROWS)?, file.open_table(RECORDS)?);
            let stretch = rows.range(
                (table, customer, kind, agent, first.0, first.1)..=(table, customer, kind, agent, last.0, last.1),
            )?;
            let mut found = Vec::new();
            for row in in_order(stretch, around, limit) {
                let (.., at, id) = row?.0.value();
                let missing = || StoreError::Corrupt("a list names a record that is not there".to_owned());
                let bytes = records.get((table, customer, id))?.ok_or_else(missing)?;
                found.push(Row { at: Micros(at), id: Uuid::from_u128(id), bytes: bytes.value().to_vec() });
            }
            Ok(found)
        })
    }

    async fn find(&self, table: Table, unique: &str) -> Result<Option<(CustomerId, Uuid)>> {
        self.medium.read(|file| {
            let found = file.open_table(UNIQUES)?.get((number(table), unique))?.map(|found| found.value());
            Ok(found.map(|(customer, id)| (CustomerId(Uuid::from_u128(customer)), Uuid::from_u128(id))))
        })
    }
}

impl Batch<'_> {
    fn insert(&mut self, record: &Kept) -> Step<bool> {
        if let Some(unique) = &record.unique {
            let uniques = self.tables.uniques.open()?;
            let holder = uniques.get((record.table, unique.as_str()))?.map(|holder| holder.value());
            if holder.is_some_and(|holder| holder != (record.customer, record.id)) {
                return Ok(false);
            }
            uniques.insert((record.table, unique.as_str()), (record.customer, record.id))?;
        }
        let records = self.tables.records.open()?;
        records.insert((record.table, record.customer, record.id), &record.bytes[..])?;
        let rows = self.tables.rows.open()?;
        for row in record.rows() {
            rows.insert(row, ())?;
        }
        Ok(true)
    }

    fn remove(&mut self, record: &Kept) -> Step<bool> {
        let there = self.tables.records.open()?.remove((record.table, record.customer, record.id))?.is_some();
        let rows = self.tables.rows.open()?;
        for row in record.rows() {
            rows.remove(row)?;
        }
        if let Some(unique) = &record.unique {
            let uniques = self.tables.uniques.open()?;
            let holder = uniques.get((record.table, unique.as_str()))?.map(|holder| holder.value());
            if holder == Some((record.customer, record.id)) {
                uniques.remove((record.table, unique.as_str()))?;
            }
        }
        Ok(there)
    }
}
