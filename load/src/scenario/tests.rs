//! That scenarios are read as they are written, and that what makes no sense is refused by name.

use super::*;

fn with(overrides: &[&str]) -> Result<Scenario, Error> {
    find("fan-out", &overrides.iter().map(|order| (*order).to_owned()).collect::<Vec<_>>())
}

#[test]
fn every_scenario_of_the_product_makes_sense_and_says_what_it_does() {
    for scenario in all().expect("all of them") {
        let sentence = &scenario.sentence;
        assert!(sentence.len() > 40 && sentence.ends_with('.'), "{}: {sentence}", scenario.name);
        assert!(TEXTS.iter().any(|(name, _)| *name == scenario.name), "{}", scenario.name);
    }
}

#[test]
fn knobs_are_turned_from_outside() {
    let scenario = with(&["connections=5", "rate=12", "arrivals=rate", "hub.limits.text_bytes_max=99"]).expect("good");
    assert_eq!((scenario.connections, scenario.arrivals), (5, Arrivals::Rate));
    assert!((scenario.rate - 12.0).abs() < 1e-9);
    assert_eq!(scenario.hub.get("limits.text_bytes_max").and_then(Value::as_i64), Some(99));
    assert_eq!(with(&["text-bytes=64"]).expect("good").text_bytes, 64, "dashes do as well");
    assert_eq!(scenario.settings().get("connections"), Some(&Value::from(5)));
}

#[test]
fn what_is_no_knob_is_refused_and_the_knobs_are_named() {
    let error = with(&["conections=5"]).expect_err("a typing error").to_string();
    assert!(error.contains("no knob conections") && error.contains("connections,"), "{error}");
    assert!(matches!(with(&["connections"]), Err(Error::Override(_))));
    assert!(matches!(find("fan-uot", &[]), Err(Error::Unknown { .. })));
    assert!(matches!(read("x", "conections = 5", &[]), Err(Error::Toml { .. })));
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for order in [
        "people=0",
        "members=2000",
        "text_bytes=3",
        "stalled_percent=101",
        "rate=-1",
        "seconds=0",
        "sends=0",
        "reactions=1",
        "arrivals=sometimes",
        "connections=many",
        "drop_after_seconds=nan",
        "stalled_percent=100",
    ] {
        assert!(with(&[order]).is_err(), "{order}");
    }
}

#[test]
fn members_are_spread_evenly_and_never_twice() {
    for (people, chats, members) in [(1000, 1000, 5), (10, 1, 10), (7, 3, 4), (100, 50, 1)] {
        let scenario = Scenario { people, chats, members, ..Scenario::default() };
        let mut chats_of = vec![0; people];
        for chat in 0..chats {
            let all: std::collections::BTreeSet<_> = scenario.members_of(chat).collect();
            assert_eq!(all.len(), members);
            all.into_iter().for_each(|place| chats_of[place] += 1);
        }
        if (people, chats) == (1000, 1000) {
            assert!(chats_of.iter().all(|count| *count == 5));
        }
    }
}
