//! What a run came to: the types of a result file. They promise to be read again by any later version with the same
//! [`SCHEMA`]; fields are only added, and one that is missing is read as nothing. Nothing is computed here over several
//! runs: medians and ratios are the business of whoever shows them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of these types, in [`Run::schema`] and [`Series::schema`].
pub const SCHEMA: u32 = 1;

/// Violations that are written out; the others are only counted.
pub const VIOLATIONS_MAX: usize = 100;

/// One scenario, once, against one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// [`SCHEMA`] of who wrote it.
    pub schema: u32,
    /// The scenario's name, such as `fan-out`.
    pub scenario: String,
    /// What it does, in one sentence.
    pub sentence: String,
    pub target: Target,
    pub machine: Machine,
    /// When it was measured from: RFC 3339, UTC.
    pub started: String,
    /// How long it was measured for, without set-up and warm-up.
    pub seconds: f64,
    /// Every knob of the scenario as it was run, overrides included.
    pub settings: BTreeMap<String, Value>,
    /// What was counted while it was measured.
    pub counts: Counts,
    /// By name: `send` (from when it should have been sent until it was acknowledged), `delivery` (until a subscriber on
    /// the same node had it), `delivery_across` (on another node), `reaction`, `history`, `connect` (from the first
    /// packet until the subscription is in force), `resume` (from the drop until what was missed is there), `start`
    /// (of a hub, until it says that it is ready).
    pub latencies: BTreeMap<String, Latency>,
    /// One row a second; the first is the first second that was measured.
    pub timeline: Vec<Second>,
    pub server: Server,
    /// What the hubs asked of Redis; only where there is one that the loader can ask.
    pub redis: Option<RedisUse>,
    /// What must not happen, in words; the first [`VIOLATIONS_MAX`].
    pub violations: Vec<String>,
    pub violations_count: u64,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// `hub`, or the name of a baseline, such as `node-ws`.
    pub kind: String,
    /// Its version, as it says itself; empty when it does not.
    pub version: String,
    /// The commit that the load tester was run in; empty outside a repository. Ends in `+` with changes that are not
    /// committed.
    pub commit: String,
    /// `embedded`, `redis`, or empty for others.
    pub store: String,
    pub nodes: u32,
}

/// Where it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// The name of the processor.
    pub cpu: String,
    pub cores: u32,
    pub memory_bytes: u64,
    pub kernel: String,
}

/// What was counted while it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Sends begun: messages and reactions, or events handed to a baseline.
    pub sent: u64,
    /// Answered with success.
    pub acknowledged: u64,
    /// Answered with 4xx or 503: the server said no.
    pub refused: u64,
    /// No answer, another 5xx, or never begun: the queue of the generator was full, or was not empty in the end.
    pub failed: u64,
    /// Events that reached a subscriber.
    pub delivered: u64,
    /// WebSocket frames of all kinds that were read. With [`Self::reads`]: frames per read, so coalescing.
    pub frames: u64,
    /// `read` system calls on sockets that brought something.
    pub reads: u64,
    pub bytes_read: u64,
    /// Sockets that came up, in warm-up and set-up too.
    pub connected: u64,
    /// Connections that were refused or lost before they were up, each try.
    pub connect_failed: u64,
    /// Sockets that came back after a drop and have what they missed.
    pub resumed: u64,
    /// Sockets that the server closed.
    pub closed: u64,
    /// HTTP requests that were answered, reads included.
    pub requests: u64,
    /// Bytes of the bodies of their answers.
    pub body_bytes: u64,
    /// Pages of messages that were read with success, and the bytes of their bodies.
    pub pages: u64,
    pub page_bytes: u64,
}

/// How long something took, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    pub count: u64,
    pub mean: f64,
    pub min: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
    /// Percentile (0 to 100) and microseconds, ascending: enough of them to draw the curve.
    pub curve: Vec<(f64, u64)>,
}

/// One second of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Second {
    /// Seconds since the begin of measuring, at the end of this one.
    pub at: f64,
    pub sent: u64,
    pub acknowledged: u64,
    pub delivered: u64,
    /// Refused and failed together.
    pub failed: u64,
    /// HTTP requests that were answered.
    pub requests: u64,
    /// Microseconds; 0 when nothing came. Where nothing is sent: of reactions, else of pages read.
    pub send_p50: u64,
    pub send_p99: u64,
    pub delivery_p50: u64,
    pub delivery_p99: u64,
    pub delivery_p999: u64,
    /// Cores in use by the server's processes together.
    pub server_cpu: f64,
    pub server_rss_bytes: u64,
    /// Cores in use by this program.
    pub generator_cpu: f64,
    /// Commands that Redis processed in this second.
    pub redis_commands: u64,
    /// Sockets that are up.
    pub connections: u64,
}

/// What the server's processes used while it was measured; zeros for one on another machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    pub cpu_seconds: f64,
    /// Before the first socket was opened.
    pub rss_begin_bytes: u64,
    /// When everybody was connected, before any load.
    pub rss_connected_bytes: u64,
    pub rss_end_bytes: u64,
    pub rss_peak_bytes: u64,
    /// Processor time of the server over deliveries; 0 without any.
    pub cpu_us_per_delivery: f64,
    pub cpu_us_per_request: f64,
    /// What RSS grew by from before the first socket until all were connected, or until the end where that is more, for
    /// each.
    pub rss_bytes_per_connection: f64,
    /// Processor time of the load tester itself.
    pub generator_cpu_seconds: f64,
}

/// What Redis did while it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RedisUse {
    pub commands: u64,
    /// EVAL, EVALSHA, FCALL and their read-only kin.
    pub script_calls: u64,
    /// User and system.
    pub cpu_seconds: f64,
    pub memory_begin_bytes: u64,
    pub memory_end_bytes: u64,
    /// Calls and microseconds by command, such as `evalsha`.
    pub by_command: BTreeMap<String, (u64, u64)>,
}

/// Several runs that belong together: rounds against several targets, or one for each value of a knob.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    /// [`SCHEMA`] of who wrote it.
    pub schema: u32,
    /// In the order in which they were run, which is reversed in every second round. A target that could not be run in
    /// a round, or whose programs are not on the machine, is not there in it.
    pub runs: Vec<Run>,
    pub rounds: u32,
    /// The knob that differs from run to run, for a sweep; else empty.
    pub sweep: String,
}

/// A result file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error("{path} is no result: {source}")]
    Json { path: String, source: serde_json::Error },
}

/// A result file: one run, or several.
#[derive(Clone, Debug, PartialEq)]
pub enum File {
    Run(Box<Run>),
    Series(Series),
}

impl File {
    /// Reads either kind.
    ///
    /// # Errors
    /// It cannot be read, or is neither.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let text = std::fs::read(path).map_err(|source| Error::Io { path: name.clone(), source })?;
        let json = |source| Error::Json { path: name, source };
        let value: Value = match serde_json::from_slice(&text) {
            Ok(value) => value,
            Err(source) => return Err(json(source)),
        };
        if value.get("runs").is_some() {
            serde_json::from_value(value).map(Self::Series).map_err(json)
        } else {
            serde_json::from_value(value).map(|run| Self::Run(Box::new(run))).map_err(json)
        }
    }

    /// The runs in it, in order.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        match self {
            Self::Run(run) => std::slice::from_ref(run),
            Self::Series(series) => &series.runs,
        }
    }
}

/// Writes a [`Run`] or a [`Series`], readable by people.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, result: &impl Serialize) -> Result<(), Error> {
    let name = path.display().to_string();
    let text = serde_json::to_string_pretty(result);
    let text = text.map_err(|source| Error::Json { path: name.clone(), source })?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|source| Error::Io { path: name.clone(), source })?;
    }
    std::fs::write(path, text).map_err(|source| Error::Io { path: name, source })
}

/// Per second of a run, for whatever was counted in it.
#[must_use]
pub fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}
