//! Options and targets that make no sense.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use crate::bystander::Bystander;
use crate::support::*;

#[test]
fn values_of_options() {
    let bystander = Bystander::new();
    let home = &bystander.home;
    let mut wrong = Vec::new();
    for (option, value) in [
        ("-i", "many"),
        ("-i", "1.5"),
        ("-i", ""),
        ("-i", "99999999999999999999"),
        ("-i", "1000000"),
        ("--kill-timeout", "-1"),
        ("--kill-timeout", "soon"),
        ("--kill-timeout", "99999999999999999999"),
        ("--listen-timeout", "x"),
        ("--restart-delay", "1s1"),
        ("--exp-backoff-restart-delay", "-5"),
        ("--max-restarts", "-1"),
        ("--max-restarts", "1e3"),
        ("--min-uptime", "5d"),
        ("--stop-exit-codes", "a,b"),
        ("--stop-exit-codes", "300"),
        ("--stop-signal", "SIGNONE"),
        ("--log-type", "xml"),
        ("--balance", "random"),
        ("--name", ""),
        ("--name", "all"),
        ("--namespace", ""),
        ("--cwd", "/no/such/folder"),
        ("--cwd", "/etc/passwd"),
        ("--interpreter", "no-such-program"),
        ("--interpreter", "/etc/passwd"),
        ("--interpreter-args", "unclosed ' quote"),
    ] {
        let said = home.run(["start", "app.sh", option, value]);
        let is_clear = said.err.contains("error: ") && !said.err.contains("panicked");
        if !is_clear || ![2, 3].contains(&said.code) || !said.out.is_empty() {
            wrong.push(format!("{option} {value:?}: {said:?}"));
            let _ = home.run(["delete", "app"]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    bystander.is_undisturbed();
}

#[test]
fn targets() {
    let bystander = Bystander::new();
    let home = &bystander.home;
    for verb in [
        "stop", "restart", "reload", "delete", "reset", "describe", "env", "pid", "id",
    ] {
        for target in [
            "",
            "nobody",
            "99",
            "-1",
            "4294967296",
            "/(/",
            "//",
            "*",
            "\u{1b}[2J",
            "../x",
        ] {
            let said = home.run([verb, "--", target]);
            let said = if said.code == 2 {
                home.run([verb, target])
            } else {
                said
            };
            let is_known = ["pid", "id"].contains(&verb) && said.code == 0;
            let is_clear = said.err.contains("error: ") && [2, 3, 5].contains(&said.code);
            // `//` is a pattern that fits everything, as an empty one does.
            if target == "//" {
                continue;
            }
            assert!(is_known || is_clear, "{verb} {target:?}: {said:?}");
            assert!(!said.err.contains('\u{1b}'), "{said:?}");
        }
    }
    bystander.is_undisturbed();
}

#[test]
fn scripts_that_are_none() {
    let bystander = Bystander::new();
    let home = &bystander.home;
    std::fs::create_dir(home.folder().join("folder")).unwrap();
    std::fs::create_dir(home.folder().join("folder.js")).unwrap();
    std::os::unix::fs::symlink("loop.sh", home.folder().join("loop.sh")).unwrap();
    for script in [
        "folder",
        "./folder",
        "folder.js",
        "loop.sh",
        "missing",
        "./missing",
        "/",
        "",
        "/dev/null/x",
    ] {
        let said = home.run(["start", script]);
        assert!([2, 3].contains(&said.code), "{script}: {said:?}");
        assert!(
            said.err.contains("error: ") && said.err.contains("hint: "),
            "{script}: {said:?}"
        );
    }
    let text = OsString::from_vec(b"bad\xff.js".to_vec());
    let said = home.run([OsString::from("start"), text]);
    assert!(said.code == 2 || said.code == 3, "{said:?}");
    assert!(said.err.contains("error: "), "{said:?}");
    bystander.is_undisturbed();
}

#[test]
fn a_folder_that_cannot_be_entered_or_is_gone() {
    let bystander = Bystander::new();
    let home = &bystander.home;
    // The folder of the shell itself has gone.
    let gone = home.folder().join("gone");
    std::fs::create_dir(&gone).unwrap();
    let line = "cd \"$0\" && rmdir \"$0\" && exec \"$@\"";
    let mut command = std::process::Command::new("sh");
    let binary = tine_testkit::tine::binary();
    command
        .args(["-c", line])
        .arg(&gone)
        .arg(&binary)
        .args(["start", "app.sh"]);
    command.env("TINE_HOME", home.tine());
    let program = tine_testkit::Program::start("tine in a folder that is gone", command);
    let code = program.wait_exit(SECONDS).code();
    assert!(
        code.is_some_and(|code| (2..=4).contains(&code)),
        "{code:?} {}",
        program.transcript()
    );
    // Somebody who may not enter it; root may enter everything.
    if is_root() {
        use std::os::unix::fs::PermissionsExt as _;
        let closed = home.folder().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
        let words = [
            "start",
            "sleep",
            "--cwd",
            "closed",
            "--uid",
            "nobody",
            "--max-restarts",
            "0",
        ];
        let said = home.run([&words[..], &["--name", "x", "--", "1000"]].concat());
        assert!([1, 3].contains(&said.code), "{said:?}");
        assert!(said.err.contains("closed"), "{said:?}");
        let _ = home.run(["delete", "x"]);
    }
    bystander.is_undisturbed();
}

#[test]
fn words_of_enormous_length() {
    let bystander = Bystander::new();
    let home = &bystander.home;
    let long = "x".repeat(100_000);
    for words in [
        vec!["start", "app.sh", "--name", &long],
        vec!["stop", &long],
        vec!["start", &long],
        vec!["set", &long, "1"],
    ] {
        let said = home.run(words.iter().copied());
        assert!(
            said.code != 0 && said.err.contains("error: "),
            "{} {}",
            said.code,
            &said.err[..200.min(said.err.len())]
        );
        assert!(said.err.len() < 500_000);
    }
    // As much as the kernel gives to a program can be passed on to another.
    start_with(home, &["app.sh", "--name", "long"], &[&long, &long]);
    home.ok(["delete", "long"]);
    bystander.is_undisturbed();
}

#[test]
fn an_interpreter_that_goes_away_is_told_and_tried_again() {
    let bystander = Bystander::new();
    let home = &bystander.home;
    std::fs::copy("/bin/sh", home.folder().join("shell")).unwrap();
    start(
        home,
        &["app.sh", "--interpreter", "./shell", "--max-restarts", "3"],
    );
    std::fs::remove_file(home.folder().join("shell")).unwrap();
    let said = home.run(["restart", "app"]);
    assert!(said.err.contains("shell") && said.code != 0, "{said:?}");
    let process = home.wait_status("app", "errored");
    assert!(
        process["reason"].as_str().unwrap().contains("shell"),
        "{process}"
    );
    home.ok(["delete", "app"]);
    bystander.is_undisturbed();
}
