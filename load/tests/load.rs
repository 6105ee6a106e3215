//! The program `talk-load` as anybody has it, against real hubs: what it measures, what it finds, and how it exits.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use talk_load::results::{File, Run, Series};
use talk_load::rig::hub::Hub;

mod faulty;
mod remote;

/// The hub that is built beside this test, or what `TALK_HUB_BIN` names.
fn hub() -> PathBuf {
    let here = std::env::current_exe().expect("a path");
    let beside = here.ancestors().nth(2).expect("a target directory").join("talk-hub");
    let hub = talk_load::rig::hub::program(beside);
    assert!(hub.is_file(), "there is no hub at {}: cargo build", hub.display());
    hub
}

fn load(words: &[&str], out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talk-load"));
    command.args(words).arg("--out").arg(out).env_remove("TALK_HUB_BIN").output().expect("it runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What was written down, with nothing violated.
fn written(words: &[&str]) -> File {
    let out = tempfile::tempdir().expect("a directory");
    let output = load(words, out.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let files = std::fs::read_dir(out.path()).expect("results").map(|entry| entry.expect("an entry").path());
    let json = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let path = json.last().expect("a result");
    assert!(path.with_extension("html").is_file(), "a page beside it");
    File::read(&path).expect("a result")
}

/// Runs a scenario for a second or two, with knobs turned.
fn run(scenario: &str, words: &[&str], set: &[&str]) -> Run {
    let hub = hub();
    let mut all = vec!["run", scenario, "--hub", hub.to_str().expect("a path")];
    all.extend(words);
    for set in ["seconds=2", "warm_up_seconds=0.5"].iter().chain(set) {
        all.extend(["--set", set]);
    }
    match written(&all) {
        File::Run(run) => {
            assert_eq!((run.violations_count, run.violations.as_slice()), (0, &[][..]));
            *run
        }
        File::Series(_) => panic!("one run was wanted"),
    }
}

#[test]
fn everybody_in_a_big_chat_gets_everything() {
    let run = run("fan-out", &[], &["connections=50", "people=50", "members=50", "window=8"]);
    assert_eq!(run.counts.connected, 50);
    let (sent, delivered) = (run.counts.acknowledged, run.counts.delivered);
    // What was under way at the begin and the end of measuring is counted on one side only.
    assert!(sent > 20 && delivered.abs_diff(sent * 50) <= 50 * 16, "{sent} {delivered}");
    assert!(run.counts.frames >= delivered && run.counts.reads > 0);
    let delivery = &run.latencies["delivery"];
    // Those that were due in time and came after it have a latency, and count in no rate.
    assert!((delivered..=delivered + 50 * 16).contains(&delivery.count), "{delivery:?} {delivered}");
    assert!(delivery.p50 > 0 && delivery.p50 <= delivery.p99, "{delivery:?}");
    assert!(run.server.cpu_seconds > 0.0 && run.server.rss_end_bytes > 1 << 20 && run.server.cpu_us_per_delivery > 0.0);
    assert!((2..=3).contains(&run.timeline.len()) && run.timeline.iter().all(|second| second.connections == 50));
    assert_eq!(run.settings["connections"], 50);
}

#[test]
fn messages_at_a_rate_cross_nodes_and_redis_is_watched() {
    let set = ["rate=100", "people=40", "connections=40", "chats=8"];
    let run = run("send-to-receive", &["--store", "redis", "--nodes", "2"], &set);
    let rate = run.counts.sent as f64 / run.seconds;
    assert!((70.0..130.0).contains(&rate), "{rate}");
    assert!(run.latencies["delivery"].count > 0 && run.latencies["delivery_across"].count > 0);
    let redis = run.redis.expect("what Redis did");
    assert!(redis.script_calls >= run.counts.acknowledged && redis.by_command.len() > 1, "{redis:?}");
}

#[test]
fn sockets_that_are_dropped_come_back_and_have_missed_nothing() {
    let set = ["connections=60", "people=60", "chats=6", "members=10", "drop_after_seconds=0.5", "rate=100"];
    let run = run("reconnect-storm", &[], &set);
    assert_eq!((run.counts.resumed, run.latencies["resume"].count), (60, 60));
    assert!(run.counts.delivered > 500, "{}", run.counts.delivered);
}

#[test]
fn sockets_that_are_not_read_are_not_judged() {
    let set = ["connections=20", "people=20", "members=20", "stalled_percent=50", "rate=50"];
    let run = run("slow-readers", &[], &set);
    assert!(run.counts.delivered.abs_diff(run.counts.acknowledged * 10) <= 100, "half of them hear");
}

#[test]
fn people_who_think_write_react_and_read() {
    let set = ["people=20", "connections=20", "chats=20", "members=5", "think_ms=200"];
    let run = run("contact-centre", &[], &set);
    for name in ["send", "reaction", "history", "delivery"] {
        assert!(run.latencies.get(name).is_some_and(|latency| latency.count > 0), "{name}");
    }
    assert!(run.counts.requests < 20 * 2 * 5 * 2, "they think in between: {}", run.counts.requests);
}

#[test]
fn a_hub_is_started_again_on_what_it_stored() {
    let run = run("start", &[], &["chats=200", "people=20", "restarts=2", "seconds=0.2", "warm_up_seconds=0"]);
    assert_eq!(run.latencies["start"].count, 2);
}

#[test]
fn rounds_go_in_turn_and_a_sweep_has_a_run_for_each_value() {
    let hub = hub();
    let mut words = vec!["run", "fan-out", "--hub", hub.to_str().expect("a path"), "--against", "write-loop"];
    words.extend(["--rounds", "2", "--sweep", "connections=5,10"]);
    for set in ["seconds=0.5", "warm_up_seconds=0.2", "people=10", "members=10"] {
        words.extend(["--set", set]);
    }
    let File::Series(Series { runs, rounds, sweep, .. }) = written(&words) else { panic!("several runs were wanted") };
    assert_eq!((rounds, sweep.as_str()), (2, "connections"));
    let order: Vec<_> =
        runs.iter().map(|run| (run.target.kind.as_str(), run.settings["connections"].as_u64())).collect();
    let first = [("hub", Some(5)), ("write-loop", Some(5)), ("hub", Some(10)), ("write-loop", Some(10))];
    let second = [("write-loop", Some(5)), ("hub", Some(5)), ("write-loop", Some(10)), ("hub", Some(10))];
    assert_eq!(order, [first, second].concat(), "the other way round in every second round");
    assert!(runs.iter().all(|run| run.counts.delivered > 0 && run.violations_count == 0));
}

#[test]
fn a_server_that_leaves_something_out_or_says_it_twice_is_found_out() {
    for (fault, words) in [
        (faulty::Fault::None, None),
        (faulty::Fault::Skips, Some("missed events 5 to 5 of chat")),
        (faulty::Fault::Repeats, Some("was sent event 5 of chat")),
        (faulty::Fault::EndsEarly, Some("never got events")),
        (faulty::Fault::HangsUp, Some("was closed, and cannot resume")),
        (faulty::Fault::Closes, Some("was closed, and cannot resume: code 4008")),
    ] {
        let server = faulty::start(fault);
        let out = tempfile::tempdir().expect("a directory");
        let mut all = vec!["run", "fan-out", "--url", &server, "--dialect", "bare"];
        for set in ["connections=3", "arrivals=rate", "rate=50", "seconds=1", "warm_up_seconds=0", "settle_seconds=1"] {
            all.extend(["--set", set]);
        }
        let output = load(&all, out.path());
        let said = text(&output);
        assert_eq!(output.status.code(), Some(i32::from(words.is_some())), "{fault:?}: {said}");
        assert!(said.contains(words.unwrap_or("delivered")), "{fault:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_runs_already_is_loaded_with_tokens_by_signing_in_or_with_a_secret() {
    let remote = remote::start(hub(), 4).await;
    let (url, files) = (remote.hub.base(), tempfile::tempdir().expect("a directory"));
    let (tokens, people) = (files.path().join("tokens"), files.path().join("people"));
    let lines = |line: fn(&(String, String, String)) -> String| {
        remote.agents.iter().map(|agent| line(agent) + "\n").collect::<String>()
    };
    std::fs::write(&tokens, lines(|(_, _, token)| token.clone())).expect("written");
    std::fs::write(&people, lines(|(name, password, _)| format!("{name} {password}"))).expect("written");
    let (tokens, people) = (tokens.to_str().expect("a path"), people.to_str().expect("a path"));
    let pid = remote.hub.pid().expect("it runs").to_string();
    for access in [
        &["--tokens", tokens][..],
        &["--sign-in", people],
        &["--secret", remote::SECRET, "--admin-token", remote::ADMIN_TOKEN],
    ] {
        let mut words = vec!["run", "send-to-receive", "--url", &url, "--pid", &pid];
        words.extend(access);
        for set in ["people=4", "connections=4", "chats=2", "members=3", "rate=40", "seconds=1", "warm_up_seconds=0"] {
            words.extend(["--set", set]);
        }
        let File::Run(run) = tokio::task::block_in_place(|| written(&words)) else { panic!("one run was wanted") };
        assert!(
            run.counts.delivered > 0 && run.counts.failed + run.counts.refused == 0,
            "{access:?}: {:?}",
            run.counts
        );
        assert!(run.server.rss_end_bytes > 0, "{access:?}");
    }
    let out = tempfile::tempdir().expect("a directory");
    let words = ["run", "fan-out", "--url", &url, "--tokens", tokens];
    let output = load(&words, out.path());
    assert!(text(&output).contains("4 lines for 1000 people"), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn hubs_behind_tls_are_loaded_by_those_who_trust_them() {
    let remote = remote::start(hub(), 4).await;
    let files = tempfile::tempdir().expect("a directory");
    let address = remote.hub.base().trim_start_matches("http://").parse().expect("an address");
    let (url, authority) = remote::behind_tls::proxy(address, files.path()).await;
    let authority = authority.to_str().expect("a path");
    let mut words = vec!["run", "send-to-receive", "--url", &url];
    words.extend(["--secret", remote::SECRET, "--admin-token", remote::ADMIN_TOKEN]);
    // Messages are so large that many are cut into several records.
    for set in ["people=4", "connections=4", "chats=2", "members=3", "rate=40", "seconds=1", "warm_up_seconds=0"] {
        words.extend(["--set", set]);
    }
    words.extend(["--set", "text_bytes=16000"]);
    let trusting: Vec<&str> = words.iter().copied().chain(["--ca", authority]).collect();
    let File::Run(run) = tokio::task::block_in_place(|| written(&trusting)) else { panic!("one run was wanted") };
    assert!(run.counts.delivered > 50 && run.counts.failed + run.counts.refused == 0, "{:?}", run.counts);

    let output = tokio::task::block_in_place(|| load(&words, files.path()));
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("certificate"), "{}", text(&output));
}

/// A run at a rate of 100 for 3 seconds, during which something is done to the hub when a line is printed: how it exits, what
/// it said, and its result.
async fn disturbed(mut disturb: impl FnMut(&str, &Hub)) -> (Option<i32>, String, Option<Run>) {
    let remote = remote::start(hub(), 1).await;
    let out = tempfile::tempdir().expect("a directory");
    let (url, pid) = (remote.hub.base(), remote.hub.pid().expect("it runs").to_string());
    let access = ["--secret", remote::SECRET, "--admin-token", remote::ADMIN_TOKEN];
    let mut command = Command::new(env!("CARGO_BIN_EXE_talk-load"));
    command.args(["run", "send-to-receive", "--plain", "--url", &url, "--pid", &pid]).args(access);
    for set in ["people=4", "connections=4", "chats=2", "members=2", "rate=100", "seconds=3", "warm_up_seconds=0"] {
        command.args(["--set", set]);
    }
    command.args(["--set", "settle_seconds=3"]);
    let mut load = command.arg("--out").arg(out.path()).stdout(Stdio::piped()).spawn().expect("it runs");
    tokio::task::block_in_place(|| {
        let mut said = String::new();
        for line in BufReader::new(load.stdout.take().expect("its words")).lines() {
            let line = line.expect("a line");
            disturb(line.trim_start(), &remote.hub);
            said += &line;
            said.push('\n');
        }
        let code = load.wait().expect("it ends").code();
        let files = std::fs::read_dir(out.path()).into_iter().flatten().map(|entry| entry.expect("an entry").path());
        let json = files.filter(|path| path.extension().is_some_and(|ending| ending == "json")).last();
        let run = json.map(|path| match File::read(&path).expect("a result") {
            File::Run(run) => *run,
            File::Series(_) => panic!("one run was wanted"),
        });
        (code, said, run)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_stands_still_for_a_second_is_charged_for_all_that_was_due_in_it() {
    for (from, until) in [("1.0 s", "2.0 s"), ("2.0 s", "waiting until everybody has everything")] {
        let stands_still = |line: &str, hub: &Hub| {
            if line.starts_with(from) {
                hub.freeze().expect("it stands still");
            }
            if line.starts_with(until) {
                hub.thaw().expect("it goes on");
            }
        };
        let (code, said, run) = disturbed(stands_still).await;
        assert_eq!(code, Some(0), "{said}");
        let run = run.expect("a result");
        for name in ["send", "delivery"] {
            let latency = &run.latencies[name];
            assert!(latency.p99 >= 500_000 && latency.p90 >= 300_000, "from {from} on: {name}: {latency:?}");
        }
        assert!(run.latencies["send"].count > 200 && run.counts.failed == 0, "{:?}", run.counts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_ends_amid_the_load_is_an_error() {
    let (code, said, run) = disturbed(|line, hub| {
        if line.starts_with("1.0 s") {
            hub.kill().expect("it is gone");
        }
    })
    .await;
    assert_eq!((code, run), (Some(2), None), "{said}");
    assert!(said.contains("of hub has ended"), "{said}");
}

#[test]
fn sockets_that_hold_nothing_up_teach_nothing() {
    let out = tempfile::tempdir().expect("a directory");
    let hub = hub();
    let mut words = vec!["run", "slow-readers", "--hub", hub.to_str().expect("a path")];
    for set in
        ["connections=10", "people=10", "members=10", "rate=2", "text_bytes=16", "seconds=1", "warm_up_seconds=0"]
    {
        words.extend(["--set", set]);
    }
    let output = load(&words, out.path());
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("was closed or full"), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_are_refused_for_good_end_the_run_at_once_and_say_why() {
    let remote = remote::start(hub(), 1).await;
    let out = tempfile::tempdir().expect("a directory");
    let words = ["run", "idle", "--url", "http://127.0.0.1:1", "--dialect", "bare", "--set", "connections=1"];
    let set = ["--set", "connect_seconds=1", "--set", "people=1", "--set", "members=1", "--set", "chats=1"];
    let output = load(&[&words[..], &set].concat(), out.path());
    assert!(text(&output).contains("Connection refused"), "{}", text(&output));
    // A hub has no `/subscribe`.
    let url = remote.hub.base();
    let words = ["run", "idle", "--url", &url, "--dialect", "bare", "--set", "connections=1"];
    let set = ["--set", "people=1", "--set", "members=1", "--set", "chats=1"];
    let begin = std::time::Instant::now();
    let output = tokio::task::block_in_place(|| load(&[&words[..], &set].concat(), out.path()));
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("refused with status 4"), "{}", text(&output));
    assert!(begin.elapsed() < Duration::from_secs(30), "long before the two minutes that it may take");
}

#[test]
fn goals_that_cannot_be_run_are_an_error_and_rounds_have_a_bound() {
    let out = tempfile::tempdir().expect("a directory");
    let output = load(&["goals", "--quick", "--only", "idle", "--hub", "/nowhere/talk-hub"], out.path());
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("there is no hub at /nowhere"), "{}", text(&output));
    let written = std::fs::read_dir(out.path()).expect("results").count();
    assert_eq!(written, 3, "what there is, is kept: runs, table, Markdown");
    for words in [&["goals", "--rounds", "0"][..], &["run", "fan-out", "--rounds", "101"]] {
        let output = load(words, out.path());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains("1..=100"), "{}", text(&output));
    }
}

#[test]
fn what_was_measured_before_something_could_not_be_run_is_kept() {
    let (out, hub) = (tempfile::tempdir().expect("a directory"), hub());
    let hub = hub.to_str().expect("a path");
    let mut words = vec!["run", "contact-centre", "--hub", hub, "--against", "write-loop", "--rounds", "2"];
    for set in ["people=5", "connections=5", "chats=2", "seconds=0.5", "warm_up_seconds=0", "think_ms=50"] {
        words.extend(["--set", set]);
    }
    let output = load(&words, out.path());
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let path = std::fs::read_dir(out.path()).expect("results").next().expect("one").expect("an entry").path();
    assert_eq!(File::read(&path).expect("a result").runs().len(), 1);
}

#[test]
fn a_hub_in_the_environment_is_no_objection_to_an_address() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talk-load"));
    let words = ["run", "idle", "--url", "ftp://127.0.0.1:1", "--secret", "x"];
    let output = command.args(words).env("TALK_HUB_BIN", hub()).output().expect("it runs");
    assert!(text(&output).contains("must begin with http://"), "{}", text(&output));
}

#[test]
fn what_cannot_be_run_is_said_before_anything_is_started() {
    let out = tempfile::tempdir().expect("a directory");
    for (words, expected) in [
        (&["run", "fan-out", "--hub", "/nowhere/talk-hub"][..], "there is no hub at /nowhere"),
        (&["run", "fan-out"], "--hub PATH"),
        (&["run", "fan-uot"], "no scenario is named fan-uot"),
        (&["run", "fan-out", "--set", "conections=1"], "no knob conections"),
        (&["run", "fan-out", "--set", "connections=many"], "invalid type"),
        (&["run", "fan-out", "--url", "ftp://127.0.0.1:1", "--secret", "x"], "must begin with http://"),
        (&["run", "history", "--url", "ws://127.0.0.1:1", "--dialect", "bare"], "one chat with sends"),
        (&["goals", "--only", "fan-uot"], "no goal is named fan-uot"),
    ] {
        let output = load(words, out.path());
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", text(&output));
        assert!(text(&output).contains(expected), "{words:?}: {}", text(&output));
    }
}

#[test]
fn the_scenarios_are_listed_with_their_sentences() {
    let output = Command::new(env!("CARGO_BIN_EXE_talk-load")).arg("list").output().expect("it runs");
    assert!(text(&output).contains("fan-out          One big chat"), "{}", text(&output));
    let knobs = Command::new(env!("CARGO_BIN_EXE_talk-load")).args(["list", "idle"]).output().expect("it runs");
    assert!(text(&knobs).contains("connections = 5000"), "{}", text(&knobs));
}
