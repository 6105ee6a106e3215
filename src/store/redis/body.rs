//! What the four parts of the store have in common: the lanes, the scripts, the spelling of keys.

use std::sync::Arc;

use redis::{FromRedisValue, Value};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::chat_log::Heads;
use super::gathering::Gathering;
use super::hearing::Hearing;
use super::keys::Keys;
use super::lanes::Ask;
use super::scripts::Scripts;
use super::servers::{Again, Servers, Way};
use crate::model::Micros;
use crate::store::{Around, Result, StoreError};

/// The store on Redis. All its traits are made of this.
#[derive(Clone)]
pub(crate) struct Body {
    pub(crate) servers: Servers,
    pub(crate) scripts: Arc<Scripts>,
    pub(crate) keys: Keys,
    pub(crate) gathering: Gathering,
    pub(crate) heads: Heads,
    pub(crate) hearing: Arc<Hearing>,
    /// Where work goes that nobody waits for.
    pub(crate) runtime: Handle,
    /// Whether a write takes more than its answer to count as done.
    pub(crate) waits: bool,
    /// Held so that the runtime lives.
    #[expect(dead_code, reason = "its being there is its use")]
    pub(crate) alive: mpsc::Sender<()>,
}

/// An answer as the type it should have.
pub(crate) fn decoded<T: FromRedisValue>(value: Value) -> Result<T> {
    redis::from_redis_value(value).map_err(|error| StoreError::Corrupt(format!("unexpected answer: {error}")))
}

/// A row of a list: id, moment and, where there is a table, bytes.
pub(crate) struct ListRow {
    pub(crate) id: Uuid,
    pub(crate) at: Micros,
    pub(crate) bytes: Vec<u8>,
}

impl Body {
    /// The clock of the server that has this key.
    pub(crate) async fn time(&self, key: &str) -> Result<Micros> {
        let time = self.servers.ask(Way::read(key), Again::Fine, Ask::Command(redis::cmd("TIME"))).await?;
        let (seconds, micros): (u64, u64) = decoded(time)?;
        Ok(Micros(seconds * 1_000_000 + micros))
    }

    /// Rows of a list, at most `limit`; with the rows' bytes when there is a table for them.
    pub(crate) async fn rows(
        &self,
        list: &str,
        table: Option<&str>,
        around: Around,
        limit: usize,
    ) -> Result<Vec<ListRow>> {
        /// Rows that one call answers with, at most.
        const ROWS_MAX: usize = 500;
        let mut found: Vec<ListRow> = Vec::new();
        let mut around = around;
        let keys: Vec<&str> = std::iter::once(list).chain(table).collect();
        while found.len() < limit {
            let asked = (limit - found.len()).min(ROWS_MAX);
            let (word, from) = match around {
                Around::Newest => ("n", None),
                Around::Before(at, id) => ("n", Some((at, id))),
                Around::Oldest => ("o", None),
                Around::After(at, id) => ("o", Some((at, id))),
            };
            let mut call = self.scripts.rows.call(&keys);
            call.arg(word).arg(asked);
            match from {
                None => call.arg("").arg(""),
                Some((at, id)) => call.arg(at.0).arg(id.as_bytes()),
            };
            let answer = self.servers.ask(Way::read(list), Again::Fine, Ask::Script(&self.scripts.rows, call)).await?;
            let flat: Vec<Vec<u8>> = decoded(answer)?;
            let width = if table.is_some() { 3 } else { 2 };
            for row in flat.chunks_exact(width) {
                found.push(read_row(row)?);
            }
            match found.last() {
                Some(last) if flat.len() == asked * width => {
                    around = match around {
                        Around::Newest | Around::Before(..) => Around::Before(last.at, last.id),
                        Around::Oldest | Around::After(..) => Around::After(last.at, last.id),
                    };
                }
                _ => break,
            }
        }
        Ok(found)
    }
}

fn read_row(row: &[Vec<u8>]) -> Result<ListRow> {
    let read = || {
        let id = Uuid::from_slice(row.first()?).ok()?;
        let at = std::str::from_utf8(row.get(1)?).ok()?.parse().ok()?;
        Some(ListRow { id, at: Micros(at), bytes: row.get(2).cloned().unwrap_or_default() })
    };
    read().ok_or_else(|| StoreError::Corrupt("malformed row of a list".to_owned()))
}
