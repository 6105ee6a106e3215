//! The link of a single node: what the writer has put on disk, it tells.

use async_trait::async_trait;

use super::super::{Channel, Head, Heard, Link, Notice, Result};
use super::Embedded;
use super::tables::{NOTICES, Step};
use super::writer::Batch;
use crate::model::CustomerId;
use redb::ReadableTable;

#[async_trait]
impl Link for Embedded {
    async fn watch(&self, channels: Vec<Channel>) {
        self.medium.watching(|watched| watched.extend(channels));
    }

    fn unwatch(&self, channels: Vec<Channel>) {
        self.medium.watching(|watched| {
            for channel in channels {
                watched.remove(&channel);
            }
            watched.shrink_to(watched.len().saturating_mul(2));
        });
    }

    async fn notify(&self, customer: CustomerId, notice: Notice) -> Result<()> {
        self.writer.act(move |batch| batch.notify(customer, notice)).await
    }

    async fn notices(&self, customer: CustomerId) -> Result<u64> {
        self.medium
            .read(|file| Ok(file.open_table(NOTICES)?.get(customer.0.as_u128())?.map_or(0, |number| number.value())))
    }

    /// There is no other node, and this one heard of each commit when it was made.
    async fn tell_heads(&self, _: &[Head]) -> Result<()> {
        Ok(())
    }

    async fn healthy(&self) -> bool {
        self.writer.is_up() && !self.medium.is_broken() && self.medium.read(|_| Ok(())).is_ok()
    }
}

impl Batch<'_> {
    /// Numbers the notice and tells it.
    pub(super) fn notify(&mut self, customer: CustomerId, notice: Notice) -> Step<()> {
        let notices = self.tables.notices.open()?;
        let number = notices.get(customer.0.as_u128())?.map_or(0, |number| number.value()) + 1;
        notices.insert(customer.0.as_u128(), number)?;
        self.news.push(Heard::Noticed { customer, number, notice });
        Ok(())
    }
}
