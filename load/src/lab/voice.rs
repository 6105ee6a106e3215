//! The one place where the lab speaks to whoever started it.

/// Prints a line, or several.
#[expect(clippy::print_stdout, reason = "what the program says is what it is for")]
pub fn say(text: &str) {
    println!("{text}");
}
