//! Records of people and files.

use talk_hub::model::{AgentId, CustomerId, Micros};
use talk_hub::store::{Around, List, NewRecord, Records, Row, Table};
use uuid::Uuid;

use super::{Body, Stage};

const TABLES: [Table; 4] = [Table::Customers, Table::Agents, Table::AccessKeys, Table::Files];

/// A record with a random id, in the list of all.
fn record(table: Table, customer: CustomerId, at: u64, bytes: &[u8]) -> NewRecord<'_> {
    NewRecord { table, customer, id: Uuid::new_v4(), at: Micros(at), unique: None, lists: &[List::All], bytes }
}

/// The ids of a list, newest first.
async fn ids(records: &dyn Records, of: NewRecord<'_>, list: List) -> Vec<Uuid> {
    let rows = records.list(of.table, of.customer, list, Around::Newest, 10_000).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

pub async fn a_record_is_read_and_listed<B: Body>(stage: Stage<B>) {
    let records = stage.store.records.as_ref();
    let customer = CustomerId::random();
    for table in TABLES {
        let kept = record(table, customer, 12, b"\0bytes\xff");
        assert_eq!(records.get(table, customer, kept.id).await.unwrap(), None);
        assert!(records.insert(kept).await.unwrap());
        assert_eq!(records.get(table, customer, kept.id).await.unwrap().as_deref(), Some(kept.bytes));
        let rows = records.list(table, customer, List::All, Around::Newest, 10).await.unwrap();
        assert_eq!(rows, [Row { at: Micros(12), id: kept.id, bytes: kept.bytes.to_vec() }]);
        assert_eq!(records.get(table, CustomerId::random(), kept.id).await.unwrap(), None);
        let elsewhere = NewRecord { customer: CustomerId::random(), ..kept };
        assert!(ids(records, elsewhere, List::All).await.is_empty());
    }
    assert!(records.now().await.unwrap() > Micros::ZERO);
    stage.close().await;
}

pub async fn a_record_is_in_its_lists_only<B: Body>(stage: Stage<B>) {
    let records = stage.store.records.as_ref();
    let (one, two) = (AgentId::random(), AgentId::random());
    let lists = [List::All, List::Of(one)];
    let customer = CustomerId::random();
    let in_both = NewRecord { lists: &lists, ..record(Table::Files, customer, 1, b"both") };
    let in_none = NewRecord { lists: &[], ..record(Table::Files, customer, 2, b"none") };
    assert!(records.insert(in_both).await.unwrap() && records.insert(in_none).await.unwrap());
    assert_eq!(ids(records, in_both, List::All).await, [in_both.id]);
    assert_eq!(ids(records, in_both, List::Of(one)).await, [in_both.id]);
    assert!(ids(records, in_both, List::Of(two)).await.is_empty());
    assert!(ids(records, NewRecord { table: Table::AccessKeys, ..in_both }, List::All).await.is_empty());
    assert_eq!(records.get(Table::Files, customer, in_none.id).await.unwrap().as_deref(), Some(&b"none"[..]));
    stage.close().await;
}

pub async fn lists_are_paged_also_across_equal_moments<B: Body>(stage: Stage<B>) {
    let records = stage.store.records.as_ref();
    let customer = CustomerId::random();
    let mut all = Vec::new();
    for at in [7, 7, 7, 1, 1_800_000_000_000_000, 7, 8, 1, 7] {
        let new = record(Table::Agents, customer, at, b"r");
        assert!(records.insert(new).await.unwrap());
        all.push((new.at, new.id));
    }
    all.sort_unstable();
    let page = async |around, limit| {
        let rows = records.list(Table::Agents, customer, List::All, around, limit).await.unwrap();
        assert!(rows.len() <= limit);
        rows.into_iter().map(|row| (row.at, row.id)).collect::<Vec<_>>()
    };
    for limit in [1, 2, 4, 9, 20] {
        let mut forward = page(Around::Oldest, limit).await;
        let mut back = page(Around::Newest, limit).await;
        for _ in 0..all.len() {
            let (at, id) = *forward.last().unwrap();
            forward.extend(page(Around::After(at, id), limit).await);
            let (at, id) = *back.last().unwrap();
            back.extend(page(Around::Before(at, id), limit).await);
        }
        back.reverse();
        assert_eq!(forward, all, "limit {limit}");
        assert_eq!(back, all, "limit {limit}");
    }
    assert_eq!(page(Around::Before(Micros(7), Uuid::nil()), 20).await.len(), 2);
    assert_eq!(page(Around::After(Micros(7), Uuid::max()), 20).await.len(), 2);
    assert!(page(Around::Newest, 0).await.is_empty());
    stage.close().await;
}

pub async fn a_unique_name_belongs_to_one_record<B: Body>(stage: Stage<B>) {
    let records = stage.store.records.as_ref();
    let (customer, other) = (CustomerId::random(), CustomerId::random());
    let unique = Some("zoë@example.test");
    assert_eq!(records.find(Table::Agents, "zoë@example.test").await.unwrap(), None);
    let first = NewRecord { unique, ..record(Table::Agents, customer, 1, b"first") };
    assert!(records.insert(first).await.unwrap());
    // Also for another customer; and nothing of the refused record is left.
    for second in [customer, other].map(|customer| NewRecord { unique, ..record(Table::Agents, customer, 2, b"no") }) {
        assert!(!records.insert(second).await.unwrap());
        assert_eq!(records.get(Table::Agents, second.customer, second.id).await.unwrap(), None);
        assert!(!ids(records, second, List::All).await.contains(&second.id));
    }
    assert_eq!(records.find(Table::Agents, "zoë@example.test").await.unwrap(), Some((customer, first.id)));
    // In another table it is another name.
    assert_eq!(records.find(Table::AccessKeys, "zoë@example.test").await.unwrap(), None);
    let key = NewRecord { unique, ..record(Table::AccessKeys, other, 3, b"key") };
    assert!(records.insert(key).await.unwrap());
    assert_eq!(records.find(Table::AccessKeys, "zoë@example.test").await.unwrap(), Some((other, key.id)));
    stage.close().await;
}

pub async fn a_record_inserted_again_is_there_once<B: Body>(stage: Stage<B>) {
    let records = stage.store.records.as_ref();
    let kept = NewRecord { unique: Some("again"), ..record(Table::Agents, CustomerId::random(), 1, b"x") };
    assert!(records.insert(kept).await.unwrap());
    assert!(records.insert(kept).await.unwrap(), "its own name is not taken by another");
    assert_eq!(ids(records, kept, List::All).await, [kept.id]);
    stage.close().await;
}

pub async fn bytes_are_replaced_only_if_they_are_still_the_same<B: Body>(stage: Stage<B>) {
    let records = stage.store.records.as_ref();
    let kept = record(Table::Agents, CustomerId::random(), 1, b"one");
    let replace =
        async |before: &[u8], after: &[u8]| records.replace(kept.table, kept.customer, kept.id, before, after).await;
    assert!(!replace(b"one", b"two").await.unwrap(), "there is nothing to replace");
    assert_eq!(records.get(kept.table, kept.customer, kept.id).await.unwrap(), None);
    records.insert(kept).await.unwrap();
    assert!(replace(b"one", b"two").await.unwrap());
    assert!(!replace(b"one", b"three").await.unwrap());
    assert!(!replace(b"", b"three").await.unwrap());
    assert_eq!(records.get(kept.table, kept.customer, kept.id).await.unwrap().as_deref(), Some(&b"two"[..]));
    let rows = records.list(kept.table, kept.customer, List::All, Around::Newest, 10).await.unwrap();
    assert_eq!(rows[0].bytes, b"two");
    stage.close().await;
}

pub async fn of_many_replacements_of_the_same_bytes_one_is_made<B: Body>(stage: Stage<B>) {
    let kept = record(Table::Agents, CustomerId::random(), 1, b"before");
    stage.store.records.insert(kept).await.unwrap();
    let tries: Vec<_> = (0..16u8)
        .map(|number| {
            let records = stage.store.records.clone();
            let (customer, id) = (kept.customer, kept.id);
            tokio::spawn(async move {
                records.replace(Table::Agents, customer, id, b"before", &[number]).await.unwrap().then_some(number)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for each in tries {
        winners.extend(each.await.unwrap());
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(stage.store.records.get(kept.table, kept.customer, kept.id).await.unwrap(), Some(winners));
    stage.close().await;
}

pub async fn a_removed_record_is_gone_from_everywhere<B: Body>(stage: Stage<B>) {
    let records = stage.store.records.as_ref();
    let lists = [List::All, List::Of(AgentId::random())];
    let kept =
        NewRecord { unique: Some("name"), lists: &lists, ..record(Table::Agents, CustomerId::random(), 5, b"x") };
    assert!(!records.remove(kept).await.unwrap());
    records.insert(kept).await.unwrap();
    assert!(records.remove(kept).await.unwrap());
    assert_eq!(records.get(kept.table, kept.customer, kept.id).await.unwrap(), None);
    for list in lists {
        assert!(ids(records, kept, list).await.is_empty());
    }
    assert_eq!(records.find(kept.table, "name").await.unwrap(), None);
    assert!(!records.remove(kept).await.unwrap());
    // The name is free; and removing the old one again does not take it from the new one.
    let heir = NewRecord { id: Uuid::new_v4(), ..kept };
    assert!(records.insert(heir).await.unwrap());
    assert!(!records.remove(kept).await.unwrap());
    assert_eq!(records.find(kept.table, "name").await.unwrap(), Some((kept.customer, heir.id)));
    assert_eq!(ids(records, kept, List::All).await, [heir.id]);
    stage.close().await;
}

pub async fn of_many_who_want_a_name_one_gets_it<B: Body>(stage: Stage<B>) {
    let customer = CustomerId::random();
    let tries: Vec<_> = (0..16)
        .map(|at| {
            let records = stage.store.records.clone();
            tokio::spawn(async move {
                let new = NewRecord { unique: Some("wanted"), ..record(Table::Agents, customer, at, b"x") };
                records.insert(new).await.unwrap().then_some(new.id)
            })
        })
        .collect();
    let mut holders = Vec::new();
    for each in tries {
        holders.extend(each.await.unwrap());
    }
    assert_eq!(holders.len(), 1);
    let found = stage.store.records.find(Table::Agents, "wanted").await.unwrap();
    assert_eq!(found, Some((customer, holders[0])));
    let of = record(Table::Agents, customer, 0, b"");
    assert_eq!(ids(stage.store.records.as_ref(), of, List::All).await, holders);
    stage.close().await;
}

pub async fn records_are_there_after_opening_again<B: Body>(stage: Stage<B>) {
    let kept = NewRecord { unique: Some("name"), ..record(Table::Agents, CustomerId::random(), 5, b"x") };
    stage.store.records.insert(kept).await.unwrap();
    let stage = stage.reopened().await;
    let records = stage.store.records.as_ref();
    assert_eq!(records.get(kept.table, kept.customer, kept.id).await.unwrap().as_deref(), Some(kept.bytes));
    assert_eq!(ids(records, kept, List::All).await, [kept.id]);
    assert_eq!(records.find(kept.table, "name").await.unwrap(), Some((kept.customer, kept.id)));
    stage.close().await;
}
