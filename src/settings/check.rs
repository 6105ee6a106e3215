//! Ranges: what no kind of value can say. Every refusal names the key.

use url::Url;

use crate::model::Limits;

use super::{Durability, Settings, SettingsError, StoreKind};

/// Fewest bytes of a secret that was given.
const SECRET_BYTES_MIN: usize = 16;
/// Most threads of a kind: more only get in each other's way.
const THREADS_MAX: u64 = 512;
/// Smallest piece of a multipart upload that S3 takes.
const S3_CHUNK_BYTES_MIN: usize = 5 * 1024 * 1024;
const DAY_SECS: u64 = 24 * 60 * 60;
const GIB: u64 = 1 << 30;

impl Settings {
    /// Checks every value that could do harm; the first one that is wrong is named.
    ///
    /// # Errors
    /// A value out of range, or two that do not go together.
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.check_ranges()?;
        self.check_limits()?;
        self.check_store()?;
        self.check_files()?;
        self.check_auth()?;
        if self.server.idle_secs <= self.server.ping_secs {
            return wrong("server.idle_secs", "must be more than server.ping_secs");
        }
        if !self.server.public_url.is_empty() && !is_origin(&self.server.public_url) {
            return wrong("server.public_url", "must be http(s)://host[:port], without a path");
        }
        if !self.log.otlp_url.is_empty() {
            if !cfg!(feature = "otel") {
                return wrong("log.otlp_url", "needs a hub that was built with `--features otel`");
            }
            if !Url::parse(&self.log.otlp_url).is_ok_and(|url| url.scheme() == "http" && url.host().is_some()) {
                return wrong("log.otlp_url", "must be http://host[:port]/path");
            }
        }
        if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&self.log.filter) {
            return wrong("log.filter", &error.to_string());
        }
        Ok(())
    }

    fn check_ranges(&self) -> Result<(), SettingsError> {
        let (server, store, files, auth, chat) = (&self.server, &self.store, &self.files, &self.auth, &self.chat);
        ranges([
            ("server.workers", server.workers as u64, 0, THREADS_MAX),
            ("server.chat_threads", server.chat_threads as u64, 0, THREADS_MAX),
            ("server.backlog", u64::from(server.backlog), 1, 65_535),
            ("server.tcp_connections_max", server.tcp_connections_max as u64, 1, 10_000_000),
            ("server.request_secs", server.request_secs, 1, 600),
            ("server.keep_alive_secs", server.keep_alive_secs, 1, 3_600),
            ("server.drain_secs", server.drain_secs, 0, 3_600),
            ("server.linger_secs", server.linger_secs, 0, 3_600),
            ("server.ping_secs", server.ping_secs, 1, 3_600),
            ("server.idle_secs", server.idle_secs, 2, DAY_SECS),
            ("store.wait_ms", store.wait_ms, 100, 60_000),
            ("store.calls_max", store.calls_max as u64, 1, 1_000_000),
            ("store.heard_max", store.heard_max as u64, 16, 10_000_000),
            ("store.cache_bytes_max", store.cache_bytes_max as u64, 1 << 20, 1 << 40),
            ("store.batch_max", store.batch_max as u64, 1, 100_000),
            ("store.call_commits_max", store.call_commits_max as u64, 1, 1_000),
            ("store.connect_ms", store.connect_ms, 10, 60_000),
            ("store.write_connections", store.write_connections as u64, 1, 64),
            ("store.read_connections", store.read_connections as u64, 1, 64),
            ("store.link_queue_max", store.link_queue_max as u64, 16, 10_000_000),
            ("store.subscribe_max", store.subscribe_max as u64, 1, 1_000),
            ("store.beat_ms", store.beat_ms, 100, 60_000),
            ("store.link_probe_ms", store.link_probe_ms, 50, 60_000),
            ("store.survey_ms", store.survey_ms, 100, 60_000),
            ("store.replicas_min", u64::from(store.replicas_min), 1, 16),
            ("store.durable_ms", store.durable_ms, 1, 60_000),
            ("log.lines_max", self.log.lines_max as u64, 64, 1_000_000),
            ("log.otlp_per_thousand", u64::from(self.log.otlp_per_thousand), 0, 1_000),
            ("files.chunk_bytes", files.chunk_bytes as u64, 64 * 1024, 64 << 20),
            ("files.uploads_max", files.uploads_max as u64, 1, 10_000),
            ("files.chats_per_file_max", files.chats_per_file_max as u64, 1, 10_000),
            ("files.wait_secs", files.wait_secs, 1, 3_600),
            ("auth.token_ttl_secs", auth.token_ttl_secs, 1, 3_650 * DAY_SECS),
            ("auth.session_secs", auth.session_secs, 1, 3_650 * DAY_SECS),
            ("auth.hash_waiting_max", auth.hash_waiting_max as u64, 0, 1_000_000),
            ("auth.hash_wait_ms", auth.hash_wait_ms, 1, 60_000),
            ("auth.keys_per_agent_max", auth.keys_per_agent_max as u64, 1, 100_000),
            ("auth.hash_parallel_max", auth.hash_parallel_max as u64, 1, 256),
            ("chat.idle_secs", chat.idle_secs, 1, DAY_SECS),
            ("chat.beacon_secs", chat.beacon_secs, 1, 3_600),
            ("chat.beacon_ms", chat.beacon_ms, 0, 60_000),
            ("chat.beacon_times", u64::from(chat.beacon_times), 1, 100),
            ("chat.beacon_chats_max", chat.beacon_chats_max as u64, 1, 1_000_000),
        ])
    }

    fn check_limits(&self) -> Result<(), SettingsError> {
        let limits = &self.limits;
        ranges([
            ("limits.name_chars_max", limits.name_chars_max as u64, 1, 100_000),
            ("limits.detail_chars_max", limits.detail_chars_max as u64, 1, 1_000_000),
            ("limits.text_bytes_max", limits.text_bytes_max as u64, 1, 16 << 20),
            ("limits.medias_max", limits.medias_max as u64, 1, 1_000),
            ("limits.emoji_bytes_max", limits.emoji_bytes_max as u64, 1, 255),
            ("limits.emoji_per_message_max", limits.emoji_per_message_max as u64, 1, 10_000),
            ("limits.reactions_per_message_max", limits.reactions_per_message_max as u64, 1, 100_000),
            ("limits.members_max", limits.members_max as u64, 2, 1_000_000),
            ("limits.body_bytes_max", limits.body_bytes_max as u64, 1_024, GIB),
            ("limits.file_bytes_max", limits.file_bytes_max, 1, 1_024 * GIB),
            ("limits.auth_per_second", u64::from(limits.auth_per_second), 0, 1_000_000),
            ("limits.agent_per_second", u64::from(limits.agent_per_second), 0, 1_000_000),
            ("limits.chat_commands_max", limits.chat_commands_max as u64, 1, 1_000_000),
            ("limits.chats_in_memory_max", limits.chats_in_memory_max as u64, 1, 100_000_000),
            ("limits.recent_events_max", limits.recent_events_max as u64, 1, 100_000),
            ("limits.recent_messages_max", limits.recent_messages_max as u64, 1, 100_000),
            ("limits.newest_pages_bytes_max", limits.newest_pages_bytes_max as u64, 0, 64 * GIB),
            ("limits.resume_events_max", limits.resume_events_max, 1_000, 1_000_000),
            ("limits.idempotency_keys_per_hour", u64::from(limits.idempotency_keys_per_hour), 1, 10_000_000),
            ("limits.connections_max", limits.connections_max as u64, 1, 10_000_000),
            ("limits.handshakes_max", limits.handshakes_max as u64, 1, 1_000_000),
            ("limits.handshakes_waiting_max", limits.handshakes_waiting_max as u64, 0, 10_000_000),
            ("limits.handshakes_wait_ms", limits.handshakes_wait_ms, 1, 60_000),
            ("limits.resumes_max", limits.resumes_max as u64, 1, 1_000_000),
            ("limits.topics_max", limits.topics_max as u64, 1, 10_000),
            ("limits.followed_chats_max", limits.followed_chats_max as u64, 1, 1_000_000),
            ("limits.listed_rows_max", limits.listed_rows_max as u64, 100, 1_000_000),
            ("limits.frame_bytes_max", limits.frame_bytes_max as u64, 1_024, 16 << 20),
            ("limits.outbox_bytes_max", limits.outbox_bytes_max as u64, 64 * 1024, GIB),
        ])?;
        if limits.text_bytes_max > limits.body_bytes_max {
            return wrong("limits.text_bytes_max", "must not be more than limits.body_bytes_max");
        }
        if limits.outbox_bytes_max / Limits::RESUMED_CHAT_BYTES < limits.followed_chats_max {
            let least = limits.followed_chats_max.saturating_mul(Limits::RESUMED_CHAT_BYTES);
            let problem = format!("must be at least {least}: {} bytes per followed chat", Limits::RESUMED_CHAT_BYTES);
            return wrong("limits.outbox_bytes_max", &problem);
        }
        if limits.connections_max > self.server.tcp_connections_max {
            return wrong("limits.connections_max", "must not be more than server.tcp_connections_max");
        }
        Ok(())
    }

    fn check_store(&self) -> Result<(), SettingsError> {
        if self.store.dir.as_os_str().is_empty() {
            return wrong("store.dir", "must not be empty");
        }
        let prefix = &self.store.prefix;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(plain) {
            return wrong("store.prefix", "must be 1 to 64 letters, digits and -_.: characters");
        }
        let waits = self.store.durability != Durability::Memory;
        if waits && self.store.durable_ms >= self.store.wait_ms {
            return wrong("store.durable_ms", "must be less than store.wait_ms");
        }
        if self.store.kind == StoreKind::Redis {
            // What is wrong with the rest is said when it is opened, without the password in it.
            let scheme = self.store.url.expose().split_once("://").map(|(scheme, _)| scheme);
            if !matches!(
                scheme,
                Some("redis" | "rediss" | "redis+sentinel" | "rediss+sentinel" | "redis+cluster" | "rediss+cluster")
            ) {
                return wrong("store.url", "must begin with redis:// or rediss://");
            }
        }
        Ok(())
    }

    fn check_files(&self) -> Result<(), SettingsError> {
        if self.files.url.is_empty() {
            return Ok(());
        }
        let url = Url::parse(&self.files.url).map_err(|error| SettingsError::new("files.url", error.to_string()))?;
        match url.scheme() {
            "file" if url.to_file_path().is_err() => wrong("files.url", "must be file:/// and an absolute path"),
            "file" => Ok(()),
            "s3" if !cfg!(feature = "s3") => {
                wrong("files.url", "s3:// needs a hub that was built with `--features s3`")
            }
            "s3" if self.files.chunk_bytes < S3_CHUNK_BYTES_MIN => {
                wrong("files.chunk_bytes", &format!("must be at least {S3_CHUNK_BYTES_MIN} for s3://"))
            }
            "s3" => Ok(()),
            other => wrong("files.url", &format!("{other}:// is not supported; file:// and s3:// are")),
        }
    }

    fn check_auth(&self) -> Result<(), SettingsError> {
        let auth = &self.auth;
        for (path, secret) in [("auth.secret", &auth.secret), ("auth.admin_token", &auth.admin_token)] {
            if !secret.is_empty() && secret.expose().len() < SECRET_BYTES_MIN {
                return wrong(path, &format!("must have at least {SECRET_BYTES_MIN} bytes"));
            }
        }
        if auth.secret.is_empty() && self.store.kind == StoreKind::Redis {
            // An identity provider's keys do instead, but then nobody signs in by password.
            if auth.jwks_file.is_empty() && auth.public_key_file.is_empty() {
                return wrong("auth.secret", "must be given with store.kind = \"redis\", the same on every hub");
            }
        }
        if let Some(origin) = auth.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            return wrong("auth.allowed_origins", &format!("{origin:?} is not http(s)://host[:port]"));
        }
        Ok(())
    }
}

fn wrong(path: &str, problem: &str) -> Result<(), SettingsError> {
    Err(SettingsError::new(path, problem))
}

fn ranges<const N: usize>(all: [(&str, u64, u64, u64); N]) -> Result<(), SettingsError> {
    for (path, value, least, most) in all {
        if value < least || value > most {
            return wrong(path, &format!("must be {least} to {most}, is {value}"));
        }
    }
    Ok(())
}

/// Scheme, host and port as a browser sends them in `Origin`; nothing behind.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.origin().ascii_serialization() == text
    })
}
