//! Prints one Markdown table over the reports of several runs, and a short account of each that failed.

use std::fmt::Write;

use super::check::report::{Report, Rule, Times};

/// The head of the table; [`row`] fits below it.
const HEAD: &str = "| part | topology | durability | seed | min | faults | messages | deliveries | acked lost | lost where \
                    allowed | twice | repeated | reordered | holes | nodes differ | not told | told | non-member | fold | \
                    cut off | back p99 | seen p99 | 5xx |\n";
/// Columns of the table.
const COLUMNS: usize = 23;

/// The table over these runs, with a row for the sum.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let mut text = format!("{HEAD}|{}\n", "---|".repeat(COLUMNS));
    for report in reports {
        text.push_str(&row(report));
    }
    text.push_str(&sum(reports));
    text.push_str(&faults(reports));
    text
}

fn row(report: &Report) -> String {
    let run = &report.run;
    let minutes = run.seconds as f64 / 60.0;
    let mut text = format!("| {} | {} | {} | {} | {minutes:.1} ", run.part, run.topology, run.durability, run.seed);
    for figure in figures(report) {
        let _ = write!(text, "| {figure} ");
    }
    let _ = writeln!(text, "| {} | {} | {} |", ms(&report.back), ms(&report.seen), refused(report));
    text
}

fn figures(report: &Report) -> [u64; 15] {
    [
        report.faults_done(),
        report.messages,
        report.deliveries,
        report.count(Rule::Lost),
        report.lost_allowed,
        report.count(Rule::Twice),
        report.count(Rule::Repeated),
        report.count(Rule::Reordered),
        report.count(Rule::Hole),
        report.count(Rule::Differs) + report.count(Rule::Unread) + report.count(Rule::Odd),
        report.count(Rule::NotTold),
        report.told,
        report.count(Rule::Outsider),
        report.count(Rule::Fold),
        report.count(Rule::Cut) + report.count(Rule::Undrained),
    ]
}

fn sum(reports: &[Report]) -> String {
    let mut total = [0u64; 15];
    for report in reports {
        for (sum, figure) in total.iter_mut().zip(figures(report)) {
            *sum += figure;
        }
    }
    let minutes: f64 = reports.iter().map(|report| report.run.seconds as f64 / 60.0).sum();
    let mut text = format!("| **all** | | | | {minutes:.1} ");
    for figure in total {
        let _ = write!(text, "| **{figure}** ");
    }
    let refused: u64 = reports.iter().map(refused).sum();
    let _ = writeln!(text, "| | | {refused} |");
    text
}

fn ms(times: &Times) -> String {
    if times.count == 0 { "-".to_owned() } else { format!("{:.0} ms", times.p99 as f64 / 1000.0) }
}

/// Answers of 500 and above, those of an outage included.
fn refused(report: &Report) -> u64 {
    report.answers.iter().filter(|(kind, _)| kind.starts_with('5')).map(|(_, count)| count).sum()
}

fn faults(reports: &[Report]) -> String {
    let mut all = std::collections::BTreeMap::<&str, u64>::new();
    for (kind, count) in reports.iter().flat_map(|report| &report.faults) {
        *all.entry(kind).or_default() += count;
    }
    let mut text = String::from("\nFaults: ");
    let list: Vec<String> = all.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let _ = writeln!(text, "{}.", if list.is_empty() { "none".to_owned() } else { list.join(", ") });
    text
}

/// One run in words: what was broken first, and the figures the table has no room for.
#[must_use]
pub fn account(report: &Report) -> String {
    let mut text = String::new();
    for (rule, findings) in &report.findings {
        let _ = writeln!(text, "{rule:?}: {}", findings.count);
        for example in &findings.examples {
            let _ = writeln!(text, "  {example}");
        }
    }
    let _ = writeln!(text, "told {} ({} needlessly), trimmed {}", report.told, report.told_needlessly, report.trimmed);
    let _ = writeln!(text, "calls that no try settled: {}", report.unsettled);
    for (name, times) in [("seen", &report.seen), ("seen in quiet chats", &report.seen_quiet), ("back", &report.back)] {
        let (p50, p99, max) = (times.p50 as f64 / 1e3, times.p99 as f64 / 1e3, times.max as f64 / 1e3);
        let _ = writeln!(text, "{name}: {} times, p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms", times.count);
    }
    let _ = writeln!(text, "answers: {:?}", report.answers);
    let _ = writeln!(text, "sockets closed: {:?}", report.closed);
    if !report.faults_failed.is_empty() {
        let _ = writeln!(text, "faults that could not be done: {:?}", report.faults_failed);
    }
    if report.rounds.done > 0 {
        let rounds = &report.rounds;
        let _ = writeln!(
            text,
            "failovers {}: {} lost what a client had seen, {} told, {} silent; {} acknowledged messages lost",
            rounds.done, rounds.lossy, rounds.told, rounds.silent, rounds.lost
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::record::Run;

    #[test]
    fn every_row_has_the_columns_of_the_head() {
        let report = Report { run: Run { part: "a".to_owned(), ..Run::default() }, messages: 7, ..Report::default() };
        let table = table(&[report.clone(), report]);
        let rows: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 5);
        for row in &rows {
            assert_eq!(row.matches('|').count(), COLUMNS + 1, "{row}");
        }
        assert!(rows[4].contains("**14**"), "{}", rows[4]);
    }
}
