//! What is printed for people who look for help, and what is refused by name.

use crate::support::*;

/// Every verb and option that there is, from the help.
fn verbs(home: &Home) -> Vec<String> {
    let help = home.ok(["--help"]).out;
    let list = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("\nOptions:")
        .next()
        .unwrap();
    let is_verb = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let verbs = list
        .lines()
        .filter(is_verb)
        .filter_map(|line| line.split_whitespace().next());
    verbs.map(ToOwned::to_owned).collect()
}

#[test]
fn every_verb_has_its_help() {
    let home = home();
    let verbs = verbs(&home);
    assert!(verbs.len() > 35, "{verbs:?}");
    for verb in &verbs {
        let text = home.ok([verb.as_str(), "--help"]).out;
        assert!(text.contains("Usage:"), "{verb}: {text}");
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.len() > 10 && !first.starts_with("Usage"),
            "{verb} says not what it does"
        );
    }
    let said = home.run([] as [&str; 0]).is(2);
    assert!(said.err.contains("tine start"), "{said:?}");
    assert!(home.processes().is_empty());
}

#[test]
fn completions_know_every_verb() {
    let home = home();
    for shell in ["bash", "zsh", "fish"] {
        let text = home.ok(["completion", shell]).out;
        for verb in verbs(&home) {
            assert!(text.contains(&verb), "{shell}: {verb}");
        }
    }
    home.run(["completion", "tcsh"]).is(2);
    // What bash is given, bash can read.
    let script = home.write("complete.bash", home.ok(["completion", "bash"]).out);
    let mut command = std::process::Command::new("bash");
    let line = format!("source {} && complete -p tine", script.display());
    command.args(["--norc", "-c", &line]);
    let program = tine_testkit::Program::start("bash", command);
    assert_eq!(
        program.wait_exit(SECONDS).code(),
        Some(0),
        "{}",
        program.transcript()
    );
}

#[test]
fn there_is_a_manual_page_for_every_verb() {
    let home = home();
    home.ok(["man", "--out", "man"]);
    let pages: Vec<String> = std::fs::read_dir(home.folder().join("man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(pages.contains(&"tine.1".to_owned()), "{pages:?}");
    for verb in verbs(&home) {
        assert!(
            pages.contains(&format!("tine-{verb}.1")),
            "{verb}: {pages:?}"
        );
    }
}

#[test]
fn versions_and_facts_are_told() {
    let home = home();
    let own = home.ok(["--version"]).out;
    assert!(own.starts_with("tine "), "{own}");
    assert_eq!(
        home.ok(["-v"]).out.trim(),
        own.trim().strip_prefix("tine ").unwrap()
    );
    assert!(home.ok(["version", "--json"]).json()["daemon"].is_null());
    start(&home, &["app.sh"]);
    let version = home.ok(["version", "--json"]).json();
    assert_eq!(version["daemon"]["keeper"], home.keeper());
    home.ok(["version"]);
    let report = home.ok(["report"]).out;
    for word in [
        "version",
        "kernel",
        "processes",
        &home.tine().display().to_string(),
    ] {
        assert!(report.contains(word), "{word}: {report}");
    }
    assert!(home.ok(["report", "--json"]).json().is_object());
}

#[test]
fn a_doctor_says_what_the_machine_permits() {
    let home = home();
    let said = home.run(["doctor"]);
    assert!([0, 1].contains(&said.code), "{said:?}");
    for word in ["kernel", "pidfd", "node"] {
        assert!(said.out.to_lowercase().contains(word), "{word}: {said:?}");
    }
    let said = home.run(["doctor", "--json"]);
    assert!(said.json().is_object() || said.json().is_array());
}

#[test]
fn what_pm2_has_and_tine_has_not_is_refused_by_name() {
    let home = home();
    for verb in [
        "monit",
        "startup",
        "unstartup",
        "update",
        "deploy",
        "install",
        "link",
        "plus",
        "pull",
        "trigger",
        "slist",
        "logrotate",
        "web",
        "create",
    ] {
        home.refused(2, [verb]).says(verb);
    }
    for option in [
        &["--watch"][..],
        &["--cron", "* * * * *"],
        &["--max-memory-restart", "100M"],
        &["--no-daemon"],
        &["--container"],
        &["--trace"],
        &["--ext", "js"],
    ] {
        let words = [&["start", "app.sh"], option].concat();
        home.refused(2, words).says(option[0]);
    }
    home.refused(2, ["strat", "app.sh"]).says("strat").hints();
    home.run(["start", "app.sh", "--no-such-option"]).is(2);
    home.run(["list", "--no-such-option"]).is(2);
    assert!(home.processes().is_empty());
}
