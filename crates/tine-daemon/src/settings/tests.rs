#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use super::*;
use std::os::unix::fs::MetadataExt;

struct World {
    _folder: tempfile::TempDir,
    home: Home,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path()).unwrap();
    World {
        _folder: folder,
        home,
    }
}

impl World {
    fn load(&self) -> Settings {
        Settings::load(&self.home).unwrap()
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let each = pairs.iter();
    each.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn what_is_set_is_there_for_the_next_one_who_loads() {
    let world = world();
    let mut settings = world.load();
    settings.set("web:color", "red").unwrap();
    settings.set("web.size", "").unwrap();
    settings.set(r#"web."a.b":c"#, "deep").unwrap();
    settings.set("alone", "1").unwrap();
    let expected = map(&[
        ("alone", "1"),
        (r#"web:"a.b":c"#, "deep"),
        ("web:color", "red"),
        ("web:size", ""),
    ]);
    assert_eq!(settings.all(), expected);
    assert_eq!(world.load().all(), expected);
    let mode = fs::metadata(world.home.settings()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Each key that is shown can be asked for.
    for (key, value) in &expected {
        assert_eq!(settings.get(key).unwrap(), map(&[(key, value)]));
    }
}

#[test]
fn a_name_stands_for_all_below_it() {
    let world = world();
    let mut settings = world.load();
    settings.set("web:a", "1").unwrap();
    settings.set("web:b:c", "2").unwrap();
    settings.set("other", "3").unwrap();
    let web = map(&[("web:a", "1"), ("web:b:c", "2")]);
    assert_eq!(settings.get("web").unwrap(), web);
    assert_eq!(
        settings.section("web"),
        map(&[("a", "1"), ("b", r#"{"c":"2"}"#)])
    );
    assert_eq!(settings.section("other"), map(&[]));
    settings.unset("web:b:c").unwrap();
    assert_eq!(settings.get("web").unwrap(), map(&[("web:a", "1")]));
    settings.unset("web").unwrap();
    assert_eq!(world.load().all(), map(&[("other", "3")]));
    settings.unset("all").unwrap();
    assert_eq!(world.load().all(), map(&[]));
}

#[test]
fn what_is_not_set_is_an_error() {
    let world = world();
    let mut settings = world.load();
    settings.set("web:a", "1").unwrap();
    for key in ["x", "web:b", "web:a:b"] {
        assert!(matches!(
            settings.get(key).unwrap_err(),
            SettingsError::NotSet { .. }
        ));
        assert!(matches!(
            settings.unset(key).unwrap_err(),
            SettingsError::NotSet { .. }
        ));
    }
}

#[test]
fn keys_that_name_nothing_are_refused() {
    let world = world();
    let mut settings = world.load();
    let deep = ["x"; MOST_PARTS + 1].join(":");
    let long = "x".repeat(MOST_KEY_BYTES + 1);
    for key in [
        "",
        ":",
        "a:",
        ".a",
        "a::b",
        "a..b",
        "\"a",
        "__proto__",
        "a:constructor",
        "a.prototype.b",
        "a\nb",
        &deep,
        &long,
    ] {
        let error = settings.set(key, "1").unwrap_err();
        assert!(matches!(error, SettingsError::Key { .. }), "{key}: {error}");
    }
    assert!(settings.all().is_empty());
}

#[test]
fn neither_a_value_nor_a_section_is_lost_by_setting_another() {
    let world = world();
    let mut settings = world.load();
    settings.set("a:b", "1").unwrap();
    let error = settings.set("a", "2").unwrap_err();
    assert_eq!(error.hint(), "`tine unset a` removes them");
    let error = settings.set("a:b:c", "2").unwrap_err();
    assert_eq!(error.hint(), "`tine unset a:b` removes it");
    assert_eq!(settings.all(), map(&[("a:b", "1")]));
}

#[test]
fn of_several_all_are_set_or_none() {
    let world = world();
    let mut settings = world.load();
    let several = pairs(r#"a:b 1 a:c "two words" d ''"#).unwrap();
    settings.set_all(&several).unwrap();
    let expected = map(&[("a:b", "1"), ("a:c", "two words"), ("d", "")]);
    assert_eq!(world.load().all(), expected);
    let bad = pairs("e 1 a 2").unwrap();
    assert!(settings.set_all(&bad).is_err());
    assert_eq!(settings.all(), expected);
    for text in ["", "  ", "a", "a 1 b", "a \"1"] {
        assert!(pairs(text).is_err(), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_understood_is_named_with_the_place_and_never_overwritten() {
    let world = world();
    fs::write(world.home.settings(), "{\n  \"a\": 1,\n  oops\n}").unwrap();
    let error = Settings::load(&world.home).unwrap_err();
    assert!(error.to_string().contains("settings.json"), "{error}");
    assert!(error.to_string().contains("line 3"), "{error}");
    assert!(world.home.settings().exists());
    let (mut settings, aside) = Settings::load_or_set_aside(&world.home).unwrap();
    let (aside, why) = aside.unwrap();
    assert!(matches!(why, SettingsError::Malformed { .. }));
    assert!(fs::read_to_string(aside).unwrap().contains("oops"));
    settings.set("b", "2").unwrap();
    assert_eq!(world.load().all(), map(&[("b", "2")]));
    fs::write(world.home.settings(), "[1]").unwrap();
    assert!(Settings::load(&world.home).is_err());
}

#[test]
fn what_somebody_wrote_by_hand_is_kept() {
    let world = world();
    fs::write(
        world.home.settings(),
        r#"{"n": 5, "t": true, "l": [1, 2], "o": {}}"#,
    )
    .unwrap();
    let mut settings = world.load();
    settings.set("o", "now").unwrap();
    let expected = map(&[("l", "[1,2]"), ("n", "5"), ("o", "now"), ("t", "true")]);
    assert_eq!(world.load().all(), expected);
    let text = fs::read_to_string(world.home.settings()).unwrap();
    assert!(text.contains("\"n\": 5"), "{text}");
}

#[test]
fn a_value_without_measure_is_refused() {
    let world = world();
    let mut settings = world.load();
    let error = settings.set("a", &"x".repeat(MOST_VALUE_BYTES + 1));
    assert!(matches!(error.unwrap_err(), SettingsError::Value { .. }));
}
