//! What the hub tells its operator: the log, the metrics and, in builds that can, traces.
//!
//! Promised: no library gets below `info` in the log, whatever the filter says, because some of
//! them print requests, and with them credentials, at `debug` and `trace`; our own modules never
//! print a credential. Every metric is in the one list in [`metric`]. Not in here: the route that
//! answers with them.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing::{Level, Metadata, Subscriber};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::settings::{Log, LogFormat};

mod bounds;
mod lines;
mod process;
#[cfg(feature = "otel")]
mod traces;

pub use bounds::bound_reached;
pub use process::check_open_files;

/// The prefix of the modules whose log lines we answer for.
const OURS: &str = "talk_hub";

/// Why the log or the metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("the log is set up already")]
    LogTwice(#[from] tracing_subscriber::util::TryInitError),
    #[cfg(feature = "otel")]
    #[error("log.otlp_url: {0}")]
    Traces(#[from] opentelemetry_otlp::ExporterBuildError),
    #[error("metrics: {0}")]
    Metrics(#[from] BuildError),
}

/// Keeps the log going. Dropped at the end of the process, it sends the traces and writes the lines that
/// are left; for who takes the lines it waits at most 1.1 seconds.
#[must_use]
pub struct LogGuard {
    #[cfg(feature = "otel")]
    _traces: Option<traces::Sender>,
    // Last: what goes wrong with the traces is logged.
    _lines: WorkerGuard,
}

type Telling = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends the log to stderr from now on, once per process; and traces, where they are set.
///
/// # Errors
/// The filter cannot be read, or somebody else has set up a log.
pub fn start_log(settings: &Log) -> Result<LogGuard, TelemetryError> {
    let colours = std::io::stderr().is_terminal();
    let (stderr, written) = lines::open(settings.lines_max);
    let lines = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(stderr);
    let lines: Telling = match settings.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    };
    let lines: Telling = lines.with_filter(lines_wanted(&settings.filter)?).boxed();
    #[cfg(not(feature = "otel"))]
    let (layers, guard) = (vec![lines], LogGuard { _lines: written });
    #[cfg(feature = "otel")]
    let (layers, guard) = match traces::open(settings)? {
        Some((layer, sender)) => (vec![lines, layer], LogGuard { _traces: Some(sender), _lines: written }),
        None => (vec![lines], LogGuard { _traces: None, _lines: written }),
    };
    tracing_subscriber::registry().with(layers).try_init()?;
    lines::tell_of_panics();
    Ok(guard)
}

/// What the filter wants, within what may be logged. The span of a call is always there, so that
/// each of its lines has the request's id, warnings too where nothing less is wanted.
fn lines_wanted<S>(filter: &str) -> Result<impl Filter<S> + use<S>, TelemetryError>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let calls = filter_fn(|metadata| metadata.is_span() && is_ours(metadata) && *metadata.level() <= Level::INFO);
    let calls = calls.with_max_level_hint(LevelFilter::INFO);
    Ok(EnvFilter::builder().parse(filter)?.or(calls).and(filter_fn(may_be_logged)))
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Spans below `info` are for traces only: in the log they would hide the request's.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || (is_ours(metadata) && metadata.is_event())
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

/// Samples of histograms pile up until they are sorted into their buckets; this is how often that
/// is done when nobody fetches them, and how often the gauges of the process are taken.
const UPKEEP: Duration = Duration::from_secs(5);

/// Upper ends of the buckets of everything that takes time, in seconds.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

impl Metrics {
    /// The metrics of this process; the first call makes them.
    ///
    /// # Errors
    /// Another library has installed a recorder.
    pub fn installed() -> Result<Self, TelemetryError> {
        static INSTALLED: Mutex<Option<Metrics>> = Mutex::new(None);
        // Held while it is made: who comes second finds what the first has installed.
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(metrics) = &*installed {
            return Ok(metrics.clone());
        }
        let recorder = PrometheusBuilder::new().set_buckets(SECONDS)?.build_recorder();
        let made = Self { handle: recorder.handle() };
        metrics::set_global_recorder(recorder).map_err(BuildError::from)?;
        metric::describe();
        from_zero();
        Ok(installed.insert(made).clone())
    }

    /// All of them in Prometheus' text form.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Keeps their memory small, and takes the gauges of the process and counts lines of the log that were
    /// lost, until the future is dropped. One task per process runs it.
    pub async fn keep_small(self) {
        let mut tick = tokio::time::interval(UPKEEP);
        loop {
            tick.tick().await;
            self.handle.run_upkeep();
            lines::sample();
            // It reads what the kernel tells; if there is no thread for it now, there is next time.
            let _ = tokio::task::spawn_blocking(process::sample).await;
        }
    }
}

/// Counters without labels are there from the start: of one that appears with its first count,
/// nobody sees that it has grown.
fn from_zero() {
    for name in [
        metric::SENDS,
        metric::DELIVERIES,
        metric::CONFLICTS,
        metric::COMMIT_CALLS,
        metric::HOLES_REPAIRED,
        metric::REWRITTEN,
        metric::SLOW_CLOSES,
        metric::STORE_FAILOVERS,
        metric::DURABILITY_MISSES,
        metric::DRAIN_CUTS,
        metric::LOG_LINES_DROPPED,
    ] {
        metrics::counter!(name).increment(0);
    }
}

macro_rules! metrics {
    ($($kind:ident $name:ident = $wire:literal, $text:literal;)*) => {
        /// The one list of metrics. Labels are named in the text; their values come from small
        /// fixed sets, never from what a client sent.
        pub mod metric {
            $(#[doc = $text] pub const $name: &str = $wire;)*

            /// Name and text of each.
            pub const ALL: &[(&str, &str)] = &[$(($wire, $text),)*];

            pub(super) fn describe() {
                $(metrics!(@$kind $wire, $text);)*
            }
        }
    };
    (@counter $name:literal, $text:literal) => { ::metrics::describe_counter!($name, $text) };
    (@gauge $name:literal, $text:literal) => { ::metrics::describe_gauge!($name, $text) };
    (@histogram $name:literal, $text:literal) => { ::metrics::describe_histogram!($name, $text) };
}

metrics! {
    gauge CONNECTIONS = "talk_connections", "WebSocket connections that are open";
    gauge CHATS = "talk_chats_in_memory", "Chats held in memory";
    gauge UPLOADS = "talk_uploads", "Uploads that are coming in";
    counter SENDS = "talk_sends_total", "Messages that were posted here and are in the log";
    counter DELIVERIES = "talk_deliveries_total", "Events handed to connections of this hub";
    counter CONFLICTS = "talk_conflicts_total", "Commits decided again because another hub was faster";
    counter RESUMES = "talk_resumes_total", "Chats resumed by returning clients; outcome = recovered, trimmed, rewritten, unknown";
    gauge HANDSHAKES = "talk_handshakes", "WebSocket connections that are being opened";
    gauge HANDSHAKES_WAITING = "talk_handshakes_waiting", "WebSocket connections that wait for their turn to be opened";
    counter HANDSHAKES_REFUSED = "talk_handshakes_refused_total", "WebSocket connections that found no turn and were told to come again";
    gauge RESUMES_UNDER_WAY = "talk_resumes_under_way", "Subscriptions on their way, and stretches of older events being fetched";
    gauge RESUMES_WAITING = "talk_resumes_waiting", "Subscriptions and stretches of older events that wait for their turn";
    counter HOLES_REPAIRED = "talk_holes_repaired_total", "Gaps in what was heard that were filled from the log";
    counter REWRITTEN = "talk_rewritten_chats_total", "Chats whose history was found rewritten; clients were told";
    counter SLOW_CLOSES = "talk_slow_closes_total", "Connections closed because their client did not keep up";
    counter CLOSES = "talk_closes_total", "Connections closed by this hub; code = the close code";
    gauge LINK_UP = "talk_link_up", "1 while what others write is heard";
    gauge LINK_WAITING = "talk_link_waiting", "Messages from Redis that wait for this hub";
    counter LINK_LOSSES = "talk_link_losses_total", "Times the link to Redis ended; reason = lost, lagging";
    histogram LINK_LAG = "talk_link_lag_seconds", "From the commit of an event, by the store's clock, to its delivery here";
    gauge STORE_SERVERS = "talk_store_servers", "Servers of Redis that hold data, as the hub knows them";
    counter STORE_REDIRECTS = "talk_store_redirects_total", "Calls that a server of Redis refused for now and that were sent again; reason = moved, ask, loading, down, readonly, busy, noreplicas";
    counter STORE_FAILOVERS = "talk_store_failovers_total", "Servers of Redis that ceased to hold data";
    counter DURABILITY_MISSES = "talk_durability_misses_total", "Attempts to write that did not reach store.durability in time; a call may make several before it is answered";
    histogram DURABLE_SECONDS = "talk_durable_seconds", "Time that store.durability took beyond the answer of Redis";
    counter COMMIT_CALLS = "talk_commit_calls_total", "Calls to Redis by which chats were written to; a busy chat makes several commits by one";
    histogram STORE_SECONDS = "talk_store_seconds", "Time of a call to the store; call = its name";
    counter STORE_ERRORS = "talk_store_errors_total", "Calls to the store that failed; call = its name";
    counter BOUNDS_REACHED = "talk_bounds_reached_total", "Calls refused because of a bound; bound = the setting that moves it";
    gauge DRAINING = "talk_draining", "1 while the hub is leaving";
    counter DRAIN_CUTS = "talk_drain_cuts_total", "Connections that had not ended when the drain was over, and were cut";
    counter LOG_LINES_DROPPED = "talk_log_lines_dropped_total", "Lines of the log that found no room, or could not be written, because stderr does not take them";
    gauge CLOCK_BEHIND = "talk_clock_behind_seconds", "By how much this hub's clock is behind the moment of the newest event";
    gauge NEWEST_PAGES_BYTES = "talk_newest_pages_bytes", "Memory taken by newest pages of chats that are being read";
    gauge OPEN_FILES = "talk_open_files", "Files and sockets that the process has open";
    gauge OPEN_FILES_MAX = "talk_open_files_max", "Files and sockets that the process may open";
    gauge MEMORY_BYTES = "talk_memory_bytes", "Memory that the process holds";
    counter HTTP_REQUESTS = "talk_http_requests_total", "Requests answered; method, route = its pattern, status";
    histogram HTTP_SECONDS = "talk_http_seconds", "Time to the head of the answer; route = its pattern";
}

#[cfg(test)]
mod tests {
    use super::*;

    use tracing_subscriber::fmt::MakeWriter;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Page(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("text")
        }
    }

    impl std::io::Write for Page {
        fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(line);
            Ok(line.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Page {
        type Writer = Self;
        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn libraries_stay_at_info_and_we_do_not() {
        let page = Page::default();
        let filter = lines_wanted("trace,actix_http::h1=trace").expect("a filter");
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(page.clone());
        let log = tracing_subscriber::registry().with(lines.with_filter(filter));
        tracing::subscriber::with_default(log, || {
            tracing::trace!(target: "actix_http::h1", "a bearer token");
            tracing::debug!(target: "talk_hubbub", "somebody else's");
            tracing::info!(target: "actix_http::h1", "library says");
            tracing::trace!(target: "talk_hub::chat", "chat says");
            tracing::trace!(target: "talk_hub", "hub says");
        });
        let said = page.text();
        for (line, there) in [
            ("a bearer token", false),
            ("somebody else's", false),
            ("library says", true),
            ("chat says", true),
            ("hub says", true),
        ] {
            assert_eq!(said.contains(line), there, "{line} in\n{said}");
        }
    }

    /// Whatever is wanted of the log, and whatever else traces do.
    #[test]
    fn a_warning_of_a_call_has_its_request_id() {
        let page = Page::default();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(page.clone());
        let lines = lines.with_filter(lines_wanted("warn").expect("a filter"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let _call = tracing::info_span!(target: "talk_hub::http", "request", request_id = "mine").entered();
            let _inner = tracing::debug_span!(target: "talk_hub::store", "store").entered();
            tracing::info!(target: "talk_hub::store", "not wanted");
            tracing::warn!(target: "talk_hub::store", "wanted");
        });
        let said = page.text();
        assert!(said.contains("mine") && said.contains("wanted") && !said.contains("not wanted"), "{said}");
    }

    #[test]
    fn metrics_are_made_once_and_described() {
        let metrics = Metrics::installed().expect("metrics");
        metrics::counter!(metric::SENDS).increment(1);
        // Other tests of this process count too, but not under this label.
        metrics::histogram!(metric::STORE_SECONDS, "call" => "test").record(0.002);
        metrics::counter!(metric::STORE_ERRORS, "call" => "test").increment(1);
        let text = Metrics::installed().expect("the same").render();
        assert!(text.contains("# HELP talk_sends_total Messages that were posted here"), "{text}");
        assert!(text.contains("talk_store_seconds_bucket{call=\"test\",le=\"0.0025\"} 1"), "{text}");
        assert!(metrics.render().contains("talk_store_errors_total{call=\"test\"} 1"));
        assert!(text.contains("\ntalk_rewritten_chats_total 0\n"), "{text}");
    }

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for (name, text) in metric::ALL {
            assert!(name.starts_with("talk_") && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert!(!text.is_empty(), "{name}");
        }
    }
}
