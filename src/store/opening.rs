//! Which body the store has, as the settings say.

use crate::settings::{Store as StoreSettings, StoreKind};

use super::embedded::{self, EmbeddedSettings};
use super::measured::measured;
use super::redis::{Home, RedisSettings};
use super::{Opened, Result, StoreError};

/// Opens the store that is set, with its calls counted. The embedded one is checked first, which takes long only after a
/// crash; Redis is waited for, and the log says so. Connections to it live at `home`.
///
/// # Errors
/// What is set cannot be opened, or was written by another version of the schema.
pub async fn open(settings: &StoreSettings, home: Home) -> Result<Opened> {
    let opened = match settings.kind {
        StoreKind::Embedded => {
            let (dir, bounds) = (settings.dir.clone(), EmbeddedSettings::from(settings));
            let opened = tokio::task::spawn_blocking(move || embedded::open(&dir, bounds)).await;
            opened.map_err(|error| StoreError::Unavailable(error.to_string()))??
        }
        StoreKind::Redis => super::redis::open(&RedisSettings::from(settings), home).await?,
    };
    Ok(Opened { store: measured(opened.store), ..opened })
}

impl From<&StoreSettings> for EmbeddedSettings {
    fn from(settings: &StoreSettings) -> Self {
        Self {
            queue_max: settings.calls_max,
            batch_max: settings.batch_max,
            heard_max: settings.heard_max,
            cache_bytes: settings.cache_bytes_max,
            wait_ms: settings.wait_ms,
        }
    }
}

impl From<&StoreSettings> for RedisSettings {
    fn from(settings: &StoreSettings) -> Self {
        Self {
            url: settings.url.expose().to_owned(),
            prefix: settings.prefix.clone(),
            wait_ms: settings.wait_ms,
            connect_ms: settings.connect_ms,
            write_lanes: settings.write_connections,
            read_lanes: settings.read_connections,
            calls_max: settings.calls_max,
            call_commits_max: settings.call_commits_max,
            heard_max: settings.heard_max,
            link_queue_max: settings.link_queue_max,
            subscribe_max: settings.subscribe_max,
            beat_ms: settings.beat_ms,
            link_probe_ms: settings.link_probe_ms,
            survey_ms: settings.survey_ms,
            durability: settings.durability,
            replicas_min: settings.replicas_min,
            durable_ms: settings.durable_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn the_defaults_of_redis_are_those_of_the_settings() {
        let settings = Settings::load(None, []).expect("settings").store;
        let same = RedisSettings::new(settings.url.expose(), settings.prefix.clone());
        assert!(RedisSettings::from(&settings) == same);
    }
}
