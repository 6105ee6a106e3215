//! The one place where the lab speaks to whoever started it.

use std::io::Write as _;

/// Prints a line, or several. Whoever has closed the other end of a pipe hears nothing, and what is done goes on.
pub fn say(text: &str) {
    writeln!(std::io::stdout(), "{text}").ok();
}
