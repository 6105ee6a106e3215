//! What a result file says, for people: a page ([`page()`]), two results side by side ([`compare`]), the goals as a table
//! ([`goals`]).
//!
//! Nothing is measured here and nothing is left out: a violation stands on top, in red. Medians and ratios are computed
//! from the rounds; how a difference is judged is said in [`spread`]. A page is one file that asks no host for anything
//! and needs no script.

pub mod compare;
pub mod figures;
pub mod goals;
mod overview;
mod page;
mod plot;
mod plots;
mod runs;
pub mod spread;
pub mod table;

use std::fmt::Write as _;

pub use page::page;

/// Text as HTML: also safe in an attribute in double quotes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // What no page may hold.
            c if c.is_control() && c != '\n' => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}
