//! `tine reload`: the processes of an app are replaced while it serves.

use crate::support::*;
use tine_testkit::Load;

#[test]
fn no_request_is_lost_while_a_cluster_is_reloaded() {
    for way in ["rr", "kernel"] {
        let home = Home::new();
        let script = fixture("http.js").display().to_string();
        home.ok([
            "start",
            &script,
            "-i",
            "2",
            "--name",
            "web",
            "--balance",
            way,
        ]);
        let before = pids(&home, "web");
        let load = Load::new(home.port())
            .connections(4)
            .new_connection_each(true);
        let load = load.run_in_background();
        for _ in 0..3 {
            load.wait_for_more(20, SECONDS);
            home.ok(["reload", "web"]);
        }
        load.wait_for_more(20, SECONDS);
        load.stop().assert_no_failures();
        let after = pids(&home, "web");
        assert!(after.len() == 2 && before.iter().all(|pid| !after.contains(pid)));
        assert!(
            home.list().iter().all(|one| one["restarts"] == 3),
            "{:?}",
            home.list()
        );
    }
}

#[test]
fn a_plain_program_is_replaced_too() {
    let home = home();
    start(&home, &["app.py"]);
    let before = home.pid("app");
    home.ok(["reload", "app", "--", "new", "words"]);
    assert!(!process::is_alive(before));
    assert_eq!(home.process("app")["generation"], 2);
    wait_text(&home, ".tine/logs/app-out.log", "args: new words");
}

#[test]
fn when_the_new_one_fails_the_others_serve_on() {
    let home = Home::new();
    home.write(
        "web.js",
        "if (require('fs').existsSync('spoiled')) { console.error('spoiled'); process.exit(5); }
         require('http').createServer((q, s) => s.end('old')).listen(process.env.PORT);",
    );
    home.ok(["start", "web.js", "-i", "2"]);
    let before = pids(&home, "web");
    home.write("spoiled", "");
    let said = home.run(["reload", "web"]).is(1);
    assert!(said.err.contains("| spoiled"), "{said:?}");
    let body = home.get("/").unwrap().text();
    assert_eq!(body, "old");
    let after = pids(&home, "web");
    assert!(
        before.iter().any(|pid| after.contains(pid)),
        "{before:?} {after:?}"
    );
}

#[test]
fn a_second_reload_meanwhile_is_refused_unless_forced() {
    let home = Home::new();
    home.write(
        "slow.js",
        "const fs = require('fs');
         const late = fs.existsSync('late');
         if (late) fs.writeFileSync('replacing', '');
         setTimeout(() => require('http').createServer().listen(process.env.PORT), late ? 3e6 : 0);",
    );
    home.ok([
        "start",
        "slow.js",
        "-i",
        "1",
        "--listen-timeout",
        "40000",
        "--kill-timeout",
        "100",
    ]);
    home.write("late", "");
    let first = home.call(["reload", "slow"]).start();
    until("the new process", SECONDS, || {
        home.folder().join("replacing").exists()
    });
    home.refused(1, ["reload", "slow"])
        .says("under way")
        .hints();
    std::fs::remove_file(home.folder().join("late")).unwrap();
    home.ok(["reload", "slow", "--force"]);
    assert_ne!(first.wait_exit(SECONDS).code(), Some(0));
    assert_eq!(statuses(&home), "slow online");
}

#[test]
fn nobody_of_this_name() {
    let home = home();
    home.refused(5, ["reload", "web"]).hints();
}
