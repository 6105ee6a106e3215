//! Traces, for builds with the feature `otel`: spans of this crate go to an OpenTelemetry collector.
//!
//! A trace is one call on this node: the request, what its chat did, each call to the store, and the
//! delivery to the sockets of this node. It ends here: other nodes hear the event by the store, whose
//! bytes say nothing of traces. Spans carry ids, never a credential or what was said.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};

use crate::settings::Log;

use super::{TelemetryError, Telling, is_ours};

/// What a trace is of, for the collector.
const SERVICE: &str = "talk-hub";
/// How long the collector may take for a batch. At most 2,048 spans wait meanwhile; more are dropped.
const WAIT: Duration = Duration::from_secs(5);
/// How long the last batch may take, when the hub ends.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Sends what is left when it is dropped.
pub(super) struct Sender(SdkTracerProvider);

impl Drop for Sender {
    fn drop(&mut self) {
        // A collector that does not take the last spans is told nothing else either.
        let _ = self.0.shutdown_with_timeout(LAST_WAIT);
    }
}

/// The layer that traces; `None` when no collector is set.
///
/// # Errors
/// The address of the collector cannot be used.
pub(super) fn open(settings: &Log) -> Result<Option<(Telling, Sender)>, TelemetryError> {
    if settings.otlp_url.is_empty() {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(&settings.otlp_url)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(WAIT)
        .build()?;
    let part = f64::from(settings.otlp_per_thousand) / 1000.0;
    let about = Resource::builder()
        .with_service_name(SERVICE)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(part))))
        .with_resource(about.build())
        .build();
    let ours = filter_fn(|metadata| is_ours(metadata) && *metadata.level() <= Level::DEBUG);
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SERVICE))
        .with_filter(ours.with_max_level_hint(LevelFilter::DEBUG));
    Ok(Some((layer.boxed(), Sender(provider))))
}
