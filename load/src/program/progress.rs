//! How far a run is: bars on a terminal, a plain line a second elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::summary::{thousands, time};
use crate::drive::run::Watch;
use crate::lab::voice::say;
use crate::results::Second;

/// How often a terminal is drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// See the module. Dropping it takes its bar from the terminal.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Bars, if there is a terminal and they are wanted.
    pub(super) fn new(plain: bool) -> Self {
        let bars = !plain && std::io::stderr().is_terminal();
        let bar = bars.then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(DRAW_EVERY);
            bar
        });
        Self { bar }
    }

    /// A line that stays.
    pub(super) fn say(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(words)),
            None => say(words),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Watch for Progress {
    fn phase(&self, words: &str) {
        match &self.bar {
            Some(bar) => {
                let style = ProgressStyle::with_template("{spinner} {prefix} {bar:30} {pos}/{len} {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_length(0);
                bar.set_position(0);
                bar.set_message(String::new());
                bar.set_prefix(words.to_owned());
            }
            None => say(&format!("  {words}")),
        }
    }

    fn done(&self, done: u64, of: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(done);
        }
    }

    fn second(&self, second: &Second, seconds: f64) {
        let wrong = if second.failed > 0 { format!(", FAILED {}", second.failed) } else { String::new() };
        let (done, name) = match second.acknowledged {
            0 => (second.requests, "answered"),
            acknowledged => (acknowledged, "acknowledged"),
        };
        let delivered = match second.delivered {
            0 => String::new(),
            some => format!("delivered {}, p99 {}, ", thousands(some as f64), time(second.delivery_p99)),
        };
        let words = format!(
            "{name} {}, p99 {}, {delivered}server {:.2} cores {} MiB, generator {:.2}{wrong}",
            thousands(done as f64),
            time(second.send_p99),
            second.server_cpu,
            second.server_rss_bytes >> 20,
            second.generator_cpu,
        );
        match &self.bar {
            Some(bar) => {
                if seconds > 0.0 {
                    bar.set_length(seconds.ceil() as u64);
                    bar.set_position(second.at.round() as u64);
                }
                bar.set_message(words);
            }
            None => say(&format!("  {:>5.1} s  {words}", second.at)),
        }
    }
}
