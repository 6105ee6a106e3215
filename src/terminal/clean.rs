//! What others wrote, made so that it can do nothing to a terminal but be read: no escape sequence,
//! no movement of the cursor, no turning round of the rest of the line.

use std::fmt::Write;

/// Whether the character would do something else than stand there.
fn acts(c: char) -> bool {
    // Controls of both sets, and what breaks a line or turns its direction for more than itself.
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A text of several lines. Breaks stay, a tab becomes a space; what acts is written out, as `\u{1b}`.
pub(super) fn lines(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => clean.push('\n'),
            '\t' => clean.push(' '),
            c if acts(c) => write_out(&mut clean, c),
            c => clean.push(c),
        }
    }
    clean
}

/// A text of one line, such as a name: a break is written out too.
pub(super) fn line(text: &str) -> String {
    lines(text).replace('\n', "\\n")
}

/// JSON as it may stand on a terminal: the same JSON, with what acts as `\u001b`.
pub(super) fn json(json: &str) -> String {
    let mut clean = String::with_capacity(json.len());
    for c in json.chars() {
        // Outside of strings JSON has nothing of these but white space, which may go.
        match c {
            '\n' | '\r' | '\t' => clean.push(' '),
            // All of them are of the plane that four digits write.
            c if acts(c) => drop(write!(clean, "\\u{:04x}", u32::from(c))),
            c => clean.push(c),
        }
    }
    clean
}

fn write_out(clean: &mut String, c: char) {
    let _ = write!(clean, "\\u{{{:x}}}", u32::from(c));
}

/// The name for a file that came from elsewhere: nothing of a path, nothing hidden, nothing that acts.
/// `None` when nothing is left.
pub(super) fn file_name(name: &str) -> Option<String> {
    /// Bytes, so that most file systems take it with an ending put to it.
    const BYTES_MAX: usize = 200;
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !acts(*c)).collect();
    let kept = kept.trim().trim_start_matches(['.', '-', '~', ' ']);
    let end = (0..=kept.len().min(BYTES_MAX)).rev().find(|end| kept.is_char_boundary(*end)).unwrap_or_default();
    let kept = kept[..end].trim_end();
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in any::<String>()) {
            prop_assert!(!lines(&text).chars().any(|c| acts(c) && c != '\n'));
            prop_assert!(!line(&text).chars().any(acts));
            prop_assert!(!json(&text).chars().any(acts));
        }

        #[test]
        fn json_says_the_same(text in any::<String>()) {
            let written = json(&serde_json::to_string(&text).expect("JSON"));
            prop_assert_eq!(serde_json::from_str::<String>(&written).expect("JSON"), text);
        }

        #[test]
        fn a_file_name_leads_nowhere_else(name in any::<String>()) {
            let Some(name) = file_name(&name) else { return Ok(()) };
            let parts: Vec<_> = std::path::Path::new(&name).components().collect();
            prop_assert!(matches!(parts[..], [std::path::Component::Normal(_)]), "{}", name);
            prop_assert!(!name.starts_with(['.', '-', '~']) && !name.contains(['/', '\\']) && name.len() <= 200);
        }
    }

    #[test]
    fn escapes_are_written_out() {
        assert_eq!(lines("a\u{1b}[2Jb\r\nc\u{9b}31m\td"), "a\\u{1b}[2Jb\\u{d}\nc\\u{9b}31m d");
        assert_eq!(line("Bob\n10:30 Alice"), "Bob\\n10:30 Alice");
        assert_eq!(line("\u{202e}gpj.exe"), "\\u{202e}gpj.exe");
    }

    #[test]
    fn file_names_lose_their_paths() {
        let named = |name| file_name(name).unwrap_or_default();
        assert_eq!(named("../../etc/passwd"), "passwd");
        assert_eq!(named("C:\\Windows\\system.ini"), "system.ini");
        assert_eq!(named(".bashrc"), "bashrc");
        assert_eq!(named("-rf"), "rf");
        assert_eq!(named("a\u{1b}]0;b\u{7}.txt"), "a]0;b.txt");
        for nothing in ["", "..", "/", "...", "\u{1b}", "a/"] {
            assert_eq!(file_name(nothing), None, "{nothing:?}");
        }
    }
}
