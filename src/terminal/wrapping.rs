//! Lines as wide as the screen, counted in the columns that what is seen takes.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that a text of one line takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// The text in lines of at most `width` columns, the first of which has `taken` columns less. Broken
/// between words where that goes, else between characters as they are seen. Never empty.
pub(super) fn wrap(text: &str, width: usize, taken: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut room = width.saturating_sub(if lines.is_empty() { taken } else { 0 });
        let (mut line, mut used) = (String::new(), 0);
        for word in paragraph.split_word_bounds() {
            let wide = columns(word);
            if used + wide > room && (used > 0 || room < width) && wide <= width {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
                (room, used) = (width, 0);
                if word.trim().is_empty() {
                    continue;
                }
            }
            for seen in word.graphemes(true) {
                let wide = columns(seen);
                if used + wide > room && (used > 0 || room < width) {
                    lines.push(std::mem::take(&mut line));
                    (room, used) = (width, 0);
                }
                line.push_str(seen);
                used += wide;
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The text, or its beginning and `…` when it takes more than so many columns.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let (mut short, mut used) = (String::new(), 0);
    for seen in text.graphemes(true) {
        used += columns(seen);
        if used >= most {
            break;
        }
        short.push_str(seen);
    }
    short.trim_end().to_owned() + "…"
}

/// The text, filled up with spaces to so many columns.
pub(super) fn padded(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(columns(text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_line_is_wider_and_nothing_that_is_seen_is_lost(text in "[a-z \n\u{4e00}-\u{4eff}]{0,200}", width in 4usize..60, taken in 0usize..4) {
            let lines = wrap(&text, width, taken);
            for line in &lines {
                prop_assert!(columns(line) <= width, "{line:?} is wider than {width}");
            }
            let seen = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(seen(&lines.concat()), seen(&text));
        }
    }

    #[test]
    fn words_stay_whole_where_that_goes() {
        assert_eq!(wrap("one two three", 8, 0), ["one two", "three"]);
        assert_eq!(wrap("one two", 8, 6), ["", "one two"]);
        assert_eq!(wrap("abcdefghij", 4, 0), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a\n\nb", 8, 0), ["a", "", "b"]);
        assert_eq!(wrap("", 8, 0), [""]);
    }

    #[test]
    fn what_is_seen_as_one_is_not_torn() {
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(columns(family), 2);
        assert_eq!(wrap(&family.repeat(3), 4, 0), [family.repeat(2), family.to_owned()]);
        assert_eq!(wrap("日本語", 4, 0), ["日本", "語"]);
        assert_eq!(shortened("日本語です", 5), "日本…");
    }
}
