//! What the hubs use over a long run, and whether they give it back when everybody has left.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::Kind;
use super::record::{Book, Line, Sample};
use super::run::{Scene, Torment, said};
use crate::rig::hub::Hub;

/// Faults that leave the hubs' processes alone, so that what they use can be followed.
pub const GENTLE: &[Kind] = &[
    Kind::HubStop,
    Kind::RedisKill,
    Kind::RedisStop,
    Kind::ClientPause,
    Kind::TinyBuffers,
    Kind::FailoverAsked,
    Kind::PubsubKill,
    Kind::NormalKill,
    Kind::PushDrop,
    Kind::PushTwice,
    Kind::LinkCut,
    Kind::LinkSlow,
    Kind::LinkSwallow,
];

/// Settings under which what is idle is given back within seconds.
pub const SETTINGS: [(&str, &str); 2] = [("chat.idle_secs", "5"), ("server.keep_alive_secs", "5")];

/// Metrics that are followed. What the hub does not have is 0.
const METRICS: [&str; 2] = ["talk_chats_in_memory", "talk_connections"];
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// How long idle chats and connections have to go, and how often it is looked.
const RETIRE_WITHIN: Duration = Duration::from_secs(45);
/// Descriptors that a hub may hold more than before the load: links that came up with it.
const FILES_MORE_MAX: f64 = 16.0;
/// Resident bytes in the last quarter of the load, as a multiple of those in the second quarter.
const GROWTH_MAX: f64 = 1.25;

/// Takes samples, when the run is a soak.
#[derive(Debug)]
pub struct Watcher {
    book: Option<Book>,
    before: Vec<BTreeMap<String, f64>>,
    load: Vec<Vec<f64>>,
}

impl Watcher {
    /// For this run; takes the first samples.
    ///
    /// # Errors
    /// The record could not be written.
    pub async fn of(scene: &Scene) -> Result<Self, String> {
        let mut watcher = Self { book: None, before: Vec::new(), load: Vec::new() };
        if matches!(scene.order.torment, Torment::Soak { .. }) {
            watcher.book = Some(Book::new(&scene.order.dir, "soak").map_err(said)?);
            retired(scene).await;
            watcher.before = watcher.sample(scene, "before").await;
        }
        Ok(watcher)
    }

    /// Samples for as long as the load lasts.
    pub async fn watch(&mut self, scene: &Scene, whole: Duration) {
        let begin = tokio::time::Instant::now();
        while begin.elapsed() < whole {
            tokio::time::sleep(SAMPLE_EVERY).await;
            let values = self.sample(scene, "load").await;
            self.load.push(values.iter().map(|values| values.get("rss").copied().unwrap_or(0.0)).collect());
        }
    }

    /// When all have left: samples once more, and compares.
    ///
    /// # Errors
    /// Says what was not given back, or grew.
    pub async fn end(mut self, scene: &Scene) -> Result<(), String> {
        if self.book.is_none() {
            return Ok(());
        }
        retired(scene).await;
        let after = self.sample(scene, "after").await;
        let mut wrong = Vec::new();
        for (node, (before, after)) in self.before.iter().zip(&after).enumerate() {
            let of = |values: &BTreeMap<String, f64>, name: &str| values.get(name).copied().unwrap_or(0.0);
            for name in METRICS {
                if of(after, name) > of(before, name) {
                    wrong.push(format!("node {node}: {name} is {}, was {}", of(after, name), of(before, name)));
                }
            }
            if of(after, "files") > of(before, "files") + FILES_MORE_MAX {
                wrong.push(format!("node {node}: {} descriptors, were {}", of(after, "files"), of(before, "files")));
            }
            if let Some(growth) = self.growth(node).filter(|growth| *growth > GROWTH_MAX) {
                wrong.push(format!("node {node}: resident memory grew {growth:.2} times under a steady load"));
            }
        }
        if let Some(book) = self.book.take() {
            book.close().map_err(said)?;
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }

    /// Resident memory at the end of the load against that of its second quarter, medians of each.
    fn growth(&self, node: usize) -> Option<f64> {
        let all: Vec<f64> = self.load.iter().filter_map(|nodes| nodes.get(node).copied()).collect();
        let quarter = all.len() / 4;
        let median = |part: &[f64]| {
            let mut part: Vec<f64> = part.to_vec();
            part.sort_by(f64::total_cmp);
            part.get(part.len() / 2).copied()
        };
        let (early, late) = (median(all.get(quarter..quarter * 2)?)?, median(all.get(all.len() - quarter..)?)?);
        (early > 0.0).then(|| late / early)
    }

    async fn sample(&mut self, scene: &Scene, phase: &str) -> Vec<BTreeMap<String, f64>> {
        let mut all = Vec::new();
        for (node, hub) in scene.stage.hubs.iter().enumerate() {
            let values = values(hub).await;
            let node = u8::try_from(node).unwrap_or(u8::MAX);
            if let Some(book) = &mut self.book {
                let (t, phase) = (scene.fleet.clock.now(), phase.to_owned());
                book.note(&Line::Sample(Sample { t, node, phase, values: values.clone() }));
            }
            all.push(values);
        }
        all
    }
}

/// Waits until no hub holds a chat or a connection any more, or until they should have.
async fn retired(scene: &Scene) {
    let begin = tokio::time::Instant::now();
    while begin.elapsed() < RETIRE_WITHIN {
        let mut held = 0.0;
        for hub in &scene.stage.hubs {
            let values = values(hub).await;
            held += METRICS.iter().filter_map(|name| values.get(*name)).sum::<f64>();
        }
        if held == 0.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // What the hub keeps open for requests goes a little later.
    tokio::time::sleep(Duration::from_secs(6)).await;
}

async fn values(hub: &Hub) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    for name in METRICS {
        values.insert(name.to_owned(), hub.metric(name).await.unwrap_or(0.0));
    }
    values.insert("rss".to_owned(), hub.resident_bytes().unwrap_or(0) as f64);
    values.insert("files".to_owned(), hub.open_files().unwrap_or(0) as f64);
    values
}
