//! What the writer does in between: lets go what has expired, a bounded number at a time, and
//! cleans up after deletions.

use redb::ReadableTable;

use super::super::ChatList;
use super::medium::Medium;
use super::scrub::Scrub;
use super::tables::{CLAIM_COUNTS, CLAIMS_DUE, FORGOTTEN, Step};
use super::writer::Batch;
use crate::model::{AgentId, ChatId, CustomerId};
use uuid::Uuid;

/// Rows of each table that one step lets go.
const SWEEP_ROWS: usize = 256;

/// One hour in microseconds.
pub(super) const HOUR: u64 = 3_600_000_000;

/// What is left to tidy up.
#[derive(Default)]
pub(super) struct Tidying {
    scrub: Scrub,
}

impl Tidying {
    /// Does some of it; whether there is more to do at once.
    pub(super) fn step(&mut self, medium: &Medium) -> Step<bool> {
        let more = if anything_expired(medium)? { medium.write(|batch| batch.sweep())? } else { false };
        Ok(self.scrub.step(medium)? || more)
    }

    /// Leaves the file in order: after this no page holds a deleted text.
    pub(super) fn finish(&mut self, medium: &Medium) {
        if let Err(fault) = self.scrub.finish(medium) {
            let error = super::super::StoreError::from(fault);
            tracing::warn!(%error, "free pages not overwritten, that is due at the next start");
        }
    }
}

fn anything_expired(medium: &Medium) -> Step<bool> {
    let now = medium.now().0;
    let expired = medium.read(|file| {
        let claim = file.open_table(CLAIMS_DUE)?.first()?.is_some_and(|(due, _)| due.value().0 <= now);
        let count = file.open_table(CLAIM_COUNTS)?.first()?.is_some_and(|(hour, _)| hour.value().0 < now / HOUR);
        let chat = file.open_table(FORGOTTEN)?.first()?.is_some_and(|(due, _)| due.value().0 <= now);
        Ok(claim || count || chat)
    })?;
    Ok(expired)
}

impl Batch<'_> {
    /// Lets go what has expired; whether there is more.
    fn sweep(&mut self) -> Step<bool> {
        let claims = self.sweep_claims()?;
        let counts = self.sweep_counts()?;
        let chats = self.sweep_forgotten()?;
        Ok(claims == SWEEP_ROWS || counts == SWEEP_ROWS || chats == SWEEP_ROWS)
    }

    fn sweep_claims(&mut self) -> Step<usize> {
        let mut expired = Vec::new();
        for row in self.tables.claims_due.open()?.range(..=(self.now.0, u128::MAX, u128::MAX, ""))?.take(SWEEP_ROWS) {
            let (row, _) = row?;
            let (due, customer, agent, key) = row.value();
            expired.push((due, customer, agent, key.to_owned()));
        }
        for (due, customer, agent, key) in &expired {
            self.tables.claims_due.open()?.remove((*due, *customer, *agent, key.as_str()))?;
            self.tables.claims.open()?.remove((*customer, *agent, key.as_str()))?;
        }
        Ok(expired.len())
    }

    fn sweep_counts(&mut self) -> Step<usize> {
        let counts = self.tables.claim_counts.open()?;
        let mut expired = Vec::new();
        for row in counts.range(..(self.now.0 / HOUR, 0, 0))?.take(SWEEP_ROWS) {
            expired.push(row?.0.value());
        }
        for row in &expired {
            counts.remove(row)?;
        }
        Ok(expired.len())
    }

    fn sweep_forgotten(&mut self) -> Step<usize> {
        let mut expired = Vec::new();
        for row in
            self.tables.forgotten.open()?.range(..=(self.now.0, u128::MAX, u128::MAX, u128::MAX))?.take(SWEEP_ROWS)
        {
            expired.push(row?.0.value());
        }
        for (_, customer, agent, chat) in &expired {
            let (customer, chat) = (CustomerId(Uuid::from_u128(*customer)), ChatId(Uuid::from_u128(*chat)));
            // Leaving may be heard of after coming in again: the roster knows which was last.
            if self.tables.members.open()?.get((chat.key().0, *agent))?.is_some() {
                self.keep(customer, AgentId(Uuid::from_u128(*agent)), chat)?;
            } else {
                self.unlist(customer, ChatList::Agent(AgentId(Uuid::from_u128(*agent))), chat)?;
            }
        }
        Ok(expired.len())
    }
}
