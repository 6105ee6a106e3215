//! Each rule on a record made by hand: one that is right, and one that breaks just this rule.

use uuid::Uuid;

use super::check_lines;
use super::report::{Report, Rule};
use crate::lab::record::{Call, Chat, Deed, Event, Fault, Kind, Line, Message, Run, State};

const ALICE: Uuid = Uuid::from_u128(0xa);
const BOB: Uuid = Uuid::from_u128(0xb);

fn message_id(s: u64) -> Uuid {
    Uuid::from_u128(1000 + u128::from(s))
}

/// A record of one chat whose members are Alice and Bob, seq 1 at the set-up; Alice reads.
struct Made {
    run: Run,
    calls: Vec<Call>,
    log: Vec<Event>,
    messages: Vec<Message>,
    members: Vec<Uuid>,
    faults: Vec<Fault>,
    seen: Vec<Line>,
}

fn event(s: u64, k: Kind) -> Event {
    let m = message_id(s);
    Event { t: s * 1000, n: 0, c: 0, s, k, x: s + 7, m, o: None, p: None, f: 0 }
}

fn call(s: u64, deed: Deed) -> Call {
    let (id, key) = (Some(message_id(s)), format!("key-{s}"));
    Call {
        t: s * 1000 - 500,
        done: s * 1000 + 100,
        c: 0,
        deed,
        key,
        status: 200,
        tries: 1,
        unsure: false,
        id,
        who: None,
        f: 0,
    }
}

fn message(s: u64) -> Message {
    Message { node: 0, c: 0, id: message_id(s), s, key: format!("key-{s}"), p: None, deleted: false, f: 0, replies: 0 }
}

/// Three messages, sent, logged, shown and seen.
fn made() -> Made {
    let log: Vec<Event> = (2..=4).map(|s| event(s, Kind::MessageCreated)).collect();
    let placed = Line::At { t: 3, n: 1, c: 0, s: 1, told: String::new() };
    let seen = log.iter().map(|event| Line::Event(Event { n: 1, ..event.clone() }));
    Made {
        run: Run { keeps: true, ..Run::default() },
        calls: (2..=4).map(|s| call(s, Deed::Send)).collect(),
        log: log.clone(),
        messages: (2..=4).map(message).collect(),
        members: vec![ALICE, BOB],
        faults: Vec::new(),
        seen: [Line::Open { t: 1, n: 1, node: 0 }, placed, Line::Live { t: 4, n: 1 }].into_iter().chain(seen).collect(),
    }
}

impl Made {
    fn check(&self) -> Report {
        let mut lines = vec![Line::Run(self.run.clone())];
        lines.push(Line::Chat(Chat { c: 0, id: Uuid::nil(), quiet: false, members: vec![ALICE, BOB], seq: 1 }));
        lines.extend(self.calls.iter().cloned().map(Line::Call));
        lines.extend(self.faults.iter().cloned().map(Line::Fault));
        lines.extend(self.log.iter().cloned().map(Line::Logged));
        lines.extend(self.messages.iter().cloned().map(Line::Message));
        let seq = self.log.last().map_or(1, |event| event.s);
        let (members, member_count) = (self.members.clone(), self.members.len() as u64);
        lines.push(Line::State(State { node: 0, c: 0, seq, members, member_count, f: 0 }));
        let who = Line::Who { reader: "alice".to_owned(), agent: ALICE };
        check_lines(lines, &[std::iter::once(who).chain(self.seen.iter().cloned()).collect()])
    }

    /// Only this rule is broken, so often.
    #[track_caller]
    fn breaks(&self, rule: Rule, times: u64) {
        let report = self.check();
        assert_eq!((report.count(rule), report.violations()), (times, times), "{:?}", report.findings);
    }

    #[track_caller]
    fn is_right(&self) -> Report {
        let report = self.check();
        assert_eq!(report.violations(), 0, "{:?}", report.findings);
        report
    }

    /// Logs an event at the end, which Alice sees.
    fn then(&mut self, event: Event) {
        self.seen.push(Line::Event(Event { n: 1, ..event.clone() }));
        self.log.push(event);
    }
}

#[test]
fn a_run_in_which_all_went_well_is_right() {
    let report = made().is_right();
    assert_eq!((report.messages, report.deliveries, report.seen.count), (3, 3, 3));
}

#[test]
fn an_acknowledged_message_that_is_gone_is_lost() {
    let mut made = made();
    made.log.pop();
    made.seen.pop();
    made.messages.pop();
    made.breaks(Rule::Lost, 1);
    made.run.keeps = false;
    assert_eq!(made.is_right().lost_allowed, 1);
    made.run.keeps = true;
    made.calls[2].status = 503;
    made.is_right();
}

#[test]
fn an_acknowledged_delete_that_is_undone_is_lost() {
    let mut made = made();
    made.calls.push(Call { id: Some(message_id(3)), ..call(5, Deed::Delete) });
    made.breaks(Rule::Lost, 1);
    made.then(Event { m: message_id(3), ..event(5, Kind::MessageDeleted) });
    (made.messages[1].deleted, made.messages[1].key) = (true, String::new());
    made.is_right();
}

#[test]
fn an_acknowledged_reaction_that_is_gone_is_lost() {
    let mut made = made();
    made.calls.push(Call { id: Some(message_id(3)), who: Some(BOB), f: 9, ..call(5, Deed::React) });
    made.breaks(Rule::Lost, 1);
    made.calls[3].unsure = true;
    made.is_right();
    made.calls[3].unsure = false;
    made.then(Event { m: message_id(3), f: 99, ..event(5, Kind::Reactions) });
    made.messages[1].f = 99;
    made.is_right();
}

#[test]
fn an_acknowledged_removal_that_is_undone_is_lost() {
    let mut made = made();
    made.calls.push(Call { who: Some(BOB), ..call(5, Deed::Remove) });
    made.breaks(Rule::Lost, 1);
    made.then(Event { o: Some(BOB), ..event(5, Kind::Removed) });
    made.members.pop();
    made.is_right();
}

#[test]
fn two_messages_under_one_key_are_found() {
    let mut made = made();
    made.messages[2].key = "key-3".to_owned();
    made.breaks(Rule::Twice, 1);
}

#[test]
fn a_message_that_the_log_makes_twice_is_found() {
    let mut made = made();
    made.then(Event { m: message_id(3), ..event(5, Kind::MessageCreated) });
    made.breaks(Rule::Twice, 1);
}

#[test]
fn a_key_that_is_answered_with_another_message_is_found() {
    let mut made = made();
    made.calls.push(Call { key: "key-3".to_owned(), id: Some(message_id(3)), ..call(5, Deed::Again) });
    made.is_right();
    made.calls[3].id = Some(message_id(4));
    made.breaks(Rule::Twice, 1);
}

#[test]
fn a_hole_in_what_a_reader_saw_is_found() {
    let mut made = made();
    made.seen.remove(4);
    made.breaks(Rule::Hole, 1);
}

/// Alice was told that the history is another one. In it she is no member until she is added at 7.
#[test]
fn whoever_lost_the_membership_by_a_failover_begins_where_it_comes_in_again() {
    let mut made = made();
    let removed = Event { o: Some(ALICE), ..event(5, Kind::Removed) };
    let added = Event { o: Some(ALICE), n: 1, ..event(7, Kind::Added) };
    made.log.extend([removed, event(6, Kind::ChatUpdated), added.clone()]);
    let told = Line::At { t: 5500, n: 1, c: 0, s: 5, told: "rewritten".to_owned() };
    made.seen.extend([told, Line::Event(added)]);
    made.calls.extend([call(5, Deed::Remove), call(7, Deed::Add)].map(|deed| Call { who: Some(ALICE), ..deed }));
    assert_eq!(made.check().count(Rule::Hole), 0, "{:?}", made.check().findings);
    // As a member all along she had to hear what came between.
    made.log.retain(|event| event.k != Kind::Removed);
    assert_eq!(made.check().count(Rule::Hole), 1, "{:?}", made.check().findings);
}

#[test]
fn an_event_that_never_came_is_found_also_when_it_is_the_last() {
    let mut made = made();
    made.seen.pop();
    made.breaks(Rule::Hole, 1);
    made.seen.clear();
    made.breaks(Rule::Hole, 1);
}

#[test]
fn a_repeated_event_is_found() {
    let mut made = made();
    let last = made.seen.last().cloned().expect("a line");
    made.seen.push(last);
    made.breaks(Rule::Repeated, 1);
}

#[test]
fn events_in_another_order_are_found() {
    let mut made = made();
    made.seen.swap(4, 5);
    let report = made.check();
    assert!(report.count(Rule::Hole) > 0 && report.count(Rule::Repeated) > 0, "{:?}", report.findings);
}

#[test]
fn another_event_under_a_number_that_was_seen_is_found() {
    let mut made = made();
    made.seen.push(Line::Event(Event { n: 1, x: 1, ..event(4, Kind::MessageCreated) }));
    let report = made.check();
    assert_eq!((report.count(Rule::Reordered), report.count(Rule::NotTold)), (1, 1), "{:?}", report.findings);
}

#[test]
fn a_log_with_a_hole_is_found() {
    let mut made = made();
    made.log.remove(1);
    assert!(made.check().count(Rule::Differs) > 0);
}

#[test]
fn nodes_that_show_different_logs_are_found() {
    let mut made = made();
    let other: Vec<Event> = made.log.iter().map(|event| Event { n: 1, ..event.clone() }).collect();
    made.log.extend(other);
    made.log[4].x = 1;
    let report = made.check();
    assert_eq!(report.count(Rule::Differs), 1, "{:?}", report.findings);
}

/// Alice saw a fourth event that a failover lost; another took its number.
fn rewritten() -> Made {
    let mut made = made();
    made.run.keeps = false;
    let lost = Event { n: 1, x: 77, m: message_id(77), ..event(5, Kind::MessageCreated) };
    made.seen.push(Line::Event(lost));
    made.log.push(event(5, Kind::MessageCreated));
    made.messages.push(message(5));
    made
}

#[test]
fn a_client_that_saw_what_was_lost_and_was_not_told_is_found() {
    rewritten().breaks(Rule::NotTold, 1);
    let mut resumed = rewritten();
    resumed.seen.push(Line::At { t: 9000, n: 2, c: 0, s: 5, told: "trimmed".to_owned() });
    resumed.breaks(Rule::NotTold, 1);
}

#[test]
fn a_client_that_was_told_of_the_rewritten_history_is_right() {
    let mut made = rewritten();
    made.seen.push(Line::At { t: 9000, n: 1, c: 0, s: 5, told: "rewritten".to_owned() });
    let report = made.is_right();
    assert_eq!((report.told, report.told_needlessly), (1, 0));
}

#[test]
fn an_event_that_comes_to_an_agent_after_its_removal_is_found() {
    let mut made = made();
    made.calls.push(Call { who: Some(ALICE), ..call(5, Deed::Remove) });
    made.then(Event { o: Some(ALICE), ..event(5, Kind::Removed) });
    made.log.push(event(6, Kind::MessageCreated));
    made.messages.push(message(6));
    made.members = vec![BOB];
    made.is_right();
    made.seen.push(Line::Event(Event { n: 1, ..event(6, Kind::MessageCreated) }));
    made.breaks(Rule::Outsider, 1);
}

#[test]
fn an_agent_who_was_asked_in_again_may_read_what_happened_in_between() {
    let mut made = made();
    made.then(Event { o: Some(ALICE), ..event(5, Kind::Removed) });
    made.then(Event { t: 20_000, ..event(6, Kind::MessageCreated) });
    made.messages.push(message(6));
    made.then(Event { t: 20_000, o: Some(ALICE), ..event(7, Kind::Added) });
    made.breaks(Rule::Outsider, 1);
    made.calls.push(Call { who: Some(ALICE), ..call(7, Deed::Add) });
    made.is_right();
}

#[test]
fn what_rest_shows_otherwise_than_the_log_is_found() {
    let mut made = made();
    made.messages[0].f = 5;
    made.breaks(Rule::Fold, 1);
    made.messages[0].f = 0;
    made.messages[0].replies = 1;
    made.breaks(Rule::Fold, 1);
    made.log[2].p = Some(message_id(2));
    made.is_right();
}

#[test]
fn a_reply_to_what_the_log_does_not_hold_is_found() {
    let mut made = made();
    made.log[2].p = Some(message_id(3));
    made.messages[1].replies = 1;
    made.is_right();
    made.log[2].p = Some(message_id(99));
    made.messages[1].replies = 0;
    made.breaks(Rule::Fold, 1);
}

#[test]
fn members_that_are_not_the_logs_are_found() {
    let mut made = made();
    made.members.pop();
    made.breaks(Rule::Fold, 1);
}

#[test]
fn a_clients_own_fold_is_held_to_the_end() {
    let mut made = made();
    made.then(Event { m: message_id(3), f: 99, ..event(5, Kind::Reactions) });
    made.messages[1].f = 99;
    made.is_right();
    let Some(Line::Event(last)) = made.seen.last_mut() else { panic!("an event") };
    last.f = 98;
    made.breaks(Rule::Fold, 1);
}

#[test]
fn a_socket_that_closed_without_a_cause_is_found() {
    let mut made = made();
    made.seen.push(Line::Closed { t: 9000, n: 1, code: 1006 });
    made.breaks(Rule::Cut, 1);
    made.faults.push(Fault { t: 8000, ended: 9500, kind: "hub kill".to_owned(), node: Some(0), failed: String::new() });
    made.seen.push(Line::Open { t: 9500, n: 2, node: 1 });
    made.seen.push(Line::Live { t: 10_000, n: 2 });
    let report = made.is_right();
    assert_eq!((report.back.count, report.back.max, report.closed[&1006]), (1, 2000, 1));
}

#[test]
fn a_hub_that_leaves_without_a_word_is_found() {
    let mut made = made();
    made.faults.push(Fault {
        t: 8000,
        ended: 9500,
        kind: "hub drain".to_owned(),
        node: Some(0),
        failed: String::new(),
    });
    made.seen.push(Line::Closed { t: 9000, n: 1, code: 1012 });
    made.is_right();
    made.seen.pop();
    made.seen.push(Line::Closed { t: 9000, n: 1, code: 1006 });
    made.breaks(Rule::Undrained, 1);
}

#[test]
fn a_series_of_failovers_counts_those_told_and_those_silent() {
    let judged = |told: bool| {
        let mut made = rewritten();
        if told {
            made.seen.push(Line::At { t: 9000, n: 1, c: 0, s: 5, told: "rewritten".to_owned() });
        }
        made.seen.insert(0, Line::Round { t: 0, ended: 0, number: 0 });
        let mut lines = vec![Line::Run(made.run.clone()), Line::Round { t: 4500, ended: 8000, number: 1 }];
        lines.push(Line::Chat(Chat { c: 0, id: Uuid::nil(), quiet: false, members: vec![ALICE, BOB], seq: 1 }));
        lines.extend(made.log.iter().cloned().map(Line::Logged));
        let who = Line::Who { reader: "alice".to_owned(), agent: ALICE };
        check_lines(lines, &[std::iter::once(who).chain(made.seen).collect()]).rounds
    };
    let (told, silent) = (judged(true), judged(false));
    assert_eq!((told.lossy, told.told, told.silent), (1, 1, 0));
    assert_eq!((silent.lossy, silent.told, silent.silent), (1, 0, 1));
}

#[test]
fn a_record_without_an_end_shows_nothing() {
    let mut made = made();
    made.log.clear();
    assert!(made.check().count(Rule::Unread) > 0);
}
