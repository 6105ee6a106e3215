//! What docker/ says of the hub is true: its settings, its metrics and its alerts are there. Reads
//! texts only; whether containers start with them is not looked at here.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use talk_hub::settings::{BASE, Settings};
use talk_hub::telemetry::metric;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// The words of a text that begin with `start`.
fn words<'a>(text: &'a str, start: &'a str) -> BTreeSet<&'a str> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !part(c)).filter(|word| word.starts_with(start)).collect()
}

/// The metric that a series is of: histograms have three series each.
fn is_metric(series: &str) -> bool {
    let plain = ["_bucket", "_sum", "_count"].iter().find_map(|end| series.strip_suffix(end)).unwrap_or(series);
    metric::ALL.iter().any(|(name, _)| *name == series || (*name == plain && name.ends_with("_seconds")))
}

/// Whether `config/base.toml` has the key, as `section.key`.
fn is_setting(path: &str) -> bool {
    let (section, key) = path.split_once('.').expect("section.key");
    let found = BASE.split("\n[").find(|part| part.starts_with(&format!("{section}]")));
    found.is_some_and(|part| part.contains(&format!("\n{key} = ")))
}

#[test]
fn every_metric_on_the_dashboard_and_in_the_alerts_exists() {
    let dashboard = read("docker/grafana/dashboards/talk.json");
    serde_json::from_str::<serde_json::Value>(&dashboard).expect("the dashboard is JSON");
    for (file, text) in [
        ("dashboard", dashboard.as_str()),
        ("alerts", &read("docker/prometheus/alerts.yml")),
        ("autoscaling", &read("docker/kubernetes/scaling.yaml")),
    ] {
        let series = words(text, "talk_");
        assert!(!series.is_empty(), "{file} names no metric");
        let unknown: Vec<_> = series.into_iter().filter(|series| !is_metric(series)).collect();
        assert!(unknown.is_empty(), "{file}: no such metric: {unknown:?}");
    }
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let dashboard = read("docker/grafana/dashboards/talk.json");
    let shown = words(&dashboard, "talk_");
    let missing: Vec<_> =
        metric::ALL.iter().map(|(name, _)| *name).filter(|name| !shown.iter().any(|s| s.starts_with(name))).collect();
    assert!(missing.is_empty(), "not on the dashboard: {missing:?}");
}

#[test]
fn every_alert_says_which_row_to_read() {
    let (alerts, operations) = (read("docker/prometheus/alerts.yml"), read("docs/operations.md"));
    let rows: Vec<_> = alerts.lines().filter_map(|line| line.trim().strip_prefix("row: ")).collect();
    assert_eq!(rows.len(), alerts.matches("- alert: ").count(), "an alert without its row");
    for row in rows {
        assert!(operations.contains(&format!("\n| {row} | ")), "no row {row:?} in docs/operations.md");
    }
}

/// What stands between quotes in the second column of the table is a line that the hub logs.
#[test]
fn every_log_line_that_operators_are_told_of_is_in_the_code() {
    let operations = read("docs/operations.md");
    let (_, table) = operations.split_once("| symptom |").expect("the table");
    let mut code = String::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                code.push_str(&fs::read_to_string(entry).unwrap_or_default());
            }
        }
    }
    let mut lines = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")) {
        let column = row.split(" | ").nth(1).unwrap_or_default();
        for said in column.split('"').skip(1).step_by(2).filter(|said| !said.starts_with("OOM")) {
            lines += 1;
            assert!(code.contains(&format!("\"{said}")), "nobody logs {said:?}");
        }
    }
    assert!(lines > 10, "the table is gone");
}

#[test]
fn bounds_that_are_counted_are_settings() {
    let operations = read("docs/operations.md");
    let mut bounds = BTreeSet::new();
    for file in ["http/ws.rs", "http/rates.rs", "files/mod.rs", "people/password.rs", "chat/registry.rs"] {
        let code = read(&format!("src/{file}"));
        bounds.extend(
            code.split('"')
                .filter(|text| {
                    text.starts_with("limits.") || text.starts_with("auth.hash_") || text.starts_with("files.uploads")
                })
                .map(str::to_owned),
        );
    }
    assert!(bounds.len() > 5, "{bounds:?}");
    for bound in bounds {
        assert!(is_setting(&bound), "{bound} is no setting");
        assert!(operations.contains(&format!("`{bound}`")), "{bound} is not in docs/operations.md");
    }
}

#[test]
fn settings_of_containers_exist() {
    let mut named = 0;
    for file in ["docker/compose.yml", "docker/Dockerfile", "docker/kubernetes/hub.yaml", "docker/README.md"] {
        let text = read(file);
        for variable in words(&text, "TALK__") {
            named += 1;
            let path = variable["TALK__".len()..].to_lowercase().replace("__", ".");
            let text = path.strip_suffix("_file").unwrap_or(&path);
            assert!(is_setting(&path) || is_setting(text), "{file}: {variable} is no setting");
        }
    }
    assert!(named > 8, "nothing is set any more");
}

#[test]
fn the_settings_for_kubernetes_load() {
    let manifest = read("docker/kubernetes/hub.yaml");
    let (_, below) = manifest.split_once("  hub.toml: |\n").expect("the settings");
    let (text, _) = below.split_once("\n---").expect("the next object");
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("hub.toml");
    fs::write(&path, text).expect("a file");
    let secret = ("TALK__AUTH__SECRET".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
    let settings = Settings::load(Some(&path), [secret]).expect("valid settings");
    let grace = manifest.split("terminationGracePeriodSeconds: ").nth(1).and_then(|rest| rest.lines().next());
    let grace: u64 = grace.and_then(|text| text.parse().ok()).expect("a number of seconds");
    // preStop, the drain, a second of patience, answers under way.
    assert!(grace > 5 + settings.server.drain_secs + 1 + 5, "{grace} seconds are too few for a drain");
}

#[test]
fn images_are_of_a_version() {
    let mut images = Vec::new();
    for (file, key) in
        [("docker/compose.yml", "image: "), ("docker/kubernetes/hub.yaml", "image: "), ("docker/Dockerfile", "FROM ")]
    {
        let text = read(file);
        images.extend(text.lines().filter_map(|line| line.trim().strip_prefix(key)).map(str::to_owned));
    }
    let ours = |image: &&String| image.as_str() != "talk-hub";
    assert!(images.iter().filter(ours).count() > 5);
    for image in images.iter().filter(ours) {
        let name = image.split(' ').next().unwrap_or_default();
        let version = name.rsplit_once(':').map(|(_, version)| version).unwrap_or_default();
        // Google's images have no numbers; the name says the release of Debian.
        let numbered = version.contains(|c: char| c.is_ascii_digit()) || name.contains("debian13");
        assert!(numbered && version != "latest", "{image} may be another one tomorrow");
    }
}
