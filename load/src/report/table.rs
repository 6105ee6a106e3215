//! Tables, once, for the terminal, for a document and for a page.

use std::fmt::Write as _;

use super::escape;

/// What is to be seen of a cell at a glance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    #[default]
    Plain,
    Good,
    /// Neither good nor bad: half of the way.
    Fair,
    Bad,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub mark: Mark,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), mark: Mark::Plain }
    }
}

impl Cell {
    pub fn marked(text: impl Into<String>, mark: Mark) -> Self {
        Self { text: text.into(), mark }
    }
}

/// Rows under a head. Columns after the first hold figures, unless they are told to hold words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// A row of a name and a value.
    pub fn pair(&mut self, name: &str, value: impl Into<Cell>) {
        self.row([name.into(), value.into()]);
    }

    /// In columns, with two spaces between them: the first to the left, the others to the right.
    pub fn text(&self) -> String {
        let widths = self.widths();
        let mut out = String::new();
        let rows = self.rows.iter().map(|row| row.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>());
        for row in std::iter::once(self.head.iter().map(String::as_str).collect()).chain(rows) {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let space = " ".repeat(width.saturating_sub(cell.chars().count()));
                let (before, after) = if column == 0 { ("", space.as_str()) } else { (space.as_str(), "") };
                let _ = write!(line, "{}{before}{cell}{after}", if column == 0 { "" } else { "  " });
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// As GitHub reads it.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let cells: Vec<String> = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        out.push_str(&line(&mut self.head.iter().map(String::as_str)));
        out.push_str(&line(&mut self.head.iter().enumerate().map(|(at, _)| if at == 0 { "---" } else { "---:" })));
        for row in &self.rows {
            out.push_str(&line(&mut row.iter().map(|cell| cell.text.as_str())));
        }
        out
    }

    /// As a part of a page.
    pub fn html(&self) -> String {
        let mut out = String::from("<div class=\"wide\"><table>");
        if self.head.iter().any(|name| !name.is_empty()) {
            let cells: String = self.head.iter().map(|name| format!("<th>{}</th>", escape(name))).collect();
            let _ = write!(out, "<thead><tr>{cells}</tr></thead>");
        }
        out.push_str("<tbody>");
        for row in &self.rows {
            out.push_str("<tr>");
            for cell in row {
                let class = match cell.mark {
                    Mark::Plain => "",
                    Mark::Good => " class=\"good\"",
                    Mark::Fair => " class=\"fair\"",
                    Mark::Bad => " class=\"bad\"",
                };
                let _ = write!(out, "<td{class}>{}</td>", escape(&cell.text));
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table></div>\n");
        out
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count());
            cells.chain(self.head.get(column).map(|name| name.chars().count())).max().unwrap_or(0)
        };
        (0..self.head.len()).map(width).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_table_is_written_three_ways() {
        let mut table = Table::new(&["what", "a"]);
        table.row(["p99 <send>".into(), Cell::marked("1 | 2", Mark::Bad)]);
        table.pair("x", "12,345 µs");
        assert_eq!(table.text(), "what                a\np99 <send>      1 | 2\nx           12,345 µs\n");
        assert_eq!(table.markdown(), "| what | a |\n| --- | ---: |\n| p99 <send> | 1 \\| 2 |\n| x | 12,345 µs |\n");
        assert!(table.html().contains("<td>p99 &lt;send&gt;</td><td class=\"bad\">1 | 2</td>"));
    }
}
