//! `tine set`, `get`, `unset`, `conf`, `config` and `multiset`.

use std::os::unix::fs::MetadataExt as _;

use crate::support::*;

#[test]
fn a_setting_is_kept_until_it_is_removed() {
    let home = home();
    home.ok(["set", "web:color", "blue"]);
    home.ok(["set", "web.size", "-3"]);
    home.ok(["multiset", "a:b 1 c 'two words'"]);
    assert_eq!(home.ok(["get", "web:color"]).out, "blue\n");
    assert_eq!(home.ok(["get", "web:size"]).out, "-3\n");
    assert_eq!(home.ok(["get", "c"]).out, "two words\n");
    home.ok(["config", "web:color", "red"]);
    assert_eq!(home.ok(["config", "web:color"]).out, "red\n");
    for words in [["conf"], ["get"]] {
        let all = home.ok(words).out;
        for line in ["a:b: 1", "c: two words", "web:color: red", "web:size: -3"] {
            assert!(all.lines().any(|one| one == line), "{all}");
        }
    }
    assert_eq!(home.ok(["conf", "--json"]).json()["a:b"], "1");
    let file = home.tine().join("settings.json");
    assert_eq!(std::fs::metadata(file).unwrap().mode() & 0o777, 0o600);

    if !home.processes().is_empty() {
        home.ok(["kill"]);
    }
    assert_eq!(home.ok(["get", "a:b"]).out, "1\n");
    home.ok(["unset", "web"]);
    home.refused(5, ["get", "web:color"]).hints();
    home.ok(["unset", "all"]);
    assert_eq!(home.ok(["conf"]).out.trim(), "");
}

#[test]
fn what_is_not_there_and_what_makes_no_sense() {
    let home = home();
    home.refused(5, ["get", "nothing"]).says("nothing").hints();
    let said = home.run(["set", "", "x"]);
    assert!(
        said.code != 0 && said.err.starts_with("error: "),
        "{said:?}"
    );
    let said = home.run(["multiset", "a 1 b"]);
    assert!(
        said.code != 0 && said.err.starts_with("error: "),
        "{said:?}"
    );
    home.run(["set", "only-a-key"]).is(2);
}
