//! What is built in: only crates of crates.io, only licences of the list, and no crate twice
//! without a reason. The list is `.deny.toml`, so `cargo deny check` says the same; this test
//! needs nothing but cargo.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use config::{Config, File, FileFormat};
use serde::Deserialize;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// Where it comes from; none for our own.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    graph: Graph,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

#[derive(Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

fn rules() -> Rules {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.deny.toml")).expect(".deny.toml");
    let file = Config::builder().add_source(File::from_str(&text, FileFormat::Toml)).build().expect("toml");
    file.try_deserialize().expect("the tables that are read here")
}

/// Every package of the graph, all features included, for the targets of the rules.
fn packages(rules: &Rules) -> Vec<Package> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--all-features"]);
    for target in &rules.graph.targets {
        cargo.args(["--filter-platform", target]);
    }
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Metadata>(&output.stdout).expect("metadata").packages
}

/// Whether one may follow a licence expression with the allowed licences alone.
fn allowed(expression: &str, allow: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let fits = any_of(&mut words, allow);
    fits && words.next().is_none()
}

type Words<'a, 'b> = &'a mut std::iter::Peekable<std::str::SplitWhitespace<'b>>;

fn any_of(words: Words<'_, '_>, allow: &BTreeSet<String>) -> bool {
    let mut fits = all_of(words, allow);
    while words.next_if_eq(&"OR").is_some() {
        fits |= all_of(words, allow);
    }
    fits
}

fn all_of(words: Words<'_, '_>, allow: &BTreeSet<String>) -> bool {
    let mut fits = one(words, allow);
    while words.next_if_eq(&"AND").is_some() {
        fits &= one(words, allow);
    }
    fits
}

fn one(words: Words<'_, '_>, allow: &BTreeSet<String>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let fits = any_of(words, allow);
        return words.next_if_eq(&")").is_some() && fits;
    }
    let mut name = words.next().unwrap_or_default().to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next().unwrap_or_default());
    }
    allow.contains(&name)
}

#[test]
fn licence_expressions_are_understood() {
    let allow: BTreeSet<String> = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(String::from).into();
    for (expression, fits) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND ISC", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("GPL-3.0 OR (MIT AND GPL-2.0)", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("MIT ISC", false),
        ("", false),
    ] {
        assert_eq!(allowed(expression, &allow), fits, "{expression}");
    }
}

#[test]
fn every_licence_is_on_the_list() {
    let rules = rules();
    let refused: Vec<_> = packages(&rules)
        .into_iter()
        .filter(|package| !allowed(package.license.as_deref().unwrap_or_default(), &rules.licenses.allow))
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.license))
        .collect();
    assert!(refused.is_empty(), "not on the list in .deny.toml:\n{}", refused.join("\n"));
}

#[test]
fn everything_comes_from_crates_io() {
    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
    for package in packages(&rules()) {
        let source = package.source.as_deref().unwrap_or(CRATES_IO);
        assert_eq!(source, CRATES_IO, "{} {}", package.name, package.version);
    }
}

#[test]
fn no_crate_is_there_twice_without_a_reason() {
    let rules = rules();
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages(&rules) {
        versions.entry(package.name).or_default().push(package.version);
    }
    let fits = |skip: &Skip, name: &str, version: &str| {
        skip.name.split_once('@').is_some_and(|(n, v)| n == name && format!("{version}.").starts_with(&format!("{v}.")))
    };
    let mut unused: BTreeSet<&str> = rules.bans.skip.iter().map(|skip| skip.name.as_str()).collect();
    for (name, versions) in versions {
        let mut kept = Vec::new();
        for version in versions {
            match rules.bans.skip.iter().find(|skip| fits(skip, &name, &version)) {
                Some(skip) => {
                    assert!(!skip.reason.is_empty(), "{} has no reason", skip.name);
                    unused.remove(skip.name.as_str());
                }
                None => kept.push(version),
            }
        }
        assert!(kept.len() <= 1, "{name} is there as {kept:?}; see .deny.toml");
    }
    assert!(unused.is_empty(), "in .deny.toml and no longer needed: {unused:?}");
}
