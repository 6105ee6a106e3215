//! The judgement: reads a record, and nothing else, and says what of the promises did not hold.
//!
//! One file per invariant: [`lost`] (I1), [`twice`] (I2), [`views`] (I3 and I4 for what readers saw), [`numbers`] (I3 of
//! the log itself), [`outsiders`] (I5), [`fold`] (I6). [`measures`] counts and times what is no promise.

pub mod fold;
pub mod lost;
pub mod measures;
pub mod numbers;
pub mod outsiders;
pub mod report;
pub mod story;
pub mod twice;
pub mod views;

use std::io;
use std::path::Path;

use super::record;
#[cfg(test)]
use super::record::Line;
use measures::Measures;
use report::{Report, Rule};
use story::Story;
use views::Views;

/// Judges the record in a directory.
///
/// # Errors
/// The record cannot be read, or is none.
pub fn check(dir: &Path) -> io::Result<Report> {
    let story = Story::read(dir)?;
    let mut report = Report::new(story.run.clone());
    let mut measures = Measures::new(&story, &mut report);
    for unread in &story.unread {
        report.found(Rule::Unread, || unread.clone());
    }
    numbers::check(&story, &mut report);
    lost::check(&story, &mut report);
    twice::check(&story, &mut report);
    fold::check(&story, &mut report);
    for path in record::files(dir, "reader-")? {
        let mut views = Views::new(&story);
        record::read(&path, |line| {
            measures.take(&line, &mut report);
            views.take(&line, &mut report);
        })?;
        views.end(&mut report);
        measures.end_of_reader();
    }
    measures.end(&mut report);
    Ok(report)
}

/// Judges lines held in memory, for tests: those of the run and of the writers, and one list for each reader.
#[cfg(test)]
fn check_lines(lines: Vec<Line>, readers: &[Vec<Line>]) -> Report {
    let mut story = Story::default();
    for line in lines {
        story.take(line);
    }
    story.finish();
    let mut report = Report::new(story.run.clone());
    let mut measures = Measures::new(&story, &mut report);
    numbers::check(&story, &mut report);
    lost::check(&story, &mut report);
    twice::check(&story, &mut report);
    fold::check(&story, &mut report);
    for lines in readers {
        let mut views = Views::new(&story);
        for line in lines {
            measures.take(line, &mut report);
            views.take(line, &mut report);
        }
        views.end(&mut report);
        measures.end_of_reader();
    }
    measures.end(&mut report);
    report
}

#[cfg(test)]
mod tests;
