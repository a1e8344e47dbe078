//! `tine sendSignal`.

use crate::support::*;

#[test]
fn a_signal_reaches_the_process_itself() {
    let home = home();
    home.write("hears.js", "for (const s of ['SIGUSR2', 'SIGHUP']) process.on(s, () => console.log('got', s)); console.log('on'); setInterval(() => {}, 1000)");
    start(&home, &["hears.js", "-x", "-i", "2"]);
    for id in ["0", "1"] {
        wait_text(&home, &format!(".tine/logs/hears-out-{id}.log"), "on\n");
    }
    home.ok(["sendSignal", "SIGUSR2", "hears"]);
    wait_text(&home, ".tine/logs/hears-out-0.log", "got SIGUSR2");
    wait_text(&home, ".tine/logs/hears-out-1.log", "got SIGUSR2");
    home.ok(["signal", "HUP", "1"]);
    wait_text(&home, ".tine/logs/hears-out-1.log", "got SIGHUP");
    assert!(!home.read(".tine/logs/hears-out-0.log").contains("SIGHUP"));
    assert_eq!(statuses(&home), "hears online, hears online");
}

#[test]
fn a_signal_that_kills_is_an_end_like_any_other() {
    let home = home();
    start(&home, &["app.sh"]);
    home.ok(["send-signal", "SIGKILL", "app"]);
    let process = home.wait_for("app", "the next", |process| {
        process["generation"] == 2 && process["status"] == "online"
    });
    assert_eq!(process["restarts"], 1);
    assert_eq!(process["exits"][0]["signal"], "SIGKILL");
}

#[test]
fn what_is_no_signal_is_refused() {
    let home = home();
    start(&home, &["app.sh"]);
    let pid = home.pid("app");
    for word in ["SIGNONE", "", "99", "-1"] {
        home.run(["sendSignal", word, "app"]).is(2);
    }
    home.refused(5, ["sendSignal", "SIGUSR1", "web"])
        .says("web")
        .hints();
    assert_eq!(home.pid("app"), pid);
}
