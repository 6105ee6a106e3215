//! Which chats a list holds, read for many sockets at once and kept while nothing is announced.
//!
//! A list only ever gains by an announcement, and an announcement numbers the customer's notices
//! in the same act. So a list that was read after notice 7 was the newest is whole for as long as 7 is the
//! newest, and that number is asked for all sockets of the customer together. What a list
//! holds too much is filtered by the chats themselves. A store that lost its newest writes gives a
//! number out twice: whenever news may have been missed, what is kept of the customer is forgotten.

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
/// What a list, and a customer who has some, costs besides the ids, in ids.
const LIST_IDS: usize = 8;
/// How long a list is kept, should it not be told that news was missed.
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
    customers: HashMap<CustomerId, Customer>,
    ids: usize,
    /// Lives that customers have begun here.
    lives: u64,
}

/// What is kept of a customer, from one missed notice to the next.
struct Customer {
    /// Told by it: a list that was asked for in another life is not kept.
    life: u64,
    lists: HashMap<ChatList, List>,
}

struct List {
    /// The newest notice before it was read.
    number: u64,
    read: Instant,
    chats: Arc<[ChatId]>,
}

impl Kept {
    /// The life that the customer is in.
    fn life(&mut self, customer: CustomerId) -> u64 {
        if let Some(there) = self.customers.get(&customer) {
            return there.life;
        }
        self.make_room(LIST_IDS);
        self.lives += 1;
        self.customers.insert(customer, Customer { life: self.lives, lists: HashMap::new() });
        self.lives
    }

    fn make_room(&mut self, ids: usize) {
        if self.ids + ids > KEPT_IDS_MAX {
            self.customers.clear();
            self.ids = 0;
        }
        self.ids += ids;
    }

    fn found(&self, (customer, list): Name, number: u64) -> Option<Arc<[ChatId]>> {
        let found = self.customers.get(&customer)?.lists.get(&list)?;
        (found.number == number && found.read.elapsed() < KEPT).then(|| Arc::clone(&found.chats))
    }

    fn keep(&mut self, (customer, list): Name, life: u64, new: List) {
        let ids = new.chats.len() + LIST_IDS;
        self.make_room(ids);
        let there = self.customers.get_mut(&customer).filter(|there| there.life == life);
        let over = match there {
            Some(there) => there.lists.insert(list, new).map_or(0, |old| old.chats.len() + LIST_IDS),
            None => ids,
        };
        self.ids = self.ids.saturating_sub(over);
    }

    fn forget(&mut self, customer: CustomerId) {
        let Some(gone) = self.customers.remove(&customer) else { return };
        let ids: usize = gone.lists.values().map(|list| list.chats.len() + LIST_IDS).sum();
        self.ids = self.ids.saturating_sub(ids + LIST_IDS);
    }
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
        let name = (customer, list);
        let life = self.lock().life(customer);
        let number = self.numbers.ask(customer, ()).await?;
        if let Some(chats) = self.lock().found(name, number) {
            return Ok(chats);
        }
        let chats = self.reads.ask(name, ()).await?;
        let new = List { number, read: Instant::now(), chats: Arc::clone(&chats) };
        self.lock().keep(name, life, new);
        Ok(chats)
    }

    /// Forgets what is kept of the customer: its numbers may be given out again.
    pub fn forget(&self, customer: CustomerId) {
        self.lock().forget(customer);
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
