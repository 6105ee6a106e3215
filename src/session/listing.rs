//! Which chats a list holds, read for many sockets at once and kept while nothing is announced.
//!
//! A list only ever gains by an announcement, and an announcement numbers the customer's notices
//! in the same act. So a list that was read after notice 7 was the newest is whole for as long as 7 is the
//! newest, and that number is asked for all sockets of the customer together. What a list
//! holds too much is filtered by the chats themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::model::{ChatId, CustomerId};
use crate::store::together::Together;
use crate::store::{Around, ChatList, Result, Store};

/// Rows of an index read at once.
const ROWS: usize = 1000;
/// Between two reads of one list, and of one customer's number of notices.
const SPACING: Duration = Duration::from_millis(20);
/// Ids of all lists that are kept, each list counting as a few more; beyond it all are let go.
const KEPT_IDS_MAX: usize = 1 << 20;
/// What a list costs besides its ids, in ids.
const LIST_IDS: usize = 8;
/// How long a list is kept. A store that lost its newest writes may give a number out twice.
const KEPT: Duration = Duration::from_secs(10);

type Name = (CustomerId, ChatList);

/// The lists of chats, for the sockets of a node.
pub struct Lists {
    numbers: Together<CustomerId, (), u64>,
    reads: Together<Name, (), Arc<[ChatId]>>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lists: HashMap<Name, List>,
    ids: usize,
}

struct List {
    /// The newest notice before it was read.
    number: u64,
    read: Instant,
    chats: Arc<[ChatId]>,
}

impl Lists {
    /// Nothing is kept yet. A list has at most as many chats as a connection may follow, and a
    /// page more.
    #[must_use]
    pub fn new(store: &Store, followed_chats_max: usize) -> Self {
        let link = Arc::clone(&store.link);
        let numbers = Together::new(SPACING, move |customer, asked: Vec<()>| {
            let link = Arc::clone(&link);
            Box::pin(async move { Ok(vec![link.notices(customer).await?; asked.len()]) })
        });
        let store = store.clone();
        let reads = Together::new(SPACING, move |(customer, list), asked: Vec<()>| {
            let store = store.clone();
            Box::pin(async move {
                let chats = read(&store, customer, list, followed_chats_max).await?;
                Ok(vec![chats; asked.len()])
            })
        });
        Self { numbers, reads, kept: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything in the list, at least as it was when this was asked.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn chats(&self, customer: CustomerId, list: ChatList) -> Result<Arc<[ChatId]>> {
        let number = self.numbers.ask(customer, ()).await?;
        let name = (customer, list);
        let found = |kept: &Kept| {
            let found = kept.lists.get(&name).filter(|list| list.number == number && list.read.elapsed() < KEPT);
            found.map(|list| Arc::clone(&list.chats))
        };
        if let Some(chats) = found(&self.lock()) {
            return Ok(chats);
        }
        let chats = self.reads.ask(name, ()).await?;
        let mut kept = self.lock();
        let ids = chats.len() + LIST_IDS;
        if kept.ids + ids > KEPT_IDS_MAX {
            *kept = Kept::default();
        }
        kept.ids += ids;
        let new = List { number, read: Instant::now(), chats: Arc::clone(&chats) };
        if let Some(old) = kept.lists.insert(name, new) {
            kept.ids = kept.ids.saturating_sub(old.chats.len() + LIST_IDS);
        }
        Ok(chats)
    }
}

async fn read(store: &Store, customer: CustomerId, list: ChatList, most: usize) -> Result<Arc<[ChatId]>> {
    let (mut chats, mut around) = (Vec::new(), Around::Newest);
    while chats.len() <= most {
        let rows = store.index.chats(customer, list, around, ROWS).await?;
        let Some((at, id)) = rows.last() else { break };
        around = Around::Before(*at, id.0);
        let last = rows.len() < ROWS;
        chats.extend(rows.into_iter().map(|(_, id)| id));
        if last {
            break;
        }
    }
    Ok(chats.into())
}
