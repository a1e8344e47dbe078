//! What is said to words that make no sense, and to the program alone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod fake;

use fake::Fake;

#[test]
fn without_words_there_is_a_short_usage() {
    let said = Fake::absent()
        .run(&[])
        .code(2)
        .says(&["tine start app.js", "tine --help"]);
    assert!(said.err.lines().count() < 15);
    assert_eq!(said.out, "");
}

#[test]
fn help_and_version_are_answers() {
    let fake = Fake::absent();
    let help = fake.run(&["--help"]).code(0);
    for verb in [
        "start",
        "list",
        "jlist",
        "startOrRestart",
        "reload",
        "run",
        "apply",
    ] {
        assert!(help.out.contains(verb), "{verb}");
    }
    assert!(!help.out.contains("keeper"), "a hidden role is in the help");
    assert_eq!(
        fake.run(&["--version"]).code(0).out,
        format!("tine {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(
        fake.run(&["-v"]).code(0).out,
        format!("{}\n", env!("CARGO_PKG_VERSION"))
    );
    assert!(
        fake.run(&["start", "--help"])
            .code(0)
            .out
            .contains("--kill-timeout")
    );
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let fake = Fake::absent();
    fake.write("app.js", "");
    for (words, parts) in [
        (
            &["strt", "app.js"][..],
            &[
                "there is no command \"strt\"",
                "hint: did you mean `tine start`?",
            ][..],
        ),
        (&["app.js"], &["tine start app.js"]),
        (&["monit"], &["`tine monit`", "not there yet"]),
        (&["install", "pm2-logrotate"], &["modules"]),
        (
            &["start", "app.js", "--watch"],
            &["--watch: watching files is not there yet"],
        ),
        (&["start", "app.js", "--cron", "* * * * *"], &["--cron: "]),
        (&["start", "app.js", "-c", "* * * * *"], &["-c: "]),
        (
            &["start", "app.js", "--max-memory-restart=1G"],
            &["--max-memory-restart", "memory"],
        ),
        (
            &["--no-daemon", "start", "app.js"],
            &["--no-daemon: ", "tine run"],
        ),
        (
            &["start", "app.js", "--container"],
            &["--container: ", "images"],
        ),
        (&["start", "app.js", "--nonsense"], &["--nonsense"]),
        (&["start", "app.js", "-i", "many"], &["many"]),
        (&["start", "app.js", "--kill-timeout", "-1"], &["-1"]),
        (
            &["start", "app.js", "--env", "production"],
            &["process file"],
        ),
        (&["start", "app.js", "--only", "web"], &["process file"]),
        (&["start", "a.js", "b.js", "--name", "web"], &["one name"]),
        (&["list", "--kill-timeout", "5"], &["--kill-timeout"]),
        (&["list", "--sort", "colour"], &["one of name, namespace"]),
        (&["stop"], &["TARGET"]),
        (&["scale", "web", "lots"], &["lots"]),
        (&["sendSignal", "SIGNOPE", "web"], &["SIGNOPE"]),
        (&["restart", "web", "--parallel", "0"], &["parallel"]),
        (&["multiset", "a b c"], &["has no value", "by turns"]),
        (&["keeper", "--nonsense"], &["how the daemon starts itself"]),
    ] {
        let said = fake.run(words).code(2).says(parts);
        assert_eq!(said.out, "", "{words:?}");
    }
    assert!(!fake.home().exists());
}

#[test]
fn the_words_of_errors_have_colours_only_on_a_terminal() {
    let said = Fake::absent().run(&["strt"]).code(2);
    assert!(!said.err.contains('\u{1b}'), "{said:?}");
}
