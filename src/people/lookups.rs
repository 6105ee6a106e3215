//! Who is it? Asked one by one by calls, and by all sockets of a customer together.
//!
//! Both ask the store each time: nobody acts on memory. Together is for clients that come back by
//! the thousand; an answer is never older than its question, and may take a little longer.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::model::CustomerId;
use crate::store::together::Together;
use crate::store::{Result, Store, Table};

/// Between two reads of one kind and customer, or of one access key.
const SPACING: Duration = Duration::from_millis(20);

/// How a credential is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Alone,
    Together,
}

/// Reads of records and unique names.
pub(super) struct Lookups {
    store: Store,
    records: Together<(Table, CustomerId), Uuid, Option<Vec<u8>>>,
    names: Together<(Table, String), (), Option<(CustomerId, Uuid)>>,
}

impl Lookups {
    pub(super) fn new(store: &Store) -> Self {
        let body = Arc::clone(&store.records);
        let records = Together::new(SPACING, move |(table, customer), ids: Vec<Uuid>| {
            let body = Arc::clone(&body);
            Box::pin(async move { body.get_all(table, customer, &ids).await })
        });
        let body = Arc::clone(&store.records);
        let names = Together::new(SPACING, move |(table, name): (Table, String), asked: Vec<()>| {
            let body = Arc::clone(&body);
            Box::pin(async move { Ok(vec![body.find(table, &name).await?; asked.len()]) })
        });
        Self { store: store.clone(), records, names }
    }

    /// The record's bytes.
    pub(super) async fn get(&self, way: Way, table: Table, customer: CustomerId, id: Uuid) -> Result<Option<Vec<u8>>> {
        match way {
            Way::Alone => self.store.records.get(table, customer, id).await,
            Way::Together => self.records.ask((table, customer), id).await,
        }
    }

    /// The record of a unique name: its customer and id.
    pub(super) async fn find(&self, way: Way, table: Table, name: &str) -> Result<Option<(CustomerId, Uuid)>> {
        match way {
            Way::Alone => self.store.records.find(table, name).await,
            Way::Together => self.names.ask((table, name.to_owned()), ()).await,
        }
    }
}
