//! Customers: made and listed by the operator, seen by their agents.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::{CustomerId, Micros};
use crate::store::{self, Around, List, NewRecord, Row, Table};
use crate::wire::page::PageRequest;
use crate::wire::{ApiError, time};

use super::record::{self, CustomerRecord};
use super::settings::Directory;
use super::{DETAIL_CHARS_MAX, NAME_CHARS_MAX, People, check_text};

/// Customers are kept under this one.
const ROOT: CustomerId = CustomerId(Uuid::nil());

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    pub id: CustomerId,
    pub name: String,
    pub detail: String,
    /// `None` for a customer that only the identity provider knows.
    pub created: Option<Micros>,
    pub updated: Option<Micros>,
}

/// A customer, as its agents see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Customer)]
pub struct CustomerBody {
    pub id: Uuid,
    pub name: String,
    pub detail: String,
    #[schema(example = "2024-01-17 10:30:00.000000")]
    pub tm_create: String,
    pub tm_update: String,
    /// `""` unless deleted.
    pub tm_delete: String,
}

impl Customer {
    /// As its agents see it.
    #[must_use]
    pub fn body(&self) -> CustomerBody {
        CustomerBody {
            id: self.id.0,
            name: self.name.clone(),
            detail: self.detail.clone(),
            tm_create: time::format_option(self.created),
            tm_update: time::format_option(self.updated),
            tm_delete: String::new(),
        }
    }
}

impl CustomerRecord {
    fn customer(&self) -> Customer {
        Customer {
            id: CustomerId(self.id),
            name: self.name.clone(),
            detail: self.detail.clone(),
            created: Some(Micros(self.created)),
            updated: Some(Micros(self.updated)),
        }
    }
}

impl People {
    /// Makes a customer. Asking whether the caller may is the edge's part: only the operator does.
    ///
    /// # Errors
    /// A field that is wrong, or a store that does not answer.
    pub async fn create_customer(&self, name: &str, detail: &str) -> Result<Customer, ApiError> {
        if name.is_empty() {
            return Err(ApiError::argument("name must not be empty"));
        }
        check_text("name", name, NAME_CHARS_MAX)?;
        check_text("detail", detail, DETAIL_CHARS_MAX)?;
        let records = &self.store().records;
        let now = records.now().await?;
        let customer = CustomerRecord {
            id: Uuid::new_v4(),
            name: name.to_owned(),
            detail: detail.to_owned(),
            created: now.0,
            updated: now.0,
        };
        let bytes = record::write(&customer)?;
        let place = NewRecord {
            table: Table::Customers,
            customer: ROOT,
            id: customer.id,
            at: now,
            unique: None,
            lists: &[List::All],
            bytes: &bytes,
        };
        records.insert(place).await?;
        tracing::info!(customer_id = %customer.id, "customer made");
        Ok(customer.customer())
    }

    /// The customers on a page.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn customers(&self, page: &PageRequest) -> Result<Vec<Customer>, ApiError> {
        let read = |bytes: &[u8]| Ok(Some(record::read::<CustomerRecord>("customer", bytes)?.customer()));
        self.rows(Table::Customers, ROOT, List::All, page, read).await.map_err(ApiError::from)
    }

    /// The customer of this id. With the directory `claims` the identity provider's customers need
    /// no record here, and have no name then.
    ///
    /// # Errors
    /// 400 when there is none, or a store that does not answer.
    pub async fn customer(&self, id: CustomerId) -> Result<Customer, ApiError> {
        match self.store().records.get(Table::Customers, ROOT, id.0).await? {
            Some(bytes) => Ok(record::read::<CustomerRecord>("customer", &bytes)?.customer()),
            None if self.shared.directory == Directory::Claims => {
                Ok(Customer { id, name: String::new(), detail: String::new(), created: None, updated: None })
            }
            None => Err(ApiError::argument("customer_id: no such customer")),
        }
    }

    /// Reads a page of a list, leaving out what `read` has no use for: the page is full as long as
    /// the list goes on.
    pub(super) async fn rows<T>(
        &self,
        table: Table,
        customer: CustomerId,
        list: List,
        page: &PageRequest,
        read: impl Fn(&[u8]) -> store::Result<Option<T>>,
    ) -> store::Result<Vec<T>> {
        let mut around = page.around();
        let mut kept = Vec::new();
        loop {
            let wanted = page.limit - kept.len();
            let rows = self.store().records.list(table, customer, list, around, wanted).await?;
            for Row { bytes, .. } in &rows {
                kept.extend(read(bytes)?);
            }
            match rows.last() {
                Some(last) if rows.len() == wanted && kept.len() < page.limit => {
                    around =
                        if page.ascending { Around::After(last.at, last.id) } else { Around::Before(last.at, last.id) };
                }
                Some(_) | None => return Ok(kept),
            }
        }
    }
}
